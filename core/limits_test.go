package core

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestChannelsOfASession(t *testing.T) {
	e := NewEngine(EngineConfig{MaxChannels: 2})
	t.Cleanup(func() {
		e.CloseSessions(session.CloseGoingAway, time.Now(), nil)
		e.Close()
	})
	err := e.AddPlugin(context.Background(), PluginSpec{
		Label:  "verbs",
		Routes: func() []Route { return []Route{{ID: "r", Path: "/"}} },
		Settings: pluginhost.Settings{
			Launcher: plugintest.InMemory[struct{}](func() *verbs { return &verbs{} }, plugintest.Logger(t)),
			Configure: func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
				return &pluginv1.ConfigureRequest{Routes: []*pluginv1.RouteConfig{{Id: "r", Path: "/"}}}, nil
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := &wireless{frames: make(chan string, 100)}
	s, err := e.Open(&session.Info{Route: "r", RemoteAddress: "127.0.0.1:1"}, nil, w)
	if err != nil {
		t.Fatal(err)
	}
	c := &caller{s, t, w}
	for _, name := range []string{"a", "b", "c", "d"} {
		c.say("join %s", name)
		c.hears("joined")
	}
	_, g := e.hub.Session(s.ID)
	if n := g.Channels(s); n != 2 || len(g.Members("b")) != 1 || len(g.Members("c")) != 0 {
		t.Errorf("it is on %d channels", n)
	}
	if got := testutil.ToFloat64(e.refusedJoins()); got != 2 {
		t.Errorf("%v joins were refused, want 2", got)
	}
}

func TestLimitsOfARoute(t *testing.T) {
	l := &config.Listener{Name: "l"}
	r := &config.Route{ID: "p:l:/x", Path: "/x", Also: []string{"/y"}, Listener: l}
	r.Limits.MaxSessions, r.Limits.Rate = 7, config.Rate{Count: 100, Per: time.Second}
	free := &config.Route{ID: "p:l:/z", Path: "/z", Listener: l}
	p := &config.Plugin{Label: "p", Routes: []*config.Route{r, free}}
	reg := prometheus.NewPedanticRegistry()
	b := &bridge{limits: newLimits(reg)}
	early := b.newPluginEntries(p, nil)["l"]
	late := b.newPluginEntries(p, &pluginv1.DescribeResponse{})["l"]
	for _, e := range []*route.Entry{early[0], early[1], late[0], late[1]} {
		if e.Seats != early[0].Seats || e.Seats == late[2].Seats || e.Rate != (route.Rate{Frames: 100, Per: time.Second}) {
			t.Errorf("%s: %+v, %+v", e.Path, e.Seats, e.Rate)
		}
		if e.Now() != late[0] {
			t.Errorf("%s: connections have the limits of %+v", e.Path, e.Now())
		}
	}
	for range 7 {
		late[0].Seats.Take()
	}
	if early[1].Seats.Take() || !late[2].Seats.Take() || late[2].Rate != (route.Rate{}) {
		t.Errorf("seats %d and %d are taken, rate %+v", early[1].Seats.Taken(), late[2].Seats.Taken(), late[2].Rate)
	}
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	const want = `
# HELP bridge_session_waiting_bytes Bytes that wait in all outboxes and windows, of messages in part, and of requests and responses.
# TYPE bridge_session_waiting_bytes gauge
bridge_session_waiting_bytes 4096
`
	if !b.limits.budget.Take(4096) {
		t.Error("no room in a fresh budget")
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "bridge_session_waiting_bytes"); err != nil {
		t.Error(err)
	}
}
