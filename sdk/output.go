package sdk

import (
	"runtime"
	"sync"

	"github.com/protocol-bridge/bridge/proto/wire"
)

// maxWaiting is how many bytes of steps may wait for the core before handlers wait as well.
const maxWaiting = 8 * wire.MaxBatch

// output gathers steps into batches and sends them: whatever waits goes in one. Any lane adds, one
// goroutine writes.
type output struct {
	wake chan struct{} // holds one

	mu     sync.Mutex
	room   sync.Cond // on mu: bytes were taken away
	buf    []byte    // the batch being filled
	cut    [][]byte  // full ones before it
	bytes  int       // in all of them
	asleep bool      // the writer waits to be woken
	ended  bool      // nothing more is added
	broken bool      // nothing more is sent
}

func (o *output) init() {
	o.wake = make(chan struct{}, 1)
	o.room.L = &o.mu
	o.buf = wire.NewBuffer()
	o.asleep = true
}

// add appends a step. It waits while the core takes nothing. An error is about this step; nothing of
// it was added.
func (o *output) add(s *wire.Step) error {
	o.mu.Lock()
	for o.bytes > maxWaiting && !o.broken {
		o.room.Wait()
	}
	if o.broken || o.ended {
		o.mu.Unlock()
		return nil
	}
	before := len(o.buf)
	b, err := wire.AppendStep(o.buf, s)
	if err != nil {
		o.mu.Unlock()
		return err
	}
	o.bytes += len(b) - before
	o.buf = b
	if before > 0 && len(b) > wire.MaxBatch {
		o.cut = append(o.cut, b[:before:before])
		o.buf = append(wire.NewBuffer(), b[before:]...)
	}
	wake := o.asleep
	o.asleep = false
	o.mu.Unlock()
	if wake {
		o.wake <- struct{}{}
	}
	return nil
}

// stuck says whether handlers wait for the core rather than for something of their own.
func (o *output) stuck() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes > maxWaiting
}

// close lets the writer end once everything is sent.
func (o *output) close() {
	o.mu.Lock()
	o.ended = true
	wake := o.asleep
	o.asleep = false
	o.mu.Unlock()
	if wake {
		o.wake <- struct{}{}
	}
}

// abandon ends the writer; what waits is dropped.
func (o *output) abandon() {
	o.mu.Lock()
	o.broken = true
	o.room.Broadcast()
	o.mu.Unlock()
	o.close()
}

// write sends until close or abandon, or the first error.
func (o *output) write(stream Stream) error {
	for range o.wake {
		for {
			// Whoever is ready to run now has more to send: what it adds goes into the same batch. This
			// is worth several times the rate under load, and costs nothing without.
			runtime.Gosched()
			cut, last, more := o.take()
			for _, b := range cut {
				if err := stream.Send(&wire.Batch{B: b}); err != nil {
					o.abandon()
					return err
				}
			}
			if last == nil {
				if !more {
					return nil
				}
				break
			}
			if err := stream.Send(&wire.Batch{B: last}); err != nil {
				o.abandon()
				return err
			}
		}
	}
	return nil
}

// take takes what waits; last is nil when nothing does, and the writer is then to sleep, or to end
// unless there may be more.
func (o *output) take() (cut [][]byte, last []byte, more bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.broken:
		return nil, nil, false
	case len(o.buf) == 0:
		o.asleep = !o.ended
		return nil, nil, !o.ended
	}
	cut, last = o.cut, o.buf
	o.cut, o.buf = nil, wire.NewBuffer()
	if o.bytes > maxWaiting {
		o.room.Broadcast()
	}
	o.bytes = 0
	return cut, last, true
}
