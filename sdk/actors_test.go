package sdk_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestCommandsOfOrdersActorsAndServers(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(s *sdk.Session[struct{}])
		want string
	}{
		"detach": {func(s *sdk.Session[struct{}]) { s.Detach("t") }, "detach t"},
		"tell":   {func(s *sdk.Session[struct{}]) { s.Tell("k", []byte("said")); s.Tell("k", nil) }, "tell k said\ntell k "},
		"push": {func(s *sdk.Session[struct{}]) {
			s.Call(sdk.Call{Tag: "t", Target: sdk.Ask{Type: "x", Payload: sdk.JSON("1"), Push: true}})
			s.Call(sdk.Call{Tag: "t", Target: sdk.Ask{Raw: []byte("[]"), Push: true, Together: true}})
			s.Call(sdk.Call{Tag: "t", Target: sdk.Ask{Type: "x"}}) // nothing of those before is left
		}, "call t push x 1\ncall t push raw []\ncall t ask x"},
		"publish": {func(s *sdk.Session[struct{}]) {
			s.PublishAs(sdk.Publication{Channels: []string{"$p", "c"}, ExceptChannels: []string{"$q"}, Frames: []sdk.OutFrame{{Data: []byte("x")}}})
		}, "publish $p,c except=$q | x"},
		"on behalf": {func(s *sdk.Session[struct{}]) {
			s.Call(sdk.Call{Tag: "a", Target: sdk.Authenticate{
				Token: "x", HasToken: true, UserID: "38", Subprotocol: "1.0", Headers: []sdk.Header{{Name: "lang", Value: "fr"}},
				OnBehalf: true, Cookies: []sdk.Header{{Name: "a", Value: "b c"}},
			}})
		}, "call a authenticate x user=38 subprotocol=1.0 header.lang=fr on_behalf cookie.a=b c"},
	} {
		t.Run(name, func(t *testing.T) {
			p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
				"do": func(s *sdk.Session[struct{}], _ string) error { tt.do(s); return nil },
			})
			check(t, plugintest.Step(t, p, plugintest.Text("do")), tt.want)
		})
	}
}

func TestTogetherIsAskedFor(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
		"do": func(s *sdk.Session[struct{}], _ string) error {
			s.Call(sdk.Call{Tag: "t", Target: sdk.Ask{Raw: []byte("[]"), Together: true}})
			return nil
		},
	})
	ask := plugintest.Step(t, p, plugintest.Text("do"))[0].GetCommands()[0].GetCall().GetAsk()
	if !proto.Equal(ask, &pluginv1.Ask{Raw: []byte("[]"), Together: true}) {
		t.Errorf("asked %v", ask)
	}
}

func TestCapabilitiesOfActors(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
		"detach": func(s *sdk.Session[struct{}], _ string) error { s.Detach("t"); return nil },
		"tell":   func(s *sdk.Session[struct{}], _ string) error { s.Tell("k", nil); return nil },
	})
	for _, verb := range []string{"detach", "tell"} {
		b := plugintest.NewBench(t, p, plugintest.Config{Capabilities: []string{}})
		check(t, b.Send(plugintest.Opened(), plugintest.Text(verb)), "", "close 1011 internal error")
	}
}

// roomed is a link to a plugin whose actor "room" has the session 1 bound to it.
func roomed(t *testing.T, step func(s *sdk.Session[struct{}], ev sdk.Event) error) (*plugintest.Bench, uint64) {
	t.Helper()
	const room = 50
	b := plugintest.NewBench(t, &funcs[struct{}]{step: step}, plugintest.Config{})
	b.Post(&pluginv1.Event{Actor: room, Kind: &pluginv1.Event_Resumed{Resumed: &pluginv1.Resumed{Snapshot: &pluginv1.Snapshot{
		ActorKind: pluginv1.ActorKind_ACTOR_KIND_NAMED, Key: "room",
		Bound: []*pluginv1.BoundSession{{Id: 1, Snapshot: plugintest.Snapshot()}},
	}}}})
	return b, room
}

func TestTold(t *testing.T) {
	var kept []byte
	b, room := roomed(t, func(s *sdk.Session[struct{}], ev sdk.Event) error {
		if e, ok := ev.(sdk.Told); ok {
			kept = append(kept, e.Data...)
			if s.ID() != 0 || s.Identity() != nil {
				return fmt.Errorf("it came from session %d", s.ID())
			}
			s.To(1).Textf("%s heard %s", s.Key(), e.Data)
		}
		return nil
	})
	check(t, b.Send(at(room, plugintest.Told("a")), at(room, plugintest.Told("")), at(room, plugintest.Told("b"))),
		"1: send room heard a", "1: send room heard ", "1: send room heard b")
	if string(kept) != "ab" {
		t.Errorf("the data was %q", kept)
	}
}

// TestAnswersAfterClose: what a named actor asked for a session that it closed is answered to it, before the
// session's end and behind it; for any other event of that session there is no step.
func TestAnswersAfterClose(t *testing.T) {
	b, room := roomed(t, func(s *sdk.Session[struct{}], ev sdk.Event) error {
		switch e := ev.(type) {
		case sdk.Frame:
			s.Close(sdk.CloseIdle)
		case sdk.Answer:
			s.Put(e.Tag, fmt.Appendf(nil, "%d", s.ID()))
		case sdk.Closed:
			s.Put("closed", fmt.Appendf(nil, "%d", s.ID()))
		}
		return nil
	})
	answer := func(tag string) *pluginv1.Event {
		return from(1, at(room, plugintest.Answer(&pluginv1.Answer{Tag: tag, Last: true})))
	}
	check(t, b.Send(from(1, at(room, plugintest.Text("x"))), from(1, at(room, plugintest.Text("y"))), answer("a"),
		from(1, at(room, plugintest.Closed(1001))), answer("b")),
		"1: close 1001 idle", "", "put a=1", "put closed=1", "put b=0")
}

// TestOnBehalfIsNobodyHere: the identity of a client for whom a server asked is the answer's.
func TestOnBehalfIsNobodyHere(t *testing.T) {
	p := &funcs[struct{}]{step: func(s *sdk.Session[struct{}], ev sdk.Event) error {
		if e, ok := ev.(sdk.Answer); ok {
			s.Textf("%s %s %t", e.Identity.UserID, e.Subprotocol, s.Identity() == nil)
		}
		return nil
	}}
	answer := func(behalf bool) *pluginv1.Event {
		return plugintest.Answer(&pluginv1.Answer{Last: true, OnBehalf: behalf, Subprotocol: "1.2.0", Identity: &pluginv1.Identity{UserId: "38"}})
	}
	check(t, plugintest.Step(t, p, answer(true), answer(false), answer(true)), "send 38 1.2.0 true", "send 38 1.2.0 false", "send 38 1.2.0 false")
}

func TestLocalAndPush(t *testing.T) {
	p := &funcs[struct{}]{step: func(s *sdk.Session[struct{}], _ sdk.Event) error {
		s.Textf("local %t, %s and %s", s.Info().Local, s.Route().Upstream, s.Route().Push)
		return nil
	}}
	for _, local := range []bool{false, true} {
		opened := plugintest.Opened()
		opened.GetOpened().GetSnapshot().GetSession().Local = local
		b := plugintest.NewBench(t, p, plugintest.Config{Routes: []*pluginv1.RouteConfig{
			{Id: plugintest.Route, Path: "/", Upstream: "logux", Push: "logux_server"},
		}})
		check(t, b.Send(opened), fmt.Sprintf("send local %t, logux and logux_server", local))
	}
}
