package listen

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

// wire is a conn as gorilla and the buffer see it: reads keep the connection alive, and what gorilla
// writes behind the handshake (the close frame of a fault) is not sent but noted.
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
	for {
		if err := c.arm(); err != nil {
			return 0, err
		}
		n, err := c.net.Read(p)
		if err == nil {
			if c.state == pinged {
				c.state, c.armed = listening, time.Time{}
			}
			return n, nil
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
		c.silent()
	}
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
func (w *wire) Write(p []byte) (int, error) {
	if w.state == handshaking {
		return w.net.Write(p)
	}
	if len(p) >= 4 && p[0] == final|opClose {
		w.fault = session.CloseProtocol
		if binary.BigEndian.Uint16(p[2:]) == uint16(session.CloseTooLarge.Code) {
			w.fault = session.CloseTooLarge
		}
	}
	return len(p), nil
}

// SetDeadline, SetReadDeadline and SetWriteDeadline are gorilla's during the handshake only.
func (w *wire) SetDeadline(t time.Time) error {
	if w.state == handshaking {
		return w.net.SetDeadline(t)
	}
	return nil
}

// SetReadDeadline implements net.Conn.
func (w *wire) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline implements net.Conn.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.state == handshaking {
		return w.net.SetWriteDeadline(t)
	}
	return nil
}

// Close implements net.Conn.
func (w *wire) Close() error { return w.net.Close() }

// LocalAddr implements net.Conn.
func (w *wire) LocalAddr() net.Addr { return w.net.LocalAddr() }

// RemoteAddr implements net.Conn.
func (w *wire) RemoteAddr() net.Addr { return w.net.RemoteAddr() }
