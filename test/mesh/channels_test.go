//go:build linux

package mesh

import (
	"net/http"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestChannelsOfTheRoute: end users are on the channels of their route from the start, whether it is known who
// they are or not.
func TestChannelsOfTheRoute(t *testing.T) {
	cfg := config("", "")
	cfg.File = strings.Replace(cfg.File, `  route "/chat" {
    role = "client"
    auth = auth.none`, `  route "/members" {
    role     = "client"
    auth     = auth.static.dev
    channels = ["lobby", "user/${user.id}"]
    config {
      topic = "chat"
    }
  }
  route "/chat" {
    role     = "client"
    auth     = auth.none
    channels = ["lobby", user.id]`, 1) + "auth \"static\" \"dev\" {\n  tokens = { good-token = \"38\" }\n}\n"
	b := harness.Start(t, cfg)
	member := dial(t, b.URL("/members"), http.Header{"Authorization": {"Bearer good-token"}})
	users := []*peer{member, endUser(t, b), endUser(t, b)}
	api := backend(t, b)
	api.must("queue.pop", `["chat"]`)
	for _, user := range users {
		user.send("here")
		api.event() // so it has begun
	}
	publish := func(channel, want string, to ...*peer) {
		t.Helper()
		r := request(t, "POST", "http://"+b.Address()+"/v1/mesh/publish", "", `{"c":"`+channel+`","d":"to `+channel+`"}`)
		if r.body != `{"E":null,"r":`+want+`}` {
			t.Errorf("publish to %s: %d %s", channel, r.status, r.body)
		}
		for _, user := range to {
			user.want("to " + channel)
		}
	}
	publish("lobby", `{"s":3,"f":0}`, users...)
	publish("user/38", `{"s":1,"f":0}`, member)
}
