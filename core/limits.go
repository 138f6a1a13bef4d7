package core

import (
	"math"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/listen"
	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// limits are what strangers share, whatever listener and route they come by.
type limits struct {
	budget *session.Budget
	listen *listen.Metrics
	seats  map[*config.Route]*route.Seats // of routes with max_sessions
}

func newLimits(cfg *config.Config, reg prometheus.Registerer) limits {
	l := limits{
		budget: session.NewBudget(budgetBytes()), listen: listen.NewMetrics(reg),
		seats: make(map[*config.Route]*route.Seats),
	}
	for _, p := range cfg.Plugins {
		for _, r := range p.Routes {
			l.seats[r] = route.NewSeats(r.Limits.MaxSessions)
		}
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
