package core

import (
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/internal/channel"
)

// Mirror is an upstream that gets what is published here on some channels.
type Mirror struct {
	Channels []channel.Pattern
	// To takes a message for its clients on those channels. It does not block; m is not to be changed.
	To func(channels []string, m *hub.Message)
}

// mirror hands a message to the upstreams that mirror one of its channels. Types that the publishing
// protocol keeps to itself do not leave; g is nil where none publishes.
func (e *Engine) mirror(g *hub.Group, channels []string, m *hub.Message) {
	mirrors := *e.mirrors.Load()
	if len(mirrors) == 0 || g != nil && g.Reserves(m.Type) {
		return
	}
	for _, to := range mirrors {
		var matching []string
		for _, c := range channels {
			if channel.MatchAny(to.Channels, c) {
				matching = append(matching, c)
			}
		}
		if len(matching) > 0 {
			to.To(matching, m)
		}
	}
}
