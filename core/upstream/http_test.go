package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/httpapi"
)

func httpPoolOf(tb testing.TB, cfg HTTPConfig) Pool {
	tb.Helper()
	if cfg.Secrets == nil {
		cfg.Secrets = []string{secret}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = time.Minute
	}
	p, err := NewHTTP(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	type asked struct {
		line string
		body []byte
		err  [3]error
	}
	came := make(chan asked, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		a := asked{
			line: fmt.Sprintf("%s %s %s %d %v", r.Method, r.URL, r.Header.Get("Content-Type"), r.ContentLength, r.TransferEncoding),
			body: body,
		}
		for i, key := range []string{"new", "old", "other"} {
			a.err[i] = httpapi.Verify(r.Header.Get("Bridge-Signature"), body, time.Now(), 0, key)
		}
		came <- a
		_, _ = io.WriteString(w, `{"payload":{"b":1.00,"a":12345678901234567890},"publish":[{"channel":"c","type":"t","payload":[1]}],"join":["j"],"leave":["l"]}`)
	}))
	defer s.Close()
	p := httpPoolOf(t, HTTPConfig{URL: s.URL + "/messages?x=1", Secrets: []string{"new", "old"}})
	req := question()
	req.Protocol, req.Claims = "ctproto", []byte(`{"n":12345678901234567890}`)
	list := ask(t, p, req)
	a := last(list)
	if len(list) != 1 || a.Outcome != upstream.OK || string(a.Payload) != `{"b":1.00,"a":12345678901234567890}` || len(a.Items) != 1 ||
		len(a.Joins) != 1 || len(a.Leaves) != 1 {
		t.Errorf("it is answered %+v", a)
	}
	got := <-came
	want := `{"version":1,"event":"message","protocol":"ctproto","session":"1234567890123456789","id":"e","user_id":"38",` +
		`"claims":{"n":12345678901234567890},"type":"hello","payload":{"text":"hello","n":1.00}}`
	if line := fmt.Sprintf("POST /messages?x=1 application/json %d []", len(want)); string(got.body) != want || got.line != line {
		t.Errorf("it asks %s\n%s, want %s\n%s", got.line, got.body, line, want)
	}
	if got.err[0] != nil || got.err[1] != nil || !errors.Is(got.err[2], httpapi.ErrSignature) {
		t.Errorf("the signature by the new, the old and another secret: %v", got.err)
	}
	if p.Kind() != "http" {
		t.Errorf("its kind is %q", p.Kind())
	}
}

func TestNewHTTPErrors(t *testing.T) {
	t.Parallel()
	for _, cfg := range []HTTPConfig{
		{URL: "http://x"},
		{URL: "http://x", Secrets: []string{}},
		{URL: "http://x", Secrets: []string{"a", ""}},
		{Secrets: []string{secret}},
		{URL: "ftp://u:" + secret + "@x/", Secrets: []string{secret}},
	} {
		if _, err := NewHTTP(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("a secret is in %q", err)
		}
	}
}

// status answers with a status and a body.
func status(code int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

func TestHTTPAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		answer  http.HandlerFunc
		outcome upstream.Outcome
		payload string
		reason  string
		detail  string
	}{
		{"payload", status(200, `{"payload":{"n":1.00}}`), upstream.OK, `{"n":1.00}`, "", ""},
		{"status 204", status(204, ``), upstream.OK, "", "", ""},
		{"in pieces", func(w http.ResponseWriter, _ *http.Request) {
			for _, c := range []byte(`{"payload":"äöü😀"}`) {
				_, _ = w.Write([]byte{c})
				_ = http.NewResponseController(w).Flush()
			}
		}, upstream.OK, `"äöü😀"`, "", ""},
		{"of type text/html", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, `{"payload":1}`)
		}, upstream.OK, `1`, "", ""},
		{"error", status(200, `{"error":"No such room"}`), upstream.Denied, "", "No such room", ""},
		{"status 401", status(401, `{"error":"Log in"}`), upstream.Denied, "", "Log in", ""},
		{"status 403", status(403, `<html>`), upstream.Denied, "", "", ""},
		{"status 500", status(500, `{"error":"stack"}`), upstream.Unavailable, "", "", `status 500: "{\"error\":\"stack\"}"`},
		{"status 404", status(404, `Not Found`), upstream.Unavailable, "", "", `status 404`},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, upstream.Unavailable, "", "", "status 307"},
		{"a page", status(200, `<!DOCTYPE html>`), upstream.Unavailable, "", "", "not JSON"},
		{"empty", status(200, ``), upstream.Unavailable, "", "", "empty"},
		{"wrong shape", status(200, `{"publish":{}}`), upstream.Unavailable, "", "", "publish is not a list"},
		{"too large", status(200, `{"payload":"`+strings.Repeat("x", 100_000)+`"}`), upstream.Unavailable, "", "", "too large"},
		{"without end", func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := io.WriteString(w, strings.Repeat(" ", 1000)); err != nil {
					return
				}
			}
		}, upstream.Unavailable, "", "", "too large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := httpPoolOf(t, HTTPConfig{URL: backend(t, test.answer).URL, MaxAnswerBytes: 50_000})
			for range 2 { // also on a connection that had this
				a := last(ask(t, p, question()))
				if a.Outcome != test.outcome || string(a.Payload) != test.payload || a.Reason != test.reason || !strings.Contains(a.Detail, test.detail) {
					t.Errorf("%v %s %q %q, want %v %s %q %q", a.Outcome, a.Payload, a.Reason, a.Detail, test.outcome, test.payload, test.reason, test.detail)
				}
			}
		})
	}
}

func TestHTTPNotAsked(t *testing.T) {
	t.Parallel()
	s := backend(t, func(http.ResponseWriter, *http.Request) { t.Error("the back-end is asked") })
	p := httpPoolOf(t, HTTPConfig{URL: s.URL})
	for _, change := range []func(*upstream.Request){
		func(r *upstream.Request) { r.Payload = []byte(`{`) },
		func(r *upstream.Request) { r.Raw = []byte(`["action",{},{"id":"1"}]`) },
		func(r *upstream.Request) { r.Purpose = "authorize" },
	} {
		req := question()
		change(req)
		if a := last(ask(t, p, req)); a.Outcome != upstream.Error || a.Detail == "" {
			t.Errorf("%+v ends %+v", req, a)
		}
	}
	got := p.(Authorizer).Authorize(t.Context(), &httpapi.Authorize{Payload: []byte("{")}) //nolint:forcetypeassert // as NewHTTP says
	if got.Outcome != upstream.Unavailable {
		t.Errorf("half a payload: %+v", got)
	}
}

func TestHTTPSubscribeAndClosed(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), `"event":"closed"`):
			_, _ = io.WriteString(w, `<p>Bye`)
		case strings.Contains(string(body), `"channel":"news"`):
			_, _ = io.WriteString(w, `{"allow":true}`)
		default:
			_, _ = io.WriteString(w, `{}`)
		}
	}))
	defer s.Close()
	p := httpPoolOf(t, HTTPConfig{URL: s.URL})
	for _, test := range []struct {
		purpose, channel string
		want             upstream.Outcome
	}{{"subscribe", "news", upstream.OK}, {"subscribe", "other", upstream.Denied}, {"closed", "", upstream.OK}} {
		a := last(ask(t, p, &upstream.Request{Purpose: test.purpose, Channel: test.channel}))
		if a.Outcome != test.want || a.Detail != "" {
			t.Errorf("%s %s ends %v %q, want %v", test.purpose, test.channel, a.Outcome, a.Detail, test.want)
		}
	}
}

func TestHTTPAuthorize(t *testing.T) {
	t.Parallel()
	var body []byte
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		if httpapi.Verify(r.Header.Get(httpapi.SignatureHeader), body, time.Now(), 0, secret) != nil {
			t.Error("the signature is wrong")
		}
		_, _ = io.WriteString(w, `{"user_id":38,"claims":{"a":1.00},"channels":["user/38"]}`)
	}))
	defer s.Close()
	p := httpPoolOf(t, HTTPConfig{URL: s.URL})
	got := p.(Authorizer).Authorize(t.Context(), &httpapi.Authorize{ID: "1", Token: "t", HasToken: true}) //nolint:forcetypeassert // as NewHTTP says
	if got.Outcome != upstream.OK || got.UserID != "38" || string(got.Claims) != `{"a":1.00}` || len(got.Channels) != 1 {
		t.Errorf("the result is %+v", got)
	}
	if want := `{"version":1,"event":"authorize","id":"1","token":"t"}`; string(body) != want {
		t.Errorf("it asks %s, want %s", body, want)
	}
	p.Close()
	if got = p.(Authorizer).Authorize(t.Context(), &httpapi.Authorize{}); got.Outcome != upstream.Unavailable { //nolint:forcetypeassert // as NewHTTP says
		t.Errorf("behind the end the result is %+v", got)
	}
}

// What the back-end may have received is not asked again; what it refused to look at is.
func TestHTTPRetries(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	url := rawBackend(t, func(_ *net.TCPConn, r *bufio.Reader) {
		if request(r) {
			asked.Add(1)
		}
	})
	fails(t, httpPoolOf(t, HTTPConfig{URL: url}), upstream.Unavailable, "connection lost")
	if got := asked.Swap(0); got != 1 {
		t.Errorf("a back-end that hangs up is asked %d times, want once", got)
	}
	s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
		} else {
			_, _ = io.WriteString(w, `{}`)
		}
	})
	works(t, httpPoolOf(t, HTTPConfig{URL: s.URL}))
	if got := asked.Load(); got != 3 {
		t.Errorf("a busy back-end is asked %d times, want 3", got)
	}
	s.Close()
	fails(t, httpPoolOf(t, HTTPConfig{URL: s.URL}), upstream.Unavailable, "connection refused")
}

// The whole answer must be there in time, however it comes.
func TestHTTPTimeLimits(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(c *net.TCPConn, r *bufio.Reader){
		"nothing": func(_ *net.TCPConn, r *bufio.Reader) { _, _ = r.ReadByte() },
		"half": func(c *net.TCPConn, r *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
			_, _ = r.ReadByte()
		},
		"drop by drop": func(c *net.TCPConn, r *bufio.Reader) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				_, _ = r.ReadByte()
			}()
			tick := time.NewTicker(time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_, _ = io.WriteString(c, " ")
				case <-gone:
					return
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := rawBackend(t, func(c *net.TCPConn, r *bufio.Reader) {
				if request(r) {
					answer(c, r)
				}
			})
			fails(t, httpPoolOf(t, HTTPConfig{URL: url, Timeout: 100 * time.Millisecond}), upstream.Unavailable, "no answer in time")
		})
	}
}

// Who is slow to take an answer holds no connection.
func TestHTTPSlowReceiver(t *testing.T) {
	t.Parallel()
	s := backend(t, status(200, `{"payload":1}`))
	p := httpPoolOf(t, HTTPConfig{URL: s.URL, MaxConnections: 1})
	got, proceed := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		p.Ask(t.Context(), question(), func(*upstream.Answer) {
			close(got)
			<-proceed
		})
	})
	<-got
	works(t, p)
	close(proceed)
	wg.Wait()
}

func TestHTTPQueueAndEnd(t *testing.T) {
	t.Parallel()
	came := make(chan struct{}, 10)
	url := rawBackend(t, func(_ *net.TCPConn, r *bufio.Reader) {
		request(r)
		came <- struct{}{}
		_, _ = r.ReadByte()
	})
	p := httpPoolOf(t, HTTPConfig{URL: url, MaxConnections: 1, MaxQueue: 1})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	for range 2 { // one runs, one waits
		wg.Go(func() {
			p.Ask(ctx, question(), func(a *upstream.Answer) {
				if !a.Last || a.Outcome != upstream.Unavailable {
					t.Errorf("it ends %+v", a)
				}
			})
		})
	}
	<-came
	gate := p.(*httpPool).gate //nolint:forcetypeassert // it is one
	poll(t, "the second waits", func() bool {
		gate.mu.Lock()
		defer gate.mu.Unlock()
		return gate.waiting.Len() == 1
	})
	fails(t, p, upstream.Unavailable, "queue full")
	p.Close()
	wg.Wait()
	fails(t, p, upstream.Unavailable, "closed")
}

func TestHTTPManyAtOnce(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := httpapi.Verify(r.Header.Get(httpapi.SignatureHeader), body, time.Now(), 0, secret); err != nil {
			t.Error(err)
		}
		_, payload, _ := strings.Cut(string(body), `"payload":`)
		_, _ = io.WriteString(w, `{"payload":`+payload)
	}))
	defer s.Close()
	p := httpPoolOf(t, HTTPConfig{URL: s.URL, MaxConnections: 8})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for n := range 20 {
				req := question()
				req.Payload = fmt.Appendf(nil, `{"n":%d}`, i*1000+n)
				if a := last(ask(t, p, req)); string(a.Payload) != string(req.Payload) {
					t.Errorf("%s is answered %s, %v %q", req.Payload, a.Payload, a.Outcome, a.Detail)
				}
			}
		})
	}
	wg.Wait()
}
