package listen

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

func TestMain(m *testing.M) {
	if arg := os.Getenv(idleClient); arg != "" {
		if err := holdIdle(arg); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m,
		// fasthttp keeps the Date header fresh for as long as the process lives.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
	)
}

const patience = 30 * time.Second

// event is what a session's handler was called with.
type event struct {
	kind     string // frame, eof, closed
	data     string
	binary   bool
	code     int
	reason   string
	byClient bool
}

// peer is the far side of the listener: an [Opener] and the [session.Handler] of its sessions.
type peer struct {
	// onFrame is called for each frame; nil echoes it.
	onFrame func(s *session.Session, data []byte, binary bool)
	// onRequest is called for each plain request, in a goroutine of its own.
	onRequest func(s *session.Session, body []byte, w session.ResponseWriter)
	// onAdmit is called for entries with Handshake; nil admits everybody.
	onAdmit  func(ctx context.Context, info *session.Info) (*session.Admission, *Refusal)
	limits   session.Limits
	who      atomic.Pointer[session.Admission] // of the last session
	openErr  error
	notReady atomic.Bool

	ids    atomic.Uint64
	opened chan *session.Session
	events chan event

	mu       sync.Mutex
	sessions map[*session.Session]struct{}
	wg       sync.WaitGroup
}

func newPeer() *peer {
	return &peer{
		opened:   make(chan *session.Session, 1000),
		events:   make(chan event, 10000),
		sessions: make(map[*session.Session]struct{}),
	}
}

func (p *peer) session(info *session.Info, t session.Transport) *session.Session {
	s := session.New(p.ids.Add(1), info, t, p, session.NewLimits(p.limits))
	p.mu.Lock()
	p.sessions[s] = struct{}{}
	p.mu.Unlock()
	p.opened <- s
	return s
}

func (p *peer) Open(_ *route.Entry, info *session.Info, who *session.Admission, t session.Transport) (*session.Session, error) {
	if p.openErr != nil {
		return nil, p.openErr
	}
	p.who.Store(who)
	return p.session(info, t), nil
}

func (p *peer) OpenRequest(_ *route.Entry, info *session.Info, who *session.Admission, body []byte, _ bool, w session.ResponseWriter) (*session.Session, error) {
	if p.openErr != nil {
		return nil, p.openErr
	}
	p.who.Store(who)
	s := p.session(info, w)
	body = bytes.Clone(body)
	p.wg.Go(func() { p.onRequest(s, body, w) })
	return s, nil
}

func (p *peer) Admit(ctx context.Context, _ *route.Entry, info *session.Info) (*session.Admission, *Refusal) {
	if p.onAdmit == nil {
		return &session.Admission{}, nil
	}
	return p.onAdmit(ctx, info)
}

func (p *peer) Ready(*route.Entry) bool { return !p.notReady.Load() }

func (p *peer) Frame(s *session.Session, data []byte, binary bool) {
	if p.onFrame != nil {
		p.onFrame(s, data, binary)
		return
	}
	p.events <- event{kind: "frame", data: string(data), binary: binary}
	_ = s.Send(data, binary)
	s.Flush()
	s.Release(len(data))
}

func (p *peer) Eof(*session.Session) { p.events <- event{kind: "eof"} }

func (p *peer) Closed(s *session.Session, code int, reason string, byClient bool) {
	p.mu.Lock()
	delete(p.sessions, s)
	p.mu.Unlock()
	p.events <- event{kind: "closed", code: code, reason: reason, byClient: byClient}
}

// next returns the next event.
func (p *peer) next(t *testing.T) event {
	t.Helper()
	select {
	case e := <-p.events:
		return e
	case <-time.After(patience):
		t.Fatal("no event")
		return event{}
	}
}

func (p *peer) want(t *testing.T, want ...event) {
	t.Helper()
	for _, w := range want {
		if got := p.next(t); got != w {
			t.Fatalf("got event %+v, want %+v", got, w)
		}
	}
}

func (p *peer) session1(t *testing.T) *session.Session {
	t.Helper()
	select {
	case s := <-p.opened:
		return s
	case <-time.After(patience):
		t.Fatal("no session was opened")
		return nil
	}
}

// fixture is a running server.
type fixture struct {
	*Server
	peer   *peer
	addr   string
	routes *atomic.Pointer[route.Table]
	logs   *logBuffer
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var socket = &route.Entry{ID: "socket", Path: "/ws", WebSocket: true}

func start(t *testing.T, p *peer, cfg Config, entries ...*route.Entry) *fixture {
	t.Helper()
	if len(entries) == 0 {
		entries = []*route.Entry{socket}
	}
	table, err := route.New(entries)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{peer: p, routes: new(atomic.Pointer[route.Table]), logs: new(logBuffer)}
	f.routes.Store(table)
	cfg.Name, cfg.Address, cfg.Routes = "test", "127.0.0.1:0", f.routes
	cfg.Logger = slog.New(slog.NewTextHandler(f.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	f.Server = New(cfg, p)
	if err := f.Listen(); err != nil {
		t.Fatal(err)
	}
	f.addr = f.Addr().String()
	served := make(chan error, 1)
	go func() { served <- f.Serve() }()
	t.Cleanup(func() {
		f.Stop()
		p.mu.Lock()
		left := make([]*session.Session, 0, len(p.sessions))
		for s := range p.sessions {
			left = append(left, s)
		}
		p.mu.Unlock()
		for _, s := range left {
			s.Ended(session.CloseGoingAway.Code, "", false)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		p.wg.Wait()
	})
	return f
}

// dial opens a WebSocket with gorilla's client.
func (f *fixture) dial(t *testing.T, path string, headers ...string) *websocket.Conn {
	t.Helper()
	h := make(map[string][]string)
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		h[name] = append(h[name], value)
	}
	ws, res, err := websocket.DefaultDialer.Dial("ws://"+f.addr+path, h)
	if err != nil {
		t.Fatalf("dial %s: %v", path, err)
	}
	_ = res.Body.Close()
	_ = ws.SetReadDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// raw is a client that writes bytes.
type raw struct {
	net.Conn
	r *bufio.Reader
}

func (f *fixture) raw(t *testing.T) *raw {
	t.Helper()
	c, err := net.Dial("tcp", f.addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(patience))
	t.Cleanup(func() { _ = c.Close() })
	return &raw{Conn: c, r: bufio.NewReader(c)}
}

const handshakeText = "GET /ws HTTP/1.1\r\nHost: example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

// upgraded returns a raw client behind the handshake, which carries more bytes behind it.
func (f *fixture) rawSocket(t *testing.T, more string) *raw {
	t.Helper()
	c := f.raw(t)
	c.send(t, handshakeText+more)
	head := c.head(t)
	if !strings.HasPrefix(head, "HTTP/1.1 101 ") || !strings.Contains(head, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=") {
		t.Fatalf("handshake answer:\n%s", head)
	}
	return c
}

func (c *raw) send(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// head reads up to the empty line.
func (c *raw) head(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			t.Fatalf("reading a head: %v after %q", err, b.String())
		}
		b.WriteString(line)
		if line == "\r\n" {
			return b.String()
		}
	}
}

// read reads n bytes.
func (c *raw) read(t *testing.T, n int) string {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(c.r, b); err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// wantEnd reads to the end of the connection and compares what comes.
func (c *raw) wantEnd(t *testing.T, want string) {
	t.Helper()
	b, err := io.ReadAll(c.r)
	if err != nil || string(b) != want {
		t.Fatalf("got %q, %v, want %q and the end", b, err, want)
	}
}

// clientFrame is a masked frame.
func clientFrame(first byte, payload string) string {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, masked|byte(n))
	case n < 1<<16:
		b = append(b, masked|126, byte(n>>8), byte(n))
	default:
		b = append(b, masked|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	key := [4]byte{1, 2, 3, 4}
	b = append(b, key[:]...)
	at := len(b)
	b = append(b, payload...)
	unmask(b[at:], key)
	return string(b)
}

// poll calls f until it is true.
func poll(t *testing.T, what string, f func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !f() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		<-tick.C
	}
}

func wantClose(t *testing.T, ws *websocket.Conn, code int, reason string) {
	t.Helper()
	_, data, err := ws.ReadMessage()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != code || closed.Text != reason {
		t.Fatalf("got %q, %v, want close %d %q", data, err, code, reason)
	}
}
