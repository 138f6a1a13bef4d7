package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

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
	begin := time.Now()
	works(t, serverPoolOf(t, LoguxServerConfig{URL: url, Timeout: 10 * time.Second}))
	if took := time.Since(begin); took < 3*time.Second || asked.Load() != 2 {
		t.Errorf("it is asked %d times within %v, want twice, three seconds apart", asked.Load(), took)
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

func TestMirror(t *testing.T) {
	t.Parallel()
	hold, came := make(chan struct{}), make(chan struct{}, 100)
	url, bodies := control(t, func(http.ResponseWriter, string) {
		came <- struct{}{}
		<-hold
	})
	p := serverPoolOf(t, LoguxServerConfig{URL: url})
	m := p.(Mirrorer) //nolint:forcetypeassert // as NewLoguxServer says
	m.Mirror([]string{"users/1", "users/2"}, "first", []byte(`{"n":1.00}`))
	<-came
	for i := range 500 { // behind the first, without waiting for it
		m.Mirror([]string{"c"}, fmt.Sprintf("t%d", i), nil)
	}
	close(hold)
	var got []string
	poll(t, "all is mirrored", func() bool {
		got = bodies()
		return strings.Contains(got[len(got)-1], `"t499"`)
	})
	const head = `{"version":4,"secret":"` + secret + `","commands":[`
	if want := head + `{"command":"action","action":{"type":"first","payload":{"n":1.00}},"meta":{"channels":["users/1","users/2"]}}]}`; got[0] != want {
		t.Errorf("the first is %s, want %s", got[0], want)
	}
	want := head
	for i := range 500 {
		if i > 0 {
			want += ","
		}
		want += fmt.Sprintf(`{"command":"action","action":{"type":"t%d"},"meta":{"channels":["c"]}}`, i)
	}
	if len(got) != 2 || got[1] != want+"]}" {
		t.Errorf("what waits takes %d requests:\n%.500s, want one:\n%.500s", len(got)-1, got[1], want)
	}
}

// What waits is cut into requests of a size that servers take.
func TestMirrorCuts(t *testing.T) {
	t.Parallel()
	hold, came := make(chan struct{}), make(chan struct{}, 100)
	url, bodies := control(t, func(http.ResponseWriter, string) {
		came <- struct{}{}
		<-hold
	})
	p := serverPoolOf(t, LoguxServerConfig{URL: url})
	m := p.(Mirrorer) //nolint:forcetypeassert // as NewLoguxServer says
	m.Mirror(nil, "first", nil)
	<-came
	sizes := []int{100_000, 100_000, 300_000, 100, 100}
	for i, size := range sizes {
		m.Mirror(nil, fmt.Sprintf("t%d", i), []byte(`"`+strings.Repeat("x", size)+`"`))
	}
	close(hold)
	poll(t, "all is mirrored", func() bool { return len(bodies()) == 4 })
	for i, want := range [][]string{{"first"}, {"t0", "t1"}, {"t2"}, {"t3", "t4"}} {
		body := bodies()[i]
		if strings.Count(body, `"type"`) != len(want) {
			t.Errorf("request %d has %d actions, want %q", i, strings.Count(body, `"type"`), want)
		}
		for _, name := range want {
			if !strings.Contains(body, `"type":"`+name+`"`) {
				t.Errorf("request %d lacks %s", i, name)
			}
		}
	}
}

func TestMirrorDrops(t *testing.T) {
	t.Parallel()
	hold, came := make(chan struct{}), make(chan struct{}, 100)
	url, bodies := control(t, func(w http.ResponseWriter, body string) {
		came <- struct{}{}
		<-hold
		if strings.Contains(body, "refused") {
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, "Wrong secret "+secret)
		}
	})
	var log syncBuffer
	metrics := NewMetrics(prometheus.NewRegistry())
	p := serverPoolOf(t, LoguxServerConfig{
		URL: url, MaxMirrorBytes: 500, Name: "node", Metrics: metrics, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	m := p.(Mirrorer) //nolint:forcetypeassert // as NewLoguxServer says
	dropped := func() int { return int(testutil.ToFloat64(metrics.dropped.WithLabelValues("node"))) }
	m.Mirror(nil, "first", nil)
	<-came
	m.Mirror(nil, "refused", nil)
	m.Mirror(nil, "logux/undo", nil)
	m.Mirror(nil, "not JSON", []byte("{"))
	if got := dropped(); got != 2 {
		t.Errorf("of what is no action %d are dropped, want 2", got)
	}
	for range 100 {
		m.Mirror(nil, "more", []byte(`{"a":1}`))
	}
	full := dropped()
	if full < 90 || full == 102 {
		t.Errorf("of 100 in a full queue %d are dropped", full-2)
	}
	close(hold)
	poll(t, "the refused are dropped", func() bool { return len(bodies()) == 2 && dropped() > full })
	if n := strings.Count(bodies()[1], `"type"`); dropped() != full+n {
		t.Errorf("a refused request with %d makes %d of %d", n, dropped(), full)
	}
	p.Close()
	m.Mirror(nil, "late", nil)
	if text := log.String(); strings.Count(text, "mirrored messages dropped") != 1 || strings.Contains(text, secret) ||
		!strings.Contains(text, "upstream=node") {
		t.Errorf("the log is %s", text)
	}
}

// A mirror that is down must not keep what is asked from its turn for ever, nor Close.
func TestMirrorCloses(t *testing.T) {
	t.Parallel()
	hold, came := make(chan struct{}), make(chan struct{}, 100)
	defer close(hold)
	url, _ := control(t, func(http.ResponseWriter, string) {
		came <- struct{}{}
		<-hold
	})
	p := serverPoolOf(t, LoguxServerConfig{URL: url})
	m := p.(Mirrorer) //nolint:forcetypeassert // as NewLoguxServer says
	for range 10 {
		m.Mirror(nil, "x", nil)
	}
	<-came
	p.Close()
	for range 10 {
		m.Mirror(nil, "x", nil)
	}
	q := p.(*serverPool) //nolint:forcetypeassert // it is one
	if q.mirror.running || q.mirror.size != 0 {
		t.Errorf("behind the end %d bytes wait, running %v", q.mirror.size, q.mirror.running)
	}
}

// syncBuffer is a buffer that several goroutines write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
