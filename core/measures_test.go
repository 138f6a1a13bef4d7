package core

import (
	"context"
	"errors"
	"testing"

	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// aloneNodes are the other nodes of one that has lost its number.
type aloneNodes struct{ Nodes }

func (aloneNodes) Node() uint16             { return 7 }
func (aloneNodes) Lost() error              { return errors.New("nobody answers") }
func (aloneNodes) Others() []cluster.Member { return nil }

// A node that is cut off says so, where it cannot know: of sessions elsewhere, of counts and of the nodes.
func TestCutOff(t *testing.T) {
	e := NewEngine(EngineConfig{})
	e.joined.Store(&nodes{Nodes: aloneNodes{}, engine: e, saw: make(map[sight]uint64)})
	a := &attached{engine: e}
	ctx := context.Background()
	_, err := a.Act(ctx, nil, &pluginv1.Act{Session: 8 << 12})
	_, err2 := a.Count(ctx, nil, "", &pluginv1.Publish{Channels: []string{"c"}}, new(session.Dirty))
	_, err3 := a.Nodes()
	for _, err := range []error{err, err2, err3} {
		if !errors.Is(err, pluginhost.ErrAway) {
			t.Errorf("error %v", err)
		}
	}
}

// A name is one of Prometheus, and not another's.
func TestMetricNames(t *testing.T) {
	a := &attached{Plugin: new(pluginhost.Plugin)}
	for name, want := range map[string]bool{
		"connmix_engine_servers_clients": true, "bridge_sessions": false, "bridge_mesh_topic_depth": false, "go_x": false,
		"": false, "a-b": false, "a b": false, "Ä": false, "A": false, "process_x": false,
	} {
		if got := a.mayName(name); got != want {
			t.Errorf("%q: %v", name, got)
		}
	}
	entry := func(key, value string) *pluginv1.Entry { return &pluginv1.Entry{Key: key, Value: []byte(value)} }
	for _, list := range [][]*pluginv1.Entry{{entry("a", "1"), entry("a", "2")}, {entry("scenario", "x")}, {entry("1", "x")}} {
		if labels := metricLabels(&pluginv1.Metric{Labels: list}); labels != nil {
			t.Errorf("labels %v", labels)
		}
	}
	if labels := metricLabels(&pluginv1.Metric{Labels: []*pluginv1.Entry{entry("a", "1\xff")}}); labels["a"] != "1" {
		t.Errorf("labels %v", labels)
	}
}
