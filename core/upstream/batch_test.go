package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

// batchBackend is a back-end of version 4 that hands a function the types and ids of a request's
// actions. The request that asks for "hold" is held until release is called, and counts for nothing
// else; so what is asked meanwhile waits.
type batchBackend struct {
	url     string
	held    chan struct{} // got one for each request that is held
	release func()

	mu   sync.Mutex
	seen [][]string // the types of each request
}

type command struct{ Type, ID string }

func newBatchBackend(tb testing.TB, answer func(w http.ResponseWriter, r *http.Request, commands []command)) *batchBackend {
	tb.Helper()
	hold := make(chan struct{})
	b := &batchBackend{held: make(chan struct{}, 10), release: sync.OnceFunc(func() { close(hold) })}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Commands []struct {
				Command string
				AuthID  string `json:"authId"`
				Action  struct{ Type string }
				Meta    struct{ ID string }
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			tb.Error(err)
		}
		var commands []command
		var types []string
		for _, c := range body.Commands {
			if c.Command == "auth" {
				c.Action.Type, c.Meta.ID = "auth", c.AuthID
			}
			commands = append(commands, command{c.Action.Type, c.Meta.ID})
			types = append(types, c.Action.Type)
		}
		b.mu.Lock()
		b.seen = append(b.seen, types)
		b.mu.Unlock()
		if types[0] == "hold" {
			b.held <- struct{}{}
			<-hold
			commands = []command{{"ok", commands[0].ID}}
		}
		answer(w, r, commands)
	}))
	tb.Cleanup(s.Close)
	tb.Cleanup(b.release)
	b.url = s.URL
	return b
}

func (b *batchBackend) requests() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.seen)
}

// answerAll answers each command by its type.
func answerAll(w http.ResponseWriter, _ *http.Request, commands []command) {
	var list []string
	for _, c := range slices.Backward(commands) {
		list = append(list, answerTo(c))
	}
	_, _ = io.WriteString(w, "["+strings.Join(list, ",")+"]")
}

func answerTo(c command) string {
	name := map[string]string{"denied": "forbidden", "unknown": "unknownAction", "auth": "authenticated"}[c.Type]
	switch {
	case c.Type == "auth":
		return fmt.Sprintf(`{"answer":"authenticated","authId":%q}`, c.ID)
	case name != "":
		return fmt.Sprintf(`{"answer":%q,"id":%q}`, name, c.ID)
	case c.Type == "error":
		return fmt.Sprintf(`{"answer":"error","id":%q,"details":"stack"}`, c.ID)
	case c.Type == "all":
		return `{"answer":"error","details":"all of it"}`
	case c.Type == "missing":
		return "null"
	}
	return fmt.Sprintf(`{"answer":"approved","id":%q},{"answer":"action","id":%q,"action":{"type":"x","payload":{"type":%q}}},{"answer":"processed","id":%q}`,
		c.ID, c.ID, c.Type, c.ID)
}

// queue asks for types one behind the other while something else holds the only connection, and
// returns a function that waits for how they end.
func (b *batchBackend) queue(tb testing.TB, p Pool, types ...string) (wait func() []string) {
	tb.Helper()
	var wg sync.WaitGroup
	ends := make([]string, len(types))
	wg.Go(func() { ask(tb, p, typed("hold", 1000)) })
	<-b.held
	for i, typ := range types {
		wg.Go(func() {
			a := last(ask(tb, p, typed(typ, uint64(i))))
			ends[i] = a.Outcome.String()
			if a.Payload != nil {
				ends[i] += " " + string(a.Payload)
			}
		})
		waitFor(tb, p, i+1)
	}
	return func() []string {
		wg.Wait()
		return ends
	}
}

func waitFor(tb testing.TB, p Pool, waiting int) {
	tb.Helper()
	gate := p.(*loguxPool).gate //nolint:forcetypeassert // it is one
	poll(tb, "they wait", func() bool {
		gate.mu.Lock()
		defer gate.mu.Unlock()
		return gate.waiting.Len() == waiting
	})
}

func typed(typ string, number uint64) *upstream.Request {
	req := question()
	req.Type, req.Number = typ, number
	return req
}

func TestBatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		batch    int
		types    []string
		requests string
		ends     []string
	}{
		{
			"one", 1,
			[]string{"a", "b"},
			"[[hold] [a] [b]]",
			[]string{`ok {"type":"a"}`, `ok {"type":"b"}`},
		},
		{
			"by default", 0,
			[]string{"a", "b"},
			"[[hold] [a] [b]]",
			[]string{`ok {"type":"a"}`, `ok {"type":"b"}`},
		},
		{
			"all that wait", 100,
			[]string{"a", "b", "c"},
			"[[hold] [a b c]]",
			[]string{`ok {"type":"a"}`, `ok {"type":"b"}`, `ok {"type":"c"}`},
		},
		{
			"at most so many", 3,
			[]string{"a", "b", "c", "d", "e", "f", "g"},
			"[[hold] [a b c] [d e f] [g]]",
			[]string{
				`ok {"type":"a"}`, `ok {"type":"b"}`, `ok {"type":"c"}`, `ok {"type":"d"}`,
				`ok {"type":"e"}`, `ok {"type":"f"}`, `ok {"type":"g"}`,
			},
		},
		{
			"each its own", 9,
			[]string{"a", "denied", "error", "unknown", "missing", "b"},
			"[[hold] [a denied error unknown missing b]]",
			[]string{`ok {"type":"a"}`, "denied", "error", "unknown_type", "unavailable", `ok {"type":"b"}`},
		},
		{
			// Answers come from the last to the first.
			"an error for all", 9,
			[]string{"a", "all", "b"},
			"[[hold] [a all b]]",
			[]string{"error", "error", `ok {"type":"b"}`},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := newBatchBackend(t, answerAll)
			p := pool(t, LoguxConfig{URL: b.url, MaxConnections: 1, Batch: test.batch})
			wait := b.queue(t, p, test.types...)
			b.release()
			if ends := wait(); !slices.Equal(ends, test.ends) || b.requests() != test.requests {
				t.Errorf("the requests %s end\n%q, want %s\n%q", b.requests(), ends, test.requests, test.ends)
			}
			works(t, pool(t, LoguxConfig{URL: b.url, Batch: test.batch})) // alone, without waiting
		})
	}
}

// What is large goes alone.
func TestBatchBytes(t *testing.T) {
	t.Parallel()
	b := newBatchBackend(t, answerAll)
	p := pool(t, LoguxConfig{URL: b.url, MaxConnections: 1, Batch: 10})
	var wg sync.WaitGroup
	wg.Go(func() { ask(t, p, typed("hold", 1000)) })
	<-b.held
	for i, size := range []int{maxSharedBytes / 2, maxSharedBytes / 4, maxSharedBytes / 2, 2 * maxSharedBytes, 1} {
		req := typed(fmt.Sprint("t", i), uint64(i))
		req.Payload = []byte(`"` + strings.Repeat("x", size) + `"`)
		wg.Go(func() {
			if a := last(ask(t, p, req)); a.Outcome != upstream.OK {
				t.Errorf("%s ends %v %q", req.Type, a.Outcome, a.Detail)
			}
		})
		waitFor(t, p, i+1)
	}
	b.release()
	wg.Wait()
	if got, want := b.requests(), "[[hold] [t0 t1] [t2] [t3] [t4]]"; got != want {
		t.Errorf("the requests are %s, want %s", got, want)
	}
}

// All versions take several commands, raw ones among them.
func TestBatchVersions(t *testing.T) {
	t.Parallel()
	for version := 1; version <= 4; version++ {
		hold, held := make(chan struct{}), make(chan struct{}, 10)
		bodies := make(chan string, 10)
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			bodies <- string(body)
			held <- struct{}{}
			<-hold
			ids := []string{"bridge 1000", "bridge 1", "raw"}
			list := ""
			for i, id := range ids {
				full := "1560954012838 38:1234567890123456789:" + id
				if id == "raw" {
					full = id
				}
				if i > 0 {
					list += ","
				}
				list += fmt.Sprintf(`["approved",%q],["processed",%q]`, full, full)
			}
			_, _ = io.WriteString(w, "["+list+"]")
		}))
		p := pool(t, LoguxConfig{URL: s.URL, Version: version, MaxConnections: 1, Batch: 5})
		var wg sync.WaitGroup
		wg.Go(func() { ask(t, p, typed("hold", 1000)) })
		<-held
		wg.Go(func() {
			if a := last(ask(t, p, typed("a", 1))); a.Outcome != upstream.OK || string(a.Payload) != "{}" {
				t.Errorf("version %d: the question is answered %+v", version, a)
			}
		})
		waitFor(t, p, 1)
		wg.Go(func() {
			list := ask(t, p, &upstream.Request{Raw: []byte(`["action",{"type":"r"},{"id":"raw"}]`)})
			if len(list) != 2 || string(list[0].Raw) != `["approved","raw"]` || string(list[1].Raw) != `["processed","raw"]` {
				t.Errorf("version %d: the raw command is answered %+v", version, list)
			}
		})
		waitFor(t, p, 2)
		close(hold)
		wg.Wait()
		<-bodies
		body := <-bodies
		var parsed struct{ Commands []json.RawMessage }
		if err := json.Unmarshal([]byte(body), &parsed); err != nil || len(parsed.Commands) != 2 {
			t.Errorf("version %d asks %s: %v", version, body, err)
		}
		s.Close()
	}
}

// What one waits for, in the back-end or in the one who asked, keeps no other of its request.
func TestBatchNobodyWaitsForOthers(t *testing.T) {
	t.Parallel()
	finish := make(chan struct{})
	b := newBatchBackend(t, func(w http.ResponseWriter, _ *http.Request, commands []command) {
		var slow []command
		_, _ = io.WriteString(w, "[null")
		for _, c := range commands {
			if c.Type == "slow" {
				slow = append(slow, c)
				continue
			}
			_, _ = io.WriteString(w, ","+answerTo(c))
		}
		_ = http.NewResponseController(w).Flush()
		if slow != nil {
			<-finish
		}
		for _, c := range slow {
			_, _ = io.WriteString(w, ","+answerTo(c))
		}
		_, _ = io.WriteString(w, "]")
	})
	p := pool(t, LoguxConfig{URL: b.url, MaxConnections: 1, Batch: 10})
	var held, wg sync.WaitGroup
	held.Go(func() { ask(t, p, typed("hold", 1000)) })
	<-b.held
	emitting, proceed := make(chan struct{}), make(chan struct{})
	for i, typ := range []string{"slow", "receiver", "a"} {
		ends := &wg
		if typ != "a" {
			ends = &held
		}
		ends.Go(func() {
			p.Ask(t.Context(), typed(typ, uint64(i)), func(a *upstream.Answer) {
				if typ == "receiver" {
					close(emitting)
					<-proceed
				}
				if a.Last && a.Outcome != upstream.OK {
					t.Errorf("%s ends %+v", typ, a)
				}
			})
		})
		waitFor(t, p, i+1)
	}
	b.release()
	<-emitting
	wg.Wait() // the third has its answer, though the others do not
	close(finish)
	close(proceed)
	held.Wait()
	if got := b.requests(); got != "[[hold] [slow receiver a]]" {
		t.Errorf("the requests are %s", got)
	}
}

// Who gives up, whether it waits or shares a request, does so alone.
func TestBatchGivesUp(t *testing.T) {
	t.Parallel()
	finish := make(chan struct{})
	came := make(chan struct{}, 10)
	b := newBatchBackend(t, func(w http.ResponseWriter, r *http.Request, commands []command) {
		if len(commands) > 1 {
			came <- struct{}{}
			<-finish
		}
		answerAll(w, r, commands)
	})
	p := pool(t, LoguxConfig{URL: b.url, MaxConnections: 1, Batch: 10})
	ctx, cancel := context.WithCancel(t.Context())
	early, cancelEarly := context.WithCancel(t.Context())
	var wg, gone, goneEarly sync.WaitGroup
	wg.Go(func() { ask(t, p, typed("hold", 1000)) })
	<-b.held
	giveUp := func(ends *sync.WaitGroup, ctx context.Context, typ string, number uint64) {
		ends.Go(func() {
			req := typed(typ, number)
			p.Ask(ctx, req, func(a *upstream.Answer) {
				if !a.Last || a.Outcome != upstream.Unavailable {
					t.Errorf("%s ends %+v", typ, a)
				}
			})
			clear(req.Payload) // it is the asker's again
		})
	}
	giveUp(&gone, ctx, "leader", 1)
	waitFor(t, p, 1)
	giveUp(&goneEarly, early, "early", 2)
	waitFor(t, p, 2)
	wg.Go(func() {
		if a := last(ask(t, p, typed("stays", 3))); a.Outcome != upstream.OK {
			t.Errorf("the one that stays ends %+v", a)
		}
	})
	waitFor(t, p, 3)
	cancelEarly()
	goneEarly.Wait()
	b.release()
	<-came
	cancel()
	gone.Wait()
	close(finish)
	wg.Wait()
	if got := b.requests(); got != "[[hold] [leader stays]]" {
		t.Errorf("the requests are %s", got)
	}
}

// A request that fails, fails for all; authentications share none.
func TestBatchFails(t *testing.T) {
	t.Parallel()
	b := newBatchBackend(t, func(w http.ResponseWriter, r *http.Request, commands []command) {
		if len(commands) > 1 {
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, secret)
			return
		}
		answerAll(w, r, commands)
	})
	metrics := NewMetrics(prometheus.NewRegistry())
	p := pool(t, LoguxConfig{URL: b.url, MaxConnections: 1, Batch: 10, Metrics: metrics, Name: "app"})
	var wg sync.WaitGroup
	wait := b.queue(t, p, "a", "b")
	wg.Go(func() {
		got := p.(Authenticator).Authenticate(t.Context(), &logux.Auth{ID: "i"}) //nolint:forcetypeassert // as NewLogux says
		if got.Outcome != upstream.OK {
			t.Errorf("the authentication ends %+v", got)
		}
	})
	waitFor(t, p, 3)
	wg.Go(func() {
		if a := last(ask(t, p, typed("c", 9))); a.Outcome != upstream.OK {
			t.Errorf("the last ends %+v", a)
		}
	})
	waitFor(t, p, 4)
	b.release()
	if got := wait(); !slices.Equal(got, []string{"unavailable", "unavailable"}) {
		t.Errorf("they end %q", got)
	}
	wg.Wait()
	if got := b.requests(); got != "[[hold] [a b] [auth] [c]]" {
		t.Errorf("the requests are %s", got)
	}
	for outcome, want := range map[string]float64{"ok": 3, "unavailable": 2} {
		if got := testutil.ToFloat64(metrics.requests.WithLabelValues("app", outcome)); got != want {
			t.Errorf("%v end %s, want %v", got, outcome, want)
		}
	}
	gate := p.(*loguxPool).gate //nolint:forcetypeassert // it is one
	poll(t, "the place is free", func() bool {
		gate.mu.Lock()
		defer gate.mu.Unlock()
		return gate.free == 1 && gate.room == defaultQueue
	})
	if got := testutil.ToFloat64(metrics.inFlight.WithLabelValues("app")) + testutil.ToFloat64(metrics.waiting.WithLabelValues("app")); got != 0 {
		t.Errorf("at the end %v run or wait", got)
	}
}

func TestBatchEnds(t *testing.T) {
	t.Parallel()
	came := make(chan struct{}, 10)
	b := newBatchBackend(t, func(w http.ResponseWriter, r *http.Request, commands []command) {
		if len(commands) > 1 {
			came <- struct{}{}
			<-r.Context().Done()
			return
		}
		answerAll(w, r, commands)
	})
	p := pool(t, LoguxConfig{URL: b.url, MaxConnections: 1, Batch: 2})
	wait := b.queue(t, p, "a", "b", "c")
	b.release()
	<-came
	p.Close()
	if got := wait(); !slices.Equal(got, []string{"unavailable", "unavailable", "unavailable"}) {
		t.Errorf("they end %q", got)
	}
}

func TestBatchManyAtOnce(t *testing.T) {
	t.Parallel()
	b := newBatchBackend(t, answerAll)
	p := pool(t, LoguxConfig{URL: b.url, MaxConnections: 2, Batch: 8})
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for n := range 20 {
				typ := fmt.Sprintf("t%d", i*100+n)
				a := last(ask(t, p, typed(typ, uint64(i*100+n))))
				if want := `{"type":"` + typ + `"}`; string(a.Payload) != want {
					t.Errorf("%s is answered %s, %v %q", typ, a.Payload, a.Outcome, a.Detail)
				}
			}
		})
	}
	wg.Wait()
	if n := strings.Count(b.requests(), "] ["); n > 900 {
		t.Errorf("1000 questions take %d requests", n+1)
	}
}
