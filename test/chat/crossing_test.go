//go:build linux

package chat

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// crossingFile has CTProto beside the chat: what its back-end has published in rooms is let in, and its clients
// hear what is said in the room that their user's id names.
const crossingFile = `
auth "static" "dev" {
  tokens = { room-token = "1" }
}
upstream "http" "news" {
  url    = %q
  secret = %q
}
plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.http.news
    channels = ["chat/${user.id}", "user/${user.id}"]
  }
}
channel "chat/*" {
  join    = [plugin.ctproto]
  publish = [plugin.ctproto]
}
`

// TestCrossing: what CTProto publishes in a room is stored and told, once; what is said in a room reaches a CTProto
// client that listens there.
func TestCrossing(t *testing.T) {
	news := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Payload json.RawMessage }
		if json.NewDecoder(r.Body).Decode(&asked) == nil {
			fmt.Fprintf(w, `{"publish":[{"channel":"chat/1","type":"news","payload":%[1]s},{"channel":"chat/99","type":"news","payload":%[1]s}]}`, asked.Payload)
		}
	}))
	defer news.Close()
	b := harness.Start(t, harness.Config{File: file("sqlite:chat.db", "") + fmt.Sprintf(crossingFile, news.URL, harness.Secret)})
	p := &place{b, b.AddressOf("legacy")}
	alice, bob := p.user(t, "alice"), p.user(t, "bob")
	if room := alice.room("r"); room != 1 {
		t.Fatalf("room %d", room)
	}
	bob.join(1, alice)
	ws, answer, closed, err := harness.Authorize(b.URL("/client"), `{"token":"room-token"}`)
	if err != nil || closed != nil {
		t.Fatal(answer, closed, err)
	}
	defer harness.Close(ws)

	for i := range 5 {
		text := fmt.Sprintf("from elsewhere %d", i)
		if err := harness.Send(ws, fmt.Sprintf(`{"type":"say","payload":{"message":%q},"messageId":"%010d"}`, text, i)); err != nil {
			t.Fatal(err)
		}
		for _, c := range []*client{alice, bob} {
			c.hears(text)
		}
		if m := ctprotoNext(t, ws, "news"); !strings.Contains(string(m.Payload), text) {
			t.Errorf("the CTProto client got %s", m.Payload)
		}
	}
	alice.say(`{"type":7,"room_id":1,"date":0,"count":500}`)
	if list := alice.get()["messages"].([]any); len(list) != 5 {
		t.Errorf("%d messages are stored: %v", len(list), list)
	}
	alice.get()
	alice.nothing()
	bob.nothing()

	alice.speak(1, "to all", bob)
	m := ctprotoNext(t, ws, "chat/message")
	if !strings.Contains(string(m.Payload), `"message":"to all"`) {
		t.Errorf("the CTProto client got %s", m.Payload)
	}
	if !strings.Contains(string(m.Payload), fmt.Sprintf(`"user_id":%d,"msg_type":0`, alice.id)) {
		t.Errorf("payload %s", m.Payload)
	}
	alice.say(`{"type":7,"room_id":1,"date":0,"count":500}`) // it was not taken for one of another protocol
	if list := alice.get()["messages"].([]any); len(list) != 6 {
		t.Errorf("%d messages are stored: %v", len(list), list)
	}
}

type ctprotoMessage struct {
	Type    string
	Payload json.RawMessage
}

// ctprotoNext is the next message of that type, behind answers to the client's own.
func ctprotoNext(t *testing.T, ws *websocket.Conn, typ string) (m ctprotoMessage) {
	t.Helper()
	for m.Type != typ {
		m = ctprotoMessage{}
		if err := ws.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
			t.Fatal(err)
		}
		if err := ws.ReadJSON(&m); err != nil {
			t.Fatal(err)
		}
	}
	return m
}
