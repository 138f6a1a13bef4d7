//go:build linux

package cluster

import (
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const (
	held    = "hold 1."
	refused = "hold 2."
)

// free waits until a session is granted a name that others may not have any more.
func free(t *testing.T, l *harness.Lines, name string) {
	t.Helper()
	harness.Until(t, 30*time.Second, "the name "+name+" is free", func() bool {
		got, err := l.Ask("HOLD " + name)
		if err != nil {
			t.Fatal(err)
		}
		return got == held
	})
}

// TestNamesOfUnheardEnds: a name is free on all nodes when its session has ended while its node reached nobody,
// and so is one whose claim nobody confirmed.
func TestNamesOfUnheardEnds(t *testing.T) {
	nodes := start(t, harness.ClusterBlocks(t, 3))
	var all []*harness.Lines
	for _, b := range []*harness.Bridge{nodes[0], nodes[0], nodes[1], nodes[2]} {
		all = append(all, harness.MustDialLines(t, b.URL("/lines")))
	}
	holder, other, second, third := all[0], all[1], all[2], all[3]
	ask(t, holder, "HOLD first", held)
	ask(t, second, "HOLD first", refused)

	for _, b := range nodes[1:] {
		b.Signal(syscall.SIGSTOP)
		harness.Until(t, harness.AnswerLimit, "the node stands still", func() bool { return stands(t, b.Pid()) })
	}
	holder.Close()
	// Nobody can say who has this one. The answer comes when the end of the first is not waited for any more.
	if got, err := other.Ask("HOLD second"); err != nil || got == held || got == refused {
		t.Fatalf("a claim without most of the cluster: %q, %v", got, err)
	}
	other.Close()
	for _, b := range nodes[1:] {
		b.Signal(syscall.SIGCONT)
	}
	harness.AwaitNodes(t, nodes, 3)
	free(t, second, "first")
	free(t, third, "second")
}
