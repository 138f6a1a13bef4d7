//go:build linux

package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/nats"
)

// external are the cluster blocks of n nodes on a NATS server of this process, whose token is that of the blocks.
func external(t *testing.T, n int, more string) (blocks []string, url string) {
	t.Helper()
	url = nats.Start(t)
	for range n {
		blocks = append(blocks, harness.ClusterBlockAt(url, more))
	}
	return blocks, url
}

// TestExternalNATS: servers that are not the nodes' own do the same.
func TestExternalNATS(t *testing.T) {
	blocks, _ := external(t, 3, "")
	for i := range blocks {
		blocks[i] += jobsPlugin()
	}
	nodes := start(t, blocks)
	const each = 2
	all := dial(t, each, nodes...)
	for i := range nodes {
		if n := count(t, all[i][0], fmt.Sprint("from ", i), all); n != 3*each {
			t.Errorf("%d took it, want %d", n, 3*each)
		}
	}
	ws := dialJobs(t, nodes[0])
	if got, err := harness.Ask(ws, "push work 1"); err != nil || got != "pushed 1 ok" {
		t.Fatalf("%q, %v", got, err)
	}
	popped(t, dialJobs(t, nodes[2]), []string{"1"})

	killed := time.Now()
	nodes[1].Kill()
	harness.AwaitNodes(t, []*harness.Bridge{nodes[0], nodes[2]}, 2)
	if took := time.Since(killed); took > limit {
		t.Errorf("the others know of it after %v", took)
	}
	nodes[1].Again(harness.Config{})
	harness.AwaitNodes(t, nodes, 3)
}

// TestNumberOfAnother: a node that asks for the number of another is refused, and says what to do.
func TestNumberOfAnother(t *testing.T) {
	blocks, _ := external(t, 2, "  node = 5")
	first := harness.Start(t, harness.Config{File: harness.LinesPlugin("") + blocks[0]})
	if n := first.Nodes(); len(n) != 1 || n[0].Node != 5 {
		t.Fatalf("nodes %+v", n)
	}
	second := harness.Start(t, harness.Config{File: harness.LinesPlugin("") + blocks[1], Starting: true})
	if code := second.Await(30 * time.Second); code != 1 {
		t.Errorf("exit status %d, want 1", code)
	}
	for _, want := range []string{"bridge: node 5 of the cluster is another", "Give this one another number"} {
		if log := second.Log(); !strings.Contains(log, want) {
			t.Errorf("it does not say %q:\n%s", want, log)
		}
	}
}
