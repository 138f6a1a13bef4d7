package listen

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/session"
)

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
				{Name: "content-length", Value: "70"},
				{Name: "Connection", Value: "close"},
				{Name: "x y", Value: "1"},
				{Name: "x-split", Value: "a\r\nx-evil: 1"},
				{Name: "x-good", Value: "1"},
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
		"expired":                  {func(s *session.Session, _ session.ResponseWriter) { s.CloseWith(session.CloseExpired) }, 403, "not allowed\n", ""},
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
