//go:build unix

package http1

import (
	"errors"
	"io"
	"syscall"
)

// canTake says that sockets can be read and written without waiting.
const canTake = true

// look notes whether a socket is open and silent, without waiting.
func (n *conn) look(fd uintptr) bool {
	var b [1]byte
	_, err := syscall.Read(int(fd), b[:])
	n.alive = errors.Is(err, syscall.EAGAIN)
	return true
}

// take is what a turn does each time that the socket may have something to read: at first it looks whether the
// connection is still good, and writes. false when there is something to wait for.
func (n *conn) take(fd uintptr) (done bool) {
	t := &n.turn
	if !t.begun {
		t.begun = true
		if t.kept {
			if n.look(fd); !n.alive {
				t.err = errStale
				return true
			}
		}
		if !t.put(fd, n.out) {
			return true
		}
		// What came on a new connection before this wait began, nobody is told of again.
		if t.kept {
			return false
		}
	}
	for {
		got, err := syscall.Read(int(fd), n.in[n.w:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return false
		case err != nil:
			t.err = err
		case got == 0:
			t.err = io.EOF
		default:
			n.w += got
		}
		return true
	}
}

// put writes what the socket takes; false when that is not all.
func (t *turn) put(fd uintptr, out []byte) bool {
	for t.written < len(out) {
		wrote, err := syscall.Write(int(fd), out[t.written:])
		switch {
		case err == nil:
			t.written += wrote
		case errors.Is(err, syscall.EINTR):
		case errors.Is(err, syscall.EAGAIN):
			return false
		default:
			t.err = err
			return false
		}
	}
	return true
}
