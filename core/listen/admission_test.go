package listen

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

var (
	guarded  = &route.Entry{ID: "guarded", Path: "/guarded", WebSocket: true, HTTP: true, Handshake: true}
	homebody = &route.Entry{ID: "homebody", Path: "/home", WebSocket: true, HTTP: true, Handshake: true, LocalOnly: true}
)

const (
	guardedGet = "GET /guarded HTTP/1.1\r\nHost: h\r\n\r\n"
	// One byte of the body is waited for with the head; the rest is sent apart.
	guardedPost = "POST /guarded HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\na"
)

var guardedSocket = strings.Replace(handshakeText, "/ws", "/guarded", 1)

type admitFunc = func(context.Context, *session.Info) (*session.Admission, *Refusal)

func startGuarded(t *testing.T, cfg Config, admit admitFunc) *fixture {
	t.Helper()
	p := newPeer()
	p.onRequest, p.onAdmit = repeats, admit
	return start(t, p, cfg, guarded, homebody, anything, plain)
}

// answer sends a request on a connection of its own and returns what comes back.
func (f *fixture) answer(t *testing.T, sent string) (*http.Response, string) {
	t.Helper()
	c := f.raw(t)
	c.send(t, sent)
	method, _, _ := strings.Cut(sent, " ")
	return c.response(t, method)
}

func (f *fixture) wantOpen(t *testing.T, n int) {
	t.Helper()
	poll(t, "connections that are over are let go of", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.doors.open == n
	})
}

func TestAdmission(t *testing.T) {
	who := &session.Admission{Identity: &session.Identity{Realm: "static.dev", UserID: "38"}, Channels: []string{"news"}}
	var calls atomic.Int32
	f := startGuarded(t, Config{}, func(_ context.Context, info *session.Info) (*session.Admission, *Refusal) {
		calls.Add(1)
		for _, h := range info.Headers {
			if h.Name == "authorization" && h.Value == "Bearer good" {
				return who, nil
			}
		}
		return nil, &Refusal{Status: 401, Text: "who are you?", Challenge: `Bearer realm="static.dev"`}
	})
	good := "Authorization: Bearer good"

	ws := f.dial(t, "/guarded", good)
	echo(t, ws, websocket.TextMessage, "hello")
	if got := f.peer.who.Load(); got != who {
		t.Errorf("a socket's session got %+v, want %+v", got, who)
	}
	f.peer.who.Store(nil)
	res, body := f.answer(t, strings.Replace(guardedPost, "Host: h", "Host: h\r\n"+good, 1)+"bc")
	if res.StatusCode != http.StatusOK || body != "POST /guarded? abc" || f.peer.who.Load() != who {
		t.Errorf("got %d %q for %+v", res.StatusCode, body, f.peer.who.Load())
	}
	for _, sent := range []string{guardedGet, guardedSocket} {
		res, body := f.answer(t, sent)
		if res.StatusCode != http.StatusUnauthorized || body != "who are you?\n" || res.Close ||
			res.Header.Get("WWW-Authenticate") != `Bearer realm="static.dev"` || res.Header.Get("Retry-After") != "" {
			t.Errorf("%q: got %d %q %v", sent, res.StatusCode, body, res.Header)
		}
	}

	if n := calls.Swap(0); n != 4 {
		t.Errorf("%d calls for 4 clients", n)
	}
	f.dial(t, "/both")
	if res, _ := f.answer(t, "GET /both HTTP/1.1\r\nHost: h\r\n\r\n"); res.StatusCode != http.StatusOK {
		t.Errorf("got %d", res.StatusCode)
	}
	if n, got := calls.Load(), f.peer.who.Load(); n != 0 || got != nil {
		t.Errorf("without Handshake: %d calls, %+v", n, got)
	}
}

func TestRefusals(t *testing.T) {
	tests := map[string]struct {
		refusal    *Refusal // nil: nor an admission
		status     int
		text       string
		challenge  string
		retryAfter string
	}{
		"denied":             {&Refusal{Status: 403, Text: "no"}, 403, "no\n", "", ""},
		"unknown":            {&Refusal{Status: 401, Text: "who?", Challenge: "Basic"}, 401, "who?\n", "Basic", ""},
		"unavailable":        {&Refusal{Status: 503, Text: "later", RetryAfter: 7}, 503, "later\n", "", "7"},
		"too many":           {&Refusal{Status: 429, Text: "slowly", RetryAfter: 60}, 429, "slowly\n", "", "60"},
		"no status":          {&Refusal{Text: "no"}, 500, "no\n", "", ""},
		"a good status":      {&Refusal{Status: 200, Text: "no"}, 500, "no\n", "", ""},
		"no such status":     {&Refusal{Status: 600, Text: "no"}, 500, "no\n", "", ""},
		"a split challenge":  {&Refusal{Status: 401, Challenge: "Basic\r\nX-Evil: 1"}, 401, "\n", "Basic  X-Evil: 1", ""},
		"neither one nor it": {nil, 500, "internal error\n", "", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startGuarded(t, Config{}, func(context.Context, *session.Info) (*session.Admission, *Refusal) { return nil, tt.refusal })
			// Most of the post's body is not sent.
			for _, sent := range []string{guardedGet, guardedSocket, guardedPost} {
				res, body := f.answer(t, sent)
				h := res.Header
				if res.StatusCode != tt.status || body != tt.text || h.Get("X-Evil") != "" ||
					h.Get("WWW-Authenticate") != tt.challenge || h.Get("Retry-After") != tt.retryAfter {
					t.Errorf("%q: got %d %q %v", sent, res.StatusCode, body, h)
				}
				if want := sent == guardedPost; res.Close != want {
					t.Errorf("%q: connection is closed: %v", sent, res.Close)
				}
			}
			if n := len(f.peer.opened); n != 0 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

// TestAdmissionComesLast has an auth backend asked for nothing that is refused anyway.
func TestAdmissionComesLast(t *testing.T) {
	var asked atomic.Int32
	f := startGuarded(t, Config{}, func(context.Context, *session.Info) (*session.Admission, *Refusal) {
		asked.Add(1)
		return nil, &Refusal{Status: 401}
	})
	edit := func(old, now string) string { return strings.Replace(guardedSocket, old, now, 1) }
	tests := map[string]struct {
		sent   string
		status int
	}{
		"unknown path":      {edit("/guarded", "/nothing"), 404},
		"upgrade elsewhere": {edit("/guarded", "/api/"), 400},
		"version":           {edit("Version: 13", "Version: 12"), 426},
		"key":               {edit("dGhl", ""), 400},
		"key, of 17 bytes":  {edit("ZQ==", "ZQE="), 400},
		"key, not base64":   {edit("dGhl", "????"), 400},
		"no connection":     {edit("Connection: Upgrade\r\n", ""), 400},
		"method":            {edit("GET", "POST"), 400},
		"with a body":       {edit("\r\n\r\n", "\r\nContent-Length: 1\r\n\r\nx"), 400},
		"not local":         {edit("/guarded", "/home"), 403},
		"origin":            {edit("\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n"), 403},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if res, body := f.answer(t, tt.sent); res.StatusCode != tt.status {
				t.Errorf("got %d %q, want %d", res.StatusCode, body, tt.status)
			}
		})
	}
	f.peer.notReady.Store(true)
	if res, _ := f.answer(t, guardedSocket); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("not ready: got %d", res.StatusCode)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
	f.peer.notReady.Store(false)
	if res, _ := f.answer(t, guardedSocket); res.StatusCode != http.StatusUnauthorized || asked.Load() != 1 {
		t.Errorf("a good one: got %d, asked %d times", res.StatusCode, asked.Load())
	}
}

// slow is an auth backend that waits.
type slow struct {
	asked chan string   // path of each question
	open  chan struct{} // closed: everybody may come
	ended chan error    // what the context of each question said
}

func newSlow() *slow {
	return &slow{asked: make(chan string, 100), open: make(chan struct{}), ended: make(chan error, 100)}
}

func (s *slow) admit(ctx context.Context, info *session.Info) (*session.Admission, *Refusal) {
	s.asked <- info.Path
	select {
	case <-s.open:
		s.ended <- nil
	case <-ctx.Done():
		s.ended <- ctx.Err()
	}
	return &session.Admission{}, nil
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestAdmissionsAreBounded(t *testing.T) {
	s := newSlow()
	m := NewMetrics(prometheus.NewRegistry())
	f := startGuarded(t, Config{MaxAdmissions: 2, Metrics: m}, s.admit)
	a, b := f.raw(t), f.raw(t)
	a.send(t, guardedGet)
	b.send(t, guardedSocket)
	receive(t, s.asked)
	receive(t, s.asked)
	for _, sent := range []string{guardedGet, guardedSocket} {
		if res, _ := f.answer(t, sent); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("one too many: got %d %v", res.StatusCode, res.Header)
		}
	}
	m.wantRefused(t, 2, tooManyWaiting)
	if !strings.Contains(f.logs.String(), "too many clients wait for their auth backend") {
		t.Errorf("logs:\n%s", f.logs)
	}
	close(s.open)
	if res, _ := a.response(t, "GET"); res.StatusCode != http.StatusOK {
		t.Errorf("got %d", res.StatusCode)
	}
	if head := b.head(t); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Errorf("got %q", head)
	}
	for range 5 { // the places are free again
		if res, _ := f.answer(t, guardedGet); res.StatusCode != http.StatusOK {
			t.Errorf("got %d", res.StatusCode)
		}
	}
}

func TestStopEndsAdmissions(t *testing.T) {
	s := newSlow()
	f := startGuarded(t, Config{}, s.admit)
	clients := []*raw{f.raw(t), f.raw(t)}
	for i, sent := range []string{guardedGet, guardedSocket} {
		clients[i].send(t, sent)
		receive(t, s.asked)
	}
	f.Stop()
	for _, c := range clients {
		res, _ := c.response(t, "GET")
		if res.StatusCode != http.StatusServiceUnavailable || !res.Close {
			t.Errorf("got %d %v", res.StatusCode, res.Header)
		}
		if err := receive(t, s.ended); !errors.Is(err, context.Canceled) {
			t.Errorf("the question ended with %v", err)
		}
	}
	if err := f.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClientLeavesBeforeItIsAdmitted(t *testing.T) {
	for name, sent := range map[string]string{"socket": guardedSocket, "request": guardedGet, "before its body": guardedPost} {
		t.Run(name, func(t *testing.T) {
			s := newSlow()
			f := startGuarded(t, Config{}, s.admit)
			c := f.raw(t)
			c.send(t, sent)
			receive(t, s.asked)
			_ = c.Close()
			if err := receive(t, s.ended); !errors.Is(err, context.Canceled) {
				t.Errorf("the question ended with %v", err)
			}
			f.wantOpen(t, 0)
			if n := len(f.peer.opened); n != 0 {
				t.Errorf("%d sessions of a client that left", n)
			}
		})
	}
}

// TestAdmissionTakesItsTime has one last longer than the deadlines of the head and of what follows.
func TestAdmissionTakesItsTime(t *testing.T) {
	s := newSlow()
	f := startGuarded(t, Config{HandshakeTimeout: 300 * time.Millisecond, WriteTimeout: 300 * time.Millisecond}, s.admit)
	socket, post := f.raw(t), f.raw(t)
	socket.send(t, guardedSocket+clientFrame(final|opText, "early"))
	post.send(t, guardedPost+"bc")
	receive(t, s.asked)
	receive(t, s.asked)
	// Whoever comes later and sends half a head runs into the deadline.
	if res, _ := f.answer(t, "GET /guarded"); res.StatusCode != http.StatusRequestTimeout {
		t.Errorf("half a head: got %d", res.StatusCode)
	}
	close(s.open)
	if head := socket.head(t); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("got %q", head)
	}
	if got := socket.read(t, 7); got != "\x81\x05early" {
		t.Errorf("got %q", got)
	}
	for range 2 {
		if res, body := post.response(t, "POST"); body != "POST /guarded? abc" || res.Close {
			t.Errorf("got %d %q %v", res.StatusCode, body, res.Header)
		}
		post.send(t, guardedPost+"bc")
	}
	post.response(t, "POST")
}

func TestAdmissionPanics(t *testing.T) {
	var once sync.Once
	f := startGuarded(t, Config{MaxAdmissions: 1}, func(context.Context, *session.Info) (*session.Admission, *Refusal) {
		once.Do(func() { panic("boom") })
		return &session.Admission{}, nil
	})
	if res, _ := f.answer(t, guardedGet); res.StatusCode != http.StatusInternalServerError {
		t.Errorf("got %d", res.StatusCode)
	}
	if res, _ := f.answer(t, guardedGet); res.StatusCode != http.StatusOK {
		t.Errorf("the next one got %d", res.StatusCode)
	}
}
