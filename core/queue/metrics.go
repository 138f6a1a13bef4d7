package queue

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Collector has the metrics of a store that may come and go. Topics are as few as an operator allows, so
// they may be a label.
type Collector struct {
	// Store returns the store; nil: there is none now.
	Store func() *Store
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

// The second name of each pair is the one under which users of the mesh protocol look for it.
var (
	descDepth       = [2]*prometheus.Desc{desc("bridge_queue_depth", "Entries that wait in a topic, or are a consumer's.", "topic"), desc("bridge_mesh_topic_depth", "As bridge_queue_depth.", "topic")}
	descPushed      = [1]*prometheus.Desc{desc("bridge_queue_pushes_total", "Pushes that this node stored.", "topic")}
	descRefused     = [2]*prometheus.Desc{desc("bridge_queue_push_refused_total", "Pushes of this node that were not confirmed: the topic was full, or the store unavailable.", "topic"), desc("bridge_mesh_push_refused_total", "As bridge_queue_push_refused_total.", "topic")}
	descDelivered   = [2]*prometheus.Desc{desc("bridge_queue_deliveries_total", "Entries that consumers at this node were given.", "topic"), desc("bridge_mesh_events_total", "As bridge_queue_deliveries_total.", "topic")}
	descRedelivered = [2]*prometheus.Desc{desc("bridge_queue_redelivered_total", "Of these, those that a consumer had been given before.", "topic"), desc("bridge_mesh_redelivered_total", "As bridge_queue_redelivered_total.", "topic")}
	descUnopened    = desc("bridge_queue_refused_topics_total", "Pushes and consumptions that were refused because their topic could not be had.")
)

// Describe implements [prometheus.Collector].
func (Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, pair := range [][]*prometheus.Desc{descDepth[:], descPushed[:], descRefused[:], descDelivered[:], descRedelivered[:], {descUnopened}} {
		for _, d := range pair {
			ch <- d
		}
	}
}

// scrapeTimeout is how long the store may take to say how much it holds.
const scrapeTimeout = 2 * time.Second

// Collect implements [prometheus.Collector].
func (c Collector) Collect(ch chan<- prometheus.Metric) {
	s := c.Store()
	if s == nil {
		return
	}
	put := func(list []*prometheus.Desc, as prometheus.ValueType, v uint64, topic ...string) {
		for _, d := range list {
			ch <- prometheus.MustNewConstMetric(d, as, float64(v), topic...)
		}
	}
	topics := s.all()
	if len(topics) == 0 { // so that every name is there from the beginning
		for _, list := range [][]*prometheus.Desc{descPushed[:], descRefused[:], descDelivered[:], descRedelivered[:]} {
			put(list, prometheus.CounterValue, 0, "")
		}
		put(descDepth[:], prometheus.GaugeValue, 0, "")
	}
	for _, t := range topics {
		put(descPushed[:], prometheus.CounterValue, t.pushed.Load(), t.name)
		put(descRefused[:], prometheus.CounterValue, t.refused.Load(), t.name)
		put(descDelivered[:], prometheus.CounterValue, t.delivered.Load(), t.name)
		put(descRedelivered[:], prometheus.CounterValue, t.redelivered.Load(), t.name)
	}
	put([]*prometheus.Desc{descUnopened}, prometheus.CounterValue, s.unopened.Load())
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	list, err := s.list(ctx)
	if err != nil {
		return // the counters say enough
	}
	for _, t := range list {
		put(descDepth[:], prometheus.GaugeValue, t.Depth, t.Name)
	}
}
