// Package queueplugin is the plugin that the measurements of queues run. On a route of the role "push" it stores
// what clients send in one topic, and sends each frame back once that is stored. On one of the role "pop" it
// stores them in a topic of the session's own, which the session consumes: a frame comes back as a delivery.
package queueplugin

import (
	"strconv"

	"github.com/protocol-bridge/bridge/sdk"
)

// Plugin is the plugin.
type Plugin struct {
	config config
	queues sdk.Queues
}

type config struct {
	Sync string `bridge:"sync,default=always,oneof=always|interval" doc:"when what is stored is on disk"`
}

var _ sdk.Plugin[struct{}] = (*Plugin)(nil)

const (
	topicSize = 1 << 30
	maxTopics = 1000
	window    = 256
)

// Describe implements sdk.Plugin.
func (p *Plugin) Describe() sdk.Info {
	return sdk.Info{Name: "queue", Version: "1.0.0", Config: &p.config, Queues: &p.queues, Roles: []sdk.Role{{Name: "push", Doc: "frames are stored"}, {Name: "pop", Doc: "and delivered"}}}
}

// Configure implements sdk.Configurer.
func (p *Plugin) Configure(sdk.Setup) error {
	p.queues = sdk.Queues{TopicSize: topicSize, MaxTopics: maxTopics, SyncLater: p.config.Sync == "interval"}
	return nil
}

// Step implements sdk.Plugin.
func (p *Plugin) Step(s *sdk.Session[struct{}], ev sdk.Event) error {
	pops := s.Route().Role == "pop"
	switch ev := ev.(type) {
	case sdk.Opened:
		if pops {
			s.Consume(topic(s), window)
		}
	case sdk.Frame:
		if pops {
			s.Push("", topic(s), ev.Data)
			return nil
		}
		s.Push(string(ev.Data), "bench", ev.Data)
	case sdk.Answer:
		switch {
		case ev.Outcome != sdk.OutcomeOK:
			return sdk.Reject("not stored: " + ev.Reason)
		case !pops:
			s.Text(ev.Tag)
		}
	case sdk.Delivery:
		s.SendSettling(ev.Data, false, ev.ID)
	}
	return nil
}

// topic is the session's own.
func topic(s *sdk.Session[struct{}]) string { return strconv.FormatUint(s.ID(), 10) }
