package hub

import (
	"slices"
	"sync"

	"github.com/protocol-bridge/bridge/core/session"
)

var scratch = sync.Pool{New: func() any { s := make([]*session.Session, 0, 64); return &s }}

// Publish writes the fitting variant to every member of the channels, once however many of them it
// joined, but for those excluded, and returns how many took it. Who has something to write is added
// to dirty; who has no room is closed as a slow consumer.
func (g *Group) Publish(channels []string, except []uint64, variants []Variant, dirty *session.Dirty) int {
	if len(variants) == 0 {
		return 0
	}
	pooled := scratch.Get().(*[]*session.Session)
	defer func() {
		clear(*pooled)
		*pooled = (*pooled)[:0]
		scratch.Put(pooled)
	}()
	for _, c := range channels {
		*pooled = g.shard(c).snapshot(*pooled, c)
	}
	seen := newSeen(channels, len(*pooled))
	r := renderers.Get().(*renderer)
	defer renderers.Put(r)
	n, waiting := 0, 0
	for _, s := range *pooled {
		if seen.twice(s.ID) || slices.Contains(except, s.ID) {
			continue
		}
		v := pick(variants, s.Tuning())
		if v == nil {
			continue
		}
		frame := r.render(v, s.Tuning())
		if s.Offer(frame, v.Binary) != nil {
			continue
		}
		dirty.Add(s)
		n++
		if waiting += len(frame); waiting > mostWaiting {
			dirty.Flush()
			waiting = 0
		}
	}
	g.publishes.Add(1)
	g.fanout.Add(uint64(n))
	return n
}

// mostWaiting is how many bytes of one publish wait for the others of their batch: a large frame to
// many would be held as often as there are members.
const mostWaiting = 4 << 20

// seen tells members of several channels apart; for one channel there is nothing to tell.
type seen map[uint64]struct{}

func newSeen(channels []string, n int) seen {
	if len(channels) < 2 {
		return nil
	}
	return make(seen, n)
}

func (s seen) twice(id uint64) bool {
	if s == nil {
		return false
	}
	if _, ok := s[id]; ok {
		return true
	}
	s[id] = struct{}{}
	return false
}

// Send writes the fitting variant to one session.
func (g *Group) Send(s *session.Session, variants []Variant, dirty *session.Dirty) bool {
	v := pick(variants, s.Tuning())
	if v == nil {
		return false
	}
	r := renderers.Get().(*renderer)
	defer renderers.Put(r)
	if s.Offer(r.render(v, s.Tuning()), v.Binary) != nil {
		return false
	}
	dirty.Add(s)
	return true
}

// Hand gives a message that this group published to the other groups that have members on its
// channels or own one of them. Types that either side reserves do not cross.
func (g *Group) Hand(channels []string, m *Message) {
	if g.Reserves(m.Type) {
		return
	}
	for _, other := range g.hub.all() {
		if other == g || other.opt.Load().Deliver == nil || other.Reserves(m.Type) {
			continue
		}
		var to []string
		for _, c := range channels {
			if other.owns(c) || other.Has(c) {
				to = append(to, c)
			}
		}
		if len(to) > 0 {
			other.take(to, m)
		}
	}
}

func (g *Group) take(channels []string, m *Message) {
	opt := g.opt.Load()
	size := int64(len(m.Payload) + len(m.Type) + 256) // and what keeping it costs
	if g.pending.Add(size) > opt.MaxPending {
		g.pending.Add(-size)
		g.overflow.Add(1)
		return
	}
	opt.Deliver(channels, m, func() { g.pending.Add(-size) })
}
