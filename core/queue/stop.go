package queue

import (
	"slices"
	"time"
)

func sortEntries(list []*Entry) {
	slices.SortFunc(list, func(a, b *Entry) int { return int(int64(a.seq) - int64(b.seq)) })
}

// Stop gives back what is not settled nor being sent, in order. deliver may be called once more by a
// goroutine that was just about to; the entry goes back. It does not block.
func (c *Consumption) Stop() {
	c.mu.Lock()
	if c.stopped {
		c.mu.Unlock()
		return
	}
	c.stopped = true
	for e := range c.held {
		switch {
		case !e.acked.IsZero():
			c.removeLocked(e)
			if c.last == nil || e.seq > c.last.seq {
				c.last = e
			}
		case !e.sending:
			c.removeLocked(e)
			c.back = append(c.back, e)
		}
	}
	c.answeredLocked()
	c.allowance.leave(c)
	if c.soon != nil {
		c.soon.Stop()
	}
	sub := c.sub
	c.mu.Unlock()
	// The server is not to give them here again, and those that are on their way come after them. Until
	// all have gone back nobody else here asks for what comes behind them.
	c.topic.drain(1)
	if sub == nil {
		c.end()
		return
	}
	sub.SetClosedHandler(func(string) { c.end() })
	if err := sub.Drain(); err != nil {
		c.end()
	}
}

// end gives back what was stopped, when the server gives nothing more.
func (c *Consumption) end() {
	c.store.wg.Go(func() {
		for back := c.takeBack(); len(back) > 0; back = c.takeBack() {
			sortEntries(back)
			for _, e := range back[:len(back)-1] {
				c.say(e, nak)
			}
			// The server takes questions and what is said of entries by two ways: when it has answered
			// this, nobody who asks is given what comes behind.
			_, _ = c.store.nc.Request(back[len(back)-1].reply, []byte(nak), backTimeout) // else it goes back later
		}
		if c.last != nil { // behind this nothing is in doubt
			_, _ = c.store.nc.Request(c.last.reply, []byte(ack), backTimeout)
		}
		c.topic.drain(-1)
	})
}

// takeBack returns what is to go back; nothing when that was all.
func (c *Consumption) takeBack() []*Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	back := c.back
	c.back = nil
	if c.ended = len(back) == 0; c.ended {
		c.forgetLocked()
	}
	return back
}

// backTimeout is how long it may take until entries are back.
const backTimeout = time.Second

func (c *Consumption) removeLocked(e *Entry) {
	delete(c.held, e)
	if !e.acked.IsZero() {
		delete(c.acked, e.seq)
	}
	c.allowance.give(e.bytes)
	if e.large {
		c.allowance.giveTurn(c)
	}
	c.forgetLocked()
}

// forgetLocked lets go of a consumption that has nothing more to do.
func (c *Consumption) forgetLocked() {
	if c.ended && len(c.held) == 0 {
		t := c.topic
		t.mu.Lock()
		_, known := t.consumptions[c]
		delete(t.consumptions, c)
		t.mu.Unlock()
		if known {
			c.allowance.letGo()
		}
	}
}

func (t *topic) isDraining() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.draining > 0
}

func (t *topic) drain(n int) {
	t.mu.Lock()
	t.draining += n
	over := t.draining == 0
	t.mu.Unlock()
	if !over {
		return
	}
	for _, c := range t.all() {
		c.mu.Lock()
		c.refillLocked()
		c.mu.Unlock()
	}
}
