package session

import (
	"slices"
	"sync"
	"time"
)

// Late sees that what need not leave at once does leave: with what its session is sent next, or by itself.
// A write for a confirmation behind which an answer comes costs as much as that for the answer. Where little
// comes it waits for one to two ticks only; where much does, and so an answer takes its time, for more. The
// zero Late is ready; it is safe for concurrent use.
type Late struct {
	mu     sync.Mutex // guards what follows; taken before an outbox', never behind it
	period uint32     // counts ticks, from 1
	queue  []lateOne  // in the order in which they came
	added  int        // in this period
	recent int        // in it and those before, each of which counts three quarters of the one behind it; in 16ths
	timer  *time.Timer
	ticks  bool
}

type lateOne struct {
	session *Session
	period  uint32 // in which it came
}

const (
	lateTick = 2 * time.Millisecond
	lateMuch = 8 // so many recent ones are much, as are two in each tick
	lateMost = 8 // and then it waits for so many ticks, and one
)

// Add has a session flushed in a while to which something was sent just now.
func (l *Late) Add(s *Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ticks {
		l.ticks = true
		l.period++
		if l.timer == nil {
			l.timer = time.AfterFunc(lateTick, l.tick)
		} else {
			l.timer.Reset(lateTick)
		}
	}
	period := l.period
	l.queue = append(l.queue, lateOne{s, period})
	l.added++

	// Marked before a tick can look at it: one that found no mark would leave it unwritten for good.
	o := &s.out
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.late == 0 {
		o.late = period
	}
}

// tick ends a period.
func (l *Late) tick() {
	l.mu.Lock()
	l.recent = l.recent*3/4 + l.added*16
	age := uint32(1)
	if l.recent >= lateMuch*16 {
		age = lateMost
	}
	until := int64(l.period) - int64(age) // what came in that period or before is due
	n := 0
	for n < len(l.queue) && int64(l.queue[n].period) <= until {
		n++
	}
	due := slices.Clone(l.queue[:n])
	l.queue = slices.Delete(l.queue, 0, n)
	l.period++
	l.added = 0
	if l.ticks = len(l.queue) > 0; l.ticks {
		l.timer.Reset(lateTick)
	}
	l.mu.Unlock()
	for _, d := range due {
		if d.session.out.lateSince(until) {
			d.session.Flush()
		}
	}
}

// lateSince says whether something waits that came in a period or before. What came later has its own turn.
func (o *outbox) lateSince(period int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.late != 0 && int64(o.late) <= period
}
