package listen

import (
	"errors"
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
		if res.StatusCode != 200 || body != tt.want || res.Header.Get("Content-Type") != "text/plain" || res.Close {
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

func TestInfo(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	c := f.raw(t)
	c.send(t, "GET /api/x?q=1 HTTP/1.1\r\nHost: Example:1\r\nCookie: a=b; c=d\r\nX-One: 1\r\nauthorization: Bearer T\r\n"+
		"X-ONE: 2\r\nUser-Agent: U\r\nConnection: keep-alive\r\n\r\n")
	c.response(t, "GET")
	info := f.peer.session1(t).Info
	want := session.Info{
		Route: "plain", RemoteAddress: c.LocalAddr().String(), Method: "GET", Path: "/api/x", Query: "q=1",
		Host: "Example:1", HTTP: true,
		Headers: []session.Header{
			{Name: "host", Value: "Example:1"},
			{Name: "cookie", Value: "a=b; c=d"},
			{Name: "x-one", Value: "1"},
			{Name: "authorization", Value: "Bearer T"},
			{Name: "x-one", Value: "2"},
			{Name: "user-agent", Value: "U"},
			{Name: "connection", Value: "keep-alive"},
		},
	}
	if got, want := fmt.Sprintf("%+v", *info), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	f.dial(t, "/both?token=x", "Cookie: s=1")
	info = f.peer.session1(t).Info
	for _, h := range info.Headers {
		if strings.HasPrefix(h.Name, "sec-") || h.Name == "upgrade" || h.Name == "connection" {
			t.Errorf("header %s is of the handshake", h.Name)
		}
	}
	if info.HTTP || info.Path != "/both" || info.Query != "token=x" || info.Host != f.addr {
		t.Errorf("got %+v", *info)
	}
}

func TestResponses(t *testing.T) {
	tests := map[string]struct {
		respond func(s *session.Session, w session.ResponseWriter)
		status  int
		body    string
		header  string // name: value
	}{
		"no body":             {func(_ *session.Session, w session.ResponseWriter) { _ = w.Respond(204, nil, nil, true) }, 204, "", ""},
		"a status of its own": {func(_ *session.Session, w session.ResponseWriter) { _ = w.Respond(418, nil, []byte("pot"), true) }, 418, "pot", ""},
		"no status at all":    {func(_ *session.Session, w session.ResponseWriter) { _ = w.Respond(7, nil, nil, true) }, 500, "", ""},
		"two of a header": {func(_ *session.Session, w session.ResponseWriter) {
			_ = w.Respond(200, []session.Header{{Name: "set-cookie", Value: "a=1"}, {Name: "set-cookie", Value: "b=2"}}, nil, true)
		}, 200, "", "Set-Cookie: a=1|b=2"},
		"headers that are not its business": {func(_ *session.Session, w session.ResponseWriter) {
			_ = w.Respond(200, []session.Header{
				{Name: "content-length", Value: "70"}, {Name: "Connection", Value: "close"}, {Name: "x y", Value: "1"},
				{Name: "x-split", Value: "a\r\nx-evil: 1"}, {Name: "x-good", Value: "1"},
			}, []byte("ok"), true)
		}, 200, "ok", "X-Good: 1"},
		"in pieces": {func(_ *session.Session, w session.ResponseWriter) {
			_ = w.Respond(200, nil, []byte("one "), false)
			_ = w.Respond(0, nil, []byte("two "), false)
			_ = w.Respond(0, nil, nil, false)
			_ = w.Respond(0, nil, []byte("three"), true)
		}, 200, "one two three", ""},
		"in pieces, the end alone": {func(_ *session.Session, w session.ResponseWriter) {
			_ = w.Respond(200, nil, nil, false)
			_ = w.Respond(0, nil, []byte("one"), false)
			_ = w.Respond(0, nil, nil, true)
		}, 200, "one", ""},
		"closed without an answer": {func(s *session.Session, _ session.ResponseWriter) { s.Close(1000, "") }, 204, "", ""},
		"unavailable":              {func(s *session.Session, _ session.ResponseWriter) { s.CloseWith(session.CloseUnavailable) }, 503, "try again later\n", "Retry-After: 1"},
		"going away":               {func(s *session.Session, _ session.ResponseWriter) { s.CloseWith(session.CloseGoingAway) }, 503, "try again later\n", "Retry-After: 1"},
		"too large":                {func(s *session.Session, _ session.ResponseWriter) { s.CloseWith(session.CloseTooLarge) }, 413, "request too large\n", ""},
		"internal error":           {func(s *session.Session, _ session.ResponseWriter) { s.CloseWith(session.CloseInternal) }, 500, "internal error\n", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startPlain(t, Config{}, func(s *session.Session, _ []byte, w session.ResponseWriter) {
				tt.respond(s, w)
				if err := w.Respond(200, nil, []byte("more"), true); !errors.Is(err, session.ErrClosed) {
					t.Errorf("respond behind the end: %v", err)
				}
			})
			c := f.raw(t)
			for range 2 { // the connection is kept
				c.send(t, "GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n")
				res, body := c.response(t, "GET")
				if res.StatusCode != tt.status || body != tt.body || res.Header.Get("X-Evil") != "" || res.Close {
					t.Errorf("got %d %q %v, want %d %q", res.StatusCode, body, res.Header, tt.status, tt.body)
				}
				if name, value, ok := strings.Cut(tt.header, ": "); ok && strings.Join(res.Header[name], "|") != value {
					t.Errorf("headers %v, want %s", res.Header, tt.header)
				}
				if e := f.peer.next(t); e.kind != "closed" {
					t.Errorf("got %+v", e)
				}
			}
		})
	}
}

func TestStreamedResponseComesAtOnce(t *testing.T) {
	next := make(chan string)
	f := startPlain(t, Config{}, func(_ *session.Session, _ []byte, w session.ResponseWriter) {
		_ = w.Respond(200, textHeaders, nil, false)
		for text := range next {
			_ = w.Respond(0, nil, []byte(text), false)
		}
		_ = w.Respond(0, nil, nil, true)
	})
	c := f.raw(t)
	c.send(t, "GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n")
	if head := c.head(t); !strings.Contains(head, "Transfer-Encoding: chunked") {
		t.Fatalf("head %q", head)
	}
	for _, text := range []string{"one", "two"} {
		next <- text
		if got, want := c.read(t, 8), "3\r\n"+text+"\r\n"; got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
	close(next)
	if got := c.read(t, 5); got != "0\r\n\r\n" {
		t.Fatalf("got %q", got)
	}
	f.peer.want(t, doneEvent)
}

func TestStreamedResponseIsCutOff(t *testing.T) {
	f := startPlain(t, Config{}, func(s *session.Session, _ []byte, w session.ResponseWriter) {
		_ = w.Respond(200, nil, []byte("half"), false)
		s.CloseWith(session.CloseInternal)
	})
	c := f.raw(t)
	c.send(t, "GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n")
	rest, _ := io.ReadAll(c.r)
	if strings.HasSuffix(string(rest), "0\r\n\r\n") {
		t.Errorf("the response looks complete: %q", rest)
	}
	f.peer.want(t, event{kind: "closed", code: 1011, reason: "internal error"})
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
	if res, _ := c.response(t, "POST"); res.StatusCode != 413 || !res.Close {
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
	if res, body := c.response(t, "POST"); res.StatusCode != 403 || body != "no" || !res.Close {
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

func TestSlowHTTPClient(t *testing.T) {
	f := startPlain(t, Config{}, func(_ *session.Session, _ []byte, w session.ResponseWriter) {
		piece := make([]byte, 100_000)
		var err error
		for err == nil {
			err = w.Respond(200, nil, piece, false)
		}
		if !errors.Is(err, session.ErrSlowConsumer) {
			t.Errorf("got %v", err)
		}
	})
	c := f.raw(t)
	c.send(t, "GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n")
	f.peer.want(t, event{kind: "closed", code: 1013, reason: "slow consumer"})
	_ = c.Close()
}

func TestKilledSessions(t *testing.T) {
	f := startPlain(t, Config{}, func(s *session.Session, _ []byte, _ session.ResponseWriter) {
		s.Ended(session.CloseGoingAway.Code, "", false)
	})
	c := f.raw(t)
	c.send(t, "GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n")
	c.wantEnd(t, "")
}

func TestRefusedHandshakes(t *testing.T) {
	upgrade := func(remove string, add ...string) string {
		head := strings.ReplaceAll(handshakeText, remove, "")
		return strings.TrimSuffix(head, "\r\n") + strings.Join(add, "") + "\r\n"
	}
	tests := map[string]struct {
		sent   string
		status int
		header string
	}{
		"unknown path":            {"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404, ""},
		"unknown path, upgrade":   {strings.Replace(handshakeText, "/ws", "/nothing", 1), 404, ""},
		"request to a socket":     {"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", 426, "Upgrade: websocket"},
		"post to a socket":        {"POST /ws HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 426, "Upgrade: websocket"},
		"upgrade of a request":    {strings.Replace(handshakeText, "/ws", "/api/", 1), 400, ""},
		"old version":             {strings.Replace(handshakeText, "Version: 13", "Version: 8", 1), 426, "Sec-Websocket-Version: 13"},
		"no version":              {upgrade("Sec-WebSocket-Version: 13\r\n"), 426, "Sec-Websocket-Version: 13"},
		"no key":                  {upgrade("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400, ""},
		"bad key":                 {strings.Replace(handshakeText, "dGhl", "", 1), 400, ""},
		"no connection header":    {upgrade("Connection: Upgrade\r\n"), 400, ""},
		"not a GET":               {strings.Replace(handshakeText, "GET", "PUT", 1), 400, ""},
		"with a body":             {upgrade("", "Content-Length: 3\r\n") + "abc", 400, ""},
		"HTTP/1.0":                {strings.Replace(handshakeText, "HTTP/1.1", "HTTP/1.0", 1), 400, ""},
		"other origin":            {upgrade("", "Origin: https://evil.example\r\n"), 403, ""},
		"null origin":             {upgrade("", "Origin: null\r\n"), 403, ""},
		"other origin, post":      {"POST /api/ HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\nContent-Length: 0\r\n\r\n", 403, ""},
		"other origin, get":       {"GET /api/ HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n\r\n", 200, ""},
		"same origin":             {upgrade("", "Origin: http://example\r\n"), 101, ""},
		"several tokens":          {strings.Replace(handshakeText, "Connection: Upgrade", "Connection: keep-alive, upgrade", 1), 101, ""},
		"a request where both go": {"GET /both HTTP/1.1\r\nHost: h\r\n\r\n", 200, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startPlain(t, Config{}, repeats)
			c := f.raw(t)
			c.send(t, tt.sent)
			method, _, _ := strings.Cut(tt.sent, " ")
			res, body := c.response(t, method)
			if res.StatusCode != tt.status {
				t.Errorf("got %d %q, want %d", res.StatusCode, body, tt.status)
			}
			if name, value, ok := strings.Cut(tt.header, ": "); ok && res.Header.Get(name) != value {
				t.Errorf("headers %v, want %s", res.Header, tt.header)
			}
		})
	}
}

func TestNotReady(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	f.peer.notReady.Store(true)
	for _, sent := range []string{"GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n", handshakeText} {
		c := f.raw(t)
		c.send(t, sent)
		if res, _ := c.response(t, "GET"); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
			t.Errorf("got %d %v", res.StatusCode, res.Header)
		}
	}
	f.peer.notReady.Store(false)
	f.dial(t, "/ws")
}

func TestOpenRequestFails(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	f.peer.openErr = errors.New("no room")
	c := f.raw(t)
	c.send(t, "GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n")
	if res, _ := c.response(t, "GET"); res.StatusCode != 503 {
		t.Errorf("got %d", res.StatusCode)
	}
}

func TestRoutesAreSwapped(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	c := f.raw(t)
	for _, tt := range []struct {
		path   string
		status int
	}{{"/api/", 200}, {"/v2", 404}} {
		c.send(t, "GET "+tt.path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if res, _ := c.response(t, "GET"); res.StatusCode != tt.status {
			t.Errorf("%s: %d", tt.path, res.StatusCode)
		}
	}
	table, err := route.New([]*route.Entry{{ID: "v2", Path: "/v2", HTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	f.routes.Store(table)
	for _, tt := range []struct {
		path   string
		status int
	}{{"/api/", 404}, {"/v2", 200}} {
		c.send(t, "GET "+tt.path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if res, _ := c.response(t, "GET"); res.StatusCode != tt.status {
			t.Errorf("%s: %d", tt.path, res.StatusCode)
		}
	}
}

func TestLogsHoldNothingOfRequests(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	for _, sent := range []string{
		"GET /api/ HTTP/1.1\r\nHost: h\r\nAuthorization SECRET\r\n\r\n",
		"GET /api/ HTTP/1.1\r\nHost: h\r\nCookie: SECRET\x00\r\n\r\n",
		"SECRET\r\n\r\n",
		"GET /api/?SECRET HTTP/9.9\r\nHost: h\r\n\r\n",
		"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: SECRET\r\n\r\n",
		"POST /api/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n",
		"GET /api/ HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("SECRET", 2000) + "\r\n\r\n",
		handshakeText + "\x81\xffSECRETSECRETSECRET",
	} {
		c := f.raw(t)
		c.send(t, sent)
		_, _ = c.r.Peek(1)
		_ = c.Close()
	}
	if strings.Contains(f.logs.String(), "SECRET") {
		t.Errorf("logs:\n%s", f.logs)
	}
}
