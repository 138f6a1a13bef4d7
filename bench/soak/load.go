//go:build linux

package soak

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// load is the clients of a stretch of time, and what else happens in it.
type load struct {
	*soak
	ctx     context.Context //nolint:containedctx // the stretch
	running sync.WaitGroup
	kills   *atomic.Int64
	reloads *atomic.Int64
	came    *atomic.Int64 // sessions that came and went, of all protocols
	extra   atomic.Bool   // there is the route /extra
}

// every calls f again and again until the stretch is over, some time apart.
func (l *load) every(from, to time.Duration, f func(n int)) {
	l.running.Go(func() {
		for n := 0; l.pause(somewhere(from, to)); n++ {
			f(n)
		}
	})
}

// pause lets time pass; false says that the stretch is over.
func (l *load) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return l.ctx.Err() == nil
	case <-l.ctx.Done():
		return false
	}
}

// run puts load on the bridge until ctx ends, and returns when all clients have left.
func (s *soak) run(ctx context.Context) {
	l := &load{soak: s, ctx: ctx, kills: &s.kills, reloads: &s.reloads, came: &s.came}
	for i := range s.cfg.Steady {
		l.running.Go(func() { l.steady(i) })
	}
	for range s.cfg.Churners {
		l.every(time.Millisecond, 20*time.Millisecond, l.churn)
	}
	l.every(300*time.Millisecond, 700*time.Millisecond, func(int) {
		if _, err := s.bridge.post("/api/publish", `{"channel":"news","type":"news","payload":{}}`); err != nil {
			s.ledger.fault("publish: %v", err)
		}
	})
	for range 2 {
		l.every(20*time.Millisecond, 80*time.Millisecond, l.request)
	}
	l.every(s.cfg.KillEvery/2, s.cfg.KillEvery*3/2, l.kill)
	l.every(s.cfg.ReloadEvery/2, s.cfg.ReloadEvery*3/2, l.reload)
	l.every(s.cfg.KillEvery/2, s.cfg.KillEvery*3/2, l.strangers)
	l.every(s.cfg.KillEvery, s.cfg.KillEvery*2, l.stalled)
	l.every(time.Second, 2*time.Second, l.operate)
	l.running.Wait()
}

// steady is a session that stays as long as the load does: whatever else happens, it is never closed
// and gets each answer once.
func (l *load) steady(i int) {
	places := []struct{ listener, path string }{{"public", "/client"}, {"public", "/calm"}, {"secure", "/calm"}, {"public", "/lines"}}
	at := places[i%len(places)]
	err := func() error {
		if at.path == "/lines" {
			c, err := l.dialLines(at.path)
			if err != nil {
				return err
			}
			defer c.leave()
			for n := 0; l.pause(somewhere(200*time.Millisecond, 800*time.Millisecond)); n++ {
				if err := c.echo(n); err != nil {
					return err
				}
			}
			return nil
		}
		c, err := l.dialCTProto(at.listener, at.path)
		if err != nil {
			return err
		}
		defer c.leave()
		for l.pause(somewhere(200*time.Millisecond, 800*time.Millisecond)) {
			if err := l.ask(c, 1+dice(4)); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		l.ledger.fault("session %d, of those that stay, at %s: %v", i, at.path, err)
	}
	l.came.Add(1)
}

// churn is a session that comes, does something or not, and leaves in one way or another.
func (l *load) churn(int) {
	defer l.came.Add(1)
	switch dice(20) {
	case 0:
		l.refused()
		return
	case 1, 2, 3:
		c, err := l.dialLines("/lines")
		if err != nil {
			l.ledger.fault("come to /lines: %v", err)
			return
		}
		if err := c.echo(dice(1000)); err != nil {
			l.ledger.fault("at /lines: %v", err)
		}
		l.depart(c)
		return
	case 4:
		l.visitExtra()
		return
	}
	listener, path := "public", "/client"
	if n := dice(4); n < 2 {
		path = "/calm"
		if n == 0 {
			listener = "secure"
		}
	}
	c, err := l.dialCTProto(listener, path)
	if err != nil {
		l.ledger.fault("come to %s of %s: %v", path, listener, err)
		return
	}
	if err := l.ask(c, dice(3)); err != nil {
		l.ledger.fault("at %s of %s: %v", path, listener, err)
	}
	l.pause(somewhere(0, 200*time.Millisecond))
	if dice(5) == 0 { // asks, and does not wait for the answer
		n := l.ledger.question()
		_ = c.send(question(fmt.Sprintf("%010d", n), n))
	}
	l.depart(c)
}

// depart leaves somehow.
func (l *load) depart(c *client) {
	switch dice(8) {
	case 0:
		c.reset()
	case 1:
		c.breakOff()
	case 2, 3, 4:
		c.vanish()
	default:
		c.leave()
	}
}

// refused is a client with a wrong token, or none: it is sent away.
func (l *load) refused() {
	c, err := l.dial("public", "/client")
	if err != nil {
		l.ledger.fault("come to be refused: %v", err)
		return
	}
	defer c.vanish()
	want := 1013 // it takes too long
	if dice(4) > 0 {
		want = websocket.ClosePolicyViolation
		_ = c.send(`{"messageId":"authorize_","type":"authorize","payload":{"token":"wrong"}}`)
	}
	if code, err := c.closed(); err != nil || code != want {
		l.ledger.fault("a client that may not come in is closed with %d, %v, want %d", code, err, want)
	}
}

// visitExtra goes to the route that is there only sometimes, and stays until it is closed or a second
// has passed.
func (l *load) visitExtra() {
	if !l.extra.Load() {
		return
	}
	c, err := l.dialCTProto("public", "/extra")
	if err != nil {
		return // it is going just now
	}
	defer c.vanish()
	if err := c.ws.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return
	}
	for {
		_, _, err := c.ws.ReadMessage()
		if err == nil {
			continue
		}
		if end, ok := err.(*websocket.CloseError); ok && end.Code != websocket.CloseServiceRestart { //nolint:errorlint // as gorilla says
			l.ledger.fault("a session of a route that goes is closed with %v", end)
		}
		return
	}
}

// request is a plain request, whole or large.
func (l *load) request(n int) {
	body, want := fmt.Sprintf("body %d", n), fmt.Sprintf("POST /lines body %d", n)
	path := "/lines"
	if n%20 == 0 {
		const large = 2 << 20
		body, path, want = strings.Repeat("x", large), "/lines/stream", fmt.Sprintf("begin%d bytes", large)
	}
	got, err := do(l.web, http.MethodPost, "http://"+l.bridge.addresses["public"]+path, strings.NewReader(body))
	if err != nil || string(got) != want {
		l.ledger.fault("a request is answered %.100q, %v, want %q", got, err, want)
	}
	l.came.Add(1)
}
