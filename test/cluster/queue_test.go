//go:build linux

package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// place is a folder with a data_dir, and what bridge.hcl has of it.
type place struct{ dir, head string }

func newPlace(t *testing.T) place {
	t.Helper()
	dir, err := os.MkdirTemp("", "bridge") // not t.TempDir, whose names are too long for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	head := fmt.Sprintf("data_dir = %q\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n", filepath.Join(dir, "data"))
	if err := os.WriteFile(filepath.Join(dir, "bridge.hcl"), []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	return place{dir, head}
}

// queue runs a command about the queues of the bridge that is there.
func (p place) queue(t *testing.T, verb, file, want string) {
	t.Helper()
	out, err := exec.Command(harness.Program("bridge"), "queue", verb, "--config", filepath.Join(p.dir, "bridge.hcl"), file).CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Fatalf("%s: %s, %v, want %s", verb, out, err, want)
	}
}

// pushAll pushes so many, each until it is confirmed.
func pushAll(t *testing.T, b *harness.Bridge, n int) (confirmed []string) {
	t.Helper()
	ws := dialJobs(t, b)
	for i := range n {
		text := fmt.Sprint(i)
		harness.Until(t, harness.AnswerLimit, "a push is confirmed", func() bool {
			got, err := harness.Ask(ws, "push work "+text)
			if err != nil {
				t.Fatal(err)
			}
			return got == "pushed "+text+" ok"
		})
		confirmed = append(confirmed, text)
	}
	return confirmed
}

// TestFromOneToThree: what was confirmed at a node that is alone is taken into a cluster of three, all of it
// and in its order, and out of that again; there it outlives any one node.
func TestFromOneToThree(t *testing.T) {
	alone := newPlace(t)
	b := harness.Start(t, harness.Config{Head: alone.head, File: jobsPlugin()})
	confirmed := pushAll(t, b, 200)
	b.Stop()
	out, back := filepath.Join(alone.dir, "out.jsonl"), filepath.Join(alone.dir, "back.jsonl")
	alone.queue(t, "export", out, "200 entries")

	var places []place
	var nodes []*harness.Bridge
	for _, block := range harness.ClusterBlocks(t, 3) {
		p := newPlace(t)
		places = append(places, p)
		nodes = append(nodes, harness.Start(t, harness.Config{Head: p.head, File: jobsPlugin() + block, Starting: true}))
	}
	for _, b := range nodes {
		b.AwaitReady()
	}
	harness.AwaitNodes(t, nodes, 3)
	places[1].queue(t, "import", out, "200 entries")
	places[2].queue(t, "export", back, "200 entries")
	want, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(back); err != nil || string(got) != string(want) {
		t.Errorf("the cluster exports something else: %v", err)
	}
	nodes[1].Kill()
	popped(t, dialJobs(t, nodes[0]), confirmed)
}

// TestTwoOfThree: while one of three is missing new topics are made all the same, and it has what they hold when
// it is back.
func TestTwoOfThree(t *testing.T) {
	blocks := harness.ClusterBlocks(t, 3)
	for i := range blocks {
		blocks[i] += jobsPlugin()
	}
	nodes := start(t, blocks)
	nodes[2].Kill()
	harness.AwaitNodes(t, nodes[:2], 2)
	confirmed := pushAll(t, nodes[0], 50)
	nodes[2].Again(harness.Config{})
	harness.AwaitNodes(t, nodes, 3)
	popped(t, dialJobs(t, nodes[2]), confirmed)
}
