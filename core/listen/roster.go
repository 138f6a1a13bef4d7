package listen

import (
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

// roster is the WebSockets of a server. It finds those that are silent for too long: one goroutine looks
// at all of them now and then, so that an idle one needs no timer and a busy one no deadline.
type roster struct {
	mu    sync.RWMutex
	slots []*conn
	free  []uint32
	last  uint32 // generation of the last one that came

	stop chan struct{}
}

// place is where a connection stands in the roster. The generation is never 0 and tells it from those
// that stood there before.
type place struct{ slot, generation uint32 }

func (r *roster) add(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last++; r.last == 0 {
		r.last++
	}
	c.place = place{uint32(len(r.slots)), r.last}
	if n := len(r.free); n > 0 {
		c.place.slot = r.free[n-1]
		r.free = r.free[:n-1]
		r.slots[c.place.slot] = c
		return
	}
	r.slots = append(r.slots, c)
}

// remove takes a connection out, if it is in.
func (r *roster) remove(c *conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p := c.place; p.generation != 0 {
		r.slots[p.slot] = nil
		r.free = append(r.free, p.slot)
	}
}

// find appends the connections at some places to dst; those that have gone are left out.
func (r *roster) find(dst []*conn, places []place) []*conn {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, p := range places {
		if c := r.slots[p.slot]; c != nil && c.place.generation == p.generation {
			dst = append(dst, c)
		}
	}
	return dst
}

// sweepShare is which part of the shorter of the two times a silence may be noticed late.
const sweepShare = 8

// watch looks for silence until the server has ended.
func (s *Server) watch() {
	if s.cfg.PingInterval < 0 {
		return
	}
	go func() {
		tick := time.NewTicker(max(min(s.cfg.PingInterval, s.cfg.PongTimeout)/sweepShare, time.Millisecond))
		defer tick.Stop()
		var some []*conn
		for {
			select {
			case <-s.roster.stop:
				return
			case <-tick.C:
			}
			for from := 0; from >= 0; {
				if some, from = s.roster.some(some[:0], from); from < 0 {
					break
				}
				now := time.Since(s.began)
				for _, c := range some {
					c.look(now)
				}
			}
			clear(some[:cap(some)])
		}
	}()
}

// some appends connections from a slot on; next is where to go on, negative behind the last.
func (r *roster) some(dst []*conn, from int) (list []*conn, next int) {
	const many = 1024
	r.mu.RLock()
	defer r.mu.RUnlock()
	if from >= len(r.slots) {
		return dst, -1
	}
	next = min(from+many, len(r.slots))
	for _, c := range r.slots[from:next] {
		if c != nil {
			dst = append(dst, c)
		}
	}
	return dst, next
}

// unanswered is the pinged of a connection that was closed for it.
const unanswered = -1

// look sends a client that is silent a ping, and closes it when it stays so.
func (c *conn) look(now time.Duration) {
	heard := c.heard.Load()
	switch {
	case c.waits.Load() || c.pinged == unanswered:
	case c.pinged == 0 || heard >= c.pinged:
		c.pinged = 0
		if int64(now)-heard >= int64(c.srv.cfg.PingInterval) {
			c.pinged = max(int64(now), 1)
			c.sess.Control([]byte{final | opPing, 0})
		}
	case int64(now)-c.pinged >= int64(c.srv.cfg.PongTimeout):
		c.pinged = unanswered
		c.sess.CloseWith(session.CloseIdle)
	}
}
