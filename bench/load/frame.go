//go:build linux

package load

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// mask is the mask of all frames: servers have the work of taking it off, whatever it is.
var mask = [4]byte{0x5a, 0xc3, 0x1e, 0x97}

// template is a masked text frame of which some hex digits differ from one to the next.
type template struct {
	frame []byte
	head  int
}

func newTemplate(payload []byte) template {
	b := []byte{0x81}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = append(b, 0x80|126, byte(n>>8), byte(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	b = append(b, mask[:]...)
	head := len(b)
	for i, c := range payload {
		b = append(b, c^mask[i&3])
	}
	return template{b, head}
}

// append appends the frame with eight hex digits of seq at those places of the payload.
func (t *template) append(dst []byte, seq uint32, places ...int) []byte {
	from := len(dst) + t.head
	dst = append(dst, t.frame...)
	digits := hexOf(seq)
	for _, at := range places {
		for i, c := range digits {
			dst[from+at+i] = c ^ mask[(at+i)&3]
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

// cut takes a server's frame off b; ok is false while it has not all come.
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
	case 0x88:
		code := 0
		if n >= 2 {
			code, payload = int(binary.BigEndian.Uint16(payload)), payload[2:]
		}
		return nil, rest, false, fmt.Errorf("the server closed with %d %s", code, payload)
	}
	return nil, rest, false, fmt.Errorf("the server sent a frame that begins with %#x", b[0])
}
