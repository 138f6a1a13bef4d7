package hub

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

const (
	// gapWait is how long a publish waits for those before it in its order.
	gapWait = time.Second
	// firstWait is how long the first of a key that is new here waits: who publishes at the same time does
	// so from steps that run side by side, or from another node.
	firstWait = 50 * time.Millisecond
	// mostInOrder is how many bytes of publishes may wait so in a group; what is beyond waits for none.
	mostInOrder = 16 << 20
	// mostSkipped is how many numbers of a key are remembered that were waited for in vain.
	mostSkipped = 1024
	// orderKept is how long at least a key that nothing happens to is remembered.
	orderKept = 5 * time.Minute
)

// orders are the publishes of a group that have a place in an order.
type orders struct {
	group *Group
	late  atomic.Uint64

	mu      sync.Mutex // guards what follows
	keys    map[string]*order
	old     map[string]*order // that were not touched since turned; none of them waits
	turned  time.Time
	waiting int // bytes
}

// order is what is known of a key.
type order struct {
	begun bool
	// last is the number of what was delivered last; before that, of the latest that is known to be.
	last    uint64
	skipped []uint64   // numbers below last that were not delivered, rising
	waiting []*ordered // by number
	busy    bool       // somebody delivers
	timer   *time.Timer
}

// ordered is a publish that has a place.
type ordered struct {
	number  uint64
	size    int
	since   time.Time
	deliver func(*session.Dirty)
	drop    func()
}

// InOrder calls deliver when all publishes of the key with smaller numbers were delivered, or were waited
// for long enough: at once, as a rule, else later with a dirty of its own. Calls of one key come one at a
// time. One that was waited for in vain is delivered when it comes; where one with the same number was
// delivered before, drop is called in its place. size is how many bytes are kept until then. Neither may be
// nil, or call InOrder.
//
// Of a key that is new here nobody knows what was before, if it does not begin with 1 and [Group.Reached] said
// nothing. Its first publish waits a little for any with a smaller number.
func (g *Group) InOrder(at session.Order, size int, dirty *session.Dirty, deliver func(*session.Dirty), drop func()) {
	o := &g.orders
	o.mu.Lock()
	q := o.key(at.Key)
	i, twice := slices.BinarySearchFunc(q.waiting, at.Number, func(p *ordered, n uint64) int {
		switch {
		case p.number < n:
			return -1
		case p.number > n:
			return 1
		}
		return 0
	})
	if behind := q.begun && at.Number <= q.last; twice || behind {
		o.late.Add(1)
		if twice || !q.missed(at.Number) {
			o.mu.Unlock()
			drop()
			return
		}
	}
	q.waiting = slices.Insert(q.waiting, i, &ordered{at.Number, size, time.Now(), deliver, drop})
	o.waiting += size
	o.run(q, dirty)
	o.mu.Unlock()
}

// Reached notes that publishes of a key up to that number there are, whether or not they have come here.
func (g *Group) Reached(at session.Order) {
	o := &g.orders
	o.mu.Lock()
	defer o.mu.Unlock()
	if q := o.key(at.Key); !q.begun {
		q.last = max(q.last, at.Number)
	}
}

// key is what is known of a key; those that were forgotten meanwhile begin anew. The caller holds mu.
func (o *orders) key(name string) *order {
	now := time.Now()
	if now.Sub(o.turned) > orderKept {
		o.turn(now)
	}
	q := o.keys[name]
	if q != nil {
		return q
	}
	if q = o.old[name]; q == nil {
		q = new(order)
	}
	o.keys[name] = q
	delete(o.old, name)
	return q
}

// turn forgets those keys that were not touched since it was called last.
func (o *orders) turn(now time.Time) {
	kept := make(map[string]*order)
	for name, q := range o.keys {
		if q.busy || len(q.waiting) > 0 {
			kept[name] = q
			delete(o.keys, name)
		}
	}
	o.old, o.keys, o.turned = o.keys, kept, now
}

// run delivers what is next, unless somebody does already. The caller holds mu, which is let go of
// meanwhile.
func (o *orders) run(q *order, dirty *session.Dirty) {
	if q.busy {
		return
	}
	q.busy = true
	for len(q.waiting) > 0 {
		p := q.waiting[0]
		if wait := o.missing(q, p); wait > 0 {
			q.wake(o, wait)
			break
		}
		q.waiting = slices.Delete(q.waiting, 0, 1)
		o.waiting -= p.size
		q.reach(p.number)
		o.mu.Unlock()
		p.deliver(dirty)
		o.mu.Lock()
	}
	q.busy = false
}

// reach notes that a number is delivered, and what is not that was before it.
func (q *order) reach(number uint64) {
	if number <= q.last {
		return // it was skipped
	}
	if q.begun || q.last > 0 {
		for n := max(q.last+1, number-min(number, mostSkipped)); n < number; n++ {
			q.skipped = append(q.skipped, n)
		}
		q.skipped = q.skipped[max(0, len(q.skipped)-mostSkipped):]
	}
	q.begun, q.last = true, number
}

// missed takes a number off those that were not delivered; false: it is none of them.
func (q *order) missed(number uint64) bool {
	i, found := slices.BinarySearch(q.skipped, number)
	if found {
		q.skipped = slices.Delete(q.skipped, i, i+1)
	}
	return found
}

// missing is how long to wait yet for what is before p, the first of those that wait.
func (o *orders) missing(q *order, p *ordered) time.Duration {
	switch {
	case p.number <= q.last+1 || o.waiting > mostInOrder:
		return 0
	case q.begun || q.last > 0:
		// What is missing may be at hand only once the plugin has a process again.
		if since := o.group.opt.Load().Serving; since != nil {
			at := since()
			if at.IsZero() {
				return gapWait
			}
			return gapWait - min(time.Since(p.since), time.Since(at))
		}
		return gapWait - time.Since(p.since)
	}
	first := p.since
	for _, w := range q.waiting {
		if w.since.Before(first) {
			first = w.since
		}
	}
	return firstWait - time.Since(first)
}

// wake runs the key again after a while.
func (q *order) wake(o *orders, after time.Duration) {
	if q.timer != nil {
		q.timer.Stop()
	}
	q.timer = time.AfterFunc(after, func() {
		var dirty session.Dirty
		o.mu.Lock()
		o.run(q, &dirty)
		o.mu.Unlock()
		dirty.Flush()
	})
}
