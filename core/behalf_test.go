package core

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/sdk"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// TestAuthenticateOnBehalf: a server that asks for one of its clients learns who that is, and stays who it
// is itself: without that identity, its channels and its end, and without lending its own credentials.
func TestAuthenticateOnBehalf(t *testing.T) {
	clock := &handClock{now: time.Unix(1_800_000_000, 0)}
	var mu sync.Mutex
	var asked []auth.Request
	w := newWorld(t, EngineConfig{Clock: clock})
	w.add(sdk.Info{Name: "guest"}, Route{
		// It cannot be evaluated for this user, which would close the session.
		Channels: expression(t, `["user/${user.id}"]`, "user"),
		Auth: says(func(req *auth.Request) auth.Answer {
			mu.Lock()
			asked = append(asked, *req)
			mu.Unlock()
			return auth.Answer{
				Outcome: neutral.OK, UserID: "a/b", Claims: []byte(`{"n":1}`), Joins: []string{"given", "$own"},
				Expires: clock.Now().Add(time.Minute), Subprotocol: "1.2.0",
			}
		}),
	})
	tr := &wireless{frames: make(chan string, 100)}
	s, err := w.Open(&session.Info{Route: "guest", RemoteAddress: "192.0.2.1:1", Headers: []session.Header{
		{Name: "cookie", Value: "token=mine"}, {Name: "authorization", Value: "Bearer mine"},
	}}, nil, tr)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{s, t, tr}
	c.hears("nobody in []")
	c.say("behalf")
	c.hears("behalf: 1 0 ")
	c.hears("channels [given]")
	c.hears(`static.dev a/b {"n":1} speaks 1.2.0, this is nobody`)
	c.say("behalf cookie")
	c.hears("behalf: 1 0 ")
	c.hears("channels [given]")
	c.hears(`static.dev a/b {"n":1} speaks 1.2.0, this is nobody`)
	mu.Lock()
	for i, want := range [][]auth.Field{nil, {{Name: "token", Value: "theirs"}}} {
		got := asked[i]
		if !got.OnBehalf || got.Opening.Authorization != "" || got.Opening.Cookie != "" || len(got.Opening.Cookies) != len(want) ||
			len(want) > 0 && got.Opening.Cookies[0] != want[0] {
			t.Errorf("question %d is %+v", i, got)
		}
	}
	mu.Unlock()
	if s.Identity() != nil || len(w.hub.Channels(s)) > 0 {
		t.Errorf("the session is %+v, on %v", s.Identity(), w.hub.Channels(s))
	}
	clock.advance(time.Hour)
	c.say("join x")
	c.hears("asked to join")
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.code != 0 {
		t.Errorf("the session was closed with %d", tr.code)
	}
}

// TestAskPush: a question goes to the one upstream of the route or to the other, as it says.
func TestAskPush(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "both"}, Route{Upstream: answers{Reason: "asked"}, Push: answers{Reason: "pushed"}})
	w.add(sdk.Info{Name: "one"}, Route{Upstream: answers{Reason: "asked"}})
	w.add(sdk.Info{Name: "other"}, Route{Push: answers{Reason: "pushed"}})
	for _, tt := range []struct{ route, ask, push string }{
		{"both", "1 0 asked", "1 0 pushed"},
		{"one", "1 0 asked", "5 0 "},
		{"other", "5 0 ", "1 0 pushed"},
	} {
		c := w.open(tt.route, nil)
		c.say("ask")
		c.hears("ask: " + tt.ask)
		c.say("push")
		c.hears("push: " + tt.push)
	}
}

// TestSubprotocolOfTheBackEnd is what a plugin hears of it.
func TestSubprotocolOfTheBackEnd(t *testing.T) {
	w := newWorld(t, EngineConfig{})
	w.add(sdk.Info{Name: "guest"}, Route{Auth: says(func(*auth.Request) auth.Answer {
		return auth.Answer{Outcome: neutral.OK, UserID: "u", Subprotocol: "1.2.0"}
	})})
	_, ans, err := w.Admit(context.Background(), &session.Info{Route: "guest"})
	if err != nil || ans.Subprotocol != "1.2.0" {
		t.Errorf("at a handshake: %+v, %v", ans, err)
	}
	c := w.open("guest", nil)
	c.say("login")
	c.hears("login: 1 0 ")
	c.hears("static.dev u  speaks 1.2.0, this is u")
}
