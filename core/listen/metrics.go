package listen

import (
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what all listeners do, by the label listener: the name in bridge.hcl. A nil *Metrics
// counts nothing.
type Metrics struct {
	connections *prometheus.GaugeVec
	requests    *prometheus.CounterVec
	refused     *prometheus.CounterVec
	limited     *prometheus.CounterVec
}

// NewMetrics returns the metrics of listeners, registered with reg; it panics if some are there
// already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		connections: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bridge_listen_connections",
			Help: "Connections that are open, WebSockets as well.",
		}, []string{"listener"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_listen_requests_total",
			Help: "Requests that were answered, by the status; 101 is a WebSocket.",
		}, []string{"listener", "code"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_listen_refused_total",
			Help: "Connections and requests that were refused before a plugin saw them, by the reason.",
		}, []string{"listener", "reason"}),
		limited: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_listen_rate_limited_seconds_total",
			Help: "Time for which sessions were not read because of their route's rate.",
		}, []string{"route"}),
	}
	reg.MustRegister(m.connections, m.requests, m.refused, m.limited)
	return m
}

// reason is why somebody was refused.
type reason uint8

const (
	tooManyConnections reason = iota // of the listener
	tooManyOfAddress                 // of one address
	tooManySessions                  // of the route
	tooManyWaiting                   // for their auth backend
	noMemory                         // the budget is used up
	notFromHere                      // the route is for this machine only
	badOrigin
	notAdmitted // by the auth backend
	notReady    // the plugin
	malformed   // no HTTP that we read, no TLS, or no word of the PROXY protocol
	reasons
)

var reasonNames = [reasons]string{
	"connections", "address", "sessions", "waiting", "memory", "local", "origin", "auth", "not_ready", "malformed",
}

// meter is the metrics of one listener. A nil meter counts nothing.
type meter struct {
	of          *Metrics
	listener    string
	connections prometheus.Gauge
	refusals    [reasons]prometheus.Counter
	codes       [600]atomic.Pointer[prometheus.Counter] // made when they come first
}

func (m *Metrics) meter(listener string) *meter {
	if m == nil {
		return nil
	}
	t := &meter{of: m, listener: listener, connections: m.connections.WithLabelValues(listener)}
	for r, name := range reasonNames {
		t.refusals[r] = m.refused.WithLabelValues(listener, name)
	}
	return t
}

func (t *meter) opened(by float64) {
	if t != nil {
		t.connections.Add(by)
	}
}

func (t *meter) refused(r reason) {
	if t != nil {
		t.refusals[r].Inc()
	}
}

func (t *meter) answered(code int) {
	if t == nil || code < 100 || code >= len(t.codes) {
		return
	}
	c := t.codes[code].Load()
	if c == nil {
		made := t.of.requests.WithLabelValues(t.listener, strconv.Itoa(code))
		c = &made
		t.codes[code].Store(c)
	}
	(*c).Inc()
}

func (t *meter) waited(route string, d time.Duration) {
	if t != nil {
		t.of.limited.WithLabelValues(route).Add(d.Seconds())
	}
}
