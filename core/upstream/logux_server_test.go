package upstream

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
)

func serverPoolOf(tb testing.TB, cfg LoguxServerConfig) Pool {
	tb.Helper()
	cfg.Secret = secret
	if cfg.Timeout == 0 {
		cfg.Timeout = time.Minute
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = time.Minute
	}
	p, err := NewLoguxServer(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.Close)
	return p
}

// control is a Logux server whose control endpoint notes the bodies that it gets, and answers
// with a handler or with status 200.
func control(tb testing.TB, handle func(w http.ResponseWriter, body string)) (url string, bodies func() []string) {
	tb.Helper()
	var mu sync.Mutex
	var list []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		list = append(list, string(body))
		mu.Unlock()
		if r.Method != http.MethodPost || r.URL.Path != "/" || !json.Valid(body) {
			tb.Errorf("it asks %s %s\n%s", r.Method, r.URL, body)
		}
		if handle != nil {
			handle(w, string(body))
		}
	}))
	tb.Cleanup(s.Close)
	return s.URL, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return append([]string(nil), list...)
	}
}

func TestLoguxServerRequest(t *testing.T) {
	t.Parallel()
	message := question()
	message.Channel = "users/38"
	raw := &upstream.Request{Raw: []byte(`["action",{"type":"user/name","n":12345678901234567890},{"clients":["38:Y7bysd"]}]`)}
	heads := map[int]string{
		1: `{"version":1,"password":"` + secret + `","secret":"` + secret + `","commands":[`,
		2: `{"version":2,"password":"` + secret + `","secret":"` + secret + `","commands":[`,
		3: `{"version":3,"secret":"` + secret + `","commands":[`,
		4: `{"version":4,"secret":"` + secret + `","commands":[`,
	}
	for version, head := range heads {
		url, bodies := control(t, nil)
		p := serverPoolOf(t, LoguxServerConfig{URL: url, Version: version})
		if a := last(ask(t, p, message)); a.Outcome != upstream.OK || string(a.Payload) != "{}" || a.Detail != "" {
			t.Errorf("version %d: a message is answered %+v", version, a)
		}
		a := last(ask(t, p, raw))
		if a.Outcome != upstream.OK || a.Payload != nil || string(a.Raw) != `{"status":200,"body":""}` {
			t.Errorf("version %d: a raw command is answered %+v, raw %s", version, a, a.Raw)
		}
		want := []string{
			`["action",{"type":"hello","payload":{"text":"hello","n":1.00}},{"channels":["users/38"]}]`,
			`["action",{"type":"user/name","n":12345678901234567890},{"clients":["38:Y7bysd"]}]`,
		}
		if version == 4 {
			want = []string{
				`{"command":"action","action":{"type":"hello","payload":{"text":"hello","n":1.00}},"meta":{"channels":["users/38"]}}`,
				`{"command":"action","action":{"type":"user/name","n":12345678901234567890},"meta":{"clients":["38:Y7bysd"]}}`,
			}
		}
		for i, body := range bodies() {
			if body != head+want[i]+"]}" {
				t.Errorf("version %d asks %s, want %s", version, body, head+want[i]+"]}")
			}
		}
		if p.Kind() != "logux_server" {
			t.Errorf("its kind is %q", p.Kind())
		}
	}
}

// A request may be of another version than the server's own: a push to who asks in that.
func TestLoguxServerVersions(t *testing.T) {
	t.Parallel()
	url, bodies := control(t, nil)
	p := serverPoolOf(t, LoguxServerConfig{URL: url, Version: 4})
	const command = `["action",{"type":"a"},{}]`
	for version := range 5 {
		if a := last(ask(t, p, &upstream.Request{Raw: []byte(command), Version: version})); a.Outcome != upstream.OK {
			t.Errorf("version %d ends %+v", version, a)
		}
	}
	in4 := `{"version":4,"secret":"` + secret + `","commands":[{"command":"action","action":{"type":"a"},"meta":{}}]}`
	want := []string{
		in4,
		`{"version":1,"password":"` + secret + `","secret":"` + secret + `","commands":[` + command + `]}`,
		`{"version":2,"password":"` + secret + `","secret":"` + secret + `","commands":[` + command + `]}`,
		`{"version":3,"secret":"` + secret + `","commands":[` + command + `]}`,
		in4,
	}
	if got := bodies(); !slices.Equal(got, want) {
		t.Errorf("it asks\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestNewLoguxServerErrors(t *testing.T) {
	t.Parallel()
	for _, cfg := range []LoguxServerConfig{{}, {URL: "x:1"}, {URL: "http://x", Version: 5}, {URL: "http://u:" + secret + "@[::1"}} {
		if _, err := NewLoguxServer(cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the password is in %q", err)
		}
	}
}

func TestLoguxServerAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		status  int
		body    string
		outcome upstream.Outcome
		detail  string
	}{
		{200, ``, upstream.OK, ""},
		{204, ``, upstream.OK, ""},
		{200, `<html>`, upstream.OK, ""},
		{403, "Wrong secret", upstream.Error, `refuses the secret: "Wrong secret"`},
		{403, "Wrong password " + secret, upstream.Error, `refuses the secret: "Wrong password ***"`},
		{403, "IP address is not in LOGUX_CONTROL_MASK/controlMask", upstream.Error, `refuses this node's address`},
		{400, "Wrong format", upstream.Error, `does not understand the request: "Wrong format"`},
		{400, "Wrong body", upstream.Error, `does not understand the request: "Wrong body"`},
		{400, "Wrong command", upstream.Error, `does not understand the request: "Wrong command"`},
		{400, "Back-end protocol version is not supported", upstream.Error, "does not speak this version"},
		{400, "Unknown version", upstream.Error, "does not speak this version"},
		{404, "Wrong path", upstream.Error, `status 404: "Wrong path"`},
		{405, "Wrong method", upstream.Error, `status 405: "Wrong method"`},
		{301, "", upstream.Unavailable, "status 301"},
		{500, "", upstream.Unavailable, "status 500"},
		{503, "The server is shutting down\n", upstream.Unavailable, `status 503: "The server is shutting down\n"`},
	}
	for _, test := range tests {
		url, bodies := control(t, func(w http.ResponseWriter, _ string) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(test.status)
			_, _ = io.WriteString(w, test.body)
		})
		p := serverPoolOf(t, LoguxServerConfig{URL: url})
		a := last(ask(t, p, question()))
		if a.Outcome != test.outcome || !strings.Contains(a.Detail, test.detail) || (a.Payload != nil) != (a.Outcome == upstream.OK) {
			t.Errorf("status %d, %q ends %+v, want %v, %q", test.status, test.body, a, test.outcome, test.detail)
		}
		if n := len(bodies()); n != 1 {
			t.Errorf("status %d, %q is asked for %d times", test.status, test.body, n)
		}
		a = last(ask(t, p, &upstream.Request{Raw: []byte(`["action",{"type":"x"},{}]`)}))
		shown := test.body
		if test.status == 204 {
			shown = ""
		}
		text, _ := json.Marshal(strings.ReplaceAll(shown, secret, "***"))
		want := fmt.Sprintf(`{"status":%d,"body":%s}`, test.status, text)
		if want = strings.ReplaceAll(strings.ReplaceAll(want, `\u003c`, "<"), `\u003e`, ">"); string(a.Raw) != want || a.Outcome != test.outcome {
			t.Errorf("status %d, %q is handed on as %v %s, want %s", test.status, test.body, a.Outcome, a.Raw, want)
		}
	}
}

func TestLoguxServerNotAsked(t *testing.T) {
	t.Parallel()
	url, bodies := control(t, nil)
	p := serverPoolOf(t, LoguxServerConfig{URL: url})
	tests := []struct {
		change func(*upstream.Request)
		want   upstream.Outcome
	}{
		{func(r *upstream.Request) { r.Purpose = "closed" }, upstream.OK},
		{func(r *upstream.Request) { r.Purpose = "subscribe" }, upstream.UnknownType},
		{func(r *upstream.Request) { r.Type = "logux/undo" }, upstream.UnknownType},
		{func(r *upstream.Request) { r.Payload = []byte(`{`) }, upstream.Error},
		{func(r *upstream.Request) { r.Raw = []byte(`["auth","38","t","i"]`) }, upstream.Error},
		{func(r *upstream.Request) { r.Version = 5 }, upstream.Error},
		{func(r *upstream.Request) { r.Version = -1 }, upstream.Error},
	}
	for _, test := range tests {
		req := question()
		test.change(req)
		if a := last(ask(t, p, req)); a.Outcome != test.want {
			t.Errorf("%+v ends %v, want %v", req, a.Outcome, test.want)
		}
	}
	if got := bodies(); len(got) != 0 {
		t.Errorf("the server is asked %q", got)
	}
}

// One request runs at a time, and what waits goes in order.
func TestLoguxServerOrder(t *testing.T) {
	t.Parallel()
	var running, most atomic.Int32
	hold := make(chan struct{})
	url, bodies := control(t, func(http.ResponseWriter, string) {
		if n := running.Add(1); n > most.Load() {
			most.Store(n)
		}
		<-hold
		running.Add(-1)
	})
	p := serverPoolOf(t, LoguxServerConfig{URL: url})
	gate := p.(*serverPool).gate //nolint:forcetypeassert // it is one
	var wg sync.WaitGroup
	for i := range 20 {
		req := question()
		req.Type = fmt.Sprintf("t%d", i)
		wg.Go(func() {
			if a := last(ask(t, p, req)); a.Outcome != upstream.OK {
				t.Errorf("%s ends %+v", req.Type, a)
			}
		})
		poll(t, "it is in its place", func() bool {
			gate.mu.Lock()
			defer gate.mu.Unlock()
			return gate.waiting.Len() == i && gate.free == 0
		})
	}
	close(hold)
	wg.Wait()
	for i, body := range bodies() {
		if want := fmt.Sprintf(`"type":"t%d"`, i); !strings.Contains(body, want) {
			t.Errorf("request %d is %s, want %s", i, body, want)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d requests ran at a time", most.Load())
	}
}

// Too many wrong secrets block the control endpoint for three seconds.
func TestLoguxServerBusy(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	url, _ := control(t, func(w http.ResponseWriter, _ string) {
		if asked.Add(1) == 1 {
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, "Too many wrong secret attempts")
		}
	})
	fails(t, serverPoolOf(t, LoguxServerConfig{URL: url, Timeout: 2900 * time.Millisecond}), upstream.Unavailable, "Too many wrong secret attempts")
	asked.Store(0)
	raw := &upstream.Request{Raw: []byte(`["action",{"type":"a"},{}]`)}
	a := last(ask(t, serverPoolOf(t, LoguxServerConfig{URL: url, Timeout: 100 * time.Millisecond}), raw))
	if a.Outcome != upstream.Unavailable || string(a.Raw) != `{"status":429,"body":"Too many wrong secret attempts"}` {
		t.Errorf("a server that stays busy is handed on as %v %s", a.Outcome, a.Raw)
	}
	asked.Store(0)
	begin := time.Now()
	works(t, serverPoolOf(t, LoguxServerConfig{URL: url, Timeout: 10 * time.Second}))
	if took := time.Since(begin); took < 3*time.Second || asked.Load() != 2 {
		t.Errorf("it is asked %d times within %v, want twice, three seconds apart", asked.Load(), took)
	}
}

// TestStatement44: a refusal is not tried again, and a server that cannot be connected to is until the time
// is up, what waits for it in order. That a busy one is after three seconds is TestLoguxServerBusy's.
func TestStatement44(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	url, bodies := control(t, func(w http.ResponseWriter, _ string) {
		if asked.Add(1) == 1 {
			http.Error(w, "Wrong secret", http.StatusForbidden)
		}
	})
	p := serverPoolOf(t, LoguxServerConfig{URL: url})
	raw := func(typ string) *upstream.Request {
		return &upstream.Request{Raw: []byte(`["action",{"type":"` + typ + `"},{}]`)}
	}
	if a := last(ask(t, p, raw("refused"))); a.Outcome != upstream.Error || len(bodies()) != 1 {
		t.Errorf("a refusal ends %+v after %d requests", a, len(bodies()))
	}

	s := httptest.NewServer(http.NotFoundHandler())
	address := s.Listener.Addr().String()
	s.Close()
	p = serverPoolOf(t, LoguxServerConfig{URL: "http://" + address, Timeout: time.Minute})
	gate := p.(*serverPool).gate //nolint:forcetypeassert // it is one
	var wg sync.WaitGroup
	for i := range 5 {
		wg.Go(func() {
			if a := last(ask(t, p, raw(strconv.Itoa(i)))); a.Outcome != upstream.OK {
				t.Errorf("%d ends %+v", i, a)
			}
		})
		poll(t, "it is in its place", func() bool {
			gate.mu.Lock()
			defer gate.mu.Unlock()
			return gate.waiting.Len() == i && gate.free == 0
		})
	}
	got := make(chan string, 10)
	again := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- string(body)
	}))
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Listener.Close()
	again.Listener = ln
	again.Start()
	defer again.Close()
	wg.Wait()
	close(got)
	i := 0
	for body := range got {
		if want := `"type":"` + strconv.Itoa(i) + `"`; !strings.Contains(body, want) {
			t.Errorf("request %d is %s, want %s", i, body, want)
		}
		i++
	}
	if i != 5 {
		t.Errorf("%d requests came, want 5", i)
	}
}

// While the server restarts, what is for it waits.
func TestLoguxServerRefused(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	address := s.Listener.Addr().String()
	s.Close()
	fails(t, serverPoolOf(t, LoguxServerConfig{URL: "http://" + address, Timeout: 300 * time.Millisecond}), upstream.Unavailable, "connection refused")

	p := serverPoolOf(t, LoguxServerConfig{URL: "http://" + address, Timeout: 20 * time.Second})
	var wg sync.WaitGroup
	wg.Go(func() { works(t, p) })
	timer := time.NewTimer(500 * time.Millisecond) // longer than three attempts take
	defer timer.Stop()
	<-timer.C
	again := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = again.Listener.Close()
	again.Listener = ln
	again.Start()
	defer again.Close()
	wg.Wait()
}
