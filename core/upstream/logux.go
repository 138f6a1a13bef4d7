package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/upstream/internal/http1"
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

	// MaxConnections is how many requests run at a time; default 64.
	MaxConnections int
	// MaxQueue is how many more may wait; default 10,000, negative means none.
	MaxQueue int
	// MaxAnswerBytes is how large the response to one request may be; default 16 MiB.
	MaxAnswerBytes int64
	// MaxElementBytes is how large one element of a response may be; default 1 MiB.
	MaxElementBytes int

	Name   string       // label in bridge.hcl, for logs
	Logger *slog.Logger // nil means none
}

// loguxPool is a back-end that speaks the Logux back-end protocol.
type loguxPool struct {
	cfg    LoguxConfig
	codec  *logux.Codec
	gate   *gate
	calls  *caller
	health health

	asks sync.Pool // of *loguxAsk
}

// NewLogux returns the pool of a back-end that speaks the Logux back-end protocol; it is an
// [Authenticator] too. Nothing is connected yet. The error is about the URL or the version.
func NewLogux(cfg LoguxConfig) (Pool, error) {
	cfg.Version = cmp.Or(cfg.Version, logux.MaxVersion)
	cfg.ConnectTimeout = cmp.Or(cfg.ConnectTimeout, 2*time.Second)
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.IdleTimeout = cmp.Or(cfg.IdleTimeout, 30*time.Second)
	cfg.MaxConnections = cmp.Or(cfg.MaxConnections, 64)
	cfg.MaxQueue = max(cmp.Or(cfg.MaxQueue, 10_000), 0)
	cfg.MaxAnswerBytes = cmp.Or(cfg.MaxAnswerBytes, 16<<20)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	codec, err := logux.NewCodec(cfg.Version, cfg.Secret)
	if err != nil {
		return nil, err
	}
	target, err := parseURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	client := http1.New(http1.Config{
		URL: target, ConnectTimeout: cfg.ConnectTimeout, IdleTimeout: cfg.IdleTimeout, MaxIdle: cfg.MaxConnections,
	})
	p := &loguxPool{
		cfg:    cfg,
		codec:  codec,
		gate:   newGate(cfg.MaxConnections, cfg.MaxQueue),
		calls:  newCaller(client, cfg.Timeout, cfg.IdleTimeout, cfg.MaxAnswerBytes),
		health: health{log: cfg.Logger.With("upstream", cfg.Name)},
	}
	p.asks.New = func() any {
		k := &loguxAsk{pool: p}
		k.onAnswer = k.answer
		return k
	}
	return p, nil
}

func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil {
		// What url.Parse says repeats the text, which may hold a password.
		return nil, errors.New("the URL of the upstream cannot be read")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, fmt.Errorf("the URL of an upstream must begin with http:// or https:// and a host, not %q", u.Redacted())
	}
	return u, nil
}

func (p *loguxPool) Kind() string { return "logux" }

func (p *loguxPool) Close() {
	p.health.over.Store(true)
	p.gate.close()
	p.calls.close()
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
	if err := p.gate.enter(ctx, p.cfg.Timeout); err != nil {
		emit(&upstream.Answer{Last: true, Outcome: upstream.Unavailable, Detail: err.Error()})
		return
	}
	k := p.asks.Get().(*loguxAsk) //nolint:forcetypeassert // nothing else is put in
	draining := false
	defer func() {
		if !draining {
			k.Release()
		}
	}()
	k.emit = emit
	k.Reset(p.cfg.MaxElementBytes, k.onAnswer, req)
	k.body = p.codec.AppendBody(k.body[:0], req)
	draining = p.calls.post(ctx, "", k.body, k)
}

// loguxAsk is a question that is being put. The pool keeps them, for their memory.
type loguxAsk struct {
	logux.Exchange
	pool     *loguxPool
	body     []byte
	emit     func(*upstream.Answer)
	onAnswer func(int, *upstream.Answer) // the method answer, made a value once
}

func (k *loguxAsk) answer(_ int, a *upstream.Answer) {
	a.Detail = k.pool.withoutSecret(a.Detail)
	if a.Last {
		k.pool.health.note(a.Outcome, a.Detail)
	}
	k.emit(a)
}

// Done and Release make it a sink, with the Exchange.
func (k *loguxAsk) Done() bool { return k.Open() == 0 }

func (k *loguxAsk) Release() {
	p := k.pool
	k.Exchange.Release()
	k.emit = nil
	if cap(k.body) > 64<<10 {
		k.body = nil
	}
	p.asks.Put(k)
	p.gate.leave()
}

func (p *loguxPool) Authenticate(ctx context.Context, a *logux.Auth) logux.AuthResult {
	if err := p.gate.enter(ctx, p.cfg.Timeout); err != nil {
		return logux.AuthResult{Outcome: upstream.Unavailable, Detail: err.Error()}
	}
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
	result.Detail = p.withoutSecret(result.Detail)
	p.health.note(result.Outcome, result.Detail)
	return result
}

// loguxAuth is an authentication that is being asked for.
type loguxAuth struct {
	*logux.AuthExchange
	pool *loguxPool
}

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

// withoutSecret stars the secret in a text of the back-end, which may show what it was sent.
func (p *loguxPool) withoutSecret(text string) string {
	if text == "" || p.cfg.Secret == "" {
		return text
	}
	return strings.ReplaceAll(text, p.cfg.Secret, "***")
}
