package listen

import (
	"encoding/binary"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/core/session"
)

// verdict is what is to become of a connection's reading.
type verdict uint8

const (
	goOn  verdict = iota // there may be more
	pause                // not before [conn.await] says so
	drain                // nothing counts any more, but it has to be read to its end
	over                 // it has ended
)

// part is what there is of a frame, or of a message, of which more must come.
type part struct {
	scrap  [6 + short]byte // the beginning of a frame, of which not even the head is there, or which is a control frame
	scraps int             // bytes of that

	inside bool   // of a frame of data
	last   bool   // that is the last one of its message
	size   uint64 // of the frame that it is in, announced
	left   uint64
	key    [4]byte // the mask from here on

	message  *[]byte // nil: none has begun
	isBinary bool
	packed   bool // it is compressed
}

var parts = sync.Pool{New: func() any { return new(part) }}

// parted returns what there is of a frame or message, if need be of one that begins.
func (c *conn) parted() *part {
	if c.part == nil {
		c.part = parts.Get().(*part)
	}
	return c.part
}

// tidy lets go of what there is of a message, if there is nothing.
func (c *conn) tidy() {
	if p := c.part; p != nil && p.scraps == 0 && p.message == nil {
		*p = part{}
		parts.Put(p)
		c.part = nil
	}
}

// begun says whether a message has begun that is not complete.
func (c *conn) begun() bool { return c.part != nil && c.part.message != nil }

// forget frees what has come of a message that will not be complete.
func (c *conn) forget() {
	if p := c.part; p != nil {
		if p.message != nil {
			freeMessage(p.message)
		}
		c.part = nil
	}
	if c.sess != nil {
		c.sess.Reading(0)
	}
}

// feed takes what came, in pieces of any size, and hands on the messages that are whole. It does not
// wait: unless the verdict is goOn it may leave something, which is to be fed again. b is unmasked where
// it lies; nothing of it is kept.
func (c *conn) feed(b []byte) (used int, v verdict) {
	size := len(b)
	for len(b) > 0 && v == goOn {
		var n int
		switch p := c.part; {
		case p != nil && p.inside:
			n, v = c.fill(b)
		case p != nil && p.scraps > 0:
			n, v = c.patch(b)
		default:
			n, v = c.take(b)
		}
		b = b[n:]
	}
	return size - len(b), v
}

// take takes the frame that b begins with. One that is whole, as nearly all are, is handed on from where
// it lies.
func (c *conn) take(b []byte) (used int, v verdict) {
	f, need, why := c.headOf(b)
	switch {
	case why != nil:
		return 0, c.refuse(*why)
	case need > 0, f.control() && !f.whole(b):
		p := c.parted()
		p.scraps = copy(p.scrap[:], b)
		return len(b), goOn
	case f.control():
		whole := f.head + int(f.size)
		return whole, c.control(f, b[:whole])
	case f.flags == final && f.op != opMore && f.whole(b):
		whole := f.head + int(f.size)
		payload := b[f.head:whole]
		unmask(payload, [4]byte(b[f.head-4:]))
		return whole, c.deliver(payload, f.op == opBinary)
	}
	return f.head, c.enter(f, [4]byte(b[f.head-4:]))
}

// patch takes more of a frame of which there is a scrap.
func (c *conn) patch(b []byte) (used int, v verdict) {
	p := c.part
	before := p.scraps
	p.scraps += copy(p.scrap[before:], b)
	s := p.scrap[:p.scraps]
	f, need, why := c.headOf(s)
	switch {
	case why != nil:
		return 0, c.refuse(*why)
	case need > 0, f.control() && !f.whole(s):
		return p.scraps - before, goOn
	}
	p.scraps = 0
	if f.control() {
		whole := f.head + int(f.size)
		v = c.control(f, s[:whole])
		c.tidy()
		return whole - before, v
	}
	return f.head - before, c.enter(f, [4]byte(s[f.head-4:]))
}

// enter begins a frame of data whose payload is put together.
func (c *conn) enter(f frame, key [4]byte) verdict {
	p := c.parted()
	if f.op != opMore {
		p.message, p.isBinary, p.packed = messages.Get().(*[]byte), f.op == opBinary, f.packed()
		*p.message = (*p.message)[:0]
	}
	p.inside, p.last, p.size, p.left, p.key = true, f.final(), f.size, f.size, key
	if f.size == 0 {
		return c.leave()
	}
	return goOn
}

// fill takes more of a frame's payload. What it allocates follows what came, not what was announced.
func (c *conn) fill(b []byte) (used int, v verdict) {
	p := c.part
	n := int(min(p.left, uint64(len(b))))
	m, had := *p.message, cap(*p.message)
	at := len(m)
	m = append(m, b[:n]...)
	*p.message = m
	unmask(m[at:], p.key)
	for i, key := 0, p.key; i < len(key); i++ {
		p.key[i] = key[(i+n)&3]
	}
	if p.left -= uint64(n); p.left == 0 {
		return n, c.leave()
	}
	if cap(m) > had {
		c.sess.Reading(cap(m))
	} else {
		c.sess.Reading(len(m))
	}
	return n, goOn
}

// leave ends a frame of data, and with the last one its message.
func (c *conn) leave() verdict {
	p := c.part
	p.inside = false
	if !p.last {
		c.sess.Reading(len(*p.message))
		if p.size == 0 {
			return c.ready() // the most that a message may have does not bound how many of these come
		}
		return goOn // the rate counts messages
	}
	whole, isBinary, packed := p.message, p.isBinary, p.packed
	p.message = nil
	c.tidy()
	defer freeMessage(whole)
	if packed {
		return c.deliverPacked(whole, isBinary)
	}
	c.sess.Reading(0)
	return c.deliver(*whole, isBinary)
}

// control answers a ping, or a close. b is the whole frame.
func (c *conn) control(f frame, b []byte) verdict {
	payload := b[f.head:]
	unmask(payload, [4]byte(b[f.head-4:]))
	switch f.op {
	case opPing:
		c.pong(payload)
	case opClose:
		return c.closed(payload)
	}
	return c.ready()
}

// closed ends the session as the client says.
func (c *conn) closed(payload []byte) verdict {
	code, reason := session.NoStatus, ""
	if len(payload) > 0 {
		if len(payload) == 1 {
			return c.refuse(session.CloseProtocol)
		}
		code, reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
		switch {
		case !session.ValidCode(code):
			return c.refuse(session.CloseProtocol)
		case !utf8.ValidString(reason):
			return c.refuse(session.CloseInvalidText)
		}
	}
	c.sess.ClosedByClient(code, reason)
	return drain // what waits to be written may take a while; the end of the session ends this
}

// deliver hands a message on.
func (c *conn) deliver(data []byte, isBinary bool) verdict {
	if !isBinary && !utf8.Valid(data) {
		return c.refuse(session.CloseInvalidText)
	}
	if c.sess.IsClosing() {
		return goOn // only the client's close frame is waited for
	}
	c.sess.Frame(data, isBinary)
	return c.ready()
}

// ready says whether another frame may be read at once.
func (c *conn) ready() verdict {
	if c.owed = c.owe(); c.owed > 0 || !c.sess.Readable() {
		return pause
	}
	return goOn
}

// await waits until another frame may be read; false when the session has ended. Nobody counts it as the
// client's silence.
func (c *conn) await() bool {
	c.waits.Store(true)
	defer func() {
		c.hear(time.Now())
		c.waits.Store(false)
	}()
	return c.pay(c.owed) && c.sess.WaitReadable()
}

// refuse closes the session because of what the client sent. It cannot be read any further, only
// drained, since a connection closed over unread bytes is reset and the close frame lost.
func (c *conn) refuse(why session.CloseCode) verdict {
	c.halfClosed.Store(true)
	c.sess.CloseWith(why)
	return drain
}

// lost ends the session of a connection that cannot be read any more.
func (c *conn) lost() {
	c.sess.Ended(session.CloseLost.Code, session.CloseLost.Reason, true)
}

// pong answers a ping.
func (c *conn) pong(data []byte) {
	var pong [2 + 125]byte
	pong[0], pong[1] = final|opPong, byte(len(data))
	c.sess.Control(pong[:2+copy(pong[2:], data)])
}

func (c *conn) limit(isBinary bool) int64 {
	if isBinary {
		return c.entry.Now().BinaryLimit()
	}
	return c.entry.Now().TextLimit()
}

// messages are buffers for messages that the connection's own cannot hold.
var messages = sync.Pool{New: func() any { b := make([]byte, 4096); return &b }}

// keepMessage is the largest buffer that is kept for others.
const keepMessage = 64 << 10

func freeMessage(b *[]byte) {
	if cap(*b) <= keepMessage {
		messages.Put(b)
	}
}
