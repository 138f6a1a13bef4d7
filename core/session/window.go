package session

import (
	"sync"
	"sync/atomic"
	"time"
)

// window counts what a client has in flight: events not yet acked and calls not yet answered, and
// the bytes of both. While it is full the reader waits.
type window struct {
	events atomic.Int32
	bytes  atomic.Int64

	paused  atomic.Bool // the plugin wants nothing read
	waiting atomic.Bool // the reader waits, or is about to
	mu      sync.Mutex
	waiter  *waiter // made when the reader has to wait for the first time
}

// waiter is what the reader waits with.
type waiter struct {
	sync.Cond
	timer *time.Timer // wakes it; made when it waits for a time
}

// Hold counts one event or call of n bytes in the session's window.
func (s *Session) Hold(n int) {
	s.window.events.Add(1)
	now := s.window.bytes.Add(int64(n))
	s.limits.Budget.windowed(now-int64(n), now)
}

// Release takes it off again.
func (s *Session) Release(n int) {
	s.window.events.Add(-1)
	now := s.window.bytes.Add(-int64(n))
	s.limits.Budget.windowed(now+int64(n), now)
	if s.window.waiting.Load() {
		s.window.wakeReader()
	}
}

// InFlight is the number of events and calls in the window.
func (s *Session) InFlight() int { return int(s.window.events.Load()) }

// SetPaused stops the reader before its next frame, or lets it go on.
func (s *Session) SetPaused(on bool) {
	s.window.paused.Store(on)
	if !on && s.window.waiting.Load() {
		s.window.wakeReader()
	}
}

// Readable says whether the reader may take another frame: the window has room, the plugin wants it, the
// client takes what it is sent, the node has room, and nobody stopped it. A session that is closing is
// read for the client's close frame.
func (s *Session) Readable() bool {
	return s.window.events.Load() < int32(s.limits.WindowEvents) &&
		s.window.bytes.Load() < int64(s.limits.WindowBytes) &&
		!s.window.paused.Load() && !s.out.pressed() && !s.limits.Budget.Full() && !s.halted.Load() ||
		s.closing.Load()
}

// StopReading has the reader take no further frames, but for one that it may be at: so what is in
// flight comes to an end. The session is to be closed then.
func (s *Session) StopReading() { s.halted.Store(true) }

// WaitReadable blocks until the session is readable; it returns false when it has ended.
func (s *Session) WaitReadable() bool {
	if s.Readable() { // without a closure
		return !s.ended.Load()
	}
	return s.wait(s.Readable)
}

// wait blocks until ready or the session's end, which makes it false.
func (s *Session) wait(ready func() bool) bool {
	w := &s.window
	w.lock()
	defer w.mu.Unlock()
	w.waiting.Store(true)
	defer w.waiting.Store(false)
	for !ready() && !s.ended.Load() {
		if s.limits.Budget.Full() {
			w.wakeAfter(budgetTick) // nobody says when there is room
		}
		w.waiter.Wait()
	}
	return !s.ended.Load()
}

// budgetTick is how often a reader looks whether the budget has room.
const budgetTick = 10 * time.Millisecond

// Pause blocks for a time, or until the session's end has begun; it returns false when it has ended.
// It is for the reader.
func (s *Session) Pause(d time.Duration) bool {
	w := &s.window
	w.lock()
	defer w.mu.Unlock()
	until := time.Now().Add(d)
	for !s.closing.Load() && !s.ended.Load() {
		left := time.Until(until)
		if left <= 0 {
			break
		}
		w.wakeAfter(left)
		w.waiter.Wait()
	}
	if t := w.waiter.timer; t != nil {
		t.Stop()
	}
	return !s.ended.Load()
}

func (w *window) lock() {
	w.mu.Lock()
	if w.waiter == nil {
		w.waiter = &waiter{Cond: sync.Cond{L: &w.mu}}
	}
}

// wakeAfter wakes the reader in a while. The caller holds mu.
func (w *window) wakeAfter(d time.Duration) {
	if t := w.waiter.timer; t != nil {
		t.Reset(d)
		return
	}
	w.waiter.timer = time.AfterFunc(d, w.wakeReader)
}

func (w *window) wakeReader() {
	w.mu.Lock()
	if w.waiter != nil {
		w.waiter.Broadcast()
	}
	w.mu.Unlock()
}
