package upstream

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

// LoguxConfig says how to reach a back-end that speaks the Logux back-end protocol. Zero values
// mean the defaults that are named.
type LoguxConfig struct {
	// URL is asked as it is, path and query included; http or https.
	URL string
	// Secret is part of each request, and of nothing else.
	Secret string
	// Version of the protocol, 1 to 4; default 4.
	Version int

	// ConnectTimeout is for connecting, TLS included; default 2 s.
	ConnectTimeout time.Duration
	// Timeout is for the time from the start of a request to the first byte of an answer, attempts
	// to connect and to come back after a 429 included; default 10 s. As much again may be waited in
	// the queue.
	Timeout time.Duration
	// IdleTimeout is for silence inside an answer; default 30 s.
	IdleTimeout time.Duration

	// Batch is how many questions that wait may be put together in one request; default 1. None waits
	// for others to come. Above 1, what the receiver of a shared response has not taken waits in
	// memory, up to MaxAnswerBytes a request, and does not keep the response from being read.
	Batch int

	// MaxConnections is how many requests run at a time; default 64.
	MaxConnections int
	// MaxQueue is how many more may wait; default 10,000, negative means none.
	MaxQueue int
	// MaxAnswerBytes is how large the response to one request may be; default 16 MiB.
	MaxAnswerBytes int64
	// MaxElementBytes is how large one element of a response may be; default 1 MiB.
	MaxElementBytes int

	Name    string       // in bridge.hcl, as "upstream.logux.app": for logs and metrics
	Logger  *slog.Logger // nil means none
	Metrics *Metrics     // nil means none
}

// loguxPool is a back-end that speaks the Logux back-end protocol.
type loguxPool struct {
	*base
	cfg   LoguxConfig
	codec *logux.Codec

	asks sync.Pool // of *loguxAsk
}

// NewLogux returns the pool of a back-end that speaks the Logux back-end protocol; it is an
// [Authenticator] too. Nothing is connected yet. The error is about the URL or the version.
func NewLogux(cfg LoguxConfig) (Pool, error) {
	codec, err := logux.NewCodec(cmp.Or(cfg.Version, logux.MaxVersion), cfg.Secret)
	if err != nil {
		return nil, err
	}
	b, err := newBase(baseConfig{
		kind: "logux", name: cfg.Name, url: cfg.URL,
		connectTimeout: cmp.Or(cfg.ConnectTimeout, defaultConnectTimeout),
		timeout:        cmp.Or(cfg.Timeout, defaultTimeout),
		idleTimeout:    cmp.Or(cfg.IdleTimeout, 30*time.Second),
		connections:    cmp.Or(cfg.MaxConnections, 64),
		queue:          cmp.Or(cfg.MaxQueue, defaultQueue),
		maxAnswer:      cmp.Or(cfg.MaxAnswerBytes, 16<<20),
		connects:       connectAttempts,
		busyPause:      busyPause,
		logger:         cfg.Logger,
		metrics:        cfg.Metrics,
	})
	if err != nil {
		return nil, err
	}
	p := &loguxPool{base: b, cfg: cfg, codec: codec}
	p.gate.batch = cfg.Batch
	p.asks.New = func() any {
		k := &loguxAsk{pool: p}
		k.onAnswer = k.answer
		return k
	}
	return p, nil
}

func (p *loguxPool) Ask(ctx context.Context, req *upstream.Request, emit func(*upstream.Answer)) {
	if err := logux.Check(req); err != nil {
		emit(&upstream.Answer{Last: true, Outcome: refusal(err), Detail: err.Error()})
		return
	}
	if req.Purpose == "closed" && req.Raw == nil {
		// The protocol has no word for it.
		emit(&upstream.Answer{Last: true, Outcome: upstream.OK})
		return
	}
	if p.cfg.Batch > 1 {
		p.askShared(ctx, req, emit)
		return
	}
	if err := p.enter(ctx); err != nil {
		emit(&upstream.Answer{Last: true, Outcome: upstream.Unavailable, Detail: err.Error()})
		return
	}
	p.put(ctx, req, emit)
}

// put puts a question whose turn has come, and leaves the gate behind it.
func (p *loguxPool) put(ctx context.Context, req *upstream.Request, emit func(*upstream.Answer)) {
	k := p.asks.Get().(*loguxAsk) //nolint:forcetypeassert // nothing else is put in
	draining := false
	defer func() {
		if !draining {
			k.Release()
		}
	}()
	k.emit, k.began = emit, time.Now()
	k.Reset(p.cfg.MaxElementBytes, k.onAnswer, req)
	k.body = p.codec.AppendBody(k.body[:0], req)
	draining = p.calls.post(ctx, "", k.body, k)
}

// finish is for each answer before it is handed over.
func (p *loguxPool) finish(a *upstream.Answer, began time.Time) {
	a.Detail = starred(a.Detail, p.cfg.Secret)
	if a.Last {
		p.ended(a.Outcome, a.Detail, began)
	}
}

// loguxAsk is a question that is being put. The pool keeps them, for their memory.
type loguxAsk struct {
	logux.Exchange
	pool     *loguxPool
	body     []byte
	began    time.Time
	emit     func(*upstream.Answer)
	onAnswer func(int, *upstream.Answer) // the method answer, made a value once
}

func (k *loguxAsk) answer(_ int, a *upstream.Answer) {
	k.pool.finish(a, k.began)
	k.emit(a)
}

// Begin, Done and Release make it a sink, with the Exchange.
func (k *loguxAsk) Begin(status int) bool { return isSuccess(status) }

func (k *loguxAsk) Done() bool { return k.Open() == 0 }

func (k *loguxAsk) Release() {
	p := k.pool
	k.Exchange.Release()
	k.emit = nil
	if cap(k.body) > keepBody {
		k.body = nil
	}
	p.asks.Put(k)
	p.gate.leave()
}

func (p *loguxPool) Authenticate(ctx context.Context, a *logux.Auth) logux.AuthResult {
	if err := p.enter(ctx); err != nil {
		return logux.AuthResult{Outcome: upstream.Unavailable, Detail: err.Error()}
	}
	began := time.Now()
	k := &loguxAuth{AuthExchange: logux.NewAuthExchange(a, p.cfg.MaxElementBytes), pool: p}
	draining := false
	defer func() {
		if !draining {
			k.Release()
		}
	}()
	body := p.codec.End(p.codec.AppendAuth(p.codec.Begin(nil), a))
	draining = p.calls.post(ctx, "", body, k)
	result := k.Result()
	result.Detail = starred(result.Detail, p.cfg.Secret)
	p.ended(result.Outcome, result.Detail, began)
	return result
}

// loguxAuth is an authentication that is being asked for.
type loguxAuth struct {
	*logux.AuthExchange
	pool *loguxPool
}

func (k *loguxAuth) Begin(status int) bool { return isSuccess(status) }

func (k *loguxAuth) Release() { k.pool.gate.leave() }

// refusal is the outcome of a question that cannot be put at all.
func refusal(err error) upstream.Outcome {
	switch {
	case errors.Is(err, logux.ErrUser):
		return upstream.Denied
	case errors.Is(err, logux.ErrType):
		return upstream.UnknownType
	}
	return upstream.Error
}
