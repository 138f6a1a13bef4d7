package core

import (
	"container/heap"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
)

// expiries closes sessions when the proof of who their clients are runs out. One timer does for all.
type expiries struct {
	mu    sync.Mutex // guards what follows
	queue expiryQueue
	timer actor.Stopper // for the first of the queue; nil: none
	due   int64         // when it fires
}

// expiry is when a session ends, in ns since 1970.
type expiry struct {
	at      int64
	session *session.Session
}

// set replaces when the session ends; the zero time is never.
func (x *expiries) set(clock actor.Clock, s *session.Session, at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropLocked(s)
	if at.IsZero() || s.HasEnded() {
		return
	}
	heap.Push(&x.queue, expiry{at.UnixNano(), s})
	x.armLocked(clock)
}

// drop forgets a session.
func (x *expiries) drop(s *session.Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropLocked(s)
}

// dropLocked leaves the timer to others, if there are any: it finds that it came too early.
func (x *expiries) dropLocked(s *session.Session) {
	i, ok := x.queue.place[s]
	if !ok {
		return
	}
	heap.Remove(&x.queue, i)
	if len(x.queue.list) == 0 && x.timer != nil {
		x.timer.Stop()
		x.timer = nil
	}
}

// armLocked has the timer fire for the first of the queue.
func (x *expiries) armLocked(clock actor.Clock) {
	if len(x.queue.list) == 0 {
		return
	}
	at := x.queue.list[0].at
	if x.timer != nil {
		if x.due <= at {
			return
		}
		x.timer.Stop()
	}
	x.due = at
	x.timer = clock.AfterFunc(max(time.Unix(0, at).Sub(clock.Now()), 0), func() { x.fire(clock, at) })
}

// fire closes those whose time has come. due is for when it was set.
func (x *expiries) fire(clock actor.Clock, due int64) {
	var over []*session.Session
	x.mu.Lock()
	if x.timer != nil && x.due == due { // else another was set meanwhile
		x.timer = nil
	}
	now := max(clock.Now().UnixNano(), due)
	for len(x.queue.list) > 0 && x.queue.list[0].at <= now {
		over = append(over, heap.Pop(&x.queue).(expiry).session)
	}
	x.armLocked(clock)
	x.mu.Unlock()
	for _, s := range over {
		s.CloseWith(session.CloseExpired)
	}
}

// expiryQueue implements [heap.Interface], and knows where each session is.
type expiryQueue struct {
	list  []expiry
	place map[*session.Session]int
}

func (q *expiryQueue) Len() int           { return len(q.list) }
func (q *expiryQueue) Less(i, j int) bool { return q.list[i].at < q.list[j].at }

func (q *expiryQueue) Swap(i, j int) {
	q.list[i], q.list[j] = q.list[j], q.list[i]
	q.place[q.list[i].session], q.place[q.list[j].session] = i, j
}

func (q *expiryQueue) Push(x any) {
	if q.place == nil {
		q.place = make(map[*session.Session]int)
	}
	e := x.(expiry)
	q.place[e.session] = len(q.list)
	q.list = append(q.list, e)
}

func (q *expiryQueue) Pop() any {
	last := len(q.list) - 1
	e := q.list[last]
	q.list[last] = expiry{}
	q.list = q.list[:last]
	delete(q.place, e.session)
	return e
}
