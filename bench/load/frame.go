//go:build linux

package load

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
)

// mask is the mask of all frames: servers have the work of taking it off, whatever it is.
var mask = [4]byte{0x5a, 0xc3, 0x1e, 0x97}

// wideMask is the mask twice.
var wideMask = [8]byte{mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]}

// template is a masked text frame of which some hex digits differ from one to the next.
type template struct {
	frame []byte
	head  int
	plain bool // not masked
}

func newTemplate(payload []byte) template {
	frame := appendFrame(nil, payload)
	return template{frame: frame, head: len(frame) - len(payload)}
}

// appendFrame appends a masked text frame.
func appendFrame(b, payload []byte) []byte {
	b = append(b, 0x81)
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask[:]...)
	from := len(b)
	b = append(b, payload...)
	p := b[from:]
	for len(p) >= len(wideMask) {
		binary.LittleEndian.PutUint64(p, binary.LittleEndian.Uint64(p)^binary.LittleEndian.Uint64(wideMask[:]))
		p = p[len(wideMask):]
	}
	for i := range p {
		p[i] ^= mask[i&3]
	}
	return b
}

// append appends the frame with eight hex digits of seq at those places of the payload.
func (t *template) append(dst []byte, seq uint32, places ...int) []byte {
	from := len(dst) + t.head
	dst = append(dst, t.frame...)
	digits := hexOf(seq)
	for _, at := range places {
		for i, c := range digits {
			if !t.plain {
				c ^= mask[(at+i)&3]
			}
			dst[from+at+i] = c
		}
	}
	return dst
}

func hexOf(seq uint32) (digits [8]byte) {
	var raw [4]byte
	binary.BigEndian.PutUint32(raw[:], seq)
	hex.Encode(digits[:], raw[:])
	return digits
}

func parseHex(b []byte) (seq uint32, ok bool) {
	var raw [4]byte
	if len(b) < 8 {
		return 0, false
	}
	_, err := hex.Decode(raw[:], b[:8])
	return binary.BigEndian.Uint32(raw[:]), err == nil
}

// cutAnswer takes an answer over HTTP off b; ok is false while it has not all come. The payload is its body.
func cutAnswer(b []byte) (payload, rest []byte, ok bool, err error) {
	head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return nil, b, false, nil
	}
	_, length, _ := bytes.Cut(head, []byte("\r\nContent-Length: "))
	length, _, _ = bytes.Cut(length, []byte("\r\n"))
	n, err := strconv.Atoi(string(length))
	if err != nil || n < 0 || !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return nil, b, false, fmt.Errorf("the server answers %q", b)
	}
	if len(rest) < n {
		return nil, b, false, nil
	}
	return rest[:n:n], rest[n:], true, nil
}

// pong is the answer to a ping, which of Bridge is empty.
var pong = []byte{0x8A, 0x80, mask[0], mask[1], mask[2], mask[3]}

// cut takes a server's frame off b; ok is false while it has not all come. The payload of a ping is nil.
func cut(b []byte) (payload, rest []byte, ok bool, err error) {
	if len(b) < 2 {
		return nil, b, false, nil
	}
	head, n := 2, int(b[1])
	switch n {
	case 126:
		if len(b) < 4 {
			return nil, b, false, nil
		}
		head, n = 4, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 10 {
			return nil, b, false, nil
		}
		head, n = 10, int(binary.BigEndian.Uint64(b[2:]))
	}
	if n < 0 || len(b) < head+n {
		return nil, b, false, nil
	}
	payload, rest = b[head:head+n], b[head+n:]
	switch b[0] {
	case 0x81, 0x82:
		return payload, rest, true, nil
	case 0x89:
		return nil, rest, true, nil
	case 0x88:
		code := 0
		if n >= 2 {
			code, payload = int(binary.BigEndian.Uint16(payload)), payload[2:]
		}
		return nil, rest, false, fmt.Errorf("the server closed with %d %s", code, payload)
	}
	return nil, rest, false, fmt.Errorf("the server sent a frame that begins with %#x", b[0])
}
