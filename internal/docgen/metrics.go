package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core"
)

// metricsPage is the second file, below the root of the module.
const metricsPage = "docs/metrics.md"

const metricsIntro = `# Metrics

` + "`GET /metrics`" + ` of the admin address, and of the control socket, has what follows, in the form that
Prometheus reads, beside what every Go program has (` + "`go_…`" + `, ` + "`process_…`" + `). Labels have few values, those of
bridge.hcl and of lists in the code: never a session, a user or a channel. A series is there once it has
something to count. What one session does is seen in another way: [operations](operations.md).

The table is made from what Bridge registers, by ` + "`make gen`" + `. Plugins may have more: those of
[mesh](../plugins/mesh/README.md#metrics) stand there.

| name | labels | unit | meaning |
| --- | --- | --- | --- |
`

// renderMetrics returns the page of metrics.
func renderMetrics() (string, error) {
	var all []metric
	for _, d := range core.MetricDescs() {
		m, err := parseDesc(d)
		if err != nil {
			return "", err
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b metric) int { return strings.Compare(a.name, b.name) })
	var w strings.Builder
	w.WriteString(metricsIntro)
	for _, m := range all {
		fmt.Fprintf(&w, "| `%s` | %s | %s | %s |\n", m.name, m.labels, unit(m.name), cell(m.help))
	}
	return w.String(), nil
}

type metric struct{ name, help, labels string }

// A Desc says what it is only as text.
var descText = regexp.MustCompile(`^Desc\{fqName: "([^"]+)", help: "((?:[^"\\]|\\.)*)", unit: "[^"]*", constLabels: \{\}, variableLabels: \{([^}]*)\}\}$`)

func parseDesc(d *prometheus.Desc) (metric, error) {
	m := descText.FindStringSubmatch(d.String())
	if m == nil {
		return metric{}, fmt.Errorf("metric is not understood: %s", d)
	}
	var labels []string
	for label := range strings.SplitSeq(m[3], ",") {
		if label != "" {
			labels = append(labels, "`"+label+"`")
		}
	}
	return metric{m[1], strings.ReplaceAll(m[2], `\"`, `"`), strings.Join(labels, ", ")}, nil
}

// unit follows from the name, as Prometheus wants it.
func unit(name string) string {
	base := strings.TrimSuffix(name, "_total")
	switch {
	case strings.HasSuffix(base, "_seconds"):
		return "seconds, a histogram"
	case strings.HasSuffix(base, "_bytes"):
		return "bytes, rising"
	case base != name:
		return "count, rising"
	}
	return "number"
}
