//go:build linux

package mesh

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// nodes starts a cluster of so many, each with the API at an address that it says.
func nodes(t *testing.T, n int) (list []*harness.Bridge, servers []string) {
	t.Helper()
	addresses := harness.FreeAddresses(t, 2*n)
	servers = addresses[n:]
	for i := range n {
		cfg := config("connmix_metrics = true", "")
		cfg.File = strings.Replace(cfg.File, `role = "api"`, `role = "api"
    config {
      api_server = "`+servers[i]+`"
    }`, 1)
		cfg.File += harness.ClusterBlock(addresses[i], addresses[:n], "")
		cfg.Head = fmt.Sprintf("data_dir = \"data\"\nlistener \"public\" {\n  address = %q\n}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n", servers[i])
		cfg.Starting = true
		list = append(list, harness.Start(t, cfg))
	}
	for _, b := range list {
		b.AwaitReady()
	}
	return list, servers
}

// aNode is an element of the list at /v1/nodes.
type aNode struct {
	ID        string
	APIServer string `json:"api_server"`
}

func nodesAt(t *testing.T, b *harness.Bridge) []aNode {
	t.Helper()
	r := request(t, "GET", "http://"+b.Address()+"/v1/nodes", "", "")
	var list struct{ Nodes []aNode }
	if err := json.Unmarshal([]byte(r.body), &list); r.status != 200 || err != nil {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return list.Nodes
}

// Statements 11 and 34, with three nodes: a back-end at any of them consumes, sends to, calls and publishes to
// end users at all, counted exactly; the list of nodes has all, with the addresses that each has for itself.
func TestStatement34Nodes(t *testing.T) {
	bridges, servers := nodes(t, 3)
	for _, b := range bridges {
		harness.Until(t, limit, "all nodes are listed", func() bool { return len(nodesAt(t, b)) == len(bridges) })
	}
	numbers := make(map[string]string)
	for i, b := range bridges {
		list := nodesAt(t, b)
		if list[0].APIServer != servers[i] {
			t.Errorf("the first of %v is not %s", list, servers[i])
		}
		for _, n := range list {
			if was, ok := numbers[n.APIServer]; ok && was != n.ID {
				t.Errorf("%s is node %s and %s", n.APIServer, was, n.ID)
			}
			numbers[n.APIServer] = n.ID
		}
	}
	if len(numbers) != len(bridges) {
		t.Fatalf("nodes %v, want those at %v", numbers, servers)
	}

	api := backend(t, bridges[0])
	api.must("queue.pop", `["chat"]`)
	var users []*peer
	var ids []string
	for i, b := range bridges {
		user := endUser(t, b)
		user.send("who am I")
		e := api.event()
		if fmt.Sprint(e.P.N) != numbers[servers[i]] || fmt.Sprint(nodeOf(t, e.P.C)) != numbers[servers[i]] {
			t.Errorf("end user %s of node %s is said to be of node %d", e.P.C, numbers[servers[i]], e.P.N)
		}
		users, ids = append(users, user), append(ids, e.P.C)
	}
	users = append(users, endUser(t, bridges[1])) // is on no channel
	for i, id := range ids {
		api.must("conn.call", `{"c":"`+id+`","f":"subscribe","a":["c","c"]}`)
		api.must("mesh.send", fmt.Sprintf(`{"c":%s,"d":"to %d"}`, id, i))
		users[i].want(fmt.Sprint("to ", i))
	}
	for i, b := range bridges {
		text := fmt.Sprint("from ", i)
		if r := request(t, "POST", "http://"+b.Address()+"/v1/mesh/publish", "", `{"c":"c","d":"`+text+`"}`); r.body != `{"E":null,"r":{"s":3,"f":0}}` {
			t.Errorf("publish at %d: %d %s", i, r.status, r.body)
		}
		for _, user := range users[:3] {
			user.want(text)
		}
		if r := request(t, "POST", "http://"+b.Address()+"/v1/mesh/send", "", `{"c":"`+ids[(i+1)%3]+`","d":"`+text+`"}`); r.body != `{"E":null,"r":{"s":true}}` {
			t.Errorf("send at %d: %d %s", i, r.status, r.body)
		}
		users[(i+1)%3].want(text)
	}
	for _, user := range users {
		user.silent()
	}
	page := metrics(t, bridges[0])
	for _, want := range []string{"connmix_center_registry_engine_nodes 3\n", `send_duration_seconds_count{protocol="websocket",scenario="forward"} `} {
		if !strings.Contains(page, want) {
			t.Errorf("/metrics has no %s", want)
		}
	}

	// A node that is gone: its end users cannot be sent to, the others can, and it is listed no more.
	bridges[2].Kill()
	began := time.Now()
	for i, want := range []string{done, done, `{"E":{"c":401,"m":"failed to send"}`} {
		if got := api.ask("mesh.send", `{"c":"`+ids[i]+`","d":"still there"}`); got != want {
			t.Errorf("send to %d: %s, want %s", i, got, want)
		}
	}
	if got := api.ask("conn.call", `{"c":"`+ids[2]+`","f":"subscribe","a":["c"]}`); got != `{"E":{"c":301,"m":"execution failed"}` {
		t.Errorf("call: %s", got)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("that took %v", took)
	}
	harness.Until(t, limit, "the node is listed no more", func() bool { return len(nodesAt(t, bridges[0])) == 2 })
	if got := api.ask("mesh.publish", `{"c":"c","d":"news"}`); got != `{"s":2,"f":0}` {
		t.Errorf("publish: %s", got)
	}
}
