//go:build linux

package cluster

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// parole is what back-ends show a bridge.
const parole = "parole"

// mirrored is a configuration in which what is published on "news" and "users/…" by whomever goes to a Logux
// server as well, which asks this node as its back-end and has actions relayed to it.
const mirrored = `
listener "internal" {
  address = "127.0.0.1:0"
}
auth "static" "dev" {
  tokens = { ada-token = "ada", bob-token = "bob", eve-token = "eve" }
}
upstream "http" "app" {
  url    = %[1]q
  secret = %[4]q
}
upstream "logux" "demo" {
  url    = %[2]q
  secret = %[4]q
}
upstream "logux_server" "old" {
  url    = %[3]q
  secret = %[4]q
  mirror = ["news", "users/*"]
}
plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.http.app
    channels = ["news", "users/38", "lines/room"]
  }
  route "/speaker" {
    auth     = auth.static.dev
    upstream = upstream.http.app
  }
}
channel "lines/*" {
  join = [plugin.ctproto]
}
plugin "logux" {
  route "/logux" {
    role     = "backend"
    listener = listener.internal
    upstream = upstream.logux.demo
    push     = upstream.logux_server.old
    config {
      secret = %[5]q
    }
  }
  route "/relay" {
    role     = "relay"
    listener = listener.internal
    upstream = upstream.logux_server.old
    config {
      secret = %[5]q
    }
  }
}
`

// oldServer is a Logux server's control endpoint, and keeps what is posted there.
type oldServer struct {
	mu  sync.Mutex
	got []string // an action and its channels, each
}

func (o *oldServer) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	var body struct {
		Commands []struct {
			Action struct {
				Type    string          `json:"type"`
				Payload json.RawMessage `json:"payload"`
			} `json:"action"`
			Meta struct {
				Channels []string `json:"channels"`
			} `json:"meta"`
		} `json:"commands"`
	}
	err := json.NewDecoder(r.Body).Decode(&body)
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil {
		o.got = append(o.got, err.Error())
	}
	for _, c := range body.Commands {
		o.got = append(o.got, fmt.Sprint(c.Action.Type, " ", string(c.Action.Payload), " ", c.Meta.Channels))
	}
}

func (o *oldServer) all() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.got...)
}

// crowd is nodes with members on their channels.
type crowd struct {
	t     *testing.T
	nodes []*harness.Bridge
	old   *oldServer
	chat  []*websocket.Conn // CTProto, one a node: on "news", "users/38" and "lines/room"
	lines []*harness.Lines  // one a node: on "news" and "lines/room"
	says  []*websocket.Conn // CTProto, one a node, on no channel: what it says is published on "news"
}

func authorized(t *testing.T, b *harness.Bridge, path, user string) *websocket.Conn {
	t.Helper()
	ws, _, closed, err := harness.Authorize(b.URL(path), `{"token":"`+user+`-token"}`)
	if err != nil || closed != nil {
		t.Fatal(closed, err)
	}
	t.Cleanup(func() { harness.Close(ws) })
	return ws
}

func gather(t *testing.T, n int) *crowd {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Payload json.RawMessage }
		if json.NewDecoder(r.Body).Decode(&asked) == nil {
			fmt.Fprintf(w, `{"publish":[{"channel":"news","type":"app/said","payload":%s}]}`, asked.Payload)
		}
	}))
	t.Cleanup(app.Close)
	c := &crowd{t: t, old: new(oldServer)}
	old := httptest.NewServer(c.old)
	t.Cleanup(old.Close)
	file := fmt.Sprintf(mirrored, app.URL, harness.StartDemo(t).URL, old.URL+"/", harness.Secret, parole)
	blocks := harness.ClusterBlocks(t, n)
	for i := range blocks {
		blocks[i] += file
	}
	c.nodes = start(t, blocks)
	for i, b := range c.nodes {
		c.chat = append(c.chat, authorized(t, b, "/client", []string{"ada", "bob", "bob"}[i%3]))
		c.says = append(c.says, authorized(t, b, "/speaker", "eve"))
		l := harness.MustDialLines(t, b.URL("/lines"))
		ask(t, l, "SUB news", "OK")
		ask(t, l, "SUB lines/room", "OK")
		c.lines = append(c.lines, l)
	}
	return c
}

// heard has each client whose next frame it is to be read it; lines tells whether those of the plugin lines get
// it.
func (c *crowd) heard(text string, lines bool) {
	c.t.Helper()
	for i, ws := range c.chat {
		if got, err := harness.Read(ws, harness.AnswerLimit); err != nil || !strings.Contains(got, text) {
			c.t.Fatalf("the CTProto client of node %d heard %q, %v, want %q", i, got, err, text)
		}
		if !lines {
			continue
		}
		if got, err := c.lines[i].Read(harness.AnswerLimit); err != nil || !strings.Contains(got, text) {
			c.t.Fatalf("the lines client of node %d heard %q, %v, want %q", i, got, err, text)
		}
	}
}

func (c *crowd) post(i int, path, body string) string {
	c.t.Helper()
	resp, err := http.Post("http://"+c.nodes[i].AddressOf("internal")+path, "application/json", strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		c.t.Fatalf("%s: status %d, %v: %s", path, resp.StatusCode, err, text)
	}
	return string(text)
}

// TestOperatorAtAnyNode: what an operator publishes at one node reaches each member on all nodes once, of both
// protocols, and the answer counts them exactly, on a channel that a protocol owns as well; and whoever is
// sent away is so on whichever node they are, and nobody else.
func TestOperatorAtAnyNode(t *testing.T) {
	c := gather(t, 3)
	for i, b := range c.nodes {
		for _, channel := range []string{"news", "lines/room"} {
			text := fmt.Sprintf("by %d on %s", i, channel)
			if got, want := post(t, b, "/api/publish", fmt.Sprintf(`{"channel":%q,"type":"note","payload":{"text":%q}}`, channel, text)), `{"receivers":6}`; strings.TrimSpace(got) != want {
				t.Errorf("%s is answered %s, want %s", text, got, want)
			}
			c.heard(text, true)
		}
		text := fmt.Sprint("command at ", i)
		if status, said := b.Command("publish", "news", `{"type":"note","payload":{"text":"`+text+`"}}`); status != 0 || said != "Sessions on the channel: 6\n" {
			t.Errorf("publish: %d %s", status, said)
		}
		c.heard(text, true)
	}
	if got := strings.TrimSpace(post(t, c.nodes[0], "/api/publish", `{"channel":"nobody","type":"note","payload":1}`)); got != `{"receivers":0}` {
		t.Errorf("where nobody is the answer is %s", got)
	}

	// Ada is on node 0, Bob on the others; each is sent away from elsewhere.
	var ada struct{ Sessions []struct{ ID string } }
	get(t, c.nodes[2], "/api/sessions?user=ada", &ada)
	if len(ada.Sessions) != 1 {
		t.Fatalf("sessions of ada: %+v", ada)
	}
	if status, said := c.nodes[0].Command("kick", "--user", "bob", "--code", "4003", "--reason", "enough"); status != 0 || said != "Sessions closed: 2\n" {
		t.Errorf("kick: %d %s", status, said)
	}
	for _, ws := range c.chat[1:] {
		if code, reason, err := harness.AwaitClose(ws, harness.AnswerLimit); err != nil || code != 4003 || reason != "enough" {
			t.Errorf("bob: %d %s, %v", code, reason, err)
		}
	}
	if got := post(t, c.nodes[1], "/api/sessions/close", `{"ids":["`+ada.Sessions[0].ID+`"],"code":4004,"reason":"you too"}`); strings.TrimSpace(got) != `{"closed":1}` {
		t.Errorf("close: %s", got)
	}
	if code, reason, err := harness.AwaitClose(c.chat[0], harness.AnswerLimit); err != nil || code != 4004 || reason != "you too" {
		t.Errorf("ada: %d %s, %v", code, reason, err)
	}
	c.chat = nil
	for _, l := range c.lines {
		ask(t, l, "ECHO still here", "still here")
	}
}

// TestMirrorOnceInTheCluster: what is published at any node, by clients, by a back-end or by an operator,
// goes to the Logux server once, though each node mirrors its channels; and nothing that came from that
// server, asked as its back-end or relayed to it.
func TestMirrorOnceInTheCluster(t *testing.T) {
	c := gather(t, 3)
	var want []string
	for i, b := range c.nodes {
		// A client's back-end, at this node.
		text := fmt.Sprint("app at ", i)
		if err := harness.Send(c.says[i], fmt.Sprintf(`{"type":"say","payload":{"text":%q},"messageId":"%010d"}`, text, i)); err != nil {
			t.Fatal(err)
		}
		c.heard(text, true)
		want = append(want, fmt.Sprintf(`app/said {"text":%q} [news]`, text))

		// A client of another protocol.
		text = fmt.Sprint("line at ", i)
		if err := c.lines[i].Send("PUB news " + text); err != nil {
			t.Fatal(err)
		}
		c.heard(text, true)
		want = append(want, fmt.Sprintf(`lines/said %q [news]`, text))

		// An operator.
		text = fmt.Sprint("operator at ", i)
		post(t, b, "/api/publish", fmt.Sprintf(`{"channel":"news","type":"note","payload":{"text":%q}}`, text))
		c.heard(text, true)
		want = append(want, fmt.Sprintf(`note {"text":%q} [news]`, text))

		// What is relayed to the server is there once, as it was relayed.
		text = fmt.Sprint("relayed at ", i)
		c.post(i, "/relay", fmt.Sprintf(`{"version":2,"password":%q,"commands":[["action",{"type":"news/up","payload":{"text":%q}},{"channel":"news"}]]}`, parole, text))
		c.heard(text, true)
		want = append(want, fmt.Sprintf(`news/up {"text":%q} [news]`, text))

		// What the server asks its back-end for, it has.
		text = fmt.Sprint("asked at ", i)
		c.post(i, "/logux", fmt.Sprintf(`{"version":4,"secret":%q,"commands":[{"command":"action","action":{"type":"users/name","payload":{"userId":"38","name":%q}},"meta":{"id":"%d 38:a:b 0","time":1}}]}`, parole, text, i+1))
		c.heard(text, false)
	}
	// What each node had to mirror was before this.
	for i, b := range c.nodes {
		text := fmt.Sprint("the end at ", i)
		post(t, b, "/api/publish", fmt.Sprintf(`{"channel":"news","type":"note","payload":{"text":%q}}`, text))
		c.heard(text, true)
		want = append(want, fmt.Sprintf(`note {"text":%q} [news]`, text))
	}
	harness.Until(t, harness.AnswerLimit, "the Logux server has the end of all", func() bool {
		return strings.Count(strings.Join(c.old.all(), "\n"), "the end at") >= len(c.nodes)
	})
	count := make(map[string]int)
	for _, got := range c.old.all() {
		count[got]++
	}
	for _, w := range want {
		if count[w] != 1 {
			t.Errorf("the Logux server has %d of %s, want one", count[w], w)
		}
		delete(count, w)
	}
	for got, n := range count {
		t.Errorf("the Logux server has %s as well, %d times", got, n)
	}
}
