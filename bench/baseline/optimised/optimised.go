// Package optimised is an echo without the hop: frames are cut and made by hand, all that one read
// brought is answered with one write. No server that hands messages to somebody else can be faster
// by much. It is frozen: what Bridge is compared with must not move.
package optimised

import (
	"encoding/binary"
	"net"
	"net/http"

	"github.com/gorilla/websocket"
)

const (
	readSize = 16 << 10
	maxFrame = 1 << 20
)

// Handler serves an echo on every path.
func Handler() http.Handler {
	var upgrader websocket.Upgrader
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		// A fresh goroutine: the handler's stack has grown, and holds the request.
		go serve(ws.NetConn())
	})
}

// serve echoes until the client has gone, or does what this server does not know.
func serve(c net.Conn) {
	defer c.Close()
	in := make([]byte, 0, readSize)
	var out []byte
	for {
		if len(in) == cap(in) {
			in = append(in, 0)[:len(in)]
		}
		n, err := c.Read(in[len(in):cap(in)])
		if err != nil {
			return
		}
		in = in[:len(in)+n]
		out = out[:0]
		rest := in
		for {
			size, payload := frame(rest)
			if size < 0 || size > maxFrame {
				return
			}
			if size == 0 || size > len(rest) {
				break
			}
			out = appendFrame(out, rest[0], payload)
			rest = rest[size:]
		}
		in = in[:copy(in, rest)]
		if len(out) > 0 {
			if _, err := c.Write(out); err != nil {
				return
			}
		}
	}
}

// frame returns the size of the frame that b begins with and, when all of it is there, its payload
// without the mask. The size is 0 while it is not known, and negative for a frame that is no data.
func frame(b []byte) (size int, payload []byte) {
	if len(b) < 2 {
		return 0, nil
	}
	if op := b[0] & 0x0f; b[0]&0x80 == 0 || op != 1 && op != 2 || b[1]&0x80 == 0 {
		return -1, nil
	}
	head, n := 6, int(b[1]&0x7f)
	switch n {
	case 126:
		if len(b) < 4 {
			return 0, nil
		}
		head, n = 8, int(binary.BigEndian.Uint16(b[2:]))
	case 127:
		if len(b) < 10 {
			return 0, nil
		}
		wide := binary.BigEndian.Uint64(b[2:])
		if wide > maxFrame {
			return -1, nil
		}
		head, n = 14, int(wide)
	}
	if len(b) < head+n {
		return head + n, nil
	}
	key := binary.LittleEndian.Uint32(b[head-4:])
	payload = b[head : head+n]
	unmask(payload, key)
	return head + n, payload
}

func unmask(b []byte, key uint32) {
	wide := uint64(key)<<32 | uint64(key)
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= byte(key >> (8 * (i & 3)))
	}
}

func appendFrame(dst []byte, first byte, payload []byte) []byte {
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, first, byte(n))
	case n <= 0xffff:
		dst = append(dst, first, 126, byte(n>>8), byte(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(n))
	}
	return append(dst, payload...)
}
