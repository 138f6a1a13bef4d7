package listen

import (
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/core/session"
)

// wire is a conn as its buffer sees it, whose reads keep the connection alive, and as gorilla sees it
// during the handshake.
type wire conn

// Read keeps the deadlines: a client that is silent is sent a ping, and closed when it stays so. It
// does not fail because of them; the end of the session ends it.
func (w *wire) Read(p []byte) (int, error) {
	c := (*conn)(w)
	if len(c.prefix) > 0 {
		n := copy(p, c.prefix)
		if c.prefix = c.prefix[n:]; len(c.prefix) == 0 {
			c.prefix = nil
		}
		return n, nil
	}
	if n := c.readBurst(p); n > 0 {
		return n, nil
	}
	for {
		if err := c.arm(); err != nil {
			return 0, err
		}
		n, err := c.net.Read(p)
		if err == nil {
			c.heard()
			c.more = n == len(p) && n < burstSize
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.silent()
	}
}

// heard is called when something came.
func (c *conn) heard() {
	if c.state == pinged {
		c.state, c.armed = listening, time.Time{}
	}
}

// burstSize is what is read at once from a client that has much to say. It halves the cost of frames
// of 1 KiB: the connection's own buffer takes two reads for each.
const burstSize = 16 << 10

var bursts = sync.Pool{New: func() any { return new([burstSize]byte) }}

// readBurst reads from a burst, which begins when the last read filled its buffer and there is more
// without waiting. A connection holds a burst's memory only as long as there is something in it.
func (c *conn) readBurst(p []byte) int {
	if len(c.burst) == 0 {
		if !c.more || c.raw == nil || len(p) >= burstSize {
			return 0
		}
		if c.burstOf == nil {
			c.burstOf = bursts.Get().(*[burstSize]byte)
		}
		n := c.tryRead(c.burstOf[:])
		if n <= 0 {
			c.endBurst()
			return 0
		}
		c.heard()
		c.burst, c.more = c.burstOf[:n], n == burstSize
	}
	n := copy(p, c.burst)
	if c.burst = c.burst[n:]; len(c.burst) == 0 && !c.more {
		c.endBurst()
	}
	return n
}

func (c *conn) endBurst() {
	bursts.Put(c.burstOf)
	c.burstOf, c.burst, c.more = nil, nil, false
}

// tryRead reads what is there; 0 when nothing is, or when the connection is over, as the next read
// will tell.
func (c *conn) tryRead(p []byte) (n int) {
	if c.tryIn == nil {
		c.tryIn = func(fd uintptr) bool {
			c.tryInN = -1
			for c.tryInN < 0 {
				n, err := unix.Read(int(fd), c.tryInBytes)
				if err != nil && errors.Is(err, unix.EINTR) {
					continue
				}
				c.tryInN = max(n, 0)
			}
			return true
		}
	}
	c.tryInBytes = p
	err := c.raw.Read(c.tryIn)
	c.tryInBytes = nil
	if err != nil {
		return 0
	}
	return c.tryInN
}

// arm sets the read deadline where it is due. Between the reads of a busy connection it stays: to
// set it costs as much as a short read, so a ping may come an eighth early.
func (c *conn) arm() error {
	var wait time.Duration
	switch c.state {
	case listening:
		if wait = c.srv.cfg.PingInterval; wait < 0 {
			return nil
		}
		now := time.Now()
		if !c.armed.IsZero() && now.Sub(c.armed) < wait/8 {
			return nil
		}
		c.armed = now
	case pinged:
		if !c.armed.IsZero() {
			return nil
		}
		wait, c.armed = c.srv.cfg.PongTimeout, time.Now()
	case gone:
		return c.net.SetReadDeadline(time.Time{})
	default:
		return nil
	}
	return c.net.SetReadDeadline(c.armed.Add(wait))
}

// silent is called when the read deadline is over.
func (c *conn) silent() {
	c.armed = time.Time{}
	if c.state == listening {
		c.state = pinged
		c.sess.Control([]byte{final | opPing, 0})
		return
	}
	c.state = gone
	c.sess.CloseWith(session.CloseIdle)
}

// Write writes the answer to the handshake.
func (w *wire) Write(p []byte) (int, error) { return w.net.Write(p) }

// SetDeadline implements net.Conn.
func (w *wire) SetDeadline(t time.Time) error { return w.net.SetDeadline(t) }

// SetReadDeadline implements net.Conn.
func (w *wire) SetReadDeadline(t time.Time) error { return w.net.SetReadDeadline(t) }

// SetWriteDeadline implements net.Conn.
func (w *wire) SetWriteDeadline(t time.Time) error { return w.net.SetWriteDeadline(t) }

// Close implements net.Conn.
func (w *wire) Close() error { return w.net.Close() }

// LocalAddr implements net.Conn.
func (w *wire) LocalAddr() net.Addr { return w.net.LocalAddr() }

// RemoteAddr implements net.Conn.
func (w *wire) RemoteAddr() net.Addr { return w.net.RemoteAddr() }
