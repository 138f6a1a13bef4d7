package upstream

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

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
