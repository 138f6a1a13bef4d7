package sdk

import (
	"context"
	"time"
)

const (
	// stallAfter is how long the run queue may stand still, because handlers block, before another
	// lane is put to it.
	stallAfter = time.Millisecond
	// stallMemory is how long after that idle lanes are woken at once.
	stallMemory = 100 * time.Millisecond
	// laneIdle is how long a lane that is not needed stays.
	laneIdle = time.Second
	maxLanes = 256
)

// lane is a goroutine that runs actors. One is enough for handlers that do not block.
type lane struct {
	next *lane // among the idle
	wake chan struct{}
	turn turn
}

// enqueue puts an actor at the end of the run queue. The caller holds mu.
func (l *link) enqueue(a *actor) {
	if l.runTail == nil {
		l.runHead = a
	} else {
		l.runTail.next = a
	}
	l.runTail = a
}

// rouse sees that the run queue is being worked at. The caller holds mu.
func (l *link) rouse() {
	active := l.lanes - l.idleN
	switch {
	case active == 0, active < l.procs:
		l.addLane()
	case l.idleN > 0 && time.Since(l.stalled) < stallMemory:
		l.addLane()
	}
	if !l.watching {
		l.watching = true
		l.seen = l.moved
		if l.watch == nil {
			l.watch = time.AfterFunc(stallAfter, l.look)
		} else {
			l.watch.Reset(stallAfter)
		}
	}
}

// addLane wakes an idle lane or starts one. The caller holds mu.
func (l *link) addLane() {
	if ln := l.idle; ln != nil {
		l.idle, ln.next = ln.next, nil
		l.idleN--
		ln.wake <- struct{}{}
		return
	}
	if l.lanes < maxLanes && !l.stopped {
		l.lanes++
		ln := &lane{wake: make(chan struct{}, 1)}
		ln.turn.link = l
		go l.run(ln)
	}
}

// look is called while work waits: when none of it was begun since the last time, the lanes are
// blocked in handlers and another is needed.
func (l *link) look() {
	stuck := l.out.stuck()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runHead == nil || l.stopped {
		l.watching = false
		return
	}
	if l.moved == l.seen && !stuck {
		l.stalled = time.Now()
		l.addLane()
	}
	l.seen = l.moved
	l.watch.Reset(stallAfter)
}

// run is a lane's goroutine: it takes the actor at the head of the queue, handles all its mail, and
// puts it back at the end when more has come meanwhile.
func (l *link) run(ln *lane) {
	l.mu.Lock()
	for {
		a := l.runHead
		if a == nil || l.stopped {
			if l.stopped || !l.park(ln) {
				l.lanes--
				l.settle()
				l.mu.Unlock()
				return
			}
			continue
		}
		l.runHead, a.next = a.next, nil
		if l.runHead == nil {
			l.runTail = nil
		}
		l.moved++
		first, last := a.head, a.tail
		a.head, a.tail = nil, nil
		l.mu.Unlock()

		n := 0
		for e := first; e != nil; e = e.next {
			ln.turn.handle(a, e)
			e.drop()
			n++
		}

		l.mu.Lock()
		if l.freeN < keepNodes {
			last.next = l.free
			l.free = first
			l.freeN += n
		}
		if a.head != nil {
			l.enqueue(a)
		} else {
			a.queued = false
		}
	}
}

// park waits for work; false means that the lane is to end. The caller holds mu.
func (l *link) park(ln *lane) bool {
	ln.next, l.idle = l.idle, ln
	l.idleN++
	l.settle()
	var late <-chan time.Time
	if l.lanes > 1 {
		t := time.NewTimer(laneIdle)
		defer t.Stop()
		late = t.C
	}
	l.mu.Unlock()
	select {
	case <-ln.wake:
		l.mu.Lock()
		return true
	case <-late:
	}
	l.mu.Lock()
	for at := &l.idle; *at != nil; at = &(*at).next {
		if *at == ln {
			*at = ln.next
			l.idleN--
			// The last one stays, but waits without a timer from now on.
			return l.lanes == 1
		}
	}
	<-ln.wake // it was woken just then
	return true
}

// settle tells drain when nothing runs any more. The caller holds mu.
func (l *link) settle() {
	if l.idleN == l.lanes {
		l.quiet.Broadcast()
	}
}

// drain waits until all events were handled; false when the link's context ended before that.
func (l *link) drain() bool {
	defer context.AfterFunc(l.ctx, func() {
		l.mu.Lock()
		l.quiet.Broadcast()
		l.mu.Unlock()
	})()
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.runHead != nil || l.idleN < l.lanes {
		if l.ctx.Err() != nil {
			return false
		}
		l.quiet.Wait()
	}
	return true
}

// stop ends the lanes that wait; those in a handler end after it.
func (l *link) stop() {
	l.cancel()
	l.out.abandon()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	if l.watch != nil {
		l.watch.Stop()
	}
	for l.idle != nil {
		l.addLane()
	}
}
