package hub

import (
	"hash/maphash"
	"slices"
	"sync"

	"github.com/protocol-bridge/bridge/core/session"
)

var seed = maphash.MakeSeed()

func (g *Group) shard(channel string) *channelShard { return &g.shards[shardOf(channel)] }

// ReachesNobody says whether none of the channels has a member in the group, and counts the publish then: it is
// for whoever would have to make the frames of a publish for nobody.
func (g *Group) ReachesNobody(channels []string) bool {
	for _, c := range channels {
		if g.shard(c).has(c) {
			return false
		}
	}
	g.publishes.Add(1)
	return true
}

func shardOf(channel string) int { return int(maphash.String(seed, channel) % shardCount) }

// receivers appends the members of the channels to dst, who of several as often, without the members
// of the other channels. These are looked up at one moment: whoever is excluded before joining a
// channel is so for each publish to it.
func (g *Group) receivers(dst []*session.Session, channels, except []string) []*session.Session {
	if len(except) == 0 {
		for _, c := range channels {
			dst = g.shard(c).snapshot(dst, c)
		}
		return dst
	}
	var locked [shardCount]bool
	for _, list := range [...][]string{channels, except} {
		for _, c := range list {
			locked[shardOf(c)] = true
		}
	}
	for i := range locked { // rising, so that two who wait for writers cannot wait for each other
		if locked[i] {
			g.shards[i].mu.RLock()
			defer g.shards[i].mu.RUnlock()
		}
	}
	var out []*members
	for _, c := range except {
		if m := g.shard(c).m[c]; m != nil {
			out = append(out, m)
		}
	}
	for _, c := range channels {
		m := g.shard(c).m[c]
		if m == nil {
			continue
		}
		for _, s := range m.list {
			if !slices.ContainsFunc(out, func(x *members) bool { return x.find(s) >= 0 }) {
				dst = append(dst, s)
			}
		}
	}
	return dst
}

// channelShard is a slice of a group's channels under one lock.
type channelShard struct {
	mu    sync.RWMutex
	m     map[string]*members
	begun uint64 // channels that got their first member
}

// members are those of one channel. Most channels have one or a few, so a search does; an index is
// made once it would take long.
type members struct {
	list  []*session.Session
	index map[*session.Session]int // nil while the list is short
}

const indexFrom = 32

func (c *channelShard) add(channel string, s *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.m[channel]
	if m == nil {
		if c.m == nil {
			c.m = make(map[string]*members)
		}
		m = &members{}
		c.m[channel] = m
		c.begun++
	}
	if m.index == nil && len(m.list) >= indexFrom {
		m.index = make(map[*session.Session]int, 2*indexFrom)
		for i, x := range m.list {
			m.index[x] = i
		}
	}
	if m.index != nil {
		m.index[s] = len(m.list)
	}
	m.list = append(m.list, s)
}

func (c *channelShard) has(channel string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[channel] != nil
}

func (c *channelShard) remove(channel string, s *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.m[channel]
	if m == nil {
		return
	}
	at := m.find(s)
	if at < 0 {
		return
	}
	last := len(m.list) - 1
	moved := m.list[last]
	m.list[at] = moved
	m.list[last] = nil
	m.list = m.list[:last]
	if m.index != nil {
		m.index[moved] = at
		delete(m.index, s)
	}
	if last == 0 {
		delete(c.m, channel)
	}
}

func (m *members) find(s *session.Session) int {
	if m.index != nil {
		if i, ok := m.index[s]; ok {
			return i
		}
		return -1
	}
	for i, x := range m.list {
		if x == s {
			return i
		}
	}
	return -1
}

// snapshot appends the members to dst.
func (c *channelShard) snapshot(dst []*session.Session, channel string) []*session.Session {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m := c.m[channel]; m != nil {
		dst = append(dst, m.list...)
	}
	return dst
}
