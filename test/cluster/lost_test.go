//go:build linux

package cluster

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestLostNumber: a node whose number is another's takes no more sessions, requests among them, and says so in
// the form of their protocol; whoever is connected already stays, but nothing is promised of other nodes.
func TestLostNumber(t *testing.T) {
	blocks, url := external(t, 2, "")
	for i := range blocks {
		blocks[i] += `
plugin "mesh" {
  config {
    storage = "memory"
  }
  route "/v1/" {
    also = ["/ws/v1"]
    role = "api"
  }
}
`
	}
	nodes := start(t, blocks)
	lost, other := nodes[0], nodes[1]
	api, err := harness.Dial(lost.URL("/ws/v1"))
	if err != nil {
		t.Fatal(err)
	}
	defer harness.Close(api)
	member := harness.MustDialLines(t, lost.URL("/lines"))
	const someone = "1463786910324359168"
	request := func(b *harness.Bridge, path, body string) string {
		t.Helper()
		resp, err := http.Post("http://"+b.Address()+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(resp.StatusCode, " ", string(text))
	}
	send, publish := `{"c":"`+someone+`","d":"x"}`, `{"c":"news","d":"x"}`
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s is answered %s, want %s", what, got, want)
		}
	}
	want("send", request(lost, "/v1/mesh/send", send), `200 {"E":{"c":401,"m":"failed to send"}}`)
	want("publish", request(lost, "/v1/mesh/publish", publish), `200 {"E":null,"r":{"s":0,"f":0}}`)

	conn, err := nats.Connect(url, nats.Token(harness.ClusterSecret))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	numbers, err := js.KeyValue(t.Context(), "bridge-main-nodes")
	if err != nil {
		t.Fatal(err)
	}
	number := ""
	for _, n := range lost.Nodes() {
		if n.Self {
			number = fmt.Sprint(n.Node)
		}
	}
	if _, err := numbers.PutString(t.Context(), number, `{"identity":"another","run":"another","host":"elsewhere"}`); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, 2*harness.AnswerLimit, "the node is not ready", func() bool { return lost.Ready() == http.StatusServiceUnavailable })

	want("send", request(lost, "/v1/mesh/send", send), `503 {"E":{"c":401,"m":"service unavailable"}}`)
	want("publish", request(lost, "/v1/mesh/publish", publish), `503 {"E":{"c":101,"m":"service unavailable"}}`)
	want("another path", request(lost, "/v1/mesh/other", "{}"), `503 {"E":{"c":101,"m":"service unavailable"}}`)
	if l, err := harness.DialLines(lost.URL("/lines")); err == nil {
		l.Close()
		t.Error("it takes a session")
	}
	ask(t, member, "ECHO still here", "still here")
	for frame, answer := range map[string]string{
		`{"m":"mesh.send","p":` + send + `,"i":1}`:       `{"E":{"c":401,"m":"failed to send"},"i":1}`,
		`{"m":"mesh.publish","p":` + publish + `,"i":2}`: `{"E":{"c":101,"m":"the outcome is unknown"},"i":2}`,
	} {
		got, err := harness.Ask(api, frame)
		if err != nil {
			t.Fatal(err)
		}
		want(frame, got, answer)
	}
	want("publish at the other", request(other, "/v1/mesh/publish", publish), `200 {"E":null,"r":{"s":0,"f":0}}`)
}
