//go:build linux

package cross

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// shared is the channel that everybody is on: the first room of the chat.
const shared = "chat/1"

// startBackend is a back-end that has what clients of Logux and of CTProto say told to all on the channel.
func startBackend(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ctproto" {
			var m struct {
				Payload json.RawMessage
			}
			_ = json.NewDecoder(r.Body).Decode(&m)
			fmt.Fprintf(w, `{"payload":true,"publish":[{"channel":%q,"type":"say","payload":%s}]}`, shared, m.Payload)
			return
		}
		var body struct {
			Commands []struct{ Meta struct{ ID string } }
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		fmt.Fprintf(w, `[{"answer":"resend","id":%[1]q,"channels":[%[2]q]},{"answer":"approved","id":%[1]q},{"answer":"processed","id":%[1]q}]`,
			body.Commands[0].Meta.ID, shared)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func file(backend, database string) string {
	return harness.AuthBlock + fmt.Sprintf(`
upstream "http" "app" {
  url    = "%[1]s/ctproto"
  secret = %[4]q
}
upstream "logux" "app" {
  url    = "%[1]s/logux"
  secret = %[4]q
}
channel %[3]q {
  join    = [plugin.ctproto, plugin.logux, plugin.mesh]
  publish = [plugin.ctproto, plugin.logux, plugin.mesh]
}
plugin "ctproto" {
  route "/ctproto" {
    auth     = auth.static.dev
    upstream = upstream.http.app
    channels = [%[3]q]
  }
}
plugin "logux" {
  route "/logux" {
    role     = "server"
    auth     = auth.static.dev
    upstream = upstream.logux.app
    channels = [%[3]q]
    config {
      env = "development"
    }
  }
}
plugin "mesh" {
  route "/v1/" {
    also = ["/ws/v1", "/version"]
    role = "api"
  }
  route "/mesh" {
    role = "client"
    auth = auth.none
    config {
      topic = "inbox"
    }
  }
}
plugin "chat" {
  config {
    database = %[2]q
  }
  route "/chat" {}
}
`, backend, database, shared, harness.Secret)
}

// client is a client of one protocol at one node.
type client struct {
	t     *testing.T
	ws    *websocket.Conn
	frame func(n int, text string) string // its n-th, that says the text to all
	// answer is what tells the client that its n-th was taken: what it says next comes behind.
	answer func(n int, text string) string
	said   int
	heard  map[string]int // how much, by sender
}

func dial(t *testing.T, url string, hello ...string) *client {
	t.Helper()
	ws, err := harness.Dial(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	c := &client{t: t, ws: ws, heard: make(map[string]int)}
	for _, h := range hello {
		if answer, err := harness.Ask(ws, h); err != nil || strings.Contains(answer, "rror") {
			t.Fatalf("%s: %s, %v", h, answer, err)
		}
	}
	return c
}

// next is the next frame. One of Logux is answered as its clients do.
func (c *client) next() (string, error) {
	if err := c.ws.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
		return "", err
	}
	_, data, err := c.ws.ReadMessage()
	var frame []json.RawMessage
	if err == nil && json.Unmarshal(data, &frame) == nil && len(frame) > 2 && string(frame[0]) == `"sync"` {
		err = harness.Send(c.ws, fmt.Sprintf(`["synced",%s]`, frame[1]))
	}
	return string(data), err
}

// say says a text and waits until it was taken.
func (c *client) say(text string) error {
	c.said++
	if err := harness.Send(c.ws, c.frame(c.said, text)); err != nil {
		return err
	}
	for want := c.answer(c.said, text); ; {
		data, err := c.next()
		if err != nil {
			return fmt.Errorf("no answer to %s: %w", text, err)
		}
		if strings.Contains(data, want) {
			return nil
		}
	}
}

// protocols open a client that is on the channel. Who is told apart by a name that nobody else has.
var protocols = map[string]func(t *testing.T, b *harness.Bridge, name string) *client{
	"ctproto": func(t *testing.T, b *harness.Bridge, _ string) *client {
		c := dial(t, b.URL("/ctproto"), `{"messageId":"authorize_","type":"authorize","payload":{"token":"`+harness.Token+`"}}`)
		c.frame = func(n int, text string) string {
			return fmt.Sprintf(`{"messageId":"message%03d","type":"say","payload":{"message":%q}}`, n, text)
		}
		c.answer = func(n int, _ string) string { return fmt.Sprintf(`"messageId":"message%03d"`, n) }
		return c
	},
	"logux": func(t *testing.T, b *harness.Bridge, name string) *client {
		c := dial(t, b.URL("/logux"), fmt.Sprintf(`["connect",4,"38:%s:1",0,{"token":%q}]`, name, harness.Token))
		c.frame = func(n int, text string) string {
			return fmt.Sprintf(`["sync",%d,{"type":"say","payload":{"message":%q}},{"id":%[1]d,"time":%[1]d}]`, n, text)
		}
		c.answer = func(int, string) string { return `"type":"logux/processed"` }
		return c
	},
	"mesh": endUser,
	"chat": func(t *testing.T, b *harness.Bridge, name string) *client {
		c := dial(t, b.URL("/chat"), fmt.Sprintf(`{"type":1,"login":%q,"pass":%q,"name":"","desc":""}`, name, password))
		c.frame = func(_ int, text string) string {
			return fmt.Sprintf(`{"type":3,"room_id":1,"message":%q,"msg_type":0}`, text)
		}
		c.answer = func(_ int, text string) string { return text }
		return c
	},
}

const password = "3de9273e88d1153033fccc7574cc168a51022a55738bff6727ae581e8c19380f"

// label is what is said: a protocol, the number of a node, and the number of what is said there.
var label = regexp.MustCompile(`(?:ctproto|logux|mesh|chat)-\d/\d+`)

// hear reads until so much is heard of so many senders, and fails where something comes twice or out of its
// order.
func (c *client) hear(who string, much int) error {
	for much > 0 {
		data, err := c.next()
		if err != nil {
			return fmt.Errorf("%s misses %d, heard %v: %w", who, much, c.heard, err)
		}
		for _, found := range label.FindAllString(data, -1) {
			from, number, _ := strings.Cut(found, "/")
			if n, _ := strconv.Atoi(number); n != c.heard[from] {
				return fmt.Errorf("%s heard %s, and not %d: %s", who, found, c.heard[from], data)
			}
			c.heard[from]++
			much--
		}
	}
	return nil
}

// TestEverybodyHearsEverybody: what is said in each protocol at each node reaches the clients of every
// protocol at every node, once, and in the order in which it was said.
func TestEverybodyHearsEverybody(t *testing.T) {
	t.Run("at one node", func(t *testing.T) {
		everybody(t, harness.Start(t, harness.Config{File: file(startBackend(t), "sqlite:"+filepath.Join(t.TempDir(), "chat.db"))}))
	})
	t.Run("at three nodes", func(t *testing.T) {
		f := file(startBackend(t), postgrestest.Start(t).Database(t))
		var files []string
		for _, block := range harness.ClusterBlocks(t, 3) {
			files = append(files, f+block)
		}
		everybody(t, harness.StartNodes(t, files...)...)
	})
}

func everybody(t *testing.T, nodes ...*harness.Bridge) {
	owner := protocols["chat"](t, nodes[0], "owner")
	if got, err := harness.Ask(owner.ws, `{"type":"RQ_NEW_ROOM","name":"room","desc":"","type":"DB_GLOBAL_CHAT"}`); err != nil {
		t.Fatal(got, err)
	}
	open := func(protocol string, node int, what string) *client {
		c := protocols[protocol](t, nodes[node], fmt.Sprint(what, node))
		if protocol == "chat" {
			if got, err := harness.Ask(c.ws, `{"type":"RQ_JOIN_ROOM","room_id":1}`); err != nil || !strings.Contains(got, `"room_type"`) {
				t.Fatal(got, err)
			}
		}
		return c
	}
	listeners, senders := make(map[string]*client), make(map[string]*client)
	for i, b := range nodes {
		for p := range protocols {
			who := fmt.Sprint(p, "-", i)
			listeners[who] = open(p, i, "hears")
			if p == "mesh" { // whose end users do not publish
				senders[who] = backend(t, b)
			} else {
				senders[who] = open(p, i, "says")
			}
		}
	}
	// What came twice in the first round shows in the second.
	const each = 25
	for round := range 2 {
		var all sync.WaitGroup
		for who, c := range listeners {
			all.Go(func() {
				if err := c.hear(who, len(senders)*each); err != nil {
					t.Error(err)
				}
			})
		}
		for who, c := range senders {
			all.Go(func() {
				for n := range each {
					if err := c.say(fmt.Sprint(who, "/", round*each+n)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
	}
	if len(nodes) > 1 {
		again(t, owner, nodes[1])
	}
}

// again has somebody log in at another node: while he is online he is refused, and when his connection is gone
// he is not.
func again(t *testing.T, online *client, at *harness.Bridge) {
	c := dial(t, at.URL("/chat"))
	logIn := func() string {
		got, err := harness.Ask(c.ws, fmt.Sprintf(`{"type":0,"login":"owner","pass":%q}`, password))
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := logIn(); !strings.Contains(got, `"error_code":2`) {
		t.Errorf("online twice: %s", got)
	}
	_ = online.ws.Close()
	harness.Until(t, 5*time.Second, "his name is free", func() bool { return strings.HasPrefix(logIn(), `{"type":2,`) })
}

// backend is one of the mesh API.
func backend(t *testing.T, b *harness.Bridge) *client {
	c := dial(t, b.URL("/ws/v1"))
	c.frame = func(n int, text string) string {
		data, _ := json.Marshal(fmt.Sprintf(`{"message":%q}`, text)) // a text always can be
		return fmt.Sprintf(`{"m":"mesh.publish","p":{"c":%q,"d":%s},"i":%d}`, shared, data, n)
	}
	c.answer = func(n int, _ string) string { return fmt.Sprintf(`"i":%d}`, n) }
	return c
}

// endUser is one of mesh, whom a back-end has subscribed to the channel.
func endUser(t *testing.T, b *harness.Bridge, _ string) *client {
	c, api := dial(t, b.URL("/mesh")), dial(t, b.URL("/ws/v1"))
	defer harness.Close(api.ws)
	ask := func(frame string) {
		if got, err := harness.Ask(api.ws, frame); err != nil || !strings.Contains(got, `{"s":true}`) {
			t.Fatalf("%s: %s, %v", frame, got, err)
		}
	}
	ask(`{"m":"queue.pop","p":{"t":["inbox"]},"i":1}`)
	if err := harness.Send(c.ws, "who am I"); err != nil {
		t.Fatal(err)
	}
	var event struct {
		P struct{ C json.RawMessage }
	}
	if err := api.ws.ReadJSON(&event); err != nil {
		t.Fatal(err)
	}
	ask(fmt.Sprintf(`{"m":"conn.call","p":{"c":%s,"f":"subscribe","a":[%q]},"i":2}`, event.P.C, shared))
	return c
}
