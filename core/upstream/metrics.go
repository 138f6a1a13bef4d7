package upstream

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/upstream"
)

// Metrics counts what all pools do, by the label upstream: the name in bridge.hcl, as
// "upstream.logux.app". Pools of one name share their series, so a reload does not begin anew. A nil
// *Metrics counts nothing.
type Metrics struct {
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight *prometheus.GaugeVec
	waiting  *prometheus.GaugeVec
	retries  *prometheus.CounterVec
	dropped  *prometheus.CounterVec
}

// NewMetrics returns the metrics of upstreams, registered with reg; it panics if some are there
// already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	label := []string{"upstream"}
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_upstream_requests_total",
			Help: "Questions to a back-end that ended, by how they ended.",
		}, []string{"upstream", "outcome"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bridge_upstream_request_duration_seconds",
			Help:    "Time from a question's turn to its last answer, attempts that were repeated included.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, label),
		inFlight: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bridge_upstream_in_flight",
			Help: "Requests that run.",
		}, label),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bridge_upstream_waiting",
			Help: "Questions that wait for their turn.",
		}, label),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_upstream_retries_total",
			Help: "Requests that were put again, after a refused connection or a status 429.",
		}, label),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_upstream_mirror_dropped_total",
			Help: "Mirrored messages that a Logux server did not take.",
		}, label),
	}
	reg.MustRegister(m.requests, m.duration, m.inFlight, m.waiting, m.retries, m.dropped)
	return m
}

// meter is the metrics of one upstream. A nil meter counts nothing.
type meter struct {
	outcomes [upstream.Other + 1]prometheus.Counter
	duration prometheus.Observer
	inFlight prometheus.Gauge
	waiting  prometheus.Gauge
	retries  prometheus.Counter
}

// of looks up the series of an upstream, once.
func (m *Metrics) of(name string) *meter {
	if m == nil {
		return nil
	}
	t := &meter{
		duration: m.duration.WithLabelValues(name),
		inFlight: m.inFlight.WithLabelValues(name),
		waiting:  m.waiting.WithLabelValues(name),
		retries:  m.retries.WithLabelValues(name),
	}
	for o := range t.outcomes {
		if o := upstream.Outcome(o); o != 0 && o != upstream.Cancelled {
			t.outcomes[o] = m.requests.WithLabelValues(name, o.String())
		}
	}
	return t
}

// drops is the series of an upstream that mirrors; nil for nil.
func (m *Metrics) drops(name string) prometheus.Counter {
	if m == nil {
		return nil
	}
	return m.dropped.WithLabelValues(name)
}

// ended counts a question whose turn came at began.
func (t *meter) ended(o upstream.Outcome, began time.Time) {
	if t == nil {
		return
	}
	t.count(o)
	t.duration.Observe(time.Since(began).Seconds())
}

// refused counts a question whose turn did not come.
func (t *meter) refused() {
	if t != nil {
		t.count(upstream.Unavailable)
	}
}

func (t *meter) count(o upstream.Outcome) {
	if int(o) < len(t.outcomes) && t.outcomes[o] != nil {
		t.outcomes[o].Inc()
	}
}

// runs and waits move the gauges.
func (t *meter) runs(by float64) {
	if t != nil {
		t.inFlight.Add(by)
	}
}

func (t *meter) waits(by float64) {
	if t != nil {
		t.waiting.Add(by)
	}
}

func (t *meter) retried() {
	if t != nil {
		t.retries.Inc()
	}
}
