package mesh

import (
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// opened opens a session on a route of routes, by its id.
func opened(route, path, claims string) *pluginv1.Event {
	e := plugintest.Opened()
	s := e.GetOpened().GetSnapshot()
	s.Route, s.Session.Path = route, path
	if claims != "" {
		s.Identity = &pluginv1.Identity{Realm: "basic.ops", UserId: "app", Claims: []byte(claims)}
	}
	return e
}

// socketBench is a back-end's WebSocket.
func socketBench(t testing.TB) *plugintest.Bench {
	t.Helper()
	b := plugintest.NewBench(t, New(), routes())
	b.Send(opened("socket", "/ws/v1", ""))
	return b
}

// asked is what a request over the WebSocket leads to.
func asked(t testing.TB, frame string) string {
	t.Helper()
	return plugintest.Format(socketBench(t).Send(plugintest.Text(frame))[0])
}

func postEvent(method, path, body string) *pluginv1.Event {
	s := plugintest.Snapshot()
	s.Route = "api"
	s.Session.Method, s.Session.Path, s.Session.Transport = method, path, pluginv1.Transport_TRANSPORT_HTTP
	return &pluginv1.Event{Kind: &pluginv1.Event_Request{Request: &pluginv1.Request{Snapshot: s, Body: []byte(body)}}}
}

// posted is what a request over HTTP leads to.
func posted(t testing.TB, path, body string) string {
	t.Helper()
	return plugintest.Format(plugintest.NewBench(t, New(), routes()).Send(postEvent("POST", path, body))[0])
}

// isFault says whether a step is the answer with that code.
func isFault(step, code string) bool {
	return strings.Contains(step, `{"E":{"c":`+code+`,"m":"`) && !strings.Contains(step, "call ")
}

func answered(a *pluginv1.Answer) *pluginv1.Event {
	a.Last = true
	if a.GetOutcome() == 0 {
		a.Outcome = pluginv1.Outcome_OUTCOME_OK
	}
	return plugintest.Answer(a)
}
