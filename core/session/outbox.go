package session

import (
	"context"
	"errors"
	"math"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// outbox holds what is to be written to a client, in wire form. Any number of frames that came
// since the last write leave in one. Whoever finds nobody writing writes: without waiting at first,
// in a goroutine of its own when the socket is full, so a client that does not read holds up nobody.
type outbox struct {
	mu      sync.Mutex
	buf     *[]byte       // what waits, not yet being written; nil when nothing does
	writing int           // bytes being written
	busy    bool          // somebody is writing
	stuck   atomic.Bool   // and waits for the socket; read without mu
	taken   chan struct{} // closed when the client has taken the most of what waits; nil: nobody waits for that

	late uint32 // when something came that need not leave at once, see Late; 0: nothing since the last write

	frames, bytes uint64 // queued since Traffic was asked last

	wrote int64  // bytes that the socket took
	notes []note // of frames of which somebody wants to know, in their order

	end       *ending // nil: no close is queued or sent; else nothing more is taken
	abandoned bool    // the connection is over
	counted   int64   // bytes that the budget counts
	marks     marks
}

// ending is how a session ends.
type ending struct {
	code     int
	reason   string
	byClient bool        // it answers the client's
	timer    *time.Timer // ends the session when the client does not answer the close
}

// Buffers above this are not kept for others.
const keepBuffer = 64 << 10

var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 2048); return &b }}

func recycle(b *[]byte) {
	if cap(*b) <= keepBuffer {
		*b = (*b)[:0]
		buffers.Put(b)
	}
}

func (o *outbox) waiting() int {
	n := o.writing
	if o.buf != nil {
		n += len(*o.buf)
	}
	return n
}

// pressed says whether a writer is stuck on the socket: the client's own answers then stop its
// reading.
func (o *outbox) pressed() bool {
	if !o.stuck.Load() { // each frame that is read asks
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.busy && !o.abandoned && o.waiting() > pressure
}

// pressure is how many bytes may wait before a client that does not read is not read either.
const pressure = 64 << 10

// WaitTaken blocks until the client has taken what was sent to it, but for 64 KiB; false when the session
// or ctx ended before.
func (s *Session) WaitTaken(ctx context.Context) bool {
	o := &s.out
	for {
		o.mu.Lock()
		switch {
		case o.abandoned || o.end != nil:
			o.mu.Unlock()
			return false
		case o.waiting() <= pressure:
			o.mu.Unlock()
			return true
		}
		if o.taken == nil {
			o.taken = make(chan struct{})
		}
		taken := o.taken
		o.mu.Unlock()
		select {
		case <-taken:
		case <-ctx.Done():
			return false
		}
	}
}

// hardFactor times the outbox' bound is where even a session's own answers close it.
const hardFactor = 8

// Send queues one frame that answers the client itself: it is taken even when the outbox is full,
// since a client that does not read is not read from either. Nothing of data is kept. The frame
// leaves with the next Flush.
func (s *Session) Send(data []byte, binary bool) error {
	return s.enqueue(data, binary, s.limits.OutboxBytes*hardFactor, Order{}, nil)
}

// SendNoted is Send, of frames that are bounded by whoever sends them: these do not close the session.
// written is called once, also after an error: with true when the socket has taken the frame whole, with
// false when it will not. It must not block.
func (s *Session) SendNoted(data []byte, binary bool, written func(bool)) error {
	err := s.enqueue(data, binary, math.MaxInt, Order{}, written)
	if err != nil {
		written(false)
	}
	return err
}

// Offer queues one frame that the client did not ask for. When there is no room the session is
// closed and ErrSlowConsumer returned. Nothing of data is kept. The frame leaves with the next
// Flush.
func (s *Session) Offer(data []byte, binary bool) error {
	return s.enqueue(data, binary, s.limits.OutboxBytes, Order{}, nil)
}

// OfferIn is Offer of a frame that has a place in an order; [ErrPassed] where that is not above the
// session's mark.
func (s *Session) OfferIn(data []byte, binary bool, at Order) error {
	return s.enqueue(data, binary, s.limits.OutboxBytes, at, nil)
}

func (s *Session) enqueue(data []byte, binary bool, limit int, at Order, written func(bool)) error {
	o := &s.out
	o.mu.Lock()
	if o.end != nil || o.abandoned {
		o.mu.Unlock()
		return ErrClosed
	}
	if at.Key != "" && !o.marks.pass(at) {
		o.mu.Unlock()
		return ErrPassed
	}
	if n := o.waiting(); n > 0 && n+len(data) > limit {
		o.mu.Unlock()
		s.abort(CloseSlowConsumer)
		return ErrSlowConsumer
	}
	b := o.take()
	*b = s.transport.AppendFrame(*b, data, binary)
	o.frames++
	o.bytes += uint64(len(data))
	if written != nil {
		o.notes = append(o.notes, note{o.wrote + int64(o.waiting()), written})
	}
	s.counted()
	o.mu.Unlock()
	s.Note("command", "send", len(data))
	return nil
}

// take returns the waiting buffer, a fresh one if there is none. The caller holds mu.
func (o *outbox) take() *[]byte {
	if o.buf == nil {
		o.buf = buffers.Get().(*[]byte)
	}
	return o.buf
}

// Close ends the session in order: what was sent before is written, then the close frame; the
// client has a while to answer. A code that may not be sent becomes 1011, a long reason is cut. Only
// the first Close counts.
func (s *Session) Close(code int, reason string) {
	if !ValidCode(code) {
		code = CloseInternal.Code
	}
	reason = CutReason(reason)
	o := &s.out
	o.mu.Lock()
	if o.end != nil || o.abandoned {
		o.mu.Unlock()
		return
	}
	s.beginClose(code, reason, s.limits.CloseTimeout)
	b := o.take()
	*b = s.transport.AppendClose(*b, code, reason)
	o.mu.Unlock()
	s.Flush()
	s.window.wakeReader()
}

// beginClose marks the session as closing and bounds the rest of its life. The caller holds out.mu.
func (s *Session) beginClose(code int, reason string, timeout time.Duration) {
	s.out.end = &ending{code: code, reason: reason}
	s.closing.Store(true)
	s.out.end.timer = time.AfterFunc(timeout, func() { s.Ended(code, reason, false) })
}

// ClosedByClient ends the session because of the client's close frame. Where the core has not begun
// to close, what was sent before and an echo of the code are written first; else this was the
// answer that it waited for. code is [NoStatus] when the client gave none.
func (s *Session) ClosedByClient(code int, reason string) {
	o := &s.out
	o.mu.Lock()
	if o.end != nil || o.abandoned {
		o.mu.Unlock()
		s.Ended(code, reason, true)
		return
	}
	s.beginClose(code, reason, s.limits.CloseTimeout)
	o.end.byClient = true
	b := o.take()
	*b = s.transport.AppendClose(*b, code, "")
	o.mu.Unlock()
	s.Flush()
	s.window.wakeReader()
}

// closeWritten is called when a close frame, and all before it, was written.
func (s *Session) closeWritten() {
	_ = s.transport.CloseWrite()
	s.out.mu.Lock()
	byClient := s.out.end.byClient
	s.out.mu.Unlock()
	if byClient {
		s.Ended(CloseLost.Code, CloseLost.Reason, true)
	}
}

// CloseWith closes with an entry of the catalogue.
func (s *Session) CloseWith(c CloseCode) { s.Close(c.Code, c.Reason) }

// abort ends a session whose client does not read: what waits is dropped, and a close frame is
// tried where one fits in. It returns false where the end had begun before.
func (s *Session) abort(c CloseCode) bool {
	o := &s.out
	o.mu.Lock()
	if o.end != nil || o.abandoned {
		o.mu.Unlock()
		return false
	}
	s.beginClose(c.Code, c.Reason, min(abortTimeout, s.limits.CloseTimeout))
	if o.buf != nil {
		recycle(o.buf)
		o.buf = nil
	}
	// Behind a frame that is half written a close frame may follow once that is out.
	b := o.take()
	*b = s.transport.AppendClose(*b, c.Code, c.Reason)
	s.counted()
	lost := o.takeNotes()
	o.mu.Unlock()
	tell(lost, false)
	s.Flush()
	s.window.wakeReader()
	return true
}

// abortTimeout is how long a client that does not read has for the close frame.
const abortTimeout = time.Second

func (o *outbox) closedWith() (code int, reason string, byClient, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.end == nil {
		return 0, "", false, false
	}
	return o.end.code, o.end.reason, o.end.byClient, true
}

// IsClosing says whether the end of the session has begun, by the core or by the client: what a
// client still sends is not taken any more.
func (s *Session) IsClosing() bool { return s.closing.Load() }

func (s *Session) abandon() {
	o := &s.out
	o.mu.Lock()
	o.abandoned = true
	if o.end != nil {
		// It would keep the session for as long as the client may take to answer.
		o.end.timer.Stop()
	}
	if o.buf != nil {
		recycle(o.buf)
		o.buf = nil
	}
	s.counted()
	lost := o.takeNotes()
	o.mu.Unlock()
	tell(lost, false)
}

// Queued is how many bytes wait to be written.
func (s *Session) Queued() int {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	return s.out.waiting()
}

// Control queues bytes already in wire form beside the frames (a pong) and flushes. It is dropped
// when the outbox is full or closing.
func (s *Session) Control(wire []byte) {
	o := &s.out
	o.mu.Lock()
	if o.end != nil || o.abandoned || o.waiting()+len(wire) > s.limits.OutboxBytes {
		o.mu.Unlock()
		return
	}
	b := o.take()
	*b = append(*b, wire...)
	s.counted()
	o.mu.Unlock()
	s.Flush()
}

// Flush writes what waits. It does not block.
func (s *Session) Flush() {
	o := &s.out
	o.mu.Lock()
	if o.busy || o.abandoned || o.buf == nil {
		o.mu.Unlock()
		return
	}
	o.busy = true
	for o.buf != nil && !o.abandoned {
		b := o.buf
		o.buf, o.writing, o.late = nil, len(*b), 0
		o.mu.Unlock()
		n, err := s.transport.TryWrite(*b)
		if err == nil && n < len(*b) {
			o.mu.Lock()
			o.tookLocked(n)
			o.stuck.Store(true)
			o.mu.Unlock()
			go s.drain(b, n)
			return
		}
		recycle(b)
		o.mu.Lock()
		o.tookLocked(n)
		if err != nil {
			o.mu.Unlock()
			s.broken(err)
			return
		}
		s.counted()
	}
	o.busy = false
	last := o.end != nil
	o.mu.Unlock()
	if last {
		s.closeWritten()
	}
}

// drain writes what a full socket did not take, waiting for it, until nothing is left.
func (s *Session) drain(b *[]byte, from int) {
	o := &s.out
	for {
		for from < len(*b) {
			// One chunk at a time, so that a client that reads slowly but does read is kept.
			chunk := (*b)[from:min(from+drainChunk, len(*b))]
			if err := s.transport.SetWriteDeadline(time.Now().Add(s.limits.WriteTimeout)); err != nil {
				recycle(b)
				s.broken(err)
				return
			}
			n, err := s.transport.Write(chunk)
			from += n
			o.mu.Lock()
			o.tookLocked(n)
			s.counted()
			gone := o.abandoned
			o.mu.Unlock()
			if err != nil || gone {
				recycle(b)
				s.broken(err)
				return
			}
			if s.window.waiting.Load() {
				s.window.wakeReader()
			}
		}
		recycle(b)
		o.mu.Lock()
		if o.buf == nil || o.abandoned {
			o.busy = false
			o.stuck.Store(false)
			last := o.end != nil
			o.mu.Unlock()
			s.window.wakeReader()
			if last {
				s.closeWritten()
			}
			return
		}
		b, from = o.buf, 0
		o.buf, o.writing = nil, len(*b)
		o.mu.Unlock()
	}
}

const drainChunk = 64 << 10

// broken ends a session whose connection cannot be written any more.
func (s *Session) broken(err error) {
	o := &s.out
	o.mu.Lock()
	o.busy, o.writing = false, 0
	o.stuck.Store(false)
	s.counted()
	o.mu.Unlock()
	why := CloseLost
	if errors.Is(err, os.ErrDeadlineExceeded) {
		why = CloseWriteTimeout
	}
	s.Ended(why.Code, why.Reason, false)
}
