package upstream

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// LoguxServerConfig says how to reach an existing Logux server. Zero values mean the defaults that
// are named.
type LoguxServerConfig struct {
	// URL of its control endpoint is asked as it is; http or https.
	URL string
	// Secret is part of each request, and of nothing else.
	Secret string
	// Version of the back-end protocol, 1 to 4; default 4.
	Version int

	// ConnectTimeout is for connecting, TLS included; default 2 s.
	ConnectTimeout time.Duration
	// Timeout is for the time from the start of a request to the end of the answer, with all attempts
	// to connect and to come back after a 429; default 10 s. As much again may be waited in the queue.
	Timeout time.Duration
	// MaxQueue is how many questions may wait; default 10,000, negative means none.
	MaxQueue int
	// MaxMirrorBytes is how much may wait to be mirrored; default 16 MiB.
	MaxMirrorBytes int

	Name    string       // in bridge.hcl, as "upstream.logux_server.node": for logs and metrics
	Logger  *slog.Logger // nil means none
	Metrics *Metrics     // nil means none
}

// Mirrorer is a [Pool] that takes copies of what is published.
type Mirrorer interface {
	// Mirror has the clients of some channels get the action {"type","payload"}. payload is JSON or
	// nil, and not kept. Mirror does not wait: messages are sent in the order of the calls, as many as
	// wait in one request. What does not fit into the queue, is no action, or is not taken by the server
	// is dropped, counted and logged.
	Mirror(channels []string, typ string, payload []byte)
}

// serverPool is an existing Logux server, to which actions are sent one request after another.
type serverPool struct {
	*base
	secret string
	codecs [logux.MaxVersion + 1]*logux.Codec // by version; 0 is its own
	mirror mirror
}

// NewLoguxServer returns the pool of an existing Logux server; it is a [Mirrorer] too. Nothing is
// connected yet. The error is about the URL or the version.
//
// Ask hands the action {"type","payload"} to the clients on the request's channel, or to nobody when
// it has none. That the server took it is the outcome OK with the payload {}. Raw is an action command
// or a list of them, which the server takes or refuses as one; then the answer is Raw as well,
// {"status","body"} of the server's response, where there was one. A refusal (a status 4xx) is Error:
// the operator's fault, not the client's.
func NewLoguxServer(cfg LoguxServerConfig) (Pool, error) {
	codec, err := logux.NewCodec(cmp.Or(cfg.Version, logux.MaxVersion), cfg.Secret)
	if err != nil {
		return nil, err
	}
	codecs := [logux.MaxVersion + 1]*logux.Codec{0: codec}
	for version := logux.MinVersion; version <= logux.MaxVersion; version++ {
		codecs[version], _ = logux.NewCodec(version, cfg.Secret) // it knows them all
	}
	b, err := newBase(baseConfig{
		kind: "logux_server", name: cfg.Name, url: cfg.URL,
		connectTimeout: cmp.Or(cfg.ConnectTimeout, defaultConnectTimeout),
		timeout:        cmp.Or(cfg.Timeout, defaultTimeout),
		connections:    1,
		queue:          cmp.Or(cfg.MaxQueue, defaultQueue),
		maxAnswer:      64 << 10,
		busyPause:      maxBusyPause,
		logger:         cfg.Logger,
		metrics:        cfg.Metrics,
	})
	if err != nil {
		return nil, err
	}
	p := &serverPool{base: b, secret: cfg.Secret, codecs: codecs}
	p.mirror = mirror{
		pool: p, max: cmp.Or(cfg.MaxMirrorBytes, 16<<20), dropped: cfg.Metrics.drops(cfg.Name), log: p.health.log,
	}
	return p, nil
}

func (p *serverPool) Ask(ctx context.Context, req *upstream.Request, emit func(*upstream.Answer)) {
	emit(p.ask(ctx, req))
}

func (p *serverPool) ask(ctx context.Context, req *upstream.Request) *upstream.Answer {
	if req.Raw == nil && req.Purpose == "closed" {
		// The protocol has no word for it.
		return &upstream.Answer{Last: true, Outcome: upstream.OK}
	}
	err := logux.CheckControl(req)
	if err == nil && req.Raw == nil && req.Purpose == "subscribe" {
		err = errNoSubscriptions
	}
	if err == nil && (req.Version < 0 || req.Version > logux.MaxVersion) {
		err = errVersion
	}
	if err != nil {
		return &upstream.Answer{Last: true, Outcome: controlRefusal(err), Detail: err.Error()}
	}
	codec := p.codecs[req.Version]
	var w whole
	outcome, detail := p.send(ctx, codec, codec.AppendControl(nil, req), &w)
	a := &upstream.Answer{Last: true, Outcome: outcome, Detail: detail}
	switch {
	case req.Raw != nil && w.there():
		a.Raw = strconv.AppendInt([]byte(`{"status":`), int64(w.status), 10)
		a.Raw = append(rawjson.AppendString(append(a.Raw, `,"body":`...), starred(string(w.body), p.secret)), '}')
	case outcome == upstream.OK && req.Raw == nil:
		a.Payload = []byte("{}")
	}
	return a
}

var (
	errNoSubscriptions = errors.New("a Logux server cannot be asked for a subscription")
	errVersion         = errors.New("there is no such version of the Logux back-end protocol")
)

func controlRefusal(err error) upstream.Outcome {
	if errors.Is(err, logux.ErrType) || errors.Is(err, errNoSubscriptions) {
		return upstream.UnknownType
	}
	return upstream.Error
}

// send puts commands, which come with commas between them, when their turn has come.
func (p *serverPool) send(ctx context.Context, codec *logux.Codec, commands []byte, w *whole) (upstream.Outcome, string) {
	if err := p.enter(ctx); err != nil {
		w.Fail(upstream.Unavailable, err.Error())
		return upstream.Unavailable, w.detail
	}
	defer p.gate.leave()
	began := time.Now()
	body := append(codec.Begin(make([]byte, 0, len(commands)+256)), commands...)
	p.calls.post(ctx, "", codec.End(body), w)
	outcome, detail := judge(w)
	detail = starred(detail, p.secret)
	p.ended(outcome, detail, began)
	return outcome, detail
}

// judge says what the server's response means. What it refuses is the operator's to mend.
func judge(w *whole) (upstream.Outcome, string) {
	if w.detail != "" {
		return upstream.Unavailable, w.detail
	}
	text := w.body[:min(len(w.body), 200)]
	switch {
	case isSuccess(w.status):
		return upstream.OK, ""
	case w.status == 403 && bytes.Contains(text, []byte("IP address")):
		return upstream.Error, fmt.Sprintf("the Logux server refuses this node's address, add it to LOGUX_CONTROL_MASK there: %q", text)
	case w.status == 403:
		return upstream.Error, fmt.Sprintf("the Logux server refuses the secret: %q", text)
	case w.status == 400 && bytes.Contains(bytes.ToLower(text), []byte("version")):
		return upstream.Error, fmt.Sprintf("the Logux server does not speak this version of the back-end protocol: %q", text)
	case w.status == 400:
		return upstream.Error, fmt.Sprintf("the Logux server does not understand the request: %q", text)
	case w.status > 400 && w.status <= 499:
		return upstream.Error, fmt.Sprintf("the URL is not that of a Logux server's control endpoint: status %d: %q", w.status, text)
	}
	return upstream.Unavailable, fmt.Sprintf("the Logux server answered with status %d: %q", w.status, text)
}

func (p *serverPool) Mirror(channels []string, typ string, payload []byte) {
	if err := logux.CheckMessage(typ, payload); err != nil {
		p.mirror.lose(1, err.Error())
		return
	}
	p.mirror.add(p.codecs[0].AppendMessage(nil, channels, typ, payload))
}
