//go:build linux

package cluster

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestSilentNode: members of a node that lives and does not answer count as failed, as many as it said last,
// and it is not waited for longer than a second. What was published meanwhile is not lost to them.
func TestSilentNode(t *testing.T) {
	nodes := start(t, harness.ClusterBlocks(t, 3))
	const each = 2
	all := dial(t, each, nodes...)
	if n := count(t, all[0][0], "all", all); n != 3*each {
		t.Fatalf("%d took it, want %d", n, 3*each)
	}
	nodes[2].Signal(syscall.SIGSTOP)
	harness.Until(t, harness.AnswerLimit, "the node stands still", func() bool { return stands(t, nodes[2].Pid()) })
	began := time.Now()
	n, failed := counted(t, all[0][0], "some", all[:2])
	if took := time.Since(began); n != 2*each || failed != each || took > 3*time.Second {
		t.Errorf("%d took it and %d did not, after %v; want %d and %d", n, failed, took, 2*each, each)
	}
	var page struct {
		Missing []int `json:"missing_nodes"`
	}
	get(t, nodes[1], "/api/sessions", &page)
	if len(page.Missing) != 1 {
		t.Errorf("missing nodes %v", page.Missing)
	}
	nodes[2].Signal(syscall.SIGCONT)
	for _, l := range all[2] {
		expect(t, l, "some")
	}
	harness.AwaitNodes(t, nodes, 3)
	if n, failed := counted(t, all[0][0], "again", all); n != 3*each || failed != 0 {
		t.Errorf("%d took it and %d did not, want %d", n, failed, 3*each)
	}
	resp, err := http.Get("http://" + nodes[0].AddressOf("admin") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"bridge_cluster_nodes 3", "bridge_cluster_silent_total 1", "bridge_cluster_foreign_total 0"} {
		if !strings.Contains(string(text), want+"\n") {
			t.Errorf("metrics do not say %q", want)
		}
	}
}

// stands says whether all threads of a process are stopped: a signal to stop returns before they are.
func stands(t *testing.T, pid int) bool {
	t.Helper()
	list, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(list) == 0 {
		t.Fatalf("threads of %d: %v", pid, err)
	}
	for _, file := range list {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		if _, rest, _ := strings.Cut(string(text), ") "); !strings.HasPrefix(rest, "T") {
			return false
		}
	}
	return true
}
