//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// crossing is a bridge of two protocols; every client of ctproto is on the channel "news".
func crossing(t *testing.T) *harness.Bridge {
	t.Helper()
	return harness.Start(t, harness.Config{File: fmt.Sprintf(`
auth "static" "dev" {
  tokens = { good-token = "38" }
}
upstream "dev" "echo" {}

plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.dev.echo
    channels = ["news"]
  }
}
plugin "lines" {
  command = [%q]
  route "/lines" {
    also = ["/lines/"]
    auth = auth.none
  }
}
`, harness.Program("lines"))})
}

// What one protocol publishes reaches the clients of another, in that one's form, each once and in
// order, while both plugins are killed.
func TestCrossing(t *testing.T) {
	b := crossing(t)
	lines := harness.MustDialLines(t, b.URL("/lines"))
	if got, err := lines.Ask("SUB news"); got != "OK" {
		t.Fatalf("SUB: %q, %v", got, err)
	}
	client, err := harness.DialCTProto(b.URL("/client"))
	if err != nil {
		t.Fatal(err)
	}
	defer harness.Close(client)

	if err := client.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
		t.Fatal(err)
	}
	const messages = 200
	ids := make(map[string]bool)
	for i := range messages {
		if i%50 == 25 {
			for _, name := range []string{"ctproto", "lines"} {
				if pid := b.Plugin(name).Pid; pid != 0 {
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		}
		if err := lines.Send(fmt.Sprintf("PUB news %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range messages {
		var m struct{ Type, Payload, MessageID string }
		_, frame, err := client.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(frame, &m); err != nil {
			t.Fatalf("%s: %v", frame, err)
		}
		if m.Type != "lines/said" || m.Payload != fmt.Sprint(i) || len(m.MessageID) != 10 || ids[m.MessageID] {
			t.Fatalf("message %d is %s", i, frame)
		}
		ids[m.MessageID] = true
	}
	// Its own protocol had them as well, in its own form.
	for i := range messages {
		if got, err := lines.Read(harness.AnswerLimit); got != fmt.Sprintf("news %d", i) {
			t.Fatalf("line %d is %q, %v", i, got, err)
		}
	}
}

// A plain request on a route reaches the plugin and is answered by it, whole or streamed both ways.
func TestRequests(t *testing.T) {
	b := crossing(t)
	url := "http://" + b.Address()
	post := func(path string, body io.Reader) string {
		t.Helper()
		resp, err := http.Post(url+path, "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("POST %s: %d, %v", path, resp.StatusCode, err)
		}
		return string(text)
	}
	defer http.DefaultClient.CloseIdleConnections()
	if got := post("/lines", strings.NewReader("a body")); got != "POST /lines a body" {
		t.Errorf("whole: %q", got)
	}
	if got := post("/lines/stream", strings.NewReader("a body")); got != "begina body" {
		t.Errorf("streamed answer: %q", got)
	}
	large := strings.Repeat("0123456789abcdef", 256<<10) // 4 MiB: more than is taken whole
	if got := post("/lines/stream", strings.NewReader(large)); got != "begin4194304 bytes" {
		t.Errorf("streamed both ways: %q", got)
	}
	// The same route has WebSockets, whose sessions are none the worse for requests beside them.
	ws := harness.MustDialLines(t, b.URL("/lines"))
	if got := post("/lines", strings.NewReader("beside")); got != "POST /lines beside" {
		t.Errorf("beside a WebSocket: %q", got)
	}
	if got, err := ws.Ask("LOCAL"); got != "local true" {
		t.Errorf("the WebSocket beside requests: %q, %v", got, err)
	}
	if resp, err := http.Get(url + "/nowhere"); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("unknown path: %v, %v", resp, err)
	} else {
		resp.Body.Close()
	}
}
