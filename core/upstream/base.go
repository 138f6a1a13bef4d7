package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/protocol-bridge/bridge/core/upstream/internal/http1"
	"github.com/protocol-bridge/bridge/internal/redact"
	"github.com/protocol-bridge/bridge/upstream"
)

// Defaults that pools share.
const (
	defaultConnectTimeout = 2 * time.Second
	defaultTimeout        = 10 * time.Second
	defaultQueue          = 10_000
)

// keepBody is how much memory for a body survives its request.
const keepBody = 64 << 10

// base is what every pool of HTTP requests has.
type base struct {
	kind    string
	timeout time.Duration // the most that a question waits for its turn
	gate    *gate
	calls   *caller
	health  health
	meter   *meter
}

// baseConfig says how a pool's requests are made. All must be set but meter.
type baseConfig struct {
	kind, name, url string
	connectTimeout  time.Duration
	timeout         time.Duration
	idleTimeout     time.Duration // 0: timeout is for the whole response
	connections     int
	queue           int
	maxAnswer       int64
	connects        int           // attempts to connect; 0: as many as fit into timeout
	busyPause       time.Duration // before the second attempt behind a 429
	logger          *slog.Logger
	metrics         *Metrics
}

func newBase(cfg baseConfig) (*base, error) {
	target, err := parseURL(cfg.url)
	if err != nil {
		return nil, err
	}
	if cfg.logger == nil {
		cfg.logger = slog.New(slog.DiscardHandler)
	}
	m := cfg.metrics.of(cfg.name)
	client := http1.New(http1.Config{
		URL: target, ConnectTimeout: cfg.connectTimeout, IdleTimeout: cfg.idleTimeout, MaxIdle: cfg.connections,
	})
	return &base{
		kind:    cfg.kind,
		timeout: cfg.timeout,
		gate:    newGate(cfg.connections, max(cfg.queue, 0), m),
		calls: newCaller(client, limits{
			timeout: cfg.timeout, idle: cfg.idleTimeout, maxAnswer: cfg.maxAnswer,
			connects: cfg.connects, busy: cfg.busyPause,
		}, m),
		health: health{log: cfg.logger.With("upstream", cfg.name)},
		meter:  m,
	}, nil
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

func (b *base) Kind() string { return b.kind }

func (b *base) Close() {
	b.health.over.Store(true)
	b.gate.close()
	b.calls.close()
}

// enter waits for a turn; after nil, gate.leave is due.
func (b *base) enter(ctx context.Context) error {
	err := b.gate.enter(ctx, b.timeout)
	if err != nil {
		b.meter.refused()
	}
	return err
}

// ended takes how a question ended whose turn came at began.
func (b *base) ended(outcome upstream.Outcome, detail string, began time.Time) {
	b.health.note(outcome, detail)
	b.meter.ended(outcome, began)
}

// whole is a sink that keeps a response as it is.
type whole struct {
	status int
	body   []byte
	detail string // why there is no response; empty when there is one
	done   bool
}

func (w *whole) Begin(status int) bool { w.status = status; return true }

func (w *whole) Feed(piece []byte) { w.body = append(w.body, piece...) }

func (w *whole) End() { w.done = true }

func (w *whole) Fail(_ upstream.Outcome, detail string) { w.detail, w.done = detail, true }

// busy keeps the response that says to come back later, and which there is no time for.
func (w *whole) busy(text string) { w.status, w.body = statusBusy, []byte(text) }

// there says whether there is a response to show.
func (w *whole) there() bool { return w.status == statusBusy || w.status != 0 && w.detail == "" }

func (w *whole) Done() bool { return w.done }

// Release does nothing: the response was read to its end, so nothing drains, and whoever asked has
// the place.
func (w *whole) Release() {}

// starred hides a secret in a text of a back-end, which may show what it was sent.
func starred(text, secret string) string {
	if text == "" || secret == "" {
		return text
	}
	return strings.ReplaceAll(text, secret, redact.Stars)
}
