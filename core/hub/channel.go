package hub

import (
	"hash/maphash"
	"sync"

	"github.com/protocol-bridge/bridge/core/session"
)

var seed = maphash.MakeSeed()

func (g *Group) shard(channel string) *channelShard {
	return &g.shards[maphash.String(seed, channel)%shardCount]
}

// channelShard is a slice of a group's channels under one lock.
type channelShard struct {
	mu sync.RWMutex
	m  map[string]*members
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

func (c *channelShard) has(channel string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.m[channel] != nil
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
