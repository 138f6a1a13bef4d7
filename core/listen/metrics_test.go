package listen

import (
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetrics(t *testing.T) {
	reg := prometheus.NewPedanticRegistry()
	m := NewMetrics(reg)
	p := newPeer()
	p.onRequest = repeats
	f := start(t, p, Config{Metrics: m}, plain, socket)
	_, _ = f.answer(t, getHead+"\r\n")
	_, _ = f.answer(t, "GET /none HTTP/1.1\r\nHost: h\r\n\r\n")
	_, _ = f.answer(t, "nonsense\r\n\r\n")
	_, _ = f.answer(t, strings.Replace(handshakeText, "\r\n\r\n", "\r\nOrigin: http://other\r\n\r\n", 1))
	ws := f.dial(t, "/ws")
	poll(t, "the handshake is counted, behind its answer", func() bool {
		return testutil.ToFloat64(m.requests.WithLabelValues("test", "101")) == 1
	})
	m.meter("test").waited("route", time.Second)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	const want = `
# HELP bridge_listen_requests_total Requests that were answered, by the status; 101 is a WebSocket.
# TYPE bridge_listen_requests_total counter
bridge_listen_requests_total{code="101",listener="test"} 1
bridge_listen_requests_total{code="200",listener="test"} 1
bridge_listen_requests_total{code="400",listener="test"} 1
bridge_listen_requests_total{code="403",listener="test"} 1
bridge_listen_requests_total{code="404",listener="test"} 1
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "bridge_listen_requests_total"); err != nil {
		t.Error(err)
	}
	for reason, want := range map[string]float64{"origin": 1, "malformed": 1, "sessions": 0} {
		if got := testutil.ToFloat64(m.refused.WithLabelValues("test", reason)); got != want {
			t.Errorf("%v refused for %s, want %v", got, reason, want)
		}
	}
	_ = ws.Close()
}

// wantRefused checks how many were refused, and as what.
func (m *Metrics) wantRefused(t *testing.T, n float64, as reason) {
	t.Helper()
	for r, name := range reasonNames {
		want := 0.0
		if reason(r) == as {
			want = n
		}
		got := 0.0
		poll(t, "refusals are counted", func() bool {
			got = testutil.ToFloat64(m.refused.WithLabelValues("test", name))
			return got >= want
		})
		if got != want {
			t.Errorf("%v were refused as %q, want %v", got, name, want)
		}
	}
}

func TestMetricsDoNotAllocate(t *testing.T) {
	m := NewMetrics(prometheus.NewRegistry()).meter("a")
	var none *meter
	if n := testing.AllocsPerRun(100, func() {
		for _, m := range []*meter{m, none} {
			m.opened(1)
			m.answered(200)
			m.refused(badOrigin)
		}
	}); n != 0 {
		t.Errorf("a request's metrics allocate %v times", n)
	}
}
