package listen

import (
	"net"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// conn is one WebSocket. It writes as the session's [session.Transport]. Its reading belongs to one
// goroutine at a time, or to nobody: see turn.
type conn struct {
	srv   *Server
	entry *route.Entry
	net   net.Conn
	raw   syscall.RawConn // nil: nothing is read or written without waiting
	sess  *session.Session

	poller *poller // says when there is something to read; nil: a goroutine of the connection's own waits
	place  place   // in the server's roster
	turn   atomic.Int32

	heard  atomic.Int64 // when something came, ns since the server began
	atEnd  atomic.Bool  // the client has ended what it sends
	waits  atomic.Bool  // nothing is read at the moment, which is not the client's doing
	pinged int64        // of the roster: when a ping went out that was not answered; 0: none

	// Of the one that reads.
	part     *part         // what there is of a message; nil: nothing
	due      time.Duration // what the route's rate allows for is used up to then
	owed     time.Duration // how long nothing may be read because of it
	deflates bool          // messages may be compressed, both ways; does not change

	// Of the one that writes.
	bounded    bool        // a write deadline is set
	halfClosed atomic.Bool // nothing the client says is of use any more
}

func newConn(s *Server, e *route.Entry, nc net.Conn) *conn {
	c := &conn{srv: s, entry: e, net: nc}
	c.turn.Store(reading)
	if tcp, ok := nc.(*net.TCPConn); ok {
		if raw, err := tcp.SyscallConn(); err == nil {
			c.raw = raw
			c.poller = s.pollers.pick()
		}
	}
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
	return tryWrite(c.raw, p)
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

// Close implements [session.Transport].
func (c *conn) Close() error {
	err := c.net.Close()
	if c.poller != nil && c.claim() { // nobody else would see it
		c.end()
	}
	return err
}

// end is called once, when nobody reads the connection any more.
func (c *conn) end() {
	c.forget()
	c.srv.roster.remove(c)
	c.entry.Seats.Give()
	c.srv.over(c.net)
}

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
