//go:build linux

package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/internal/snowflake"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// limit is how long others may take to know that a node is gone.
const limit = 5 * time.Second

// start starts a node for each block, with the plugin lines beside.
func start(t *testing.T, blocks []string) []*harness.Bridge {
	t.Helper()
	files := make([]string, len(blocks))
	for i, b := range blocks {
		files[i] = harness.LinesPlugin("") + b
	}
	return harness.StartNodes(t, files...)
}

func get(t *testing.T, b *harness.Bridge, path string, into any) {
	t.Helper()
	resp, err := http.Get("http://" + b.AddressOf("admin") + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func post(t *testing.T, b *harness.Bridge, path, body string) string {
	t.Helper()
	resp, err := http.Post("http://"+b.AddressOf("admin")+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: status %d, %v: %s", path, resp.StatusCode, err, text)
	}
	return string(text)
}

// dial opens sessions at nodes, each on the private channel "room".
func dial(t *testing.T, each int, nodes ...*harness.Bridge) [][]*harness.Lines {
	t.Helper()
	all := make([][]*harness.Lines, len(nodes))
	for i, b := range nodes {
		for range each {
			l := harness.MustDialLines(t, b.URL("/lines"))
			ask(t, l, "OWN room", "OK")
			all[i] = append(all[i], l)
		}
	}
	return all
}

func ask(t *testing.T, l *harness.Lines, line, want string) {
	t.Helper()
	if got, err := l.Ask(line); err != nil || got != want {
		t.Fatalf("%s: %q, %v, want %q", line, got, err, want)
	}
}

func expect(t *testing.T, l *harness.Lines, want string) {
	t.Helper()
	if got, err := l.Read(harness.AnswerLimit); err != nil || got != want {
		t.Fatalf("got %q, %v, want %q", got, err, want)
	}
}

// count publishes by one session to all and returns how many sessions took it. Each gets it once.
func count(t *testing.T, from *harness.Lines, text string, all [][]*harness.Lines) int {
	t.Helper()
	n, failed := counted(t, from, text, all)
	if failed > 0 {
		t.Fatalf("%d took it, and %d did not", n, failed)
	}
	return n
}

// counted is count that returns how many did not take it as well.
func counted(t *testing.T, from *harness.Lines, text string, all [][]*harness.Lines) (n, failed int) {
	t.Helper()
	if err := from.Send("COUNTED room " + text); err != nil {
		t.Fatal(err)
	}
	for _, at := range all {
		for _, l := range at {
			expect(t, l, text)
		}
	}
	got, err := from.Read(harness.AnswerLimit)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(got, "counted %d, %d failed.", &n, &failed); err != nil {
		if _, err := fmt.Sscanf(got, "counted %d.", &n); err != nil {
			t.Fatalf("the count is %q", got)
		}
	}
	return n, failed
}

// TestEverythingReachesEveryone: publishes with their counts, selections, actors that are told, names, what
// operators do, from each node to all.
func TestEverythingReachesEveryone(t *testing.T) {
	nodes := start(t, harness.ClusterBlocks(t, 3))
	const each = 4
	all := dial(t, each, nodes...)
	for i := range nodes {
		if n := count(t, all[i][0], fmt.Sprint("hello from ", i), all); n != each*len(nodes) {
			t.Errorf("%d took it, want %d", n, each*len(nodes))
		}
	}

	// A session's id tells its node, whichever is asked.
	numbers := make(map[uint16]int)
	for _, b := range nodes {
		var page struct{ Sessions []struct{ ID string } }
		get(t, b, "/api/sessions", &page)
		if len(page.Sessions) != each*len(nodes) {
			t.Errorf("%d sessions are listed, want %d", len(page.Sessions), each*len(nodes))
		}
		clear(numbers)
		for _, s := range page.Sessions {
			id, err := strconv.ParseUint(s.ID, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			numbers[snowflake.Node(id)]++
			var one struct{ ID string }
			get(t, b, "/api/sessions/"+s.ID, &one)
			if one.ID != s.ID {
				t.Errorf("session %s is %q", s.ID, one.ID)
			}
		}
	}
	for _, n := range nodes[0].Nodes() {
		if numbers[n.Node] != each {
			t.Errorf("%d sessions are of node %d, want %d", numbers[n.Node], n.Node, each)
		}
	}

	// Another order on each node would show.
	for _, at := range all {
		for _, l := range at {
			ask(t, l, "SUB o", "OK")
		}
	}
	for n := 1; n <= 30; n++ {
		if err := all[n%3][0].Send(fmt.Sprintf("NEXT o %d %d", n, n)); err != nil {
			t.Fatal(err)
		}
		for _, at := range all {
			for _, l := range at {
				expect(t, l, fmt.Sprint(n))
				expect(t, l, fmt.Sprint(n, ", then"))
			}
		}
	}
	ask(t, all[1][0], "TOLD o 31", fmt.Sprintf("told %d.", each*len(nodes)))

	// What is told an actor comes to it on whichever node it is.
	if err := all[0][1].Send("BIND actor"); err != nil {
		t.Fatal(err)
	}
	expect(t, all[0][1], "actor bound")
	if err := all[2][1].Send("TELL actor something"); err != nil {
		t.Fatal(err)
	}
	expect(t, all[0][1], "actor told something")

	// A name is one session's, and whoever had it is closed wherever it was.
	for i := range nodes {
		if err := all[i][2].Send("TAKE name holder" + fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
		expect(t, all[i][2], fmt.Sprintf("holder%d bound", i))
		expect(t, all[i][2], "take 1.")
		if i > 0 {
			if code, reason, err := all[i-1][2].AwaitClose(harness.AnswerLimit); err != nil || code != 4001 {
				t.Fatalf("the holder before: %d %s, %v", code, reason, err)
			}
		}
	}

	// Operators reach all nodes by one.
	got := post(t, nodes[1], "/api/sessions/close", `{"route": "/lines", "code": 4002, "reason": "out"}`)
	if want := fmt.Sprintf(`"closed":%d`, each*len(nodes)-2); !strings.Contains(strings.ReplaceAll(got, " ", ""), want) {
		t.Errorf("answer %s, want %s", got, want)
	}
	for _, at := range all {
		if code, _, err := at[0].AwaitClose(harness.AnswerLimit); err != nil || code != 4002 {
			t.Errorf("code %d, %v", code, err)
		}
	}
}
