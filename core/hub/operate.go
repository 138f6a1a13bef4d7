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
	Late      uint64 // publishes that came after those behind them in their order, or twice
}

// Counts returns what the group has done so far.
func (g *Group) Counts() Counts {
	return Counts{Publishes: g.publishes.Load(), Fanout: g.fanout.Load(), Overflow: g.overflow.Load(), Late: g.orders.late.Load()}
}

// ChannelCounts says how many channels have members of the group, and how many have got their first since it
// was made.
func (g *Group) ChannelCounts() (now, begun uint64) {
	for i := range g.shards {
		sh := &g.shards[i]
		sh.mu.RLock()
		now += uint64(len(sh.m))
		begun += sh.begun
		sh.mu.RUnlock()
	}
	return now, begun
}

// Hand gives a message that no group published to all groups that have members on its channel or own
// it, and returns how many sessions are members there. A group that reserves the message's type is
// passed by.
func (h *Hub) Hand(channel string, m *Message) int {
	return h.hand(nil, []string{channel}, m, func(string) bool { return true })
}

// HandOver is Hand of what was published on another node, and by none of the groups that are here. Owners
// have been given it there: here only those get it that own one of the channels in owned.
func (h *Hub) HandOver(channels []string, m *Message, owned []string) int {
	return h.hand(nil, channels, m, func(c string) bool { return slices.Contains(owned, c) })
}

// hand hands a message once to each group but that it is from, to owners what is on a channel for which
// toOwner says so, and returns how many members the channels have there.
func (h *Hub) hand(from *Group, channels []string, m *Message, toOwner func(string) bool) (members int) {
	for _, g := range h.all() {
		if g == from || g.opt.Load().Deliver == nil || g.Reserves(m.Type) {
			continue
		}
		var to []string
		for _, c := range channels {
			n := g.shard(c).len(c)
			if g.owns(c) && toOwner(c) || !g.owns(c) && n > 0 {
				to = append(to, c)
			}
			members += n
		}
		if len(to) > 0 {
			g.take(to, m)
		}
	}
	return members
}

// Owned says whether a group owns the channel.
func (h *Hub) Owned(channel string) bool {
	return slices.ContainsFunc(h.all(), func(g *Group) bool { return g.owns(channel) })
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
	sh := h.shard(s.ID)
	sh.joins.Lock()
	defer sh.joins.Unlock()
	if m := sh.member(s.ID); m != nil {
		return slices.Clone(m.channels)
	}
	return nil
}
