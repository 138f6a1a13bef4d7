package upstream

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/httpapi"
)

// HTTPConfig says how to reach a back-end that speaks Bridge's own contract. Zero values mean the
// defaults that are named.
type HTTPConfig struct {
	// URL is asked as it is, path and query included; http or https.
	URL string
	// Secrets sign each request, the current one first; at least one, none of them empty.
	Secrets []string

	// ConnectTimeout is for connecting, TLS included; default 2 s.
	ConnectTimeout time.Duration
	// Timeout is for the time from the start of a request to the end of the answer, attempts to
	// connect and to come back after a 429 included; default 10 s. As much again may be waited in the
	// queue.
	Timeout time.Duration

	// MaxConnections is how many requests run at a time; default 64.
	MaxConnections int
	// MaxQueue is how many more may wait; default 10,000, negative means none.
	MaxQueue int
	// MaxAnswerBytes is how large an answer may be; default 4 MiB.
	MaxAnswerBytes int64

	Name    string       // in bridge.hcl, as "upstream.http.api": for logs and metrics
	Logger  *slog.Logger // nil means none
	Metrics *Metrics     // nil means none
}

// Authorizer is a [Pool] whose back-end says who a client is, in Bridge's own contract.
type Authorizer interface {
	// Authorize asks who a client is. It blocks as Ask does, and has the same place in the queue. a
	// must stay as it is until Authorize returns.
	Authorize(ctx context.Context, a *httpapi.Authorize) httpapi.Authorized
}

// httpPool is a back-end that speaks Bridge's own contract.
type httpPool struct {
	*base
	secrets []string

	kept sync.Pool // of *httpCall
}

// NewHTTP returns the pool of a back-end that speaks Bridge's own contract; it is an [Authorizer]
// too. Nothing is connected yet. The error is about the URL or the secrets.
func NewHTTP(cfg HTTPConfig) (Pool, error) {
	if len(cfg.Secrets) == 0 {
		return nil, errors.New("an upstream of kind http needs a secret")
	}
	if slices.Contains(cfg.Secrets, "") {
		return nil, errors.New("the secret of an upstream is empty")
	}
	b, err := newBase(baseConfig{
		kind: "http", name: cfg.Name, url: cfg.URL,
		connectTimeout: cmp.Or(cfg.ConnectTimeout, defaultConnectTimeout),
		timeout:        cmp.Or(cfg.Timeout, defaultTimeout),
		connections:    cmp.Or(cfg.MaxConnections, 64),
		queue:          cmp.Or(cfg.MaxQueue, defaultQueue),
		maxAnswer:      cmp.Or(cfg.MaxAnswerBytes, 4<<20),
		connects:       connectAttempts,
		busyPause:      busyPause,
		logger:         cfg.Logger,
		metrics:        cfg.Metrics,
	})
	if err != nil {
		return nil, err
	}
	p := &httpPool{base: b, secrets: cfg.Secrets}
	p.kept.New = func() any { return &httpCall{} }
	return p, nil
}

func (p *httpPool) Ask(ctx context.Context, req *upstream.Request, emit func(*upstream.Answer)) {
	if err := httpapi.Check(req); err != nil {
		emit(&upstream.Answer{Last: true, Outcome: upstream.Error, Detail: err.Error()})
		return
	}
	emit(p.ask(ctx, req)) // behind the request: who is slow to take an answer holds no connection
}

func (p *httpPool) ask(ctx context.Context, req *upstream.Request) *upstream.Answer {
	if err := p.enter(ctx); err != nil {
		return &upstream.Answer{Last: true, Outcome: upstream.Unavailable, Detail: err.Error()}
	}
	defer p.gate.leave()
	k := p.take()
	defer p.put(k)
	k.request = httpapi.AppendRequest(k.request, req)
	began := p.post(ctx, k)
	var a *upstream.Answer
	if k.detail != "" {
		a = &upstream.Answer{Last: true, Outcome: upstream.Unavailable, Detail: k.detail}
	} else {
		a = httpapi.DecodeAnswer(req.Purpose, k.status, k.body)
	}
	p.ended(a.Outcome, a.Detail, began)
	return a
}

func (p *httpPool) Authorize(ctx context.Context, a *httpapi.Authorize) httpapi.Authorized {
	if err := httpapi.CheckAuthorize(a); err != nil {
		return httpapi.Authorized{Outcome: upstream.Unavailable, Detail: err.Error()}
	}
	if err := p.enter(ctx); err != nil {
		return httpapi.Authorized{Outcome: upstream.Unavailable, Detail: err.Error()}
	}
	defer p.gate.leave()
	k := p.take()
	defer p.put(k)
	k.request = httpapi.AppendAuthorize(k.request, a)
	began := p.post(ctx, k)
	result := httpapi.Authorized{Outcome: upstream.Unavailable, Detail: k.detail}
	if k.detail == "" {
		result = httpapi.DecodeAuthorized(k.status, k.body)
	}
	p.ended(result.Outcome, result.Detail, began)
	return result
}

// httpCall is a request with its response. The pool keeps them, for their memory.
type httpCall struct {
	whole
	request []byte
}

func (p *httpPool) take() *httpCall {
	return p.kept.Get().(*httpCall) //nolint:forcetypeassert // nothing else is put in
}

func (p *httpPool) put(k *httpCall) {
	request, body := k.request[:0], k.body[:0]
	if cap(request)+cap(body) > keepBody {
		request, body = nil, nil
	}
	*k = httpCall{request: request, whole: whole{body: body}}
	p.kept.Put(k)
}

// post signs and puts the request, and returns when it began.
func (p *httpPool) post(ctx context.Context, k *httpCall) time.Time {
	began := time.Now()
	header := append(make([]byte, 0, 256), httpapi.SignatureHeader+": "...)
	header = append(httpapi.AppendSignature(header, began, k.request, p.secrets...), "\r\n"...)
	p.calls.post(ctx, string(header), k.request, k)
	return began
}
