//go:build linux

package mesh

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Statements 1, 2, 5, 8, 21, 30 to 33: a back-end and an end user, from the first frame to the last.
func TestBackendAndEndUser(t *testing.T) {
	b := harness.Start(t, config("", `context_keys = ["user_id"]`))
	user, api := endUser(t, b), backend(t, b)
	api.must("queue.pop", `{"t":["chat"]}`)
	user.send(`{"op":"x"}`)
	text := api.frame()
	e := event{}
	e.P.C = between(t, text, `"c":"`, `"`)
	if len(e.P.C) != 19 {
		t.Errorf("client id %s has not 19 digits", e.P.C)
	}
	node := nodeOf(t, e.P.C)
	want := fmt.Sprintf(`{"e":"queue.pop","p":{"n":%d,"c":"%s","t":"chat","d":{"frame":{"type":"text","data":"{\"op\":\"x\"}","finish":true}}},"id":null}`, node, e.P.C)
	if text != want {
		t.Errorf("got %s\nwant %s", text, want)
	}
	if r := request(t, "GET", "http://"+b.Address()+"/v1/nodes", "", ""); r.body != fmt.Sprintf(`{"nodes":[{"id":"%d","api_server":"%s"}]}`, node, b.Address()) {
		t.Errorf("nodes: %s", r.body)
	}

	for _, tt := range []struct{ body, want, frame string }{
		{`{"c":"` + e.P.C + `","d":"hi"}`, `{"E":null,"r":{"s":true}}`, "hi"},
		{`{"c":` + e.P.C + `,"d":"as a number"}`, `{"E":null,"r":{"s":true}}`, "as a number"},
		{`{"c":"` + e.P.C + `","t":"binary","d":"AAH/"}`, `{"E":null,"r":{"s":true}}`, "0x0001ff"},
	} {
		if r := request(t, "POST", "http://"+b.Address()+"/v1/mesh/send", "", tt.body); r.status != 200 || r.body != tt.want {
			t.Errorf("%s: %d %s", tt.body, r.status, r.body)
		}
		user.want(tt.frame)
	}
	// A number that went through a double is somebody else.
	rounded := e.P.C[:17] + "00"
	if rounded == e.P.C {
		rounded = e.P.C[:17] + "28"
	}
	if r := request(t, "POST", "http://"+b.Address()+"/v1/mesh/send", "", `{"c":`+rounded+`,"d":"x"}`); r.body != `{"E":{"c":401,"m":"failed to send"}}` {
		t.Errorf("rounded: %s", r.body)
	}

	api.must("conn.call", `{"c":"`+e.P.C+`","f":"set_context_value","a":["user_id",10000]}`)
	user.send("with context")
	if got := api.frame(); !strings.Contains(got, `"finish":true},"user_id":10000}}`) {
		t.Errorf("got %s", got)
	}
	api.must("conn.call", `{"c":"`+e.P.C+`","f":"subscribe","a":["c1","c2"]}`)
	if got := api.ask("mesh.publish", `{"c":"c1","d":"news"}`); got != `{"s":1,"f":0}` {
		t.Errorf("publish: %s", got)
	}
	user.want("news")
	api.must("conn.call", `{"c":"`+e.P.C+`","f":"unsubscribe","a":["c1"]}`)
	if got := api.ask("mesh.publish", `{"c":"c1","d":"news"}`); got != `{"s":0,"f":0}` {
		t.Errorf("publish: %s", got)
	}
	harness.Close(user.ws)
	harness.Until(t, limit, "the end user is gone", func() bool {
		return api.ask("mesh.send", `{"c":"`+e.P.C+`","d":"x"}`) == `{"E":{"c":401,"m":"failed to send"}`
	})
	if got := api.ask("conn.call", `{"c":"`+e.P.C+`","f":"subscribe","a":["c1"]}`); got != `{"E":{"c":301,"m":"execution failed"}` {
		t.Errorf("subscribe: %s", got)
	}
}

func between(t *testing.T, text, from, to string) string {
	t.Helper()
	_, rest, ok := strings.Cut(text, from)
	part, _, ok2 := strings.Cut(rest, to)
	if !ok || !ok2 {
		t.Fatalf("there is no %s in %s", from, text)
	}
	return part
}

// nodeOf is what the bits of an id say of its node.
func nodeOf(t *testing.T, id string) int {
	t.Helper()
	var n int64
	if _, err := fmt.Sscan(id, &n); err != nil {
		t.Fatal(err)
	}
	return int(n >> 12 & 1023)
}

// A ping control frame is answered by a pong with the same data, the text by a text.
func TestStatement15Ping(t *testing.T) {
	b := harness.Start(t, config("", ""))
	api := backend(t, b)
	ponged := make(chan string, 1)
	api.ws.SetPongHandler(func(data string) error { ponged <- data; return nil })
	if err := api.ws.WriteControl(websocket.PingMessage, []byte("x"), time.Now().Add(limit)); err != nil {
		t.Fatal(err)
	}
	api.send("ping")
	api.want("pong")
	if got := <-ponged; got != "x" {
		t.Errorf("pong with %q", got)
	}
}

// One of two subscribers does not read: it counts in f once its outbox is full, and is closed.
func TestStatement13SlowSubscriber(t *testing.T) {
	b := harness.Start(t, config("", ""))
	reads, stalls, api := endUser(t, b), endUser(t, b), backend(t, b)
	api.must("queue.pop", `["chat"]`)
	for _, user := range []*peer{reads, stalls} {
		api.must("conn.call", `{"c":"`+idOf(api, user)+`","f":"subscribe","a":["c"]}`)
	}
	data := strings.Repeat("x", 100<<10)
	counts := map[string]int{}
	for range 300 {
		got := api.ask("mesh.publish", `{"c":"c","d":"`+data+`"}`)
		reads.want(data)
		if counts[got]++; got == `{"s":1,"f":0}` {
			break // it is gone
		}
	}
	// How it ends may be lost behind a frame in part.
	code, reason, err := harness.AwaitClose(stalls.ws, limit)
	if late := net.Error(nil); errors.As(err, &late) && late.Timeout() || err == nil && (code != 1013 || reason != "slow consumer") {
		t.Errorf("closed with %d %s, %v", code, reason, err)
	}
	if counts[`{"s":1,"f":1}`] < 1 || counts[`{"s":2,"f":0}`] < 1 || len(counts) > 3 {
		t.Errorf("answers %v", counts)
	}
}

// Each of 100 messages comes to one of two consumers.
func TestStatement24Competing(t *testing.T) {
	b := harness.Start(t, config("", ""))
	user := endUser(t, b)
	const messages = 100
	got := make(chan string, 2*messages)
	var consumers []*peer
	for range 2 {
		api := backend(t, b)
		api.must("queue.pop", `["chat"]`)
		consumers = append(consumers, api)
	}
	done := make(chan struct{})
	for _, api := range consumers {
		go func() {
			defer func() { done <- struct{}{} }()
			for {
				_, data, err := api.ws.ReadMessage()
				if err != nil {
					return
				}
				got <- string(data)
			}
		}()
	}
	for i := range messages {
		user.send(fmt.Sprint("message ", i))
	}
	seen := map[string]int{}
	for range messages {
		select {
		case text := <-got:
			seen[between(t, text, `"data":"`, `"`)]++
		case <-time.After(limit):
			t.Fatalf("only %d messages came", len(seen))
		}
	}
	for _, api := range consumers {
		_ = api.ws.Close()
		<-done
	}
	if len(seen) != messages || len(got) > 0 {
		t.Errorf("%d different messages came, and %d more", len(seen), len(got))
	}
}

// What waits outlives the node, also one that is killed, and comes in order.
func TestStatement27Restart(t *testing.T) {
	dir, err := os.MkdirTemp("", "mesh") // short, for the socket in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cfg := config("", "")
	cfg.Head = "data_dir = \"" + dir + "\"\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n"
	b := harness.Start(t, cfg)
	user := endUser(t, b)
	const messages = 20
	for i := range messages {
		user.send(fmt.Sprint(i))
	}
	harness.Until(t, limit, "all messages wait", func() bool {
		return strings.Contains(metrics(t, b), fmt.Sprintf(`bridge_mesh_topic_depth{topic="chat"} %d`, messages))
	})
	b.Kill()
	b = harness.Start(t, cfg)
	api := backend(t, b)
	api.must("queue.pop", `["chat"]`)
	for i := range messages {
		if e := api.event(); e.P.D.Frame.Data != fmt.Sprint(i) {
			t.Fatalf("message %d is %+v", i, e)
		}
	}
}

func metrics(t *testing.T, b *harness.Bridge) string {
	t.Helper()
	return request(t, "GET", "http://"+b.AddressOf("admin")+"/metrics", "", "").body
}

// A consumer that is gone without having read leaves to another what it was not written: everything from
// where its connection stopped, in order, and nothing twice.
func TestStatement28BrokenConsumer(t *testing.T) {
	b := harness.Start(t, config("", ""))
	user, stalls, api := endUser(t, b), backend(t, b), backend(t, b)
	stalls.must("queue.pop", `["chat"]`)
	data := strings.Repeat("x", 512<<10)
	const messages = 40 // more than the sockets' buffers take
	for i := range messages {
		user.send(fmt.Sprint(i, " ", data))
	}
	harness.Until(t, limit, "what the one does not read waits", func() bool {
		return strings.Contains(metrics(t, b), `bridge_mesh_events_total{topic="chat"} `)
	})
	// It says that it will send nothing more: the connection breaks, and what was written of it can be read.
	if err := stalls.ws.UnderlyingConn().(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, limit, "it is gone", func() bool { return b.Plugin("mesh").Sessions == 2 })
	api.must("queue.pop", `["chat"]`)
	next := 0
	for {
		_ = stalls.ws.SetReadDeadline(time.Now().Add(limit))
		_, text, err := stalls.ws.ReadMessage()
		if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
			t.Fatal("the connection does not end")
		}
		if err != nil {
			break
		}
		if got := between(t, string(text[:min(len(text), 200)]), `"data":"`, " "); got != fmt.Sprint(next) {
			t.Fatalf("the one that broke got %s, want %d", got, next)
		}
		next++
	}
	t.Logf("the one that broke was written %d of %d", next, messages)
	if next == 0 || next == messages {
		t.Fatal("nothing is shown by that")
	}
	for ; next < messages; next++ {
		if got, _, _ := strings.Cut(api.event().P.D.Frame.Data, " "); got != fmt.Sprint(next) {
			t.Fatalf("the other got %s, want %d", got, next)
		}
	}
	api.silent()
}

// A back-end that answers with a number as the client id, as PHP does.
func TestStatement37Answer(t *testing.T) {
	b := harness.Start(t, config("", ""))
	user, api := endUser(t, b), backend(t, b)
	api.must("queue.pop", `["chat"]`)
	user.send("hello")
	e := api.event()
	api.must("mesh.send", fmt.Sprintf(`{"c":%s,"d":"received: %s"}`, e.P.C, e.P.D.Frame.Data))
	user.want("received: hello")
}
