package session

import (
	"sync"
	"sync/atomic"
)

// window counts what a client has in flight: events not yet acked and calls not yet answered, and
// the bytes of both. While it is full the reader waits.
type window struct {
	events atomic.Int32
	bytes  atomic.Int64

	waiting atomic.Bool // the reader waits, or is about to
	mu      sync.Mutex
	cond    *sync.Cond // made by the first reader that has to wait
}

// Hold counts one event or call of n bytes in the session's window.
func (s *Session) Hold(n int) {
	s.window.events.Add(1)
	s.window.bytes.Add(int64(n))
}

// Release takes it off again.
func (s *Session) Release(n int) {
	s.window.events.Add(-1)
	s.window.bytes.Add(-int64(n))
	if s.window.waiting.Load() {
		s.window.wakeReader()
	}
}

// InFlight is the number of events and calls in the window.
func (s *Session) InFlight() int { return int(s.window.events.Load()) }

// Readable says whether the reader may take another frame: the window has room, and the client
// takes what it is sent. A session that is closing is read for the client's close frame.
func (s *Session) Readable() bool {
	return s.window.events.Load() < int32(s.limits.WindowEvents) &&
		s.window.bytes.Load() < int64(s.limits.WindowBytes) &&
		!s.out.pressed() ||
		s.closing.Load()
}

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
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cond == nil {
		w.cond = sync.NewCond(&w.mu)
	}
	w.waiting.Store(true)
	defer w.waiting.Store(false)
	for !ready() && !s.ended.Load() {
		w.cond.Wait()
	}
	return !s.ended.Load()
}

func (w *window) wakeReader() {
	w.mu.Lock()
	if w.cond != nil {
		w.cond.Broadcast()
	}
	w.mu.Unlock()
}
