package listen

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

var (
	plain    = &route.Entry{ID: "plain", Path: "/api/", HTTP: true}
	uploads  = &route.Entry{ID: "uploads", Path: "/upload", HTTP: true, MaxBody: 100_000}
	endless  = &route.Entry{ID: "endless", Path: "/endless", HTTP: true, MaxBody: -1}
	anything = &route.Entry{ID: "anything", Path: "/both", HTTP: true, WebSocket: true}
)

var textHeaders = []session.Header{{Name: "content-type", Value: "text/plain"}}

// repeats answers with the method, the path and the body.
func repeats(s *session.Session, body []byte, w session.ResponseWriter) {
	_ = w.Respond(200, textHeaders, fmt.Appendf(nil, "%s %s?%s %s", s.Info.Method, s.Info.Path, s.Info.Query, body), true)
}

func startPlain(t *testing.T, cfg Config, onRequest func(*session.Session, []byte, session.ResponseWriter)) *fixture {
	t.Helper()
	p := newPeer()
	p.onRequest = onRequest
	return start(t, p, cfg, plain, uploads, endless, anything, socket)
}

// response reads one response.
func (c *raw) response(t *testing.T, method string) (*http.Response, string) {
	t.Helper()
	res, err := http.ReadResponse(c.r, &http.Request{Method: method})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

var doneEvent = event{kind: "closed", code: 1000}

func TestWholeRequests(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	c := f.raw(t)
	// All on one connection.
	for _, tt := range []struct{ method, head, body, want string }{
		{"GET", "GET /api/a?x=1&y=%20 HTTP/1.1\r\nHost: h\r\n\r\n", "", "GET /api/a?x=1&y=%20 "},
		{"POST", "POST /api/b HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", "hello", "POST /api/b? hello"},
		{"POST", "POST /api/b HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "", "POST /api/b? "},
		{"PUT", "PUT /api/c%20d HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "PUT /api/c d? abcde"},
		{"HEAD", "HEAD /api/e HTTP/1.1\r\nHost: h\r\n\r\n", "", ""},
		{"DELETE", "DELETE /api/f/../g HTTP/1.1\r\nHost: h\r\n\r\n", "", "DELETE /api/g? "},
	} {
		c.send(t, tt.head+tt.body)
		res, body := c.response(t, tt.method)
		if res.StatusCode != http.StatusOK || body != tt.want || res.Header.Get("Content-Type") != "text/plain" || res.Close {
			t.Fatalf("%q: got %d %q %v, want 200 %q", tt.head, res.StatusCode, body, res.Header, tt.want)
		}
		if res.Header.Get("Date") == "" || res.Header.Get("Server") != "" {
			t.Errorf("headers %v", res.Header)
		}
		f.peer.want(t, doneEvent)
	}
}

func TestPipelinedRequests(t *testing.T) {
	hold := make(chan struct{})
	f := startPlain(t, Config{}, func(s *session.Session, body []byte, w session.ResponseWriter) {
		if s.Info.Path == "/api/1" {
			<-hold
		}
		repeats(s, body, w)
	})
	c := f.raw(t)
	c.send(t, "GET /api/1 HTTP/1.1\r\nHost: h\r\n\r\n")
	f.peer.session1(t)
	c.send(t, "GET /api/2 HTTP/1.1\r\nHost: h\r\n\r\n")
	close(hold)
	for _, want := range []string{"GET /api/1? ", "GET /api/2? "} {
		if _, body := c.response(t, "GET"); body != want {
			t.Fatalf("got %q, want %q", body, want)
		}
	}
}

func TestBodyLimits(t *testing.T) {
	chunks := strings.Repeat("1f4\r\n"+strings.Repeat("x", 500)+"\r\n", 3) // 1500
	tests := map[string]struct {
		sent   string
		status int
	}{
		"as large as may be": {"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000), 200},
		"too large":          {"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n" + strings.Repeat("x", 1001), 413},
		"announced":          {"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000000\r\n\r\nx", 413},
		"chunked":            {"POST /api/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + "0\r\n\r\n", 413},
		"bad chunk":          {"POST /api/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
		"bad length":         {"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n", 400},
		"two lengths":        {"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
		"not HTTP":           {"hello\r\n\r\n", 400},
		"large head":         {"GET /api/ HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("x", 9000) + "\r\n\r\n", 431},
		"no time for it":     {"GET /api/ HTTP/1.1\r\nHost:", 408},
		"no time for a body": {"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhal", 408},
		"slow chunks":        {"POST /api/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 408},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			cfg := Config{MaxBody: 1000, HandshakeTimeout: 300 * time.Millisecond, BodyTimeout: 100 * time.Millisecond}
			f := startPlain(t, cfg, repeats)
			c := f.raw(t)
			c.send(t, tt.sent)
			res, _ := c.response(t, "POST")
			if res.StatusCode != tt.status || res.Close != (tt.status != 200) {
				t.Errorf("got %d %v, want %d", res.StatusCode, res.Header, tt.status)
			}
		})
	}
}

// A route may have bodies whole that are larger than the listener reads at once; none larger is taken.
func TestWholeBody(t *testing.T) {
	whole := &route.Entry{ID: "whole", Path: "/whole", HTTP: true, MaxBody: 50_000, WholeBody: 50_000}
	p := newPeer()
	p.onRequest = repeats
	f := start(t, p, Config{MaxBody: 1000}, whole)
	chunk := func(n int) string { return fmt.Sprintf("%x\r\n%s\r\n", n, strings.Repeat("x", n)) }
	for name, tt := range map[string]struct {
		sent   string
		length int // of the body that comes; 0: none does
	}{
		"by length":           {"Content-Length: 50000\r\n\r\n" + strings.Repeat("x", 50_000), 50_000},
		"chunked":             {"Transfer-Encoding: chunked\r\n\r\n" + chunk(900) + chunk(49_100) + "0\r\n\r\n", 50_000},
		"too large by length": {"Content-Length: 50001\r\n\r\n" + strings.Repeat("x", 50_001), 0},
		"too large chunked":   {"Transfer-Encoding: chunked\r\n\r\n" + chunk(900) + chunk(49_101), 0},
	} {
		c := f.raw(t)
		c.send(t, "POST /whole HTTP/1.1\r\nHost: h\r\n"+tt.sent)
		res, body := c.response(t, "POST")
		if tt.length == 0 {
			if res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
				t.Errorf("%s: %d", name, res.StatusCode)
			}
			continue
		}
		if res.StatusCode != http.StatusOK || strings.Count(body, "x") != tt.length {
			t.Errorf("%s: %d with %d bytes", name, res.StatusCode, strings.Count(body, "x"))
		}
	}
}

func TestStreamedBody(t *testing.T) {
	for name, head := range map[string]string{
		"by length": "Content-Length: 50000\r\n\r\n" + strings.Repeat("x", 50000),
		"chunked":   "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat("3e8\r\n"+strings.Repeat("x", 1000)+"\r\n", 50) + "0\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			p.limits.WindowEvents = 1
			p.onFrame = func(_ *session.Session, data []byte, binary bool) {
				p.events <- event{kind: "frame", data: string(data), binary: binary}
			}
			writers := make(chan session.ResponseWriter, 10)
			p.onRequest = func(_ *session.Session, _ []byte, w session.ResponseWriter) { writers <- w }
			f := start(t, p, Config{MaxBody: 1000}, uploads)
			c := f.raw(t)
			go func() { _, _ = io.WriteString(c, "POST /upload HTTP/1.1\r\nHost: h\r\n"+head) }()
			s := p.session1(t)
			got := 0
			for {
				e := p.next(t)
				if e.kind == "eof" {
					break
				}
				if e.kind != "frame" || strings.Trim(e.data, "x") != "" || !e.binary {
					t.Fatalf("got %+v", e)
				}
				got += len(e.data)
				if n := s.InFlight(); n != 1 {
					t.Fatalf("%d frames in a window of one", n)
				}
				s.Release(len(e.data))
			}
			if got != 50000 {
				t.Errorf("got %d bytes", got)
			}
			_ = (<-writers).Respond(200, nil, []byte("thanks"), true)
			if res, body := c.response(t, "POST"); body != "thanks" || res.Close {
				t.Errorf("got %q %v", body, res.Header)
			}
			p.want(t, doneEvent)
			c.send(t, "POST /upload HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx")
			_ = (<-writers).Respond(200, nil, []byte("again"), true)
			if _, body := c.response(t, "POST"); body != "again" {
				t.Errorf("got %q", body)
			}
		})
	}
}

func TestBodyThatIsCutOff(t *testing.T) {
	for name, body := range map[string]string{
		"by length":       "Content-Length: 5\r\n\r\nabc",
		"between chunks":  "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"in a chunk":      "Transfer-Encoding: chunked\r\n\r\n3\r\nab",
		"before a length": "Transfer-Encoding: chunked\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			f := startPlain(t, Config{}, repeats)
			c := f.raw(t)
			c.send(t, "POST /api/ HTTP/1.1\r\nHost: h\r\n"+body)
			if err := c.Conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			if rest, _ := io.ReadAll(c.r); strings.Contains(string(rest), " 200 ") {
				t.Errorf("got %q", rest)
			}
			if n := len(f.peer.opened); n != 0 {
				t.Errorf("%d sessions for half a body", n)
			}
		})
	}
}

func TestStreamedBodyTooLarge(t *testing.T) {
	f := startPlain(t, Config{MaxBody: 1000}, func(*session.Session, []byte, session.ResponseWriter) {})
	f.peer.onFrame = func(s *session.Session, data []byte, _ bool) { s.Release(len(data)) }
	c := f.raw(t)
	go func() {
		_, _ = io.WriteString(c, "POST /upload HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"+
			strings.Repeat("3e8\r\n"+strings.Repeat("x", 1000)+"\r\n", 101))
	}()
	if res, _ := c.response(t, "POST"); res.StatusCode != http.StatusRequestEntityTooLarge || !res.Close {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
	}
}

func TestEarlyAnswerEndsTheBody(t *testing.T) {
	frames := make(chan int, 1000)
	f := startPlain(t, Config{MaxBody: 1000}, func(_ *session.Session, _ []byte, w session.ResponseWriter) {
		<-frames
		_ = w.Respond(403, nil, []byte("no"), true)
	})
	f.peer.onFrame = func(s *session.Session, data []byte, _ bool) {
		s.Release(len(data))
		frames <- len(data)
	}
	c := f.raw(t)
	c.send(t, "POST /endless HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n"+strings.Repeat("x", 20000))
	if res, body := c.response(t, "POST"); res.StatusCode != http.StatusForbidden || body != "no" || !res.Close {
		t.Errorf("got %d %q %v", res.StatusCode, body, res.Header)
	}
	f.peer.want(t, doneEvent)
}

func TestClientLeaves(t *testing.T) {
	lost := event{kind: "closed", code: 1006, byClient: true}
	tests := map[string]struct {
		sent    string
		respond func(w session.ResponseWriter)
	}{
		"while it waits":     {"GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n", func(session.ResponseWriter) {}},
		"in a streamed body": {"POST /endless HTTP/1.1\r\nHost: h\r\nContent-Length: 5000\r\n\r\nabc", func(session.ResponseWriter) {}},
		"in a chunked body": {"POST /endless HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n" +
			"800\r\n" + strings.Repeat("x", 2048) + "\r\n", func(session.ResponseWriter) {}},
		"in a streamed answer": {"GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n", func(w session.ResponseWriter) { _ = w.Respond(200, nil, []byte("x"), false) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startPlain(t, Config{MaxBody: 1000}, func(_ *session.Session, _ []byte, w session.ResponseWriter) { tt.respond(w) })
			f.peer.onFrame = func(s *session.Session, data []byte, _ bool) { s.Release(len(data)) }
			c := f.raw(t)
			c.send(t, tt.sent)
			f.peer.session1(t)
			_ = c.Close()
			f.peer.want(t, lost)
		})
	}
}
