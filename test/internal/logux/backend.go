//go:build linux

package logux

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Secret is what the servers of the stories and their back-ends have in common.
const Secret = harness.Secret

// Script answers one request. The array of answers is begun with the first of them and ended when the
// script returns.
type Script func(c *Call)

// Backend is a back-end of the Logux back-end protocol, in any of its versions. A request is answered
// by the script under the token of its authentication or the type of its action, and where there is
// none by what the test does with Next.
type Backend struct {
	t       testing.TB
	address string
	calls   chan *Call

	mu      sync.Mutex // guards what follows
	scripts map[string]Script
	asked   []Command
	// disguise is that of the scene that is played, "" for none.
	disguise disguise
	server   *http.Server  // nil while it is down
	down     chan struct{} // closed when that server ends
	served   sync.WaitGroup
}

// waiting is how many requests may wait for Next.
const waiting = 4096

// StartBackend serves a back-end until the test ends.
func StartBackend(t testing.TB) *Backend {
	t.Helper()
	b := &Backend{t: t, calls: make(chan *Call, waiting)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.address = l.Addr().String()
	b.serve(l)
	t.Cleanup(b.Down)
	return b
}

func (b *Backend) serve(l net.Listener) {
	down := make(chan struct{})
	answer := func(w http.ResponseWriter, r *http.Request) { b.answer(w, r, down) }
	s := &http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: harness.AnswerLimit}
	b.mu.Lock()
	b.server, b.down = s, down
	b.mu.Unlock()
	b.served.Go(func() {
		if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			b.t.Errorf("the back-end cannot serve: %v", err)
		}
	})
}

// URL is where it is asked.
func (b *Backend) URL() string { return "http://" + b.address + "/logux" }

// Down ends it: its connections are cut, new ones are refused.
func (b *Backend) Down() {
	b.mu.Lock()
	s := b.server
	b.server = nil
	b.mu.Unlock()
	if s != nil {
		_ = s.Close() // there is nothing to lose
		close(b.down)
	}
	b.served.Wait()
}

// Up brings it back to where it was.
func (b *Backend) Up() {
	b.t.Helper()
	var l net.Listener
	harness.Until(b.t, harness.AnswerLimit, "the back-end has its address again", func() (ok bool) {
		var err error
		l, err = (&net.ListenConfig{}).Listen(context.Background(), "tcp", b.address)
		return err == nil
	})
	b.serve(l)
}

// Play replaces the scripts, and forgets what it was asked.
func (b *Backend) Play(scripts map[string]Script) { b.play(scripts, "") }

// play is Play for a scene that disguises its clients.
func (b *Backend) play(scripts map[string]Script, d disguise) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scripts, b.asked, b.disguise = scripts, nil, d
}

// Script replaces one script.
func (b *Backend) Script(key string, script Script) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scripts[key] = script
}

// Asked are the commands so far, in the order in which they came.
func (b *Backend) Asked() []Command {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]Command(nil), b.asked...)
}

// Next waits for the next request that has no script.
func (b *Backend) Next() *Call {
	b.t.Helper()
	select {
	case c := <-b.calls:
		return c
	case <-time.After(harness.AnswerLimit):
		b.t.Fatal("the back-end was not asked")
	}
	return nil
}

// None fails the test if a request without a script waits.
func (b *Backend) None() {
	b.t.Helper()
	select {
	case c := <-b.calls:
		b.t.Errorf("the back-end was asked %s", c.Body)
		c.End()
	default:
	}
}

func (b *Backend) answer(w http.ResponseWriter, r *http.Request, down <-chan struct{}) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // who asked has gone
	}
	c := &Call{Header: r.Header, Path: r.RequestURI, Body: body, w: w, ended: make(chan struct{})}
	if err := c.parse(); err != nil {
		b.t.Errorf("the back-end was asked %s %s: %v", r.RequestURI, body, err)
		http.Error(w, "Wrong body", http.StatusBadRequest)
		return
	}
	b.mu.Lock()
	b.asked = append(b.asked, c.Commands...)
	script := b.scripts[c.key()]
	c.disguise = b.disguise
	b.mu.Unlock()
	if script == nil {
		b.calls <- c
		select {
		case <-c.ended:
		case <-down:
		}
		return
	}
	script(c)
	c.End()
}
