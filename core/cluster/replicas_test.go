package cluster

import (
	"fmt"
	"testing"

	"github.com/protocol-bridge/bridge/core/queue"
)

// copies are how many copies each stream has that are whole, by its name.
func (n *node) copies(t *testing.T) map[string]int {
	t.Helper()
	whole := make(map[string]int)
	list := n.broker.JetStream().ListStreams(t.Context())
	for info := range list.Info() {
		whole[info.Config.Name] = 0
		if info.Cluster == nil || info.Cluster.Leader == "" || len(info.Cluster.Replicas)+1 != info.Config.Replicas {
			continue
		}
		whole[info.Config.Name] = 1
		for _, peer := range info.Cluster.Replicas {
			if peer.Current && !peer.Offline {
				whole[info.Config.Name]++
			}
		}
	}
	if list.Err() != nil {
		return nil // its leader is being chosen
	}
	return whole
}

const topic = "BRIDGE_QUEUE_work"

// push makes the topic, and pushes one entry to it.
func (n *node) push(t *testing.T) {
	t.Helper()
	var store *queue.Store
	until(t, "the store is there", func() bool { // those that are left may have to choose who leads
		var err error
		store, err = queue.Open(t.Context(), queue.Config{Conn: n.broker.Conn(), Replicas: 3})
		return err == nil
	})
	t.Cleanup(store.Close)
	until(t, "something is pushed", func() bool {
		done := make(chan error, 1)
		store.With(queue.Options{}).Push("work", "id", []byte("data"), func(err error) { done <- err })
		return <-done == nil
	})
}

// whole waits until the topic and the buckets of the cluster have three copies.
func (n *node) whole(t *testing.T) {
	t.Helper()
	for _, name := range []string{topic, "KV_bridge-main-nodes", "KV_bridge-main-names"} {
		until(t, name+" has three copies", func() bool { return n.copies(t)[name] == 3 })
	}
	stream, err := n.broker.JetStream().Stream(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	if n := stream.CachedInfo().State.Msgs; n != 1 {
		t.Errorf("the topic has %d entries, want 1", n)
	}
}

// TestCopyOfAMissingNode: a topic that is made while one of three nodes is missing has its third copy when that is
// back.
func TestCopyOfAMissingNode(t *testing.T) {
	cfgs := configs(t, 3)
	var list []*node
	for i, b := range begin(t, cfgs...) {
		list = append(list, join(t, b, fmt.Sprintf("id%d", i), -1))
	}
	if err := list[2].Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := list[2].broker.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	list[0].push(t)
	if n := list[0].copies(t)[topic]; n == 3 {
		t.Fatalf("it has %d copies while a server is missing", n)
	}
	begin(t, cfgs[2])
	list[0].whole(t)
}

// TestCopiesAreAdded: what two nodes made, which can have one copy only, has three when there is a third node.
func TestCopiesAreAdded(t *testing.T) {
	cfgs := configs(t, 3)
	for i := range 2 {
		cfgs[i].Cluster.Routes = cfgs[i].Cluster.Routes[:2]
	}
	var list []*node
	for i, b := range begin(t, cfgs[:2]...) {
		list = append(list, join(t, b, fmt.Sprintf("id%d", i), -1))
	}
	list[0].push(t)
	until(t, "the topic has one copy", func() bool { return list[0].copies(t)[topic] == 1 })
	begin(t, cfgs[2])
	list[0].whole(t)
}
