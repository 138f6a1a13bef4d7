package listen

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/core/session"
)

// The bits of a frame's first two bytes (RFC 6455, 5.2).
const (
	final    = 0x80
	masked   = 0x80
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

// serve reads until the connection is over. Whatever a connection needs to go on is in c, so that
// an idle one could be served by another goroutine later.
func (c *conn) serve() {
	defer c.srv.over()
	defer func() {
		if p := recover(); p != nil {
			c.srv.panicked(c, p)
			c.discard()
		}
	}()
	for c.next() {
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

// take reads the frame that has begun.
func (c *conn) take() bool {
	h, err := c.br.Peek(2)
	if err != nil {
		c.lost()
		return false
	}
	op := h[0] &^ final
	n, head := uint64(h[1]&^masked), 6
	whole := h[0]&final != 0 && h[1]&masked != 0
	switch {
	case whole && (op == opText || op == opBinary):
	case whole && (op == opPing || op == opPong) && n <= 125:
	default: // fragments, closes, faults
		return c.takeOther()
	}
	if n >= 126 {
		size := 2
		if n == 127 {
			size = 8
		}
		if h, err = c.br.Peek(2 + size); err != nil {
			c.lost()
			return false
		}
		var wide [8]byte
		copy(wide[8-size:], h[2:])
		n, head = binary.BigEndian.Uint64(wide[:]), 6+size
	}
	if limit := c.limit(op == opBinary); limit > 0 && n > uint64(limit) || n > math.MaxInt64 {
		return c.refuse(session.CloseTooLarge)
	}
	if uint64(head)+n > readBuffer {
		return c.takeLong(head, int64(n), op == opBinary)
	}
	frame, err := c.br.Peek(head + int(n))
	if err != nil {
		c.lost()
		return false
	}
	// The buffer is ours and the frame is dropped from it below, so it is unmasked where it is.
	payload := frame[head:]
	unmask(payload, [4]byte(frame[head-4:head]))
	ok := true
	switch op {
	case opPing:
		_ = c.pong(string(payload))
	case opPong:
	default:
		ok = c.deliver(payload, op == opBinary)
	}
	_, _ = c.br.Discard(len(frame))
	return ok
}

// takeLong reads a frame that the connection's own buffer cannot hold.
func (c *conn) takeLong(head int, n int64, isBinary bool) bool {
	h, err := c.br.Peek(head)
	if err != nil {
		c.lost()
		return false
	}
	key := [4]byte(h[head-4:])
	_, _ = c.br.Discard(head)
	buf := messages.Get().(*[]byte)
	defer freeMessage(buf)
	if err := readFull(buf, c.br, n); err != nil {
		c.lost()
		return false
	}
	unmask(*buf, key)
	return c.deliver(*buf, isBinary)
}

// readFull reads n bytes into buf. What it allocates follows what came, not what was announced.
func readFull(buf *[]byte, r io.Reader, n int64) error {
	b := (*buf)[:0]
	defer func() { *buf = b }()
	for int64(len(b)) < n {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		part := b[len(b):min(int64(cap(b)), n)]
		if _, err := io.ReadFull(r, part); err != nil {
			return err
		}
		b = b[:len(b)+len(part)]
	}
	return nil
}

// takeOther lets gorilla read what is not one whole frame of data.
func (c *conn) takeOther() bool {
	kind, r, err := c.ws.NextReader()
	if err != nil {
		return c.failed(err)
	}
	isBinary := kind == websocket.BinaryMessage
	buf := messages.Get().(*[]byte)
	defer freeMessage(buf)
	b := (*buf)[:0]
	defer func() { *buf = b }()
	limit := c.limit(isBinary)
	for {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if limit > 0 && int64(len(b)) > limit {
			return c.refuse(session.CloseTooLarge)
		}
		if err == io.EOF {
			return c.deliver(b, isBinary)
		}
		if err != nil {
			return c.failed(err)
		}
	}
}

// failed sorts gorilla's errors.
func (c *conn) failed(err error) bool {
	var closed *websocket.CloseError
	switch {
	case c.fault != nil:
		return c.refuse(*c.fault)
	case errors.Is(err, websocket.ErrReadLimit): // a length that is none
		return c.refuse(session.CloseTooLarge)
	case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
		c.sess.ClosedByClient(closed.Code, closed.Text)
		// What waits to be written may take a while; the end of the session ends this.
		c.discard()
	default:
		c.lost()
	}
	return false
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
func (c *conn) pong(data string) error {
	var frame [2 + 125]byte
	frame[0], frame[1] = final|opPong, byte(len(data))
	c.sess.Control(frame[:2+copy(frame[2:], data)])
	return nil
}

func (c *conn) limit(isBinary bool) int64 {
	if isBinary {
		return c.entry.BinaryLimit()
	}
	return c.entry.TextLimit()
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
