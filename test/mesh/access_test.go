//go:build linux

package mesh

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Statement 35: who may do what, and how the others are told.
func TestStatement35Access(t *testing.T) {
	h := hash(t)
	b := harness.Start(t, harness.Config{File: strings.ReplaceAll(`
auth "basic" "ops" {
  users = {
    app     = "HASH"
    console = { password = "HASH", roles = ["read"] }
    far     = { password = "HASH", allow = ["192.0.2.0/24"] }
    bound   = { password = "HASH", channels = ["news/*"], topics = ["in/*"] }
  }
}
plugin "mesh" {
  route "/v1/" {
    also = ["/ws/v1", "/version"]
    role = "api"
    auth = auth.basic.ops
  }
  route "/chat" {
    role = "client"
    auth = auth.none
    config {
      topic = "chat"
    }
  }
}
`, "HASH", h)})
	url := "http://" + b.Address()
	const body = `{"c":"other","d":"x"}`
	for _, tt := range []struct {
		method, path, user, body string
		status                   int
		want                     string
	}{
		{"POST", "/v1/mesh/publish", "", body, 401, `{"E":{"c":101,"m":"unauthorized"}}`},
		{"GET", "/version", "", "", 401, `{"E":{"c":101,"m":"unauthorized"}}`},
		{"POST", "/v1/mesh/publish", "nobody", body, 401, `{"E":{"c":101,"m":"unauthorized"}}`},
		{"POST", "/v1/mesh/publish", "far", body, 403, `{"E":{"c":101,"m":"forbidden"}}`},
		{"POST", "/v1/mesh/publish", "console", body, 403, `{"E":{"c":101,"m":"forbidden"}}`},
		{"GET", "/version", "console", "", 200, `{"apis":["v1"]}`},
		{"POST", "/v1/mesh/publish", "bound", body, 403, `{"E":{"c":101,"m":"forbidden"}}`},
		{"POST", "/v1/mesh/publish", "bound", `{"c":"news/a","d":"x"}`, 200, `{"E":null,"r":{"s":0,"f":0}}`},
		{"POST", "/v1/mesh/publish", "app", body, 200, `{"E":null,"r":{"s":0,"f":0}}`},
		{"GET", "/v1/mesh/publish", "app", "", 405, `{"E":{"c":101,"m":"method not allowed"}}`},
		{"POST", "/v1/mesh", "app", body, 404, `{"E":{"c":101,"m":"not found"}}`},
		{"POST", "/v1/mesh/publish", "app", strings.Repeat(" ", 3<<20), 413, `{"E":{"c":101,"m":"request entity too large"}}`},
	} {
		r := request(t, tt.method, url+tt.path, tt.user, tt.body)
		if r.status != tt.status || r.body != tt.want || r.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s %s as %q: %d %s %s, want %d %s", tt.method, tt.path, tt.user, r.status, r.header.Get("Content-Type"), r.body, tt.status, tt.want)
		}
		if challenge := r.header.Get("WWW-Authenticate"); strings.HasPrefix(challenge, "Basic") != (tt.status == 401) {
			t.Errorf("as %q: challenge %q", tt.user, challenge)
		}
		if r.status == 405 && r.header.Get("Allow") != "POST" {
			t.Errorf("Allow: %q", r.header.Get("Allow"))
		}
	}
	for user, want := range map[string]int{"": 401, "nobody": 401, "far": 403} {
		ws, resp, err := websocket.DefaultDialer.Dial(b.URL("/ws/v1"), basic(user))
		if err == nil {
			_ = ws.Close()
		}
		if resp == nil || resp.StatusCode != want {
			t.Errorf("handshake as %q: %v, want %d", user, resp, want)
		}
	}
	console := dial(t, b.URL("/ws/v1"), basic("console"))
	console.send("ping")
	console.want("pong")
	if got := console.ask("mesh.send", `{"c":"1","d":"x"}`); got != `{"E":{"c":101,"m":"forbidden"}` {
		t.Errorf("console: %s", got)
	}
	bound := dial(t, b.URL("/ws/v1"), basic("bound"))
	for _, tt := range [][3]string{
		{"queue.pop", `["chat"]`, `{"E":{"c":201,"m":"consumption failed"}`},
		{"queue.pop", `["in/a"]`, done},
		{"mesh.publish", body, `{"E":{"c":101,"m":"forbidden"}`},
		{"mesh.publish", `{"c":"news/a","d":"x"}`, `{"s":0,"f":0}`},
	} {
		if got := bound.ask(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%s %s: %s, want %s", tt[0], tt[1], got, tt[2])
		}
	}
	app := dial(t, b.URL("/ws/v1"), basic("app"))
	app.must("queue.pop", `["chat"]`)
	id := idOf(app, endUser(t, b))
	if got := bound.ask("conn.call", `{"c":"`+id+`","f":"subscribe","a":["other"]}`); got != `{"E":{"c":101,"m":"forbidden"}` {
		t.Errorf("subscribe to another channel: %s", got)
	}
	if got := bound.ask("conn.call", `{"c":"`+id+`","f":"subscribe","a":["news/a"]}`); got != done {
		t.Errorf("subscribe: %s", got)
	}
}

func basic(user string) http.Header {
	r := http.Request{Header: http.Header{}}
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	return r.Header
}
