package upstream

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/protocol-bridge/bridge/upstream"
)

func TestMetricsLint(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	m := NewMetrics(reg)
	m.of("upstream.logux.app").ended(upstream.OK, time.Now())
	m.drops("upstream.logux_server.node")
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m := NewMetrics(reg)
	var busy atomic.Bool
	came, proceed := make(chan struct{}, 10), make(chan struct{})
	s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		came <- struct{}{}
		<-proceed
		if busy.CompareAndSwap(true, false) {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, `{"error":"no"}`)
	})
	p := httpPoolOf(t, HTTPConfig{URL: s.URL, MaxConnections: 1, MaxQueue: 1, Name: "a", Metrics: m})
	busy.Store(true)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() { fails(t, p, upstream.Denied, "") })
	}
	<-came
	gauge := func(v *prometheus.GaugeVec) float64 { return testutil.ToFloat64(v.WithLabelValues("a")) }
	poll(t, "one waits", func() bool { return gauge(m.waiting) == 1 })
	if got := gauge(m.inFlight); got != 1 {
		t.Errorf("%v are in flight, want 1", got)
	}
	fails(t, p, upstream.Unavailable, "queue full")
	close(proceed)
	wg.Wait()
	p.Close()
	fails(t, p, upstream.Unavailable, "closed")
	const want = `
# HELP bridge_upstream_in_flight Requests that run.
# TYPE bridge_upstream_in_flight gauge
bridge_upstream_in_flight{upstream="a"} 0
# HELP bridge_upstream_requests_total Questions to a back-end that ended, by how they ended.
# TYPE bridge_upstream_requests_total counter
bridge_upstream_requests_total{outcome="denied",upstream="a"} 2
bridge_upstream_requests_total{outcome="error",upstream="a"} 0
bridge_upstream_requests_total{outcome="ok",upstream="a"} 0
bridge_upstream_requests_total{outcome="other",upstream="a"} 0
bridge_upstream_requests_total{outcome="unavailable",upstream="a"} 2
bridge_upstream_requests_total{outcome="unknown_type",upstream="a"} 0
# HELP bridge_upstream_retries_total Requests that were put again, after a refused connection or a status 429.
# TYPE bridge_upstream_retries_total counter
bridge_upstream_retries_total{upstream="a"} 1
# HELP bridge_upstream_waiting Questions that wait for their turn.
# TYPE bridge_upstream_waiting gauge
bridge_upstream_waiting{upstream="a"} 0
`
	err := testutil.GatherAndCompare(reg, strings.NewReader(want), "bridge_upstream_in_flight", "bridge_upstream_requests_total",
		"bridge_upstream_retries_total", "bridge_upstream_waiting")
	if err != nil {
		t.Error(err)
	}
	if n := testutil.CollectAndCount(m.duration); n != 1 {
		t.Errorf("there are %d histograms, want 1", n)
	}
}

// Metrics must not cost a question anything.
func TestMetricsDoNotAllocate(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry()).of("a")
	got := testing.AllocsPerRun(100, func() {
		began := time.Now()
		m.waits(1)
		m.waits(-1)
		m.runs(1)
		m.runs(-1)
		m.retried()
		m.refused()
		m.ended(upstream.OK, began)
	})
	if got != 0 {
		t.Errorf("a question's metrics allocate %v times", got)
	}
}
