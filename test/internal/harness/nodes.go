//go:build linux

package harness

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/internal/freeport"
)

// ClusterSecret is what nodes of a cluster have in common.
const ClusterSecret = "between nodes"

// FreeAddresses are n addresses of this machine that nobody listens at.
func FreeAddresses(t testing.TB, n int) []string {
	t.Helper()
	list, err := freeport.Addresses(n)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// ClusterBlock is the cluster block of a node that listens at an address and knows those of all; more are
// lines of it.
func ClusterBlock(listen string, all []string, more string) string {
	var routes []string
	for _, a := range all {
		routes = append(routes, strconv.Quote("nats://"+a))
	}
	return clusterBlock(fmt.Sprintf("  listen = %q\n  routes = [%s]\n%s", listen, strings.Join(routes, ", "), more))
}

// ClusterBlockAt is the cluster block of a node that meets the others at a NATS server; more are lines of it.
func ClusterBlockAt(url, more string) string {
	return clusterBlock(fmt.Sprintf("  servers = [%q]\n%s", url, more))
}

func clusterBlock(lines string) string {
	return fmt.Sprintf("cluster {\n  name = \"main\"\n  secret = %q\n%s\n}\n", ClusterSecret, lines)
}

// ClusterBlocks are those of n nodes with NATS of their own.
func ClusterBlocks(t testing.TB, n int) []string {
	t.Helper()
	addresses := FreeAddresses(t, n)
	blocks := make([]string, n)
	for i := range blocks {
		blocks[i] = ClusterBlock(addresses[i], addresses, "")
	}
	return blocks
}

// StartNodes starts a bridge for each configuration, of which each is a node of one cluster, and waits until
// all are ready and know each other.
func StartNodes(t testing.TB, files ...string) []*Bridge {
	t.Helper()
	var nodes []*Bridge
	for _, f := range files {
		nodes = append(nodes, Start(t, Config{File: f, Starting: true}))
	}
	for _, b := range nodes {
		b.AwaitReady()
	}
	AwaitNodes(t, nodes, len(nodes))
	return nodes
}

// AwaitNodes waits until each of the bridges knows so many nodes.
func AwaitNodes(t testing.TB, nodes []*Bridge, n int) {
	t.Helper()
	for i, b := range nodes {
		Until(t, startLimit, fmt.Sprintf("node %d knows %d nodes", i, n), func() bool { return len(b.Nodes()) == n })
	}
}

// Node is what a bridge says of a node of its cluster.
type Node struct {
	Node     uint16
	Sessions int
	Self     bool
}

// Nodes are those that the bridge knows.
func (b *Bridge) Nodes() []Node {
	b.t.Helper()
	client := http.Client{Timeout: AnswerLimit}
	defer client.CloseIdleConnections()
	resp, err := client.Get("http://" + b.AddressOf("admin") + "/api/status")
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var st struct{ Nodes []Node }
	if err := json.NewDecoder(resp.Body).Decode(&st); err != nil {
		b.t.Fatal(err)
	}
	return st.Nodes
}
