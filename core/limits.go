package core

import (
	"math"
	"runtime/debug"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/listen"
	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// limits are what strangers share, whatever listener and route they come by.
type limits struct {
	budget *session.Budget
	listen *listen.Metrics
	routes map[string]*routeLimits // by id; guarded by bridge.routesMu
}

// routeLimits outlive the tables that are made anew, so that sessions which stay have the new limits.
type routeLimits struct {
	seats  *route.Seats
	newest atomic.Pointer[route.Entry]
}

// of makes those of a route where there are none yet.
func (l *limits) of(id string) *routeLimits {
	r := l.routes[id]
	if r == nil {
		r = &routeLimits{seats: route.NewSeats(0)}
		l.routes[id] = r
	}
	return r
}

func newLimits(reg prometheus.Registerer) limits {
	l := limits{
		budget: session.NewBudget(budgetBytes()), listen: listen.NewMetrics(reg), routes: make(map[string]*routeLimits),
	}
	reg.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "bridge_session_waiting_bytes",
			Help: "Bytes that wait in all outboxes and windows, of messages in part, and of requests and responses.",
		}, func() float64 { return float64(l.budget.Used()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "bridge_session_evicted_total",
			Help: "Sessions that were closed because too many bytes waited and most of them for these.",
		}, func() float64 { return float64(l.budget.Evicted()) }),
	)
	return l
}

// budgetBytes is how much may wait in all sessions: a quarter of GOMEMLIMIT, without one 1 GiB.
func budgetBytes() int64 {
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		return limit / 4
	}
	return 1 << 30
}
