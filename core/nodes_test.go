package core

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/broker"
	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// keeper is a plugin that owns "kept/" and notes what it is given.
type keeper struct {
	owns  []string
	notes *notes
}

// notes are what came, by where.
type notes struct {
	mu   sync.Mutex
	list []string
}

func (n *notes) note(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, fmt.Sprintf(format, args...))
}

// expect waits until what came is that, in any order, and forgets it.
func (n *notes) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	slices.Sort(want)
	var got []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		n.mu.Lock()
		got = slices.Sorted(slices.Values(n.list))
		n.mu.Unlock()
		if len(got) >= len(want) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: came %q, want %q", what, got, want)
	}
	n.mu.Lock()
	n.list = nil
	n.mu.Unlock()
}

func (k *keeper) Describe() sdk.Info {
	return sdk.Info{Name: "keeper", Version: "1.0.0", Owns: k.owns}
}

func (k *keeper) Step(s *sdk.Session[struct{}], ev sdk.Event) error {
	if f, ok := ev.(sdk.Frame); ok {
		s.Join(string(f.Data))
		s.Text("joined")
	}
	return nil
}

func (k *keeper) Encode(m sdk.Message) (sdk.OutFrame, error) {
	k.notes.note("%s %v", m.Type, m.Channels)
	return sdk.OutFrame{Data: []byte(m.Type)}, nil
}

// clustered is an engine that is a node of a test's cluster.
type clustered struct {
	*Engine
	t *testing.T
	c *cluster.Cluster
}

// nodesOf starts the engines of n nodes that share a NATS server, of which each has the mirrors.
func nodesOf(t *testing.T, n int, mirrors func(node int) []Mirror) []*clustered {
	t.Helper()
	b, err := broker.Start(t.Context(), broker.Config{Dir: t.TempDir(), Sync: "interval"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close(context.Background()) })
	list := make([]*clustered, n)
	for i := range list {
		c, err := cluster.Join(t.Context(), cluster.Config{
			Broker: b, Name: "main", Node: i + 1, Identity: fmt.Sprint("id", i), Newest: func() int64 { return 1 },
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close(context.Background()) })
		cfg := EngineConfig{Channels: []access.Block{{Pattern: "kept/*", Publish: &access.Peers{Plugins: []string{"verbs"}}}}}
		if mirrors != nil {
			cfg.Mirrors = mirrors(i + 1)
		}
		e := NewEngine(cfg)
		e.Join(c)
		t.Cleanup(func() {
			e.CloseSessions(session.CloseGoingAway, time.Now(), nil)
			e.Close()
		})
		list[i] = &clustered{e, t, c}
		if err := c.Serve(e.nodes()); err != nil {
			t.Fatal(err)
		}
	}
	return list
}

// add gives a node a plugin, which has the route of its own name.
func (n *clustered) add(label string, launcher pluginhost.Launcher) {
	n.t.Helper()
	err := n.AddPlugin(n.t.Context(), PluginSpec{
		Label:  label,
		Routes: func() []Route { return []Route{{ID: label, Path: "/" + label}} },
		Settings: pluginhost.Settings{
			Launcher: launcher,
			Configure: func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
				return &pluginv1.ConfigureRequest{Routes: []*pluginv1.RouteConfig{{Id: label, Path: "/" + label}}}, nil
			},
		},
	})
	if err != nil {
		n.t.Fatal(err)
	}
}

func (n *clustered) addVerbs() {
	n.add("verbs", plugintest.InMemory[struct{}](func() *verbs { return new(verbs) }, plugintest.Logger(n.t)))
}

func (n *clustered) addKeeper(label string, notes *notes, owns ...string) {
	n.add(label, plugintest.InMemory[struct{}](func() *keeper { return &keeper{owns, notes} }, plugintest.Logger(n.t)))
}

func (n *clustered) dial(route string) *caller {
	n.t.Helper()
	w := &wireless{frames: make(chan string, 100)}
	s, err := n.Open(&session.Info{Route: route, RemoteAddress: "127.0.0.1:1"}, nil, w)
	if err != nil {
		n.t.Fatal(err)
	}
	return &caller{s, n.t, w}
}

// sees waits until the node knows that others own so many prefixes.
func (n *clustered) sees(owned int) {
	n.t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); <-time.After(5 * time.Millisecond) {
		got := 0
		for _, m := range n.c.Others() {
			got += len(m.Owns)
		}
		if got == owned {
			return
		}
	}
	n.t.Fatalf("it does not know that others own %d prefixes", owned)
}

// TestOwnersElsewhere: what is published where a channel's owner is not comes to one that is elsewhere, once in
// the cluster, whether or not the publishing plugin is there, and to those who are on a channel wherever they are.
// What that plugin reserves goes to nobody.
func TestOwnersElsewhere(t *testing.T) {
	nodes := nodesOf(t, 3, nil)
	var two, three notes
	nodes[0].addVerbs()
	nodes[1].addKeeper("keeper", &two, "kept/")
	nodes[2].addVerbs()
	nodes[2].addKeeper("keeper", &three, "kept/")
	nodes[0].sees(2)
	nodes[2].sees(1)

	heard := nodes[1].dial("keeper")
	heard.say("open/2")
	heard.hears("joined")
	from := nodes[0].dial("verbs")
	from.say("publish verbs/own kept/1")
	from.say("publish first kept/1 open/1")
	two.expect(t, "its owner", "first [kept/1]")
	from.say("publish second open/1 open/2")
	heard.hears("second")
	two.expect(t, "a member elsewhere", "second [open/2]")
	nodes[0].publish("kept/1", "third", 0)
	two.expect(t, "what an operator publishes", "third [kept/1]")
	nodes[2].dial("verbs").say("publish fourth kept/1")
	three.expect(t, "the owner beside", "fourth [kept/1]")

	if err := nodes[1].c.Close(t.Context()); err != nil { // it leaves
		t.Fatal(err)
	}
	nodes[0].sees(1)
	from.say("publish fifth kept/1")
	nodes[0].publish("kept/1", "sixth", 0)
	three.expect(t, "the owner that is left", "fifth [kept/1]", "sixth [kept/1]")
	two.expect(t, "the owner that has left")
}

// publish publishes as an operator does, to so many members.
func (n *clustered) publish(channel, typ string, members int) {
	n.t.Helper()
	got, err := n.PublishAs(&admin.PublishRequest{Channel: channel, Type: typ, Payload: []byte("1")})
	if err != nil || got != members {
		n.t.Errorf("%s has %d members, %v, want %d", channel, got, err, members)
	}
}

// TestOnceFromAnyNode: an operator reaches each member once from any node, and a mirror that all nodes have gets
// what is published, by clients and by operators, once.
func TestOnceFromAnyNode(t *testing.T) {
	var mirrored, came notes
	nodes := nodesOf(t, 3, func(node int) []Mirror {
		return []Mirror{{Upstream: "logux_server.app", Channels: []channel.Pattern{"open/*"}, To: func(channels []string, m *hub.Message) {
			mirrored.note("%s %v by %d", m.Type, channels, node)
		}}}
	})
	var members, speakers []*caller
	for _, n := range nodes {
		n.addVerbs()
		n.addKeeper("keeper", &came, "kept/")
	}
	for _, n := range nodes {
		n.sees(2)
		for range 2 {
			c := n.dial("keeper")
			c.say("open/1")
			c.hears("joined")
			members = append(members, c)
		}
		speakers = append(speakers, n.dial("verbs"))
	}
	for i, n := range nodes {
		by, client := fmt.Sprint("operator", i), fmt.Sprint("client", i)
		n.publish("open/1", by, len(members))
		for _, c := range members {
			c.hears(by)
		}
		speakers[i].say("publish %s open/1 shut/1", client)
		for _, c := range members {
			c.hears(client)
		}
		mirrored.expect(t, "the mirror", fmt.Sprintf("%s [open/1] by %d", by, i+1), fmt.Sprintf("%s [open/1] by %d", client, i+1))
		came.expect(t, "the plugin, once a node", slices.Repeat([]string{by + " [open/1]", client + " [open/1]"}, 3)...)
		n.publish("kept/1", by, 0)
		came.expect(t, "the owner", by+" [kept/1]")
	}
	for _, c := range members {
		select {
		case more := <-c.w.frames:
			t.Errorf("a member heard %q as well", more)
		default:
		}
	}
}
