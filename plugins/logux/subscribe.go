package logux

import (
	"bytes"

	"github.com/protocol-bridge/bridge/sdk"
)

// Subscriptions of a client: for each channel a cell with the nodes that subscribed to it, each with the
// text of its filter. Filters select nothing, they keep subscriptions apart. The connection is a member of
// the channel while there is one.

// Bounds of a client's subscriptions.
const (
	maxChannels      = 900     // the core has a bound for all channels of a session
	maxSubscriptions = 8 << 10 // bytes of those to one channel, by one node
	maxFilters       = 64 << 10
)

func channelCell(channel string) string { return string(channelCells) + channel }

// subscription is one entry of a cell, as it stands there.
func subscription(node, filter string) []byte { return appendText(appendText(nil, node), filter) }

// has says whether a cell has an entry, and where.
func findSubscription(cell, entry []byte) (from int, ok bool) {
	r := reader{cell, true}
	for len(r.b) > 0 && r.ok {
		from = len(cell) - len(r.b)
		r.bytes()
		r.bytes()
		if bytes.Equal(cell[from:len(cell)-len(r.b)], entry) {
			return from, true
		}
	}
	return 0, false
}

// mayHold says whether there is room for one more subscription.
func (p *Plugin) mayHold(s *session, channel, node, filter string) bool {
	cell := s.Get(channelCell(channel))
	if len(filter) > maxSubscriptions || len(cell)+len(node)+len(filter) > maxFilters {
		return false
	}
	return cell != nil || s.State.mem.channels < maxChannels
}

// subscribe begins a subscription, unless the client has gone.
func (p *Plugin) subscribe(s *session, channel, node, filter string) {
	c := current(s)
	if c == nil {
		return
	}
	key, entry := channelCell(channel), subscription(node, filter)
	cell := s.Get(key)
	if _, ok := findSubscription(cell, entry); ok {
		return
	}
	if cell == nil {
		s.State.mem.channels++
		c.Join(channel)
	}
	s.Put(key, append(bytes.Clone(cell), entry...))
}

// unsubscribe ends a subscription, if there is such a one.
func (p *Plugin) unsubscribe(s *session, channel, node, filter string) {
	key, entry := channelCell(channel), subscription(node, filter)
	cell := s.Get(key)
	from, ok := findSubscription(cell, entry)
	switch {
	case !ok:
	case len(cell) > len(entry):
		s.Put(key, append(bytes.Clone(cell[:from]), cell[from+len(entry):]...))
	default:
		s.State.mem.channels--
		s.Delete(key)
		if c := current(s); c != nil {
			c.Leave(channel)
		}
	}
}

// unsubscribeAll ends all subscriptions of a connection that is over, or is about to be.
func (p *Plugin) unsubscribeAll(s *session, c *sdk.Conn) {
	var keys []string
	for key := range s.Cells() {
		if key[0] == channelCells {
			keys = append(keys, key)
		}
	}
	for _, key := range keys {
		s.Delete(key)
		if c != nil {
			c.Leave(key[1:])
		}
	}
	s.State.mem.channels = 0
}
