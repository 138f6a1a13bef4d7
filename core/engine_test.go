package core

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/core/upstream"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// verbs is a plugin whose clients say what it is to ask of the core.
type verbs struct{}

func (*verbs) Describe() sdk.Info {
	return sdk.Info{Name: "verbs", Version: "1.0.0", Reserved: []string{"verbs/*"}}
}

func (*verbs) Step(s *sdk.Session[struct{}], ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Answer:
		s.Textf("%s: %d %d %s", e.Tag, e.Outcome, e.Count, strings.Join(e.Channels, ","))
	case sdk.Frame:
		words := strings.Fields(string(e.Data))
		call := func(t sdk.Target) { s.Call(sdk.Call{Tag: words[0], Target: t}) }
		action := sdk.Action{Join: []string{"acted"}, Frames: []sdk.OutFrame{
			sdk.TextFrame("acted", []byte("on")), {Data: []byte("acted on v"), Variant: "v"},
		}}
		switch words[0] {
		case "tune":
			s.Tune(words[1], nil)
			s.Text("tuned")
		case "login":
			call(sdk.Authenticate{Token: words[1], HasToken: true})
		case "claim":
			s.Claim("claim", words[1], nil)
		case "take":
			s.Claim("take", words[1], &sdk.CloseCode{Code: 4001, Reason: "taken over"})
		case "release":
			s.Release(words[1])
		case "join":
			s.Join(words[1])
			s.Text("joined")
		case "act":
			id, _ := strconv.ParseUint(words[1], 10, 64)
			call(sdk.Act{Session: id, Action: action})
		case "select":
			call(sdk.Select{UserIDs: words[1:], Action: action})
		case "members":
			call(sdk.Select{Channel: words[1], Authenticated: true, Action: action})
		case "count":
			call(sdk.Counted{Channels: words[1:], Frames: []sdk.OutFrame{{Data: []byte("counted")}}})
		case "publish":
			s.Publish(sdk.Message{Type: words[1], Payload: []byte("1")}, words[2:]...)
		case "ask":
			call(sdk.Ask{Type: "t", Payload: []byte(`"p"`)})
		}
	}
	return nil
}

// wireless is a transport whose frames the test reads.
type wireless struct {
	frames chan string
	mu     sync.Mutex
	code   int
}

func (w *wireless) AppendFrame(dst, data []byte, _ bool) []byte {
	w.frames <- string(data)
	return append(dst, data...)
}

func (w *wireless) AppendClose(dst []byte, code int, _ string) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.code = code
	return append(dst, 0)
}
func (w *wireless) TryWrite(p []byte) (int, error)   { return len(p), nil }
func (w *wireless) Write(p []byte) (int, error)      { return len(p), nil }
func (w *wireless) SetWriteDeadline(time.Time) error { return nil }
func (w *wireless) CloseWrite() error                { return nil }
func (w *wireless) Close() error                     { return nil }

type caller struct {
	*session.Session
	t *testing.T
	w *wireless
}

func (c *caller) say(format string, args ...any) {
	c.Frame(fmt.Appendf(nil, format, args...), false)
}

func (c *caller) hears(want string) {
	c.t.Helper()
	select {
	case got := <-c.w.frames:
		if got != want {
			c.t.Fatalf("heard %q, want %q", got, want)
		}
	case <-time.After(10 * time.Second):
		c.t.Fatalf("heard nothing, want %q", want)
	}
}

func startVerbs(t *testing.T) func() *caller {
	t.Helper()
	e := NewEngine(EngineConfig{})
	t.Cleanup(func() {
		e.CloseSessions(session.CloseGoingAway, time.Now(), nil)
		e.Close()
	})
	err := e.AddPlugin(context.Background(), PluginSpec{
		Label: "verbs",
		Routes: func() []Route {
			return []Route{{
				ID: "r", Path: "/", Upstream: upstream.NewDev(),
				Auth: auth.NewStatic("static.dev", []auth.Token{{Token: "a", UserID: "ada"}, {Token: "b", UserID: "bob"}}),
			}}
		},
		Settings: pluginhost.Settings{
			Launcher: plugintest.InMemory[struct{}](func() *verbs { return &verbs{} }, plugintest.Logger(t)),
			Configure: func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
				return &pluginv1.ConfigureRequest{Routes: []*pluginv1.RouteConfig{{Id: "r", Path: "/", Auth: true, Upstream: "dev"}}}, nil
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return func() *caller {
		w := &wireless{frames: make(chan string, 100)}
		s, err := e.Open(&session.Info{Route: "r", RemoteAddress: "127.0.0.1:1"}, nil, w)
		if err != nil {
			t.Fatal(err)
		}
		return &caller{s, t, w}
	}
}

func TestCalls(t *testing.T) {
	open := startVerbs(t)
	ada, bob, nobody := open(), open(), open()
	ada.say("login a")
	ada.hears("login: 1 0 ")
	bob.say("login b")
	bob.hears("login: 1 0 ")
	nobody.say("login x")
	nobody.hears("login: 2 0 ")

	ada.say("ask")
	ada.hears("ask: 1 0 ")
	ada.say("act %d", bob.ID)
	bob.hears("acted on")
	ada.hears("act: 1 1 ")
	ada.say("act 12345")
	ada.hears("act: 1 0 ")
	ada.say("select bob carol")
	bob.hears("acted on")
	ada.hears("select: 1 1 ")

	bob.say("tune v")
	bob.hears("tuned")
	ada.say("act %d", bob.ID)
	bob.hears("acted on v")
	ada.hears("act: 1 1 ")

	nobody.say("join acted")
	nobody.hears("joined")
	ada.say("members acted") // bob alone: nobody has not authenticated
	bob.hears("acted on v")
	ada.hears("members: 1 1 ")
	ada.say("count acted none")
	bob.hears("counted")
	nobody.hears("counted")
	ada.hears("count: 1 2 ")
}

func TestClaims(t *testing.T) {
	open := startVerbs(t)
	first, second := open(), open()
	first.say("claim n")
	first.hears("claim: 1 0 ")
	first.say("claim n") // its own
	first.hears("claim: 1 0 ")
	second.say("claim n")
	second.hears("claim: 2 0 ")
	first.say("release n")
	first.say("claim other")
	first.hears("claim: 1 0 ")
	second.say("claim n")
	second.hears("claim: 1 0 ")
	first.say("take n")
	first.hears("take: 1 0 ")
	second.w.mu.Lock()
	code := second.w.code
	second.w.mu.Unlock()
	if code != 4001 {
		t.Errorf("the holder was closed with %d, want 4001", code)
	}
	// What a session held is free once its end was handled.
	first.Ended(1000, "", true)
	third := open()
	for range 1000 {
		third.say("claim other")
		if got := <-third.w.frames; got == "claim: 1 0 " {
			return
		}
	}
	t.Error("the name of a session that has ended stays taken")
}

func TestNoRoute(t *testing.T) {
	e := NewEngine(EngineConfig{})
	if _, err := e.Open(&session.Info{Route: "nowhere"}, nil, &wireless{}); err == nil || e.Ready("nowhere") {
		t.Errorf("open on no route: %v", err)
	}
}
