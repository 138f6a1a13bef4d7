//go:build linux

package mesh

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// A context that would be too large, and a channel too many, are refused whole.
func TestContextAndChannelsAreBounded(t *testing.T) {
	b := harness.Start(t, config("", `context_keys = ["a", "b"]`))
	user, api := endUser(t, b), backend(t, b)
	api.must("queue.pop", `["chat"]`)
	id := idOf(api, user)
	call := func(function, args, want string) {
		t.Helper()
		if got := api.ask("conn.call", `{"c":"`+id+`","f":"`+function+`","a":`+args+`}`); got != want {
			t.Errorf("%s %.40s: %s, want %s", function, args, got, want)
		}
	}
	const failed = `{"E":{"c":301,"m":"execution failed"}`
	large := strings.Repeat("x", 40<<10)
	call("set_context_value", `["a","small"]`, done)
	call("set_context_value", `["b","`+large+large+`"]`, failed)
	call("set_context", `[{"a":1,"b":"`+large+large+`"}]`, failed)
	call("set_context_value", `["b","`+large+`"]`, done)
	call("set_context_value", `["c","`+large+`"]`, failed)
	call("set_context_value", `["b",2]`, done)
	call("set_context_value", `["c","`+large+`"]`, done)
	user.send("x")
	if got := api.frame(); !strings.HasSuffix(got, `,"a":"small","b":2}},"id":null}`) {
		t.Errorf("got %s", got)
	}

	list := func(from, to int) string {
		var names []string
		for i := from; i < to; i++ {
			names = append(names, fmt.Sprint("c", i))
		}
		text, _ := json.Marshal(names)
		return string(text)
	}
	const most = 1000
	call("subscribe", list(0, most-1), done)
	call("subscribe", list(most-1, most+1), failed)
	if got := api.ask("mesh.publish", fmt.Sprintf(`{"c":"c%d","d":"x"}`, most-1)); got != `{"s":0,"f":0}` {
		t.Errorf("a part of what was refused is done: %s", got)
	}
	call("subscribe", list(0, most), done)
	call("subscribe", `["one more"]`, `{"E":{"c":101,"m":"names are not empty, without white space and control characters, and have at most 255 bytes"}`)
	call("subscribe", `["more"]`, failed)
	call("unsubscribe", `["c0"]`, done)
	call("subscribe", `["more"]`, done)
}

// More requests than may be in work wait at the socket: each is answered once, and in order.
func TestFloodOfRequests(t *testing.T) {
	b := harness.Start(t, config("", ""))
	user, api := endUser(t, b), backend(t, b)
	api.must("queue.pop", `["chat"]`)
	id := idOf(api, user)
	requests := harness.Size(20_000, 3000)
	sent := make(chan error, 1)
	go func() {
		for i := range requests {
			if err := harness.Send(api.ws, fmt.Sprintf(`{"m":"mesh.send","p":{"c":"%s","d":"%d"},"i":%d}`, id, i, i)); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	heard := make(chan struct{})
	go func() {
		defer close(heard)
		for i := range requests {
			_ = user.ws.SetReadDeadline(time.Now().Add(limit))
			if _, text, err := user.ws.ReadMessage(); err != nil || string(text) != fmt.Sprint(i) {
				t.Errorf("the end user got %q, %v, want %d", text, err, i)
				return
			}
		}
	}()
	for i := range requests {
		api.want(fmt.Sprintf(`{"E":null,"r":{"s":true},"i":%d}`, i))
	}
	<-heard
	if err := <-sent; err != nil {
		t.Error(err)
	}
	api.silent()
}

// A consumer that reads nothing for a while is no slow consumer, however large the events: when it reads they
// are all there, in order. Answers and what is published to others goes on meanwhile.
func TestLargeEvents(t *testing.T) {
	b := harness.Start(t, config("", ""))
	user, api := endUser(t, b), backend(t, b)
	api.must("queue.pop", `["chat"]`)
	data := strings.Repeat("x", 1000<<10)
	messages := harness.Size(100, 40)
	for i := range messages {
		user.send(fmt.Sprint(i, " ", data))
	}
	harness.Until(t, limit, "all are stored", func() bool { return pushed(t, b) == messages })
	for i := range messages {
		if got, _, _ := strings.Cut(api.event().P.D.Frame.Data, " "); got != fmt.Sprint(i) {
			t.Fatalf("got %s, want %d", got, i)
		}
	}
	if got := api.ask("mesh.publish", `{"c":"c","d":"x"}`); got != `{"s":0,"f":0}` {
		t.Errorf("publish: %s", got)
	}
}

// pushed is how many messages of the topic chat are stored so far.
func pushed(t *testing.T, b *harness.Bridge) (n int) {
	t.Helper()
	_, rest, _ := strings.Cut(metrics(t, b), `bridge_queue_pushes_total{topic="chat"} `)
	_, _ = fmt.Sscan(rest, &n)
	return n
}

// One consumer never reads. It has its window; all else is the other's, and the rest too once it is gone.
func TestConsumerThatNeverReads(t *testing.T) {
	b := harness.Start(t, config("", ""))
	user, stalls, api := endUser(t, b), backend(t, b), backend(t, b)
	stalls.must("queue.pop", `["chat"]`)
	api.must("queue.pop", `["chat"]`)
	data := strings.Repeat("x", 64<<10)
	const messages, window = 700, 256
	go func() {
		for i := range messages {
			if harness.Send(user.ws, fmt.Sprint(i, " ", data)) != nil {
				return
			}
		}
	}()
	seen := make(map[string]bool)
	take := func(text string) {
		number, _, _ := strings.Cut(text, " ")
		if seen[number] {
			t.Errorf("message %s came twice", number)
		}
		seen[number] = true
	}
	for len(seen) < messages-2*window { // what was written to it before its window was full counts as well
		take(api.event().P.D.Frame.Data)
	}
	if err := stalls.ws.UnderlyingConn().(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	for {
		_ = stalls.ws.SetReadDeadline(time.Now().Add(limit))
		_, text, err := stalls.ws.ReadMessage()
		if late := net.Error(nil); errors.As(err, &late) && late.Timeout() {
			t.Fatal("the connection does not end")
		}
		if err != nil {
			break
		}
		take(between(t, string(text[:200]), `"data":"`, " ") + " ")
	}
	t.Logf("%d came before the rest", len(seen))
	for len(seen) < messages {
		take(api.event().P.D.Frame.Data)
	}
	api.silent()
}

// Names are names, whatever they would be elsewhere: separators and wildcards stand for themselves.
func TestNames(t *testing.T) {
	cfg := config("", "")
	cfg.File = strings.Replace(cfg.File, `topic = "chat"`, "topic = payload.to", 1)
	b := harness.Start(t, cfg)
	user, api, others := endUser(t, b), backend(t, b), backend(t, b)
	names := []string{"a.b", "a", "a.*", "*", ">", "a.>", "a|b", "a:b@c", "频道", "%61", "A", "q\"u\\o'te"}
	text := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	for _, name := range names {
		user.send(`{"to":` + text(name) + `}`)
	}
	api.must("queue.pop", text(names[:7]))
	others.must("queue.pop", text(names[7:]))
	got := make(map[string]bool)
	for range names[:7] {
		e := api.event()
		if e.P.D.Frame.Data != `{"to":`+text(e.P.T)+`}` || got[e.P.T] {
			t.Errorf("topic %s has %s", e.P.T, e.P.D.Frame.Data)
		}
		got[e.P.T] = true
	}
	var id string
	for range names[7:] {
		e := others.event()
		if e.P.D.Frame.Data != `{"to":`+text(e.P.T)+`}` || got[e.P.T] {
			t.Errorf("topic %s has %s", e.P.T, e.P.D.Frame.Data)
		}
		got[e.P.T] = true
		id = e.P.C
	}
	for _, name := range names {
		if !got[name] {
			t.Errorf("nothing came by %s", name)
		}
		api.must("conn.call", `{"c":"`+id+`","f":"subscribe","a":[`+text(name)+`]}`)
		for _, other := range names {
			want := `{"s":0,"f":0}`
			if other == name {
				want = `{"s":1,"f":0}`
			}
			if got := api.ask("mesh.publish", `{"c":`+text(other)+`,"d":"x"}`); got != want {
				t.Errorf("%s reaches %s: %s", other, name, got)
			}
		}
		user.want("x")
		api.must("conn.call", `{"c":"`+id+`","f":"unsubscribe","a":[`+text(name)+`]}`)
	}
	for _, name := range []string{"", "a b", "a\tb", "a\x00b", "a\u0085b", "$a", strings.Repeat("ü", 128), " ", "a\u2028b"} {
		for _, tt := range [][2]string{
			{"mesh.publish", `{"c":` + text(name) + `,"d":"x"}`},
			{"queue.pop", `[` + text(name) + `]`},
			{"conn.call", `{"c":"` + id + `","f":"subscribe","a":["ok",` + text(name) + `]}`},
		} {
			if got := api.ask(tt[0], tt[1]); !strings.HasPrefix(got, `{"E":{"c":101,`) {
				t.Errorf("%s %s: %s", tt[0], tt[1], got)
			}
		}
		if name == "" {
			continue // it is no topic's
		}
		bad := endUser(t, b)
		bad.send(`{"to":` + text(name) + `}`)
		if got := bad.closed(); !strings.HasPrefix(got, "1011") {
			t.Errorf("topic %q: %s", name, got)
		}
	}
	// A value from outside goes nowhere else by a slash.
	bad := endUser(t, b)
	bad.send(`{"to":"a/b"}`)
	if got := bad.closed(); !strings.HasPrefix(got, "1011") {
		t.Errorf("topic a/b: %s", got)
	}
	api.must("queue.pop", `["a/b"]`)
	user.silent()
}

// A body that is larger than any request may be is refused unread.
func TestHugeBody(t *testing.T) {
	b := harness.Start(t, config("", ""))
	before := harness.RSS(b.Pid())
	const size = 1 << 40
	req, err := http.NewRequest("POST", "http://"+b.Address()+"/v1/mesh/send", io.LimitReader(zeros{}, size))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = size
	client := &http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 413 || string(text) != `{"E":{"c":101,"m":"request entity too large"}}` {
		t.Errorf("%d %s, %v", resp.StatusCode, text, err)
	}
	if grown := harness.RSS(b.Pid()) - before; grown > 32<<20 {
		t.Errorf("the core grew by %s", harness.MiB(grown))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
