package hub

import (
	"slices"

	"github.com/protocol-bridge/bridge/core/session"
)

// Counts are what a group has done since it was made. They never fall.
type Counts struct {
	Publishes uint64 // to its sessions
	Fanout    uint64 // frames that sessions took of them
	Overflow  uint64 // messages of others that were dropped because too many waited
}

// Counts returns what the group has done so far.
func (g *Group) Counts() Counts {
	return Counts{Publishes: g.publishes.Load(), Fanout: g.fanout.Load(), Overflow: g.overflow.Load()}
}

// Hand gives a message that no group published to all groups that have members on its channel or own
// it, and returns how many sessions are members there. A group that reserves the message's type is
// passed by.
func (h *Hub) Hand(channel string, m *Message) int {
	n := 0
	for _, g := range h.all() {
		if g.opt.Load().Deliver == nil || g.Reserves(m.Type) {
			continue
		}
		members := g.shard(channel).len(channel)
		if members > 0 || g.owns(channel) {
			g.take([]string{channel}, m)
			n += members
		}
	}
	return n
}

func (c *channelShard) len(channel string) int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m := c.m[channel]; m != nil {
		return len(m.list)
	}
	return 0
}

// Channels lists what a session has joined, in the order in which it did.
func (h *Hub) Channels(s *session.Session) []string {
	m := h.member(s.ID)
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.channels)
}
