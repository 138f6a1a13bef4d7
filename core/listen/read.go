package listen

import (
	"encoding/binary"
	"io"
	"math"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/core/session"
)

// The bits of a frame's first two bytes (RFC 6455, 5.2).
const (
	final      = 0x80
	reserved   = 0x70
	compressed = 0x40 // RSV1, where permessage-deflate was agreed on (RFC 7692, 6)
	opMask     = 0x0F
	masked     = 0x80
	opMore     = 0x0 // the next part of a message
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xA
)

// serve reads until the connection is over. Whatever a connection needs to go on is in c, so that
// an idle one could be served by another goroutine later.
func (c *conn) serve() {
	defer c.ended()
	for c.next() {
	}
}

// ended is deferred by serve: alone, since every further word of that stack is one of each idle
// connection.
func (c *conn) ended() {
	if p := recover(); p != nil {
		c.srv.panicked(c, p)
		c.discard()
	}
	c.forget()
	c.over()
}

// forget frees what has come of a message that will not be complete.
func (c *conn) forget() {
	if c.message != nil {
		freeMessage(c.message)
		c.message = nil
	}
	if c.sess != nil {
		c.sess.Reading(0)
	}
}

// next takes one frame and hands it on. It returns false when there is nothing more to be read.
func (c *conn) next() bool {
	// While an idle connection waits here its stack is shallow, and stays at 2 KiB.
	if _, err := c.br.Peek(1); err != nil {
		c.lost()
		return false
	}
	return c.take()
}

// take reads the frame that has begun. A whole frame that the connection's own buffer holds is taken
// from there, without a copy.
func (c *conn) take() bool {
	f, why, err := c.frameHead()
	switch {
	case err != nil:
		c.lost()
		return false
	case why != nil:
		return c.refuse(*why)
	case f.op >= opClose:
		return c.takeControl(f)
	case f.flags != final || f.op == opMore:
		return c.takeFragment(f)
	case uint64(f.head)+f.size > readBuffer:
		return c.takeLong(f)
	}
	whole, err := c.br.Peek(f.head + int(f.size))
	if err != nil {
		c.lost()
		return false
	}
	// The buffer is ours and the frame is dropped from it below, so it is unmasked where it is.
	payload := whole[f.head:]
	unmask(payload, [4]byte(whole[f.head-4:f.head]))
	ok := c.deliver(payload, f.op == opBinary)
	_, _ = c.br.Discard(len(whole))
	return ok
}

// frame is what stands in front of a frame's payload. A fifth field would keep it out of registers.
type frame struct {
	op    byte
	flags byte // final, and compressed where it begins such a message
	head  int  // bytes of it, the mask included
	size  uint64
}

func (f frame) final() bool { return f.flags&final != 0 }

func (f frame) packed() bool { return f.flags&compressed != 0 }

// frameHead reads what stands in front of a payload, up to the mask; why is what is wrong with it.
func (c *conn) frameHead() (f frame, why *session.CloseCode, err error) {
	h, err := c.br.Peek(2)
	if err != nil {
		return f, nil, err
	}
	f = frame{op: h[0] & opMask, flags: h[0] & (final | reserved), head: 6, size: uint64(h[1] &^ masked)}
	if h[0]&reserved != 0 && !c.mayPack(f) || h[1]&masked == 0 || !c.fits(f) {
		return f, &session.CloseProtocol, nil
	}
	if f.size >= short {
		width, least := 2, uint64(short)
		if f.size > short {
			width, least = 8, 1<<16
		}
		if h, err = c.br.Peek(2 + width); err != nil {
			return f, nil, err
		}
		var wide [8]byte
		copy(wide[8-width:], h[2:])
		f.size, f.head = binary.BigEndian.Uint64(wide[:]), 6+width
		if f.size < least || f.size > math.MaxInt64 {
			return f, &session.CloseProtocol, nil
		}
	}
	if f.op < opClose && !c.withinLimit(f) {
		why = &session.CloseTooLarge
	}
	return f, why, nil
}

// short is the first length that has bytes of its own.
const short = 126

// mayPack says whether a frame with reserved bits is the first of a compressed message, on a
// connection that may have such (RFC 7692, 6.1).
func (c *conn) mayPack(f frame) bool {
	return c.deflates && f.flags&reserved == compressed && (f.op == opText || f.op == opBinary)
}

// fits says whether such a frame may come here (RFC 6455, 5.4 and 5.5).
func (c *conn) fits(f frame) bool {
	switch f.op {
	case opMore:
		return c.message != nil
	case opText, opBinary:
		return c.message == nil
	case opClose, opPing, opPong:
		return f.final() && f.size < short
	}
	return false
}

// withinLimit says whether the message has a size that the route takes, with that frame.
func (c *conn) withinLimit(f frame) bool {
	isBinary, packed, so := f.op == opBinary, f.packed(), uint64(0)
	if f.op == opMore {
		isBinary, packed, so = c.isBinary, c.packed, uint64(len(*c.message))
	}
	limit := c.limit(isBinary)
	if packed {
		limit = packedSize(limit)
	}
	return limit <= 0 || so+f.size <= uint64(limit)
}

// takeLong reads a frame that the connection's own buffer cannot hold.
func (c *conn) takeLong(f frame) bool {
	buf := messages.Get().(*[]byte)
	defer freeMessage(buf)
	*buf = (*buf)[:0]
	if err := c.payload(buf, f); err != nil {
		c.lost()
		return false
	}
	c.sess.Reading(0)
	return c.deliver(*buf, f.op == opBinary)
}

// takeFragment reads a part of a message, or a compressed one, and hands the message on behind the
// last one.
func (c *conn) takeFragment(f frame) bool {
	if f.op != opMore {
		c.message, c.isBinary, c.packed = messages.Get().(*[]byte), f.op == opBinary, f.packed()
		*c.message = (*c.message)[:0]
	}
	if err := c.payload(c.message, f); err != nil {
		c.lost()
		return false
	}
	if !f.final() {
		return c.ready()
	}
	whole := c.message
	c.message = nil
	defer freeMessage(whole)
	if c.packed {
		return c.deliverPacked(whole)
	}
	c.sess.Reading(0)
	return c.deliver(*whole, c.isBinary)
}

// takeControl answers a ping, or a close.
func (c *conn) takeControl(f frame) bool {
	whole, err := c.br.Peek(f.head + int(f.size))
	if err != nil {
		c.lost()
		return false
	}
	payload := whole[f.head:]
	unmask(payload, [4]byte(whole[f.head-4:f.head]))
	switch f.op {
	case opPing:
		c.pong(payload)
	case opClose:
		return c.closed(payload)
	}
	_, _ = c.br.Discard(len(whole))
	return c.ready()
}

// closed ends the session as the client says.
func (c *conn) closed(payload []byte) bool {
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
	// What waits to be written may take a while; the end of the session ends this.
	c.discard()
	return false
}

// payload appends the payload of a frame to buf, without its mask. What it allocates follows what
// came, not what was announced.
func (c *conn) payload(buf *[]byte, f frame) error {
	h, err := c.br.Peek(f.head)
	if err != nil {
		return err
	}
	key := [4]byte(h[f.head-4:])
	_, _ = c.br.Discard(f.head)
	b := *buf
	defer func() { *buf = b }()
	from := len(b)
	for left := f.size; left > 0; {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
			c.sess.Reading(cap(b))
		}
		part := b[len(b):][:min(left, uint64(cap(b)-len(b)), burstSize)]
		if _, err := io.ReadFull(c.br, part); err != nil {
			return err
		}
		b = b[:len(b)+len(part)]
		left -= uint64(len(part))
		if left > 0 || !f.final() {
			c.sess.Reading(len(b))
		}
	}
	unmask(b[from:], key)
	return nil
}

// deliver hands a message on and waits until another may be read.
func (c *conn) deliver(data []byte, isBinary bool) bool {
	if !isBinary && !utf8.Valid(data) {
		return c.refuse(session.CloseInvalidText)
	}
	if c.sess.IsClosing() {
		return true // only the client's close frame is waited for
	}
	c.sess.Frame(data, isBinary)
	return c.ready()
}

// ready waits until another frame may be read.
func (c *conn) ready() bool {
	if !c.pace() {
		return false
	}
	if c.sess.Readable() {
		return true
	}
	ok := c.sess.WaitReadable()
	c.armed = time.Time{} // its silence was ours
	return ok
}

// refuse closes the session because of what the client sent. It cannot be read any further, only
// drained, since a connection closed over unread bytes is reset and the close frame lost.
func (c *conn) refuse(why session.CloseCode) bool {
	c.halfClosed.Store(true)
	c.sess.CloseWith(why)
	c.discard()
	return false
}

// discard reads and drops until the connection is over.
func (c *conn) discard() {
	buf := messages.Get().(*[]byte)
	defer freeMessage(buf)
	b := (*buf)[:cap(*buf)]
	for {
		if _, err := (*wire)(c).Read(b); err != nil {
			c.lost()
			return
		}
	}
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

// unmask takes a client's mask off (RFC 6455, 5.3), eight bytes at a time.
func unmask(b []byte, key [4]byte) {
	k := binary.LittleEndian.Uint32(key[:])
	wide := uint64(k)<<32 | uint64(k)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= key[i&3]
	}
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
