package cluster

import "github.com/prometheus/client_golang/prometheus"

// Collector shows what this node knows of the others.
type Collector struct{ Cluster *Cluster }

var (
	descNodes    = prometheus.NewDesc("bridge_cluster_nodes", "Nodes of the cluster that live, as this one knows them, itself among them.", nil, nil)
	descMessages = prometheus.NewDesc("bridge_cluster_messages_total", "Messages between nodes that this one sent (out) and took (in), without beats and answers that came in.", []string{"direction"}, nil)
	descForeign  = prometheus.NewDesc("bridge_cluster_foreign_total", "Messages of other nodes that were not understood: of another version, or broken.", nil, nil)
	descTooLarge = prometheus.NewDesc("bridge_cluster_too_large_total", "Messages that were too large for other nodes, and reached this one alone.", nil, nil)
	descSilent   = prometheus.NewDesc("bridge_cluster_silent_total", "Answers of nodes that live which did not come within a second.", nil, nil)
)

// Describe implements [prometheus.Collector].
func (Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descNodes, descMessages, descForeign, descTooLarge, descSilent} {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c Collector) Collect(ch chan<- prometheus.Metric) {
	n := c.Cluster.Counts()
	ch <- prometheus.MustNewConstMetric(descNodes, prometheus.GaugeValue, float64(1+len(c.Cluster.Others())))
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	count(descMessages, n.Sent, "out")
	count(descMessages, n.Received, "in")
	count(descForeign, n.Foreign)
	count(descTooLarge, n.TooLarge)
	count(descSilent, n.Silent)
}
