package listen

import (
	"bytes"
	"sync"
	"time"
)

// Whose turn it is to read a connection that has a poller: nobody's, until something comes; somebody's,
// the poller's or that of a goroutine of the connection's own; or somebody's who has to look once more
// before it rests, because something came, or the connection was closed, meanwhile.
const (
	atRest int32 = iota
	reading
	called
)

// claim makes the caller the one that reads, or has the one that does look again.
func (c *conn) claim() bool {
	for {
		switch c.turn.Load() {
		case atRest:
			if c.turn.CompareAndSwap(atRest, reading) {
				return true
			}
		case reading:
			if c.turn.CompareAndSwap(reading, called) {
				return false
			}
		default:
			return false
		}
	}
}

// rest ends the caller's turn; false when it has to look again.
func (c *conn) rest() bool {
	if c.turn.CompareAndSwap(reading, atRest) {
		return true
	}
	c.turn.Store(reading)
	return false
}

// hear notes that something came.
func (c *conn) hear(now time.Time) {
	c.heard.Store(int64(now.Sub(c.srv.began)))
	c.sess.CameAt(now)
}

// start has a connection read whose session has just been made. early is what came already.
func (c *conn) start(early []byte) {
	c.hear(time.Now())
	c.srv.roster.add(c)
	v := goOn
	if c.poller != nil && (c.net.SetReadDeadline(time.Time{}) != nil || c.poller.add(c) != nil) {
		v = over // it was closed
	}
	if v == goOn && len(early) == 0 && c.poller != nil && c.rest() {
		return
	}
	// A fresh goroutine: this one's stack has grown and would stay so.
	go c.serve(early, v)
}

// burst is what is read at once.
type burst [32 << 10]byte

var bursts = sync.Pool{New: func() any { return new(burst) }}

// serve reads where the poller cannot: what it has to wait for, what is to be drained, and connections
// without one. data is yet to be fed, and the goroutine's own.
func (c *conn) serve(data []byte, v verdict) {
	r := reader{c: c}
	resting := false
	defer func() {
		if p := recover(); p != nil {
			c.srv.panicked(c, p)
			c.discard()
		}
		r.free()
		if !resting {
			c.end()
		}
	}()
	resting = r.run(data, v)
}

// reader is a goroutine that reads one connection.
type reader struct {
	c     *conn
	burst *burst // nil: none is held
	small []byte // of one without a poller, which waits in it
	full  bool   // the last read filled its buffer: there is more, as far as one can tell
}

func (r *reader) free() {
	if r.burst != nil {
		bursts.Put(r.burst)
		r.burst = nil
	}
}

// run reads until the connection is over, which makes it false, or at rest.
func (r *reader) run(data []byte, v verdict) (resting bool) {
	c := r.c
	for {
		switch {
		case v == over:
			return false
		case v == drain:
			r.free()
			c.discard()
			return false
		case v == pause:
			if r.burst != nil { // as long as it waits it holds no more than it has to
				data = bytes.Clone(data)
				r.free()
			}
			if v = goOn; !c.await() {
				return false
			}
		case len(data) > 0:
			var used int
			used, v = c.feed(data)
			data = data[used:]
		default:
			if data, v = r.read(); len(data) == 0 && v == goOn && c.rest() {
				return true
			}
		}
	}
}

// read reads what is there, or waits for it where there is no poller to do so.
func (r *reader) read() (data []byte, v verdict) {
	c := r.c
	var in []byte
	switch {
	case c.poller != nil || r.full:
		if r.burst == nil {
			r.burst = bursts.Get().(*burst)
		}
		in = r.burst[:]
	default:
		r.free()
		if r.small == nil {
			r.small = make([]byte, 512)
		}
		in = r.small
	}
	var n int
	var err error
	if c.poller != nil {
		n, err = tryRead(c.raw, in)
	} else {
		n, err = c.net.Read(in)
	}
	if n == 0 && err != nil {
		c.lost()
		return nil, over
	}
	if r.full = n == len(in); n > 0 {
		c.hear(time.Now())
	}
	return in[:n], goOn
}

// discard reads and drops until the connection is over.
func (c *conn) discard() {
	buf := messages.Get().(*[]byte)
	defer freeMessage(buf)
	for {
		if _, err := c.net.Read((*buf)[:cap(*buf)]); err != nil {
			c.lost()
			return
		}
	}
}
