// Package hub is this node's registry of sessions and of the channels they joined, and the fan-out
// to them. It knows nothing of plugins' processes: a [Group] is the sessions of one plugin, and what
// other protocols publish is handed to the group's Deliver.
//
// A publish takes a snapshot of the receivers under the lock of the channel's shard, writes to their
// outboxes outside it, and leaves the flushing to the caller, so that frames of publishes that come
// together leave together.
package hub

import (
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

const shardCount = 64

// Message is what crosses protocols.
type Message struct {
	Type    string
	Payload []byte // JSON
	Realm   string // of the author
	UserID  string // of the author
	Time    int64  // ms since 1970
	ID      string
	Origin  string // name of the group it came from
}

// Hub joins the groups of a node.
type Hub struct {
	mu     sync.RWMutex
	groups []*Group // replaced, never changed

	sessions [shardCount]sessionShard
}

// sessionShard is a slice of the sessions under one lock.
type sessionShard struct {
	sync.RWMutex
	m map[uint64]*member

	joins sync.Mutex // guards the channels of its members; before mu, and before a channel shard's
}

// member is a session with what it joined.
type member struct {
	session  *session.Session
	group    *Group
	channels []string
}

// Options say how messages reach a group.
type Options struct {
	// Owns are channel prefixes of which the group gets every message.
	Owns []string
	// Reserved are types that neither leave nor enter the group; a trailing "*" makes a prefix.
	Reserved []string
	// Deliver takes a message of another group; nil when this one takes none. done is to be called
	// once it was encoded or dropped. It does not block.
	Deliver func(channels []string, m *Message, done func())
	// MaxPending bounds the bytes of messages delivered and not done; 0 means 16 MiB. What is above it
	// is dropped and counted.
	MaxPending int64
	// Serving says since when the plugin has the process that it has; the zero time: it has none. nil: it
	// always had one.
	Serving func() time.Time
}

// Group is the sessions of one plugin.
type Group struct {
	hub  *Hub
	name string
	opt  atomic.Pointer[Options] // never changed, but replaced

	shards [shardCount]channelShard
	orders orders

	count     atomic.Int64 // sessions
	pending   atomic.Int64
	overflow  atomic.Uint64
	publishes atomic.Uint64
	fanout    atomic.Uint64
}

// New returns an empty hub.
func New() *Hub { return &Hub{} }

// Group adds a group.
func (h *Hub) Group(name string, opt Options) *Group {
	g := &Group{hub: h, name: name}
	g.orders.group = g
	g.SetOptions(opt)
	h.mu.Lock()
	h.groups = append(slices.Clone(h.groups), g)
	h.mu.Unlock()
	return g
}

// Drop takes a group out, whose sessions have gone or are about to: it gets no more messages.
func (h *Hub) Drop(g *Group) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.groups = slices.DeleteFunc(slices.Clone(h.groups), func(x *Group) bool { return x == g })
}

// SetOptions replaces the group's options.
func (g *Group) SetOptions(opt Options) {
	if opt.MaxPending == 0 {
		opt.MaxPending = 16 << 20
	}
	g.opt.Store(&opt)
}

func (h *Hub) all() []*Group {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.groups
}

func mix(id uint64) uint64 { return (id * 0x9E3779B97F4A7C15) >> 58 }

func (h *Hub) shard(id uint64) *sessionShard { return &h.sessions[mix(id)] }

func (h *Hub) member(id uint64) *member { return h.shard(id).member(id) }

func (s *sessionShard) member(id uint64) *member {
	s.RLock()
	defer s.RUnlock()
	return s.m[id]
}

// Session is the session of that id, with the group it is in; nil when there is none.
func (h *Hub) Session(id uint64) (*session.Session, *Group) {
	if m := h.member(id); m != nil {
		return m.session, m.group
	}
	return nil, nil
}

// Each calls f for every session, without a lock held.
func (h *Hub) Each(f func(*session.Session, *Group)) {
	var batch []*member
	for i := range h.sessions {
		s := &h.sessions[i]
		batch = batch[:0]
		s.RLock()
		for _, m := range s.m {
			batch = append(batch, m)
		}
		s.RUnlock()
		for _, m := range batch {
			f(m.session, m.group)
		}
	}
}

// Name is the group's.
func (g *Group) Name() string { return g.name }

// Len is the number of the group's sessions.
func (g *Group) Len() int { return int(g.count.Load()) }

// Add registers a session.
func (g *Group) Add(s *session.Session) {
	sh := g.hub.shard(s.ID)
	sh.Lock()
	if sh.m == nil {
		sh.m = make(map[uint64]*member)
	}
	sh.m[s.ID] = &member{session: s, group: g}
	sh.Unlock()
	g.count.Add(1)
}

// Remove takes a session out of the registry and of all its channels.
func (g *Group) Remove(s *session.Session) {
	sh := g.hub.shard(s.ID)
	sh.joins.Lock() // or it could join another once it is taken out
	defer sh.joins.Unlock()
	sh.Lock()
	m := sh.m[s.ID]
	delete(sh.m, s.ID)
	sh.Unlock()
	if m == nil {
		return
	}
	g.count.Add(-1)
	for _, name := range m.channels {
		g.shard(name).remove(name, s)
	}
}

// joining is the member that a session is in this group; nil when it is none. unlock is to be called.
func (g *Group) joining(s *session.Session) (m *member, unlock func()) {
	sh := g.hub.shard(s.ID)
	sh.joins.Lock()
	if m = sh.member(s.ID); m != nil && m.group != g {
		m = nil
	}
	return m, sh.joins.Unlock
}

// Join makes the session a member of the channel; false when it was one, or is not of this group.
func (g *Group) Join(s *session.Session, channel string) bool {
	m, unlock := g.joining(s)
	defer unlock()
	if m == nil || slices.Contains(m.channels, channel) {
		return false
	}
	m.channels = append(m.channels, channel)
	g.shard(channel).add(channel, s)
	return true
}

// Leave ends a membership; false when there was none.
func (g *Group) Leave(s *session.Session, channel string) bool {
	m, unlock := g.joining(s)
	defer unlock()
	if m == nil {
		return false
	}
	i := slices.Index(m.channels, channel)
	if i < 0 {
		return false
	}
	m.channels = slices.Delete(m.channels, i, i+1)
	g.shard(channel).remove(channel, s)
	return true
}

// Channels is on how many channels the session is.
func (g *Group) Channels(s *session.Session) int {
	m, unlock := g.joining(s)
	defer unlock()
	if m == nil {
		return 0
	}
	return len(m.channels)
}

// Members lists the group's members of a channel.
func (g *Group) Members(channel string) []*session.Session {
	return g.shard(channel).snapshot(nil, channel)
}

// Reserves says whether a message type stays within the group's protocol.
func (g *Group) Reserves(typ string) bool {
	for _, r := range g.opt.Load().Reserved {
		if prefix, ok := strings.CutSuffix(r, "*"); ok && strings.HasPrefix(typ, prefix) || r == typ {
			return true
		}
	}
	return false
}

// Owns are those of the channels that the group owns.
func (g *Group) Owns(channels []string) []string {
	var owned []string
	for _, c := range channels {
		if g.owns(c) {
			owned = append(owned, c)
		}
	}
	return owned
}

func (g *Group) owns(channel string) bool {
	for _, prefix := range g.opt.Load().Owns {
		if strings.HasPrefix(channel, prefix) {
			return true
		}
	}
	return false
}
