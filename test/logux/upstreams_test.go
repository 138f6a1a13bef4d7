//go:build linux

package logux

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// serversInFront runs a bridge that is the back-end of a real Logux server of each version, in front of
// the demo, and those servers. They are told of each other by a reload, as each has to be there first.
func serversInFront(t *testing.T, versions ...int) map[int]*logux.Server {
	t.Helper()
	logux.RequirePeers(t)
	demo := harness.StartDemo(t)
	servers := make(map[int]*logux.Server)
	file := func() string {
		var w strings.Builder
		fmt.Fprintf(&w, "listener \"internal\" {\n  address = \"127.0.0.1:0\"\n}\n%s", demoUpstream(demo.URL))
		routes := ""
		for _, v := range versions {
			control := "http://127.0.0.1:1/"
			if s := servers[v]; s != nil {
				control = s.Control
			}
			fmt.Fprintf(&w, "upstream \"logux_server\" \"v%d\" {\n  url     = %q\n  secret  = %q\n  version = %d\n}\n", v, control, logux.Secret, v)
			// The first of them knows no resend.
			routes += fmt.Sprintf(`
  route "/logux/%[1]d" {
    role     = "backend"
    listener = listener.internal
    upstream = upstream.logux.app
    push     = upstream.logux_server.v%[1]d
    config {
      secret    = %[2]q
      strict_v1 = true
    }
  }
`, v, logux.Secret)
		}
		fmt.Fprintf(&w, `plugin "logux" {%s}
`, routes)
		return w.String()
	}
	b := harness.Start(t, harness.Config{File: file()})
	all := logux.StartServers(t)
	for _, v := range versions {
		backend := fmt.Sprintf("http://%s/logux/%d", b.AddressOf("internal"), v)
		servers[v] = all.Start(v, fmt.Sprint(v), backend, nil)
	}
	if faults, ok := b.Reload(file()); !ok {
		t.Fatal(faults)
	}
	return servers
}

// enterServer connects a client with its frames to a real server, in the version of the protocol that it speaks.
func enterServer(t *testing.T, server *logux.Server, version int, node, token string) *logux.Client {
	t.Helper()
	c := logux.Dial(t, "ws://"+server.Address, nil)
	protocol, key := 4, "token"
	switch version {
	case 1, 2:
		protocol, key = 2, "credentials"
	case 3:
		protocol = 3
	}
	c.Send(fmt.Sprintf(`["connect",%d,%q,0,{%q:%q,"subprotocol":"1.0.0"}]`, protocol, node, key, token))
	return c
}

// frameWith reads until a frame with the text, and returns the frames before it.
func frameWith(t *testing.T, c *logux.Client, text string) (before []string) {
	t.Helper()
	for {
		frame, end := c.Next(harness.AnswerLimit)
		if frame == "" {
			t.Fatalf("got %q and then %q, want %s", before, end, text)
		}
		if strings.Contains(frame, text) {
			return before
		}
		before = append(before, frame)
	}
}

// Given real Logux servers that speak version 1 to 4 of the back-end protocol, the bridge authenticates
// their clients, processes actions, and what belongs to a subscription reaches the client before it is done:
// by the server's control endpoint where the version has no other way.
func TestLoguxStatement43(t *testing.T) {
	servers := serversInFront(t, 1, 2, 3, 4)
	for version, server := range servers {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			// Users of their own, since the back-end is one.
			user := fmt.Sprint("1", version)
			name := fmt.Sprintf(`{"payload":{"name":"The User","userId":%q},"type":"users/name"}`, user)

			refused := enterServer(t, server, version, user+":x:t", "wrong")
			frameWith(t, refused, `["error","wrong-credentials"]`)

			c := enterServer(t, server, version, user+":a:t", user+":good")
			frameWith(t, c, `["connected",`)
			c.Send(fmt.Sprintf(`["sync",1,%s,{"id":1,"time":1}]`, name))
			frameWith(t, c, `"type":"logux/processed"`)
			c.Send(`["sync",2,{"type":"unknown"},{"id":2,"time":2}]`)
			frameWith(t, c, `"type":"logux/undo"`)

			other := enterServer(t, server, version, user+":b:t", user+":good")
			frameWith(t, other, `["connected",`)
			other.Send(fmt.Sprintf(`["sync",1,{"type":"logux/subscribe","channel":"users/%s"},{"id":1,"time":1}]`, user))
			before := frameWith(t, other, `"type":"logux/processed"`)
			if data := before[len(before)-1]; !strings.Contains(data, name) {
				t.Errorf("before the subscription was done came %q, want the name", before)
			}
			if version == 1 {
				return // which cannot resend
			}
			c.Send(fmt.Sprintf(`["sync",3,%s,{"id":3,"time":3}]`, name))
			frameWith(t, other, name)
		})
	}
}

// ctprotoUser connects a CTProto client as a user of the demo.
func ctprotoUser(t *testing.T, b *harness.Bridge, user string) *websocket.Conn {
	t.Helper()
	ws, _, closed, err := harness.Authorize(b.URL("/client"), fmt.Sprintf(`{"userId":%[1]q,"token":"%[1]s:good"}`, user))
	if err != nil || closed != nil {
		t.Fatal(err, closed)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// An existing Logux server is kept, and CTProto clients are beside it: whoever says something, and wherever,
// clients of both sides see it, once.
func TestLoguxBeside(t *testing.T) {
	logux.RequirePeers(t)
	setup, err := os.ReadFile("../../examples/setups/beside-logux.hcl")
	if err != nil {
		t.Fatal(err)
	}
	demo := harness.StartDemo(t)
	// The harness has the listener of the public and the admin block.
	text := string(setup[strings.Index(string(setup), `listener "internal"`):])
	text = strings.NewReplacer(`"127.0.0.1:6781"`, `"127.0.0.1:0"`, `"http://127.0.0.1:3000/logux"`, fmt.Sprintf("%q", demo.URL)).Replace(text)
	b := harness.Start(t, harness.Config{File: text, Env: []string{"LOGUX_CONTROL_SECRET=" + logux.Secret}})
	server := logux.StartServers(t).Start(4, "node", "http://"+b.AddressOf("internal")+"/logux", nil)
	if faults, ok := b.Reload(strings.ReplaceAll(text, "http://127.0.0.1:31337/", server.Control)); !ok {
		t.Fatal(faults)
	}
	node := enterServer(t, server, 4, "10:a:t", "10:good")
	frameWith(t, node, `["connected",`)
	node.Send(`["sync",1,{"type":"logux/subscribe","channel":"users/10"},{"id":1,"time":1}]`)
	frameWith(t, node, `"type":"logux/processed"`)
	speaker := enterServer(t, server, 4, "10:b:t", "10:good")
	frameWith(t, speaker, `["connected",`)
	first, second := ctprotoUser(t, b, "10"), ctprotoUser(t, b, "10")
	name := func(text string) string {
		return fmt.Sprintf(`{"payload":{"name":%q,"userId":"10"},"type":"users/name"}`, text)
	}
	// sees fails unless the message comes next, which is to say that the one before it came once.
	sees := func(ws *websocket.Conn, text string) {
		t.Helper()
		_ = ws.SetReadDeadline(time.Now().Add(harness.AnswerLimit))
		_, data, err := ws.ReadMessage()
		if want := fmt.Sprintf(`"type":"users/name","payload":{"name":%q,"userId":"10"}`, text); err != nil || !strings.Contains(string(data), want) {
			t.Errorf("a CTProto client got %s, %v, want %s", data, err, want)
		}
	}
	// hears does the same for the client of the Logux server.
	hears := func(text string) {
		t.Helper()
		if before := frameWith(t, node, fmt.Sprintf(`"name":%q`, text)); strings.Contains(strings.Join(before, ""), "users/name") {
			t.Errorf("before %s the client of the Logux server got %q", text, before)
		}
	}

	// A client of the Logux server says it.
	speaker.Send(`["sync",1,` + name("Node") + `,{"id":1,"time":1}]`)
	frameWith(t, speaker, `"type":"logux/processed"`)
	hears("Node")
	sees(first, "Node")
	sees(second, "Node")

	// A CTProto client says it.
	if err := harness.Send(first, `{"messageId":"aaaaaaaaaa","type":"users/name","payload":{"name":"CTProto","userId":"10"}}`); err != nil {
		t.Fatal(err)
	}
	hears("CTProto")
	sees(second, "CTProto")

	// The back-end says it, to the bridge as if that were the Logux server.
	relay := "http://" + b.AddressOf("internal") + "/relay"
	if reply := logux.Post(t, relay, logux.Action(name("back-end"), `{"channels":["users/10"]}`)); reply != (logux.Reply{Status: http.StatusOK}) {
		t.Errorf("the relay answers %+v", reply)
	}
	hears("back-end")
	sees(second, "back-end")

	// Behind all that nothing comes twice.
	speaker.Send(`["sync",2,` + name("last") + `,{"id":2,"time":2}]`)
	hears("last")
	sees(second, "last")
}
