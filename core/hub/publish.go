package hub

import (
	"errors"
	"slices"
	"sync"

	"github.com/protocol-bridge/bridge/core/session"
)

var scratch = sync.Pool{New: func() any { s := make([]*session.Session, 0, 64); return &s }}

// Except is who does not get a publish.
type Except struct {
	IDs      []uint64 // of sessions
	Channels []string // their members, as they are when the receivers are looked up
}

// Publish writes the fitting variant to every member of the channels, once however many of them it
// joined, but for those excluded, and returns how many took it. Who has something to write is added
// to dirty; who has no room is closed as a slow consumer.
func (g *Group) Publish(channels []string, except Except, variants []Variant, dirty *session.Dirty) int {
	return int(g.PublishAll(session.Order{}, channels, except, [][]Variant{variants}, dirty).Took)
}

// PublishAll is Publish of several frames, each in its variants, that follow one upon the other for each
// receiver. Where at has a key, those whose mark is not below it are passed by; to come in its place among
// others is for [Group.InOrder]. Who took all that fit is counted apart from who did not.
func (g *Group) PublishAll(at session.Order, channels []string, except Except, frames [][]Variant, dirty *session.Dirty) (n session.Reached) {
	if !slices.ContainsFunc(frames, func(v []Variant) bool { return len(v) > 0 }) {
		return n
	}
	pooled := scratch.Get().(*[]*session.Session)
	defer func() {
		clear(*pooled)
		*pooled = (*pooled)[:0]
		scratch.Put(pooled)
	}()
	*pooled = g.receivers(*pooled, channels, except.Channels)
	seen := newSeen(channels, len(*pooled))
	r := renderers.Get().(*renderer)
	defer renderers.Put(r)
	waiting := 0
	for _, s := range *pooled {
		if seen.twice(s.ID) || slices.Contains(except.IDs, s.ID) {
			continue
		}
		took, err := r.offer(s, frames, at)
		if took > 0 {
			dirty.Add(s)
		}
		switch {
		case err != nil && !errors.Is(err, session.ErrPassed):
			n.Failed++
		case took > 0:
			n.Took++
		}
		if waiting += took; waiting > mostWaiting {
			dirty.Flush()
			waiting = 0
		}
	}
	g.publishes.Add(1)
	g.fanout.Add(n.Took)
	return n
}

// offer offers the frames that fit a session, until it does not take one, and returns how many bytes it
// took, at least one of a frame.
func (r *renderer) offer(s *session.Session, frames [][]Variant, at session.Order) (took int, err error) {
	for _, variants := range frames {
		v := pick(variants, s.Tuning())
		if v == nil {
			continue
		}
		frame := r.render(v, s.Tuning())
		if err := s.OfferIn(frame, v.Binary, at); err != nil {
			return took, err
		}
		took += max(len(frame), 1)
	}
	return took, nil
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
	if !g.Reserves(m.Type) {
		g.hub.hand(g, channels, m, func(string) bool { return true })
	}
}

// HandOver is Hand of what this group published on another node, where owners have been given it: here
// only those get it that own one of the channels in owned.
func (g *Group) HandOver(channels []string, m *Message, owned []string) {
	if !g.Reserves(m.Type) {
		g.hub.hand(g, channels, m, func(c string) bool { return slices.Contains(owned, c) })
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
