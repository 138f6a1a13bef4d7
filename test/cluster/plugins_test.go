//go:build linux

package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// speaking is a configuration with CTProto, whose back-end has what clients say published in a room that the
// plugin lines owns.
const speaking = `
auth "static" "dev" {
  tokens = { some-token = "1" }
}
upstream "http" "app" {
  url    = %q
  secret = %q
}
plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.http.app
  }
}
channel "lines/*" {
  publish = [plugin.ctproto]
}
`

// TestPluginsDiffer: what is published at a node without the owner of the channel reaches the owner's clients once,
// where the owner is at a node without the publishing plugin, and from another one when that is killed.
func TestPluginsDiffer(t *testing.T) {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Payload json.RawMessage }
		if json.NewDecoder(r.Body).Decode(&asked) == nil {
			fmt.Fprintf(w, `{"publish":[{"channel":"lines/room","type":"news","payload":%s}]}`, asked.Payload)
		}
	}))
	defer app.Close()
	ctproto := fmt.Sprintf(speaking, app.URL, harness.Secret)
	addresses := harness.FreeAddresses(t, 3)
	var files []string
	for i, plugins := range []string{ctproto, harness.LinesPlugin(""), ctproto + harness.LinesPlugin("")} {
		files = append(files, plugins+harness.ClusterBlock(addresses[i], addresses, fmt.Sprintf("  node = %d", i+1)))
	}
	nodes := harness.StartNodes(t, files...)
	var members []*harness.Lines
	for _, b := range nodes[1:] {
		l := harness.MustDialLines(t, b.URL("/lines"))
		ask(t, l, "SUB lines/room", "OK")
		members = append(members, l)
	}
	ws, answer, closed, err := harness.Authorize(nodes[0].URL("/client"), `{"token":"some-token"}`)
	if err != nil || closed != nil {
		t.Fatal(answer, closed, err)
	}
	defer harness.Close(ws)
	said := 0
	say := func() {
		t.Helper()
		said++
		if err := harness.Send(ws, fmt.Sprintf(`{"type":"say","payload":{"n":%d},"messageId":"%010d"}`, said, said)); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(l *harness.Lines) (n int) {
		t.Helper()
		text, err := l.Read(harness.AnswerLimit)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fmt.Sscanf(text, `lines/room {"n":%d}`, &n); err != nil {
			t.Fatalf("heard %q", text)
		}
		return n
	}
	for range 20 {
		say()
		for _, l := range members {
			if n := hear(l); n != said {
				t.Fatalf("heard %d, want %d", n, said)
			}
		}
	}

	nodes[1].Kill()
	killed, seen := time.Now(), make(map[int]bool)
	heard := make(chan int, 1000)
	go func() {
		defer close(heard)
		for {
			text, err := members[1].Read(harness.AnswerLimit)
			var n int
			if _, bad := fmt.Sscanf(text, `lines/room {"n":%d}`, &n); err != nil || bad != nil {
				return
			}
			heard <- n
		}
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	first := 0
	for after := 0; after < 20; {
		select {
		case n, ok := <-heard:
			switch {
			case !ok:
				t.Fatal("the member hears nothing more")
			case first == 0:
				first = n
				if took := time.Since(killed); took > limit {
					t.Errorf("the first comes %v after the kill", took)
				}
			case seen[n]: // the back-end is asked for several at a time, so they may come in another order
				t.Errorf("heard %d twice", n)
			}
			seen[n] = true
			after++
		case <-tick.C:
			say()
		}
	}
	t.Logf("21 to %d were missed", first-1)
}
