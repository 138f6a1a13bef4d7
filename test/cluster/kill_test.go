//go:build linux

package cluster

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// jobsPlugin is the plugin of queues, on the route /jobs.
func jobsPlugin() string {
	return fmt.Sprintf("plugin \"jobs\" {\n  command = [%q]\n  route \"/jobs\" {\n    auth = auth.none\n  }\n}\n", harness.Program("jobs"))
}

// TestKillOfANode: when a node is killed under load, the others go on, know of it within five seconds and
// count its sessions no more; nothing that was confirmed to whoever pushes to a queue is lost; and the node
// comes back.
func TestKillOfANode(t *testing.T) {
	blocks := harness.ClusterBlocks(t, 3)
	for i := range blocks {
		blocks[i] += jobsPlugin()
	}
	nodes := start(t, blocks)
	const each = 3
	all := dial(t, each, nodes...)
	if n := count(t, all[0][0], "all", all); n != 3*each {
		t.Fatalf("%d took it, want %d", n, 3*each)
	}

	stop := make(chan struct{})
	var running sync.WaitGroup
	var confirmed []string
	pushes := dialJobs(t, nodes[1])
	running.Go(func() { confirmed = push(t, pushes, stop) })
	<-time.After(500 * time.Millisecond)

	killed := time.Now()
	nodes[2].Kill()
	live := all[:2]
	n := 0
	for tries := 0; n != 2*each; tries++ {
		began := time.Now()
		n, _ = counted(t, all[0][0], fmt.Sprint("try ", tries), live)
		if took := time.Since(began); took > limit {
			t.Errorf("an answer took %v", took)
		}
		if time.Since(killed) > limit && n != 2*each {
			t.Fatalf("%d took it %v after the kill, want %d", n, time.Since(killed), 2*each)
		}
	}
	harness.AwaitNodes(t, nodes[:2], 2)
	if took := time.Since(killed); took > limit {
		t.Errorf("the others know of it after %v", took)
	}
	<-time.After(2 * time.Second) // of pushes to two of three copies
	close(stop)
	running.Wait()
	t.Logf("%d pushes confirmed", len(confirmed))
	if len(confirmed) < 100 {
		t.Errorf("only %d pushes were confirmed", len(confirmed))
	}
	popped(t, dialJobs(t, nodes[0]), confirmed)

	nodes[2].Again(harness.Config{})
	harness.AwaitNodes(t, nodes, 3)
	all[2] = dial(t, each, nodes[2])[0]
	if n := count(t, all[2][0], "back", all); n != 3*each {
		t.Errorf("%d took it, want %d", n, 3*each)
	}
	numbers := make(map[uint16]bool)
	for _, n := range nodes[2].Nodes() {
		numbers[n.Node] = true
	}
	if len(numbers) != 3 {
		t.Errorf("the nodes have the numbers %v", numbers)
	}
}

func dialJobs(t *testing.T, b *harness.Bridge) *websocket.Conn {
	t.Helper()
	ws, err := harness.Dial(b.URL("/jobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// push pushes one after the other and returns those that were confirmed.
func push(t *testing.T, ws *websocket.Conn, stop <-chan struct{}) (confirmed []string) {
	for i := 0; ; i++ {
		select {
		case <-stop:
			return confirmed
		default:
		}
		text := fmt.Sprint(i)
		got, err := harness.Ask(ws, "push work "+text)
		if err != nil {
			t.Error(err)
			return confirmed
		}
		if got == "pushed "+text+" ok" {
			confirmed = append(confirmed, text)
		}
	}
}

// popped fails the test unless all that was confirmed comes, in order.
func popped(t *testing.T, ws *websocket.Conn, confirmed []string) {
	t.Helper()
	harness.Until(t, harness.AnswerLimit, "the topic may be consumed", func() bool { // its copies choose another leader
		got, err := harness.Ask(ws, "pop 100 work")
		if err != nil {
			t.Fatal(err)
		}
		return got == "popped ok"
	})
	missing := make(map[string]bool)
	for _, text := range confirmed {
		missing[text] = true
	}
	var order []string
	for len(missing) > 0 {
		if err := ws.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
			t.Fatal(err)
		}
		_, data, err := ws.ReadMessage()
		if err != nil {
			t.Fatalf("%d that were confirmed do not come: %v", len(missing), err)
		}
		text := string(data)[strings.LastIndexByte(string(data), ' ')+1:]
		if missing[text] {
			order = append(order, text)
		}
		delete(missing, text)
	}
	if !slices.Equal(order, confirmed) {
		t.Error("they do not come in the order in which they were confirmed")
	}
}
