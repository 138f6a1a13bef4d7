package core

import (
	"regexp"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/queue"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/core/upstream"
)

// metrics are what an engine counts as it happens. What plugins and the hub count themselves, and what
// would be counted with each frame, is read at each scrape by [engineCollector].
type metrics struct {
	sessions *prometheus.GaugeVec
	opened   *prometheus.CounterVec
	closed   *prometheus.CounterVec
	handled  *prometheus.HistogramVec
	auth     *prometheus.CounterVec
}

// newMetrics registers with reg unless that is nil.
func newMetrics(reg prometheus.Registerer) *metrics {
	route := []string{"plugin", "route"}
	m := &metrics{
		sessions: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bridge_sessions", Help: "Sessions whose connection is open.",
		}, route),
		opened: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_sessions_opened_total", Help: "Sessions that were opened.",
		}, route),
		closed: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_sessions_closed_total", Help: `Sessions that ended, by close code: those that the core gives, "other" for all else.`,
		}, []string{"plugin", "code"}),
		handled: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "bridge_plugin_event_seconds",
			Help:    "Time from taking an event until its step was applied, of one event in each batch.",
			Buckets: []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"plugin"}),
		auth: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bridge_auth_total", Help: "Questions to an auth backend, by how they ended.",
		}, []string{"auth", "outcome"}),
	}
	if reg != nil {
		reg.MustRegister(m.sessions, m.opened, m.closed, m.handled, m.auth)
	}
	return m
}

func (m *metrics) open(a *attached, route string) {
	m.sessions.WithLabelValues(a.Label(), route).Inc()
	m.opened.WithLabelValues(a.Label(), route).Inc()
}

func (m *metrics) close(a *attached, route string, code int) {
	m.sessions.WithLabelValues(a.Label(), route).Dec()
	m.closed.WithLabelValues(a.Label(), codeLabel(code)).Inc()
}

func (m *metrics) authenticated(b auth.Backend, ans *auth.Answer) {
	m.auth.WithLabelValues(b.Realm(), ans.Outcome.String()).Inc()
}

// handledBy is what a plugin's host calls with the time that an event took.
func (m *metrics) handledBy(label string) func(time.Duration) {
	of := m.handled.WithLabelValues(label)
	return func(d time.Duration) { of.Observe(d.Seconds()) }
}

// codeLabel keeps the label's values few, whatever plugins and clients close with.
func codeLabel(code int) string {
	known := code == session.NoStatus || code == session.CloseLost.Code ||
		slices.ContainsFunc(session.CloseCodes(), func(c session.CloseCode) bool { return c.Code == code })
	if known {
		return strconv.Itoa(code)
	}
	return "other"
}

// traffic adds up what went through sessions of a plugin.
type traffic struct{ framesIn, bytesIn, framesOut, bytesOut atomic.Uint64 }

func (t *traffic) add(n session.Traffic) {
	t.framesIn.Add(n.FramesIn)
	t.bytesIn.Add(n.BytesIn)
	t.framesOut.Add(n.FramesOut)
	t.bytesOut.Add(n.BytesOut)
}

var (
	descFrames      = desc("bridge_frames_total", "Frames that clients sent (in) and were sent (out).", "plugin", "direction")
	descBytes       = desc("bridge_frame_bytes_total", "Bytes of the frames that clients sent (in) and were sent (out), without the framing of the wire.", "plugin", "direction")
	descRestarts    = desc("bridge_plugin_restarts_total", "Processes that were started again after a death.", "plugin")
	descEvents      = desc("bridge_plugin_events_total", "Events that the plugin has handled.", "plugin")
	descRedelivered = desc("bridge_plugin_redelivered_total", "Events given to another process, as the one before ended with them.", "plugin")
	descUntold      = desc("bridge_plugin_untold_total", "What actors of the plugin told one that had 1 MiB of it waiting: it was dropped.", "plugin")
	descPublishes   = desc("bridge_hub_publishes_total", "Publishes to the plugin's sessions.", "plugin")
	descFanout      = desc("bridge_hub_fanout_total", "Frames that sessions took of publishes.", "plugin")
	descLate        = desc("bridge_hub_late_total", "Publishes in an order that came after those behind them, or twice.", "plugin")
	descOverflow    = desc("bridge_hub_overflow_total", "Messages of other protocols that were dropped because too many waited for the plugin.", "plugin")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// engineCollector reads an engine's plugins at each scrape.
type engineCollector struct{ engine *Engine }

// Describe implements [prometheus.Collector].
func (engineCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descFrames, descBytes, descRestarts, descEvents, descRedelivered, descUntold, descPublishes, descFanout, descOverflow, descLate,
	} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c engineCollector) Collect(ch chan<- prometheus.Metric) {
	plugins := c.engine.attachedPlugins()
	c.engine.foldTraffic(plugins)
	for _, a := range plugins {
		count := func(d *prometheus.Desc, n uint64, labels ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), append([]string{a.Label()}, labels...)...)
		}
		count(descFrames, a.traffic.framesIn.Load(), "in")
		count(descFrames, a.traffic.framesOut.Load(), "out")
		count(descBytes, a.traffic.bytesIn.Load(), "in")
		count(descBytes, a.traffic.bytesOut.Load(), "out")
		of := a.Counts()
		count(descRestarts, of.Restarts)
		count(descEvents, of.Events)
		count(descRedelivered, of.Redelivered)
		count(descUntold, of.Untold)
		var hubs hub.Counts
		if g := a.group.Load(); g != nil {
			hubs = g.Counts()
		}
		count(descPublishes, hubs.Publishes)
		count(descFanout, hubs.Fanout)
		count(descOverflow, hubs.Overflow)
		count(descLate, hubs.Late)
	}
}

func (e *Engine) attachedPlugins() []*attached {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return slices.Clone(e.plugins)
}

// foldTraffic takes what sessions counted since the last time.
func (e *Engine) foldTraffic(plugins []*attached) {
	of := make(map[*hub.Group]*attached, len(plugins))
	for _, a := range plugins {
		of[a.group.Load()] = a
	}
	e.hub.Each(func(s *session.Session, g *hub.Group) {
		if a := of[g]; a != nil {
			a.traffic.add(s.Traffic())
		}
	})
}

// newRegistry returns a registry with what every Go program has to say, and the version.
func newRegistry(version string) *prometheus.Registry {
	reg := prometheus.NewRegistry()
	// What is held of the heap: how far it has grown says little where it may grow before it is collected.
	live := collectors.WithGoCollectorRuntimeMetrics(collectors.GoRuntimeMetricsRule{Matcher: regexp.MustCompile("^/gc/heap/live:bytes$")})
	reg.MustRegister(collectors.NewGoCollector(live), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registerBuild(reg, version)
	return reg
}

func registerBuild(reg prometheus.Registerer, version string) {
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "bridge_build_info", Help: "Always 1; the label says which version runs.",
	}, []string{"version"})
	build.WithLabelValues(version).Set(1)
	reg.MustRegister(build)
}

// MetricDescs describes all metrics of a running bridge but those that every Go program has, for the
// documentation, in no order.
func MetricDescs() []*prometheus.Desc {
	reg := prometheus.NewRegistry()
	registerBuild(reg, "")
	upstream.NewMetrics(reg)
	newLimits(reg)
	NewEngine(EngineConfig{Metrics: reg})
	reg.MustRegister(queue.Collector{Store: func() *queue.Store { return nil }})
	reg.MustRegister(cluster.Collector{})
	ch := make(chan *prometheus.Desc)
	go func() {
		defer close(ch)
		reg.Describe(ch)
	}()
	var list []*prometheus.Desc
	for d := range ch {
		list = append(list, d)
	}
	return list
}
