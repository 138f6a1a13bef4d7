package listen

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

func TestStop(t *testing.T) {
	hold := make(chan struct{})
	f := startPlain(t, Config{}, func(s *session.Session, body []byte, w session.ResponseWriter) {
		if s.Info.Path == "/api/slow" {
			<-hold
		}
		repeats(s, body, w)
	})
	idle, fresh, half, busy := f.raw(t), f.raw(t), f.raw(t), f.raw(t)
	idle.send(t, "GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n")
	idle.response(t, "GET")
	f.peer.session1(t)
	half.send(t, "GET /api/ HTTP/1.1\r\n")
	busy.send(t, "GET /api/slow HTTP/1.1\r\nHost: h\r\n\r\n")
	f.peer.session1(t)
	ws := f.dial(t, "/ws")
	f.peer.session1(t)
	poll(t, "all are accepted", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.doors.open == 5
	})

	f.Stop()
	for _, c := range []*raw{idle, fresh, half} {
		if _, err := c.r.ReadByte(); err == nil {
			t.Error("a connection without a request was left open")
		}
	}
	if c, err := net.Dial("tcp", f.addr); err == nil {
		_ = c.Close()
		t.Error("the address still accepts")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := f.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("shutdown before all is over: %v", err)
	}
	echo(t, ws, websocket.TextMessage, "still here")
	close(hold)
	if res, body := busy.response(t, "GET"); body != "GET /api/slow? " || !res.Close {
		t.Errorf("got %q %v", body, res.Header)
	}
	busy.wantEnd(t, "")
	done := make(chan error, 1)
	go func() { done <- f.Shutdown(context.Background()) }()
	_ = ws.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestStates(t *testing.T) {
	cfg := Config{Address: "127.0.0.1:0", Routes: new(atomic.Pointer[route.Table])}
	s := New(cfg, newPeer())
	if err := s.Serve(); err == nil {
		t.Error("served without an address")
	}
	if s.Addr() != nil {
		t.Error("an address before Listen")
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err == nil {
		t.Error("listened twice")
	}
	cfg.Address = s.Addr().String()
	if err := New(cfg, newPeer()).Listen(); err == nil || !strings.Contains(err.Error(), cfg.Address) {
		t.Errorf("a taken address: %v", err)
	}
	if err := s.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Serve(); err != nil {
		t.Errorf("serve behind the end: %v", err)
	}
	if err := s.Listen(); err == nil {
		t.Error("listened behind the end")
	}
}

// flaky fails to accept a few times.
type flaky struct {
	net.Listener
	left atomic.Int32
}

func (l *flaky) Accept() (net.Conn, error) {
	if l.left.Add(-1) >= 0 {
		return nil, errors.New("too many open files")
	}
	return l.Listener.Accept()
}

func TestAcceptGoesOn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &flaky{Listener: ln}
	l.left.Store(2)
	p := newPeer()
	f := &fixture{peer: p, addr: ln.Addr().String()}
	table, err := route.New([]*route.Entry{socket})
	if err != nil {
		t.Fatal(err)
	}
	routes := new(atomic.Pointer[route.Table])
	routes.Store(table)
	f.Server = New(Config{Routes: routes}, p)
	f.ln = l
	served := make(chan error, 1)
	go func() { served <- f.Serve() }()
	ws := f.dial(t, "/ws")
	echo(t, ws, websocket.TextMessage, "hello")
	_ = ws.Close()
	if err := f.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
