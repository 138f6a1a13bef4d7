//go:build linux

package chat

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestDatabaseGone: without its database the chat says so to who asks over WebSocket, and connections stay; when it
// is there again, all goes on.
func TestDatabaseGone(t *testing.T) {
	server := postgrestest.Start(t)
	p := open(t, server.Database(t), "")
	alice, bob := p.user(t, "alice"), p.user(t, "bob")
	room := alice.room("r")
	bob.join(room, alice)
	alice.speak(room, "before", bob)
	server.Kill()
	for range 12 { // however many, trouble is no refusal
		alice.say(`{"type":3,"room_id":%d,"message":"lost","msg_type":0}`, room)
		alice.want(`{"type":9,"error_code":105,"msg":"Internal error, try again","request":3}`)
	}
	alice.say(`{"type":19,"room_id":%d}`, room)
	alice.want(`{"type":9,"error_code":105,"msg":"Internal error, try again","request":19}`)
	late := p.dial(t)
	late.say(`{"type":1,"login":%q,"pass":%q,"name":"","desc":""}`, login("late"), pass)
	late.refused(105, 1)
	server.Restart(t)
	harness.Until(t, harness.AnswerLimit, "the database is there again", func() bool {
		alice.say(`{"type":7,"room_id":%d,"date":0,"count":10}`, room)
		m := alice.get()
		if number(m["type"]) != 7 {
			return false
		}
		if list := m["messages"].([]any); len(list) != 1 {
			t.Errorf("there is %v", list)
		}
		alice.want(`{"type":17,<any>`)
		return true
	})
	alice.speak(room, "after", bob)
}

// TestGuessingByAddress: wrong log-ins count for the address as well, whatever the logins; others are not delayed.
func TestGuessingByAddress(t *testing.T) {
	head := "listener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n  trusted_proxies = [\"127.0.0.0/8\"]\n}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n"
	b := harness.Start(t, harness.Config{
		Head: fmt.Sprintf("data_dir = %q\n", t.TempDir()) + head,
		File: file("sqlite:chat.db", ""),
	})
	from := func(address string) *client {
		ws, resp, err := dialer.Dial(b.URL("/chat"), http.Header{"X-Forwarded-For": {address}})
		if err != nil {
			t.Fatal(err, resp)
		}
		c := &client{t: t, ws: ws}
		t.Cleanup(c.close)
		return c
	}
	guess := func(c *client) time.Duration {
		began := time.Now()
		c.say(`{"type":0,"login":%q,"pass":%q}`, login("nobody"), strings.Repeat("0", 64))
		c.want(wrongLogIn)
		return time.Since(began)
	}
	for range 10 {
		guess(from("203.0.113.7"))
	}
	if took := guess(from("203.0.113.7")); took < time.Second {
		t.Errorf("the eleventh wrong log-in is answered after %v", took)
	}
	other := from("203.0.113.8")
	other.signUp(login("other"))
	other.nothing()
}
