package core

import (
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/internal/channel"
)

// Mirror is an upstream that gets what is published here on some channels.
type Mirror struct {
	Upstream string // its name, as "logux_server.node"
	Channels []channel.Pattern
	// To takes a message for its clients on those channels. It does not block; m is not to be changed.
	To func(channels []string, m *hub.Message)
}

// mirror hands a message to the upstreams that mirror one of its channels, but not to one that has it
// already: that of the route from which it is published. Types that the publishing protocol keeps to
// itself do not leave. g and from are nil where no protocol publishes.
func (e *Engine) mirror(g *hub.Group, from *routeState, channels []string, m *hub.Message) {
	mirrors := *e.mirrors.Load()
	if len(mirrors) == 0 || g != nil && g.Reserves(m.Type) {
		return
	}
	for _, to := range mirrors {
		if from != nil && to.Upstream != "" && (to.Upstream == from.UpstreamName || to.Upstream == from.PushName) {
			continue
		}
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
