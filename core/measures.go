package core

import (
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// namedCollector shows what plugins want to be shown under names of their own.
type namedCollector struct{ engine *Engine }

// Describe implements [prometheus.Collector]: nobody knows the names before plugins say them.
func (namedCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c namedCollector) Collect(ch chan<- prometheus.Metric) {
	owners := make(map[string]*pluginv1.Metric) // what a name means
	series := make(map[string]bool)
	for _, a := range c.engine.attachedPlugins() {
		for _, m := range a.Metrics() {
			labels := metricLabels(m)
			first := owners[m.GetName()]
			if labels == nil || !a.mayName(m.GetName()) || first != nil && !sameKind(first, m) {
				continue
			}
			id := m.GetName() + "\x00" + labelText(labels)
			if series[id] {
				continue
			}
			if first == nil {
				owners[m.GetName()] = m
			}
			series[id] = true
			a.measure(m, labels, ch)
		}
	}
}

// sameKind says whether two series may have one name.
func sameKind(a, b *pluginv1.Metric) bool {
	names := func(m *pluginv1.Metric) (list []string) {
		for _, l := range m.GetLabels() {
			list = append(list, l.GetKey())
		}
		slices.Sort(list)
		return list
	}
	return a.GetMeasure() == b.GetMeasure() && a.GetHelp() == b.GetHelp() && slices.Equal(names(a), names(b))
}

var metricName = regexp.MustCompile("^[a-z_][a-z0-9_]*$")

// mayName says whether a name is one, and none of the core's or of another plugin.
func (a *attached) mayName(name string) bool {
	if !metricName.MatchString(name) {
		return false
	}
	mine := ""
	if d := a.Description(); d != nil {
		mine = "bridge_" + strings.ReplaceAll(d.GetName(), "-", "_") + "_"
	}
	for _, prefix := range []string{"bridge_", "go_", "process_", "promhttp_"} {
		if strings.HasPrefix(name, prefix) && (mine == "" || !strings.HasPrefix(name, mine)) {
			return false
		}
	}
	return !slices.Contains(queueNames, name)
}

// queueNames are those that begin as a plugin's and are the queues'.
var queueNames = []string{
	"bridge_mesh_topic_depth", "bridge_mesh_push_refused_total", "bridge_mesh_events_total", "bridge_mesh_redelivered_total",
}

// metricLabels are the labels of a metric; nil: they cannot be.
func metricLabels(m *pluginv1.Metric) prometheus.Labels {
	labels := make(prometheus.Labels)
	for _, l := range m.GetLabels() {
		if _, twice := labels[l.GetKey()]; twice || !metricName.MatchString(l.GetKey()) || l.GetKey() == scenarioLabel || len(l.GetValue()) > maxLabel {
			return nil
		}
		labels[l.GetKey()] = strings.ToValidUTF8(string(l.GetValue()), "")
	}
	return labels
}

const (
	scenarioLabel = "scenario"
	maxLabel      = 100
)

func labelText(labels prometheus.Labels) string {
	list := make([]string, 0, len(labels))
	for key, value := range labels {
		list = append(list, key+"="+value)
	}
	slices.Sort(list)
	return strings.Join(list, "\x00")
}

// measure shows one metric.
func (a *attached) measure(m *pluginv1.Metric, labels prometheus.Labels, ch chan<- prometheus.Metric) {
	show := func(as prometheus.ValueType, n uint64) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc(m.GetName(), m.GetHelp(), nil, labels), as, float64(n))
	}
	var now, begun uint64
	if g := a.group.Load(); g != nil {
		now, begun = g.ChannelCounts()
	}
	switch m.GetMeasure() {
	case pluginv1.Measure_MEASURE_CHANNELS:
		show(prometheus.GaugeValue, now)
	case pluginv1.Measure_MEASURE_CHANNELS_TOTAL:
		show(prometheus.CounterValue, begun)
	case pluginv1.Measure_MEASURE_SESSIONS:
		show(prometheus.GaugeValue, a.sessionsOf(m.GetRole()))
	case pluginv1.Measure_MEASURE_NODES:
		n := 1
		if a.engine.nodes() != nil {
			n += len(a.engine.nodes().Others())
		}
		show(prometheus.GaugeValue, uint64(n))
	case pluginv1.Measure_MEASURE_FRAMES_IN_TOTAL:
		a.engine.foldTraffic([]*attached{a})
		show(prometheus.CounterValue, a.traffic.framesIn.Load())
	case pluginv1.Measure_MEASURE_FRAMES_OUT_TOTAL:
		a.engine.foldTraffic([]*attached{a})
		show(prometheus.CounterValue, a.traffic.framesOut.Load())
	case pluginv1.Measure_MEASURE_UNSENT_TOTAL:
		show(prometheus.CounterValue, a.unsent.Load())
	case pluginv1.Measure_MEASURE_ACT_SECONDS:
		a.times.collect(m, labels, ch)
	}
}

// sessionsOf counts the open sessions on routes of a role, "" of all, but for plain requests.
func (a *attached) sessionsOf(role string) (n uint64) {
	g := a.group.Load()
	a.engine.hub.Each(func(s *session.Session, of *hub.Group) {
		if of == g && !s.Info.HTTP && (role == "" || a.engine.hasRole(s, role)) {
			n++
		}
	})
	return n
}

// actTimes are how long Act took, once somebody wants to know.
type actTimes struct {
	of atomic.Pointer[prometheus.SummaryVec]
}

func (t *actTimes) observe(scenario string, began time.Time) {
	if v := t.of.Load(); v != nil {
		v.WithLabelValues(scenario).Observe(time.Since(began).Seconds())
	}
}

func (t *actTimes) collect(m *pluginv1.Metric, labels prometheus.Labels, ch chan<- prometheus.Metric) {
	v := t.of.Load()
	if v == nil {
		// As CONNMIX has them, whose users look for a summary.
		v = prometheus.NewSummaryVec(prometheus.SummaryOpts{
			Name: m.GetName(), Help: m.GetHelp(), ConstLabels: labels,
			Objectives: map[float64]float64{0: 0, .25: .05, .5: .05, .75: .05, 1: 0},
			MaxAge:     10 * time.Minute, AgeBuckets: 5, BufCap: 500,
		}, []string{scenarioLabel})
		for _, s := range []string{"local", "forward"} {
			v.WithLabelValues(s)
		}
		t.of.Store(v)
	}
	v.Collect(ch)
}
