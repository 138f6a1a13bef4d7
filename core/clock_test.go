package core

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// wrongClock is the system's clock, but for what the time of day is said to be. Its times have nothing
// that goes on evenly.
type wrongClock struct {
	actor.SystemClock
	mu  sync.Mutex
	off time.Duration
}

func (c *wrongClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off).Round(0)
}

func (c *wrongClock) set(off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
}

// watchmaker says when its events are, and wakes when it was told to.
type watchmaker struct{}

func (*watchmaker) Describe() sdk.Info { return sdk.Info{Name: "watchmaker", Version: "1.0.0"} }

func (*watchmaker) Step(s *sdk.Session[struct{}], ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Timer:
		s.Text("awake")
	case sdk.Frame:
		switch string(e.Data) {
		case "time":
			s.Text(s.Time().UTC().Format(time.RFC3339))
		case "wake":
			s.Timer("wake", 50*time.Millisecond)
		case "refused":
			s.Join("not a name")
			s.Text("refused")
		}
	}
	return nil
}

// TestClockGoesBack: by a day, while sessions are open. Ids rise all the same, what was to come after a
// while comes after it, events are of the time that it is said to be, and the log does not fall silent.
func TestClockGoesBack(t *testing.T) {
	var logged bytes.Buffer
	clock := &wrongClock{}
	e := NewEngine(EngineConfig{Clock: clock, Logger: slog.New(slog.NewTextHandler(&logged, nil))})
	stop := sync.OnceFunc(func() {
		e.CloseSessions(session.CloseGoingAway, time.Now(), nil)
		e.Close()
	})
	t.Cleanup(stop)
	if err := e.AddPlugin(context.Background(), PluginSpec{
		Label:  "watchmaker",
		Routes: func() []Route { return []Route{{ID: "r", Path: "/"}} },
		Settings: pluginhost.Settings{
			Launcher: plugintest.InMemory[struct{}](func() *watchmaker { return &watchmaker{} }, plugintest.Logger(t)),
			Configure: func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
				return &pluginv1.ConfigureRequest{Routes: []*pluginv1.RouteConfig{{Id: "r", Path: "/"}}}, nil
			},
		},
	}); err != nil {
		t.Fatal(err)
	}
	open := func() *caller {
		w := &wireless{frames: make(chan string, 100)}
		s, err := e.Open(&session.Info{Route: "r", RemoteAddress: "127.0.0.1:1"}, nil, w)
		if err != nil {
			t.Fatal(err)
		}
		return &caller{s, t, w}
	}
	first := open()
	first.say("refused")
	first.hears("refused")
	first.say("wake")
	clock.set(-24 * time.Hour)
	first.hears("awake")
	c := first
	for range 5000 { // more than a millisecond has
		next := open()
		if next.ID <= c.ID {
			t.Fatalf("session %d after %d", next.ID, c.ID)
		}
		c.Ended(session.CloseNormal.Code, "", true)
		c = next
	}
	c.say("refused")
	c.hears("refused")
	c.say("wake")
	c.hears("awake")
	before := clock.Now().Truncate(time.Second)
	c.say("time")
	select {
	case text := <-c.w.frames:
		if at, err := time.Parse(time.RFC3339, text); err != nil || at.Before(before) || at.After(clock.Now()) {
			t.Errorf("an event of %s, %v, want one since %v", text, err, before)
		}
	case <-time.After(10 * time.Second):
		t.Error("the plugin does not say what time it is")
	}
	stop()
	if n := strings.Count(logged.String(), "refused on this channel"); n != 2 {
		t.Errorf("%d refusals are logged, want one before and one behind:\n%s", n, &logged)
	}
}
