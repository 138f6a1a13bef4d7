package listen

import (
	"bufio"
	"errors"
	"net"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// conn is one WebSocket. Its reader is serve; it writes as the session's [session.Transport].
type conn struct {
	srv   *Server
	entry *route.Entry
	net   net.Conn
	raw   syscall.RawConn // nil: nothing is written without waiting
	sess  *session.Session

	// Of the reader.
	br       *bufio.Reader // over wire
	prefix   []byte        // what came together with the handshake
	armed    time.Time     // when the read deadline was set; zero: is to be set
	state    readState
	message  *[]byte       // what there is of a message in fragments; nil: none has begun
	isBinary bool          // the message
	packed   bool          // the message: it is compressed
	deflates bool          // messages may be compressed, both ways; does not change
	due      time.Duration // what the route's rate allows for is used up to then

	more       bool // the last read left something, as far as one can tell
	burst      []byte
	burstOf    *[burstSize]byte // what burst is a part of
	tryIn      func(fd uintptr) bool
	tryInBytes []byte
	tryInN     int

	// Of the one that writes.
	try        func(fd uintptr) bool // made once, since a closure would be made for each write
	tryBytes   []byte
	tryN       int
	tryErr     error
	bounded    bool        // a write deadline is set
	halfClosed atomic.Bool // nothing the client says is of use any more
}

type readState uint8

const (
	handshaking readState = iota
	listening
	pinged // a ping is out, and nothing came since
	gone   // it was not answered; the session is closing
)

func newConn(s *Server, e *route.Entry, nc net.Conn) *conn {
	c := &conn{srv: s, entry: e, net: nc}
	if tcp, ok := nc.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			c.raw = raw
		}
	}
	c.br = bufio.NewReaderSize((*wire)(c), readBuffer)
	return c
}

// AppendFrame implements [session.Transport].
func (c *conn) AppendFrame(dst, data []byte, isBinary bool) []byte {
	op := byte(final | opText)
	if isBinary {
		op = final | opBinary
	}
	switch n := len(data); {
	case n < short:
		dst = append(dst, op, byte(n))
	case c.deflates && n >= leastDeflated:
		return c.srv.packer.appendFrame(dst, data, op)
	default:
		dst = appendHead(dst, op, n)
	}
	return append(dst, data...)
}

// AppendClose implements [session.Transport].
func (c *conn) AppendClose(dst []byte, code int, reason string) []byte {
	if code == session.NoStatus {
		return append(dst, final|opClose, 0)
	}
	dst = append(dst, final|opClose, byte(2+len(reason)), byte(code>>8), byte(code))
	return append(dst, reason...)
}

// TryWrite implements [session.Transport].
func (c *conn) TryWrite(p []byte) (int, error) {
	if c.raw == nil || len(p) == 0 {
		return 0, nil
	}
	if c.bounded {
		// The poller refuses a write behind a deadline that is long over.
		if err := c.SetWriteDeadline(time.Time{}); err != nil {
			return 0, err
		}
	}
	if c.try == nil {
		c.try = c.tryOnce
	}
	c.tryBytes, c.tryN, c.tryErr = p, 0, nil
	err := c.raw.Write(c.try)
	c.tryBytes = nil
	if err == nil {
		err = c.tryErr
	}
	return c.tryN, err
}

func (c *conn) tryOnce(fd uintptr) bool {
	for c.tryN < len(c.tryBytes) {
		n, err := unix.Write(int(fd), c.tryBytes[c.tryN:])
		switch {
		case err == nil:
			c.tryN += n
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return true
		default:
			c.tryErr = err
			return true
		}
	}
	return true
}

// Write implements [session.Transport].
func (c *conn) Write(p []byte) (int, error) { return c.net.Write(p) }

// SetWriteDeadline implements [session.Transport].
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.bounded = !t.IsZero()
	return c.net.SetWriteDeadline(t)
}

// CloseWrite implements [session.Transport]. The end of a WebSocket is its close frame; the
// connection is left open for the client's, but where that could not be read any more.
func (c *conn) CloseWrite() error {
	if half, ok := c.net.(interface{ CloseWrite() error }); ok && c.halfClosed.Load() {
		return half.CloseWrite()
	}
	return nil
}

// over is called when nobody reads the connection any more.
func (c *conn) over() {
	c.entry.Seats.Give()
	c.srv.over(c.net)
}

// Close implements [session.Transport].
func (c *conn) Close() error { return c.net.Close() }

func (s *Server) panicked(c *conn, p any) {
	var id, route string
	if c.sess != nil {
		id = strconv.FormatUint(c.sess.ID, 10)
	}
	if c.entry != nil {
		route = c.entry.ID
	}
	s.log.Error("session failed", "route", route, "session", id, "panic", p, "stack", string(debug.Stack()))
	if c.sess != nil {
		c.sess.CloseWith(session.CloseInternal)
		return
	}
	_ = c.net.Close()
}
