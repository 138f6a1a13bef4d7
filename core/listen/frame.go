package listen

import (
	"encoding/binary"
	"math"

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

// frame is what stands in front of a frame's payload. A fifth field would keep it out of registers.
type frame struct {
	op    byte
	flags byte // final, and compressed where it begins such a message
	head  int  // bytes of it, the mask included
	size  uint64
}

func (f frame) final() bool { return f.flags&final != 0 }

func (f frame) packed() bool { return f.flags&compressed != 0 }

func (f frame) control() bool { return f.op >= opClose }

// whole says whether b, which begins with the frame, has all of it.
func (f frame) whole(b []byte) bool { return f.size <= uint64(len(b)-f.head) }

// headOf reads what stands in front of a payload, up to the mask. need is how many bytes that takes
// where b has fewer, else 0; why is what is wrong with it, which may be seen before it is whole.
func (c *conn) headOf(b []byte) (f frame, need int, why *session.CloseCode) {
	if len(b) < 2 {
		return f, 2, nil
	}
	f = frame{op: b[0] & opMask, flags: b[0] & (final | reserved), head: 6, size: uint64(b[1] &^ masked)}
	if b[0]&reserved != 0 && !c.mayPack(f) || b[1]&masked == 0 || !c.fits(f) {
		return f, 0, &session.CloseProtocol
	}
	if f.size >= short {
		width, least := 2, uint64(short)
		if f.size > short {
			width, least = 8, 1<<16
		}
		f.head = 6 + width
		if len(b) < 2+width {
			return f, f.head, nil
		}
		var wide [8]byte
		copy(wide[8-width:], b[2:2+width])
		f.size = binary.BigEndian.Uint64(wide[:])
		if f.size < least || f.size > math.MaxInt64 {
			return f, 0, &session.CloseProtocol
		}
	}
	switch {
	case !f.control() && !c.withinLimit(f):
		return f, 0, &session.CloseTooLarge
	case len(b) < f.head:
		return f, f.head, nil
	}
	return f, 0, nil
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
		return c.begun()
	case opText, opBinary:
		return !c.begun()
	case opClose, opPing, opPong:
		return f.final() && f.size < short
	}
	return false
}

// withinLimit says whether the message has a size that the route takes, with that frame.
func (c *conn) withinLimit(f frame) bool {
	isBinary, packed, so := f.op == opBinary, f.packed(), uint64(0)
	if f.op == opMore {
		isBinary, packed, so = c.part.isBinary, c.part.packed, uint64(len(*c.part.message))
	}
	limit := c.limit(isBinary)
	if packed {
		limit = packedSize(limit)
	}
	return limit <= 0 || so+f.size <= uint64(limit)
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
