package upstream

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/upstream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cr3t-of-the-tests"

// question is what the tests ask; answers name its id as $.
func question() *upstream.Request {
	return &upstream.Request{
		ID: "e", Time: 1560954012838, Number: 7, Session: "1234567890123456789", UserID: "38",
		Purpose: "message", Type: "hello", Payload: []byte(`{"text":"hello","n":1.00}`),
	}
}

func fill(text string) string {
	return strings.ReplaceAll(text, "$", "1560954012838 38:1234567890123456789:bridge 7")
}

const (
	approved  = `["approved","$"]`
	processed = `["processed","$"]`
	done      = `[` + approved + `,` + processed + `]`
)

// respond writes and flushes text.
func respond(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, fill(text))
	_ = http.NewResponseController(w).Flush()
}

// backend is a back-end that answers with a handler; the request's body has been read.
func backend(tb testing.TB, handle http.HandlerFunc) *httptest.Server {
	tb.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		handle(w, r)
	}))
	tb.Cleanup(s.Close)
	return s
}

// rawBackend is a back-end that does with its connections what it likes; it closes them behind
// serve, which is called for each.
func rawBackend(tb testing.TB, serve func(c *net.TCPConn, r *bufio.Reader)) string {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c.(*net.TCPConn), bufio.NewReader(c)) //nolint:forcetypeassert // a TCP listener
			}()
		}
	}()
	tb.Cleanup(func() {
		_ = ln.Close()
		<-stopped
	})
	return "http://" + ln.Addr().String() + "/logux"
}

// request reads one request; false when there is none.
func request(r *bufio.Reader) bool {
	req, err := http.ReadRequest(r)
	if err != nil {
		return false
	}
	_, err = io.Copy(io.Discard, req.Body)
	return err == nil
}

// ok writes a whole response.
func ok(c net.Conn, body string) {
	body = fill(body)
	fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
}

func pool(tb testing.TB, cfg LoguxConfig) Pool {
	tb.Helper()
	if cfg.Secret == "" {
		cfg.Secret = secret
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = time.Minute
	}
	p, err := NewLogux(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// ask puts a question and returns the answers; it checks that the last is the last, and that none
// shows the secret.
func ask(tb testing.TB, p Pool, req *upstream.Request) []*upstream.Answer {
	tb.Helper()
	var list []*upstream.Answer
	p.Ask(tb.Context(), req, func(a *upstream.Answer) { list = append(list, a) })
	for i, a := range list {
		if a.Last != (i == len(list)-1) {
			tb.Errorf("answer %d of %d has Last %v", i+1, len(list), a.Last)
		}
		if strings.Contains(a.Detail, secret) {
			tb.Errorf("the secret is in the detail %q", a.Detail)
		}
	}
	if len(list) == 0 {
		tb.Fatal("there is no answer")
	}
	return list
}

func last(list []*upstream.Answer) *upstream.Answer { return list[len(list)-1] }

// fails asks and checks how it ends.
func fails(tb testing.TB, p Pool, outcome upstream.Outcome, detail string) {
	tb.Helper()
	a := last(ask(tb, p, question()))
	if a.Outcome != outcome || !strings.Contains(a.Detail, detail) {
		tb.Errorf("it ends %v, %q, want %v, %q", a.Outcome, a.Detail, outcome, detail)
	}
}

// works asks and checks that it ends well.
func works(tb testing.TB, p Pool) {
	tb.Helper()
	if a := last(ask(tb, p, question())); a.Outcome != upstream.OK {
		tb.Errorf("it ends %v, %q, want ok", a.Outcome, a.Detail)
	}
}

func poll(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			tb.Fatalf("%s: not in time", what)
		}
	}
}
