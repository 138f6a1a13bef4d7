package listen

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// rawChunk is the most that one frame of raw bytes has.
const rawChunk = 64 << 10

// lineConn is one connection of a listener of lines. Its reader is serve, which hands on a frame only
// when everything before is settled: what has been read beyond it can then still be cut in another
// way.
type lineConn struct {
	conn // what it writes with

	in    inlet
	begun bool // the first line was handed on
	eof   bool // the client will send no more

	writes atomic.Int64  // so many so far
	shut   chan struct{} // closed when nothing is written any more
	once   sync.Once     // closes shut

	mu   sync.Mutex // guards what follows
	raw  bool       // chunks as they come; else lines
	left uint64     // raw bytes before there are lines again; 0: no end
}

var (
	_ session.Transport = (*lineConn)(nil)
	_ session.Framer    = (*lineConn)(nil)
)

// serveLines makes a session of a connection and reads it to its end.
func (s *Server) serveLines(a *accepted) {
	c := &lineConn{conn: conn{srv: s, net: a.Conn}, shut: make(chan struct{})}
	if tcp, ok := a.Conn.(*net.TCPConn); ok {
		c.conn.raw = rawConn(tcp)
	}
	defer s.over(a.Conn)
	defer func() {
		if c.entry != nil {
			c.entry.Seats.Give()
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			s.panicked(&c.conn, p)
			if c.sess != nil {
				c.drop()
			}
		}
	}()
	if why, as := s.openLines(c, a); why != "" {
		s.meter.refused(as)
		if dropped, ok := s.quiet.Allow(time.Now()); ok {
			_, address := a.peer()
			s.log.Warn("connection refused", "remote_address", address, "why", why, "dropped", dropped)
		}
		_ = c.net.Close()
		return
	}
	for c.next() {
	}
}

// openLines makes the session, or says why there is none, and as what that counts.
func (s *Server) openLines(c *lineConn, a *accepted) (why string, as reason) {
	e := s.cfg.Routes.Load().Lookup([]byte("/"))
	if e == nil || !e.TCP || !s.opener.Ready(e) || s.stopping.Load() {
		return "its plugin is not ready", notReady
	}
	if !e.Seats.Take() {
		return "as many sessions are open as the route takes", tooManySessions
	}
	c.entry = e
	_, address := a.peer()
	info := &session.Info{Route: e.ID, RemoteAddress: address, TLS: a.secure, TCP: true, Local: s.local(a)}
	if e.LocalOnly && !info.Local {
		return "the route is for this machine alone", notFromHere
	}
	var who *session.Admission
	if e.Handshake {
		if who, why = s.admitLines(e, info); who == nil {
			return why, notAdmitted
		}
	}
	sess, err := s.opener.Open(e, info, who, c)
	if err != nil {
		return err.Error(), notReady
	}
	c.sess = sess
	return "", 0
}

// admitLines asks who a client is that can show nothing: only where everybody may come is there an
// answer that lets it in.
func (s *Server) admitLines(e *route.Entry, info *session.Info) (who *session.Admission, why string) {
	who, refusal := s.opener.Admit(s.life, e, info)
	if refusal != nil || who == nil {
		return nil, "who the client is cannot be told on this listener"
	}
	return who, ""
}

// next hands on one frame, or what else came. It returns false when there is nothing more to be read.
func (c *lineConn) next() bool {
	if !c.sess.WaitSettled() {
		return false
	}
	if c.sess.IsClosing() {
		c.drop()
		return false
	}
	for {
		frame, used, isRaw := c.cut()
		switch {
		case used > 0:
			return c.handOn(frame, used, isRaw)
		case !isRaw && c.tooLong(len(c.in.data())):
			c.sess.CloseWith(session.CloseTooLarge)
			c.drop()
			return false
		case c.eof:
			c.sess.Eof()
			c.linger()
			return false
		}
		if !c.fill(isRaw) {
			return false
		}
	}
}

// cut finds the next frame in what was read; used is how much of that it takes, 0 where it is not
// whole.
func (c *lineConn) cut() (frame []byte, used int, isRaw bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	data := c.in.data()
	if c.raw {
		n := min(len(data), rawChunk)
		if limit := c.entry.Now().BinaryLimit(); limit > 0 {
			n = int(min(int64(n), limit))
		}
		if c.left > 0 {
			n = int(min(uint64(n), c.left))
			if c.left -= uint64(n); c.left == 0 {
				c.raw = false
			}
		}
		return data[:n], n, true
	}
	if end := c.in.lineEnd(); end >= 0 {
		return bytes.TrimSuffix(data[:end], []byte{'\r'}), end + 1, false
	}
	if c.eof {
		return bytes.TrimSuffix(data, []byte{'\r'}), len(data), false
	}
	return nil, 0, false
}

// tooLong says whether so many bytes cannot be a line any more, or are one that is not taken.
func (c *lineConn) tooLong(n int) bool {
	limit := c.entry.Now().TextLimit()
	return limit > 0 && int64(n) > limit+1 // it may end in a CR, which does not count
}

// handOn gives the session a frame.
func (c *lineConn) handOn(frame []byte, used int, isRaw bool) bool {
	if !isRaw {
		limit := c.entry.Now().TextLimit()
		switch {
		case limit > 0 && int64(len(frame)) > limit:
			c.sess.CloseWith(session.CloseTooLarge)
			c.drop()
			return false
		case !c.begun && isRequestLine(frame):
			// A page can have a browser send what it likes in the body of a request to any port.
			c.sess.CloseWith(session.CloseProtocol)
			c.drop()
			return false
		}
		if !utf8.Valid(frame) {
			frame = bytes.ToValidUTF8(frame, []byte("\uFFFD"))
		}
	}
	c.begun = true
	if !c.pay(c.owe()) {
		return false
	}
	c.sess.Frame(frame, isRaw)
	c.in.drop(used)
	return true
}

// isRequestLine says whether a line begins a request of HTTP.
func isRequestLine(line []byte) bool {
	return bytes.HasSuffix(line, []byte(" HTTP/1.1")) || bytes.HasSuffix(line, []byte(" HTTP/1.0"))
}

// fill reads more. It returns false when the connection is over, or the session closing.
func (c *lineConn) fill(isRaw bool) bool {
	var deadline time.Time
	if len(c.in.data()) > 0 { // a client that says nothing may stay: the kernel asks whether it is there
		deadline = time.Now().Add(c.srv.cfg.BodyTimeout)
	}
	if bounded := !deadline.IsZero(); bounded || c.in.bounded {
		c.in.bounded = bounded
		_ = c.net.SetReadDeadline(deadline) // the read tells
	}
	n, err := c.net.Read(c.in.room(isRaw))
	c.in.w += n
	switch {
	case n > 0 || err == nil:
	case errors.Is(err, io.EOF) && !cutOff(c.net):
		c.eof = true
	case errors.Is(err, os.ErrDeadlineExceeded):
		c.sess.CloseWith(session.CloseIdle)
	default:
		c.lost()
		return false
	}
	if c.sess.IsClosing() {
		c.drop()
		return false
	}
	return true
}

// drop reads on, for nobody, until the connection is over: one that is closed over unread bytes is
// reset, and what was written last is lost.
func (c *lineConn) drop() {
	_ = c.net.SetReadDeadline(time.Time{})
	buf := messages.Get().(*[]byte)
	defer freeMessage(buf)
	for !c.eof {
		switch _, err := c.net.Read((*buf)[:cap(*buf)]); {
		case errors.Is(err, io.EOF) && !cutOff(c.net):
			c.eof = true
		case err != nil:
			c.lost()
			return
		}
	}
	c.linger()
}

// linger waits, behind the end of what the client sends, until it has been sent everything. A session
// that nobody closes or writes to ends after a while: its client may have gone for good.
func (c *lineConn) linger() {
	tick := time.NewTicker(c.srv.cfg.IdleTimeout)
	defer tick.Stop()
	for before := c.writes.Load(); ; {
		select {
		case <-c.shut:
			c.lost() // it was closed before, with another code
			return
		case <-tick.C:
		}
		if now := c.writes.Load(); now != before || c.sess.InFlight() > 0 {
			before = now
			continue
		}
		c.sess.CloseWith(session.CloseIdle)
	}
}

// SetFraming implements [session.Framer].
func (c *lineConn) SetFraming(raw bool, bytes uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.raw, c.left = raw, bytes
}

// AppendFrame implements [session.Transport]: a text frame is a line, a binary one is as it is.
func (c *lineConn) AppendFrame(dst, data []byte, isBinary bool) []byte {
	dst = append(dst, data...)
	if !isBinary {
		dst = append(dst, '\n')
	}
	return dst
}

// AppendClose implements [session.Transport]: there is nothing to be said but the end.
func (c *lineConn) AppendClose(dst []byte, _ int, _ string) []byte { return dst }

// TryWrite implements [session.Transport].
func (c *lineConn) TryWrite(p []byte) (int, error) {
	c.writes.Add(1)
	return c.conn.TryWrite(p)
}

// Write implements [session.Transport].
func (c *lineConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.conn.Write(p)
}

// CloseWrite implements [session.Transport].
func (c *lineConn) CloseWrite() error {
	defer c.once.Do(func() { close(c.shut) })
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// Close implements [session.Transport].
func (c *lineConn) Close() error {
	defer c.once.Do(func() { close(c.shut) })
	return c.conn.Close()
}

// inlet is what was read from a connection and not handed on yet.
type inlet struct {
	space   []byte
	r, w    int  // what was read is space[r:w]
	scanned int  // bytes of that without a line's end
	bounded bool // a read deadline is set
}

// The space of a connection: what it has while it idles, and the most that is kept when it is empty.
const (
	leastInlet = 512
	keepInlet  = 16 << 10
)

func (b *inlet) data() []byte { return b.space[b.r:b.w] }

// lineEnd is where the first LF is; -1 where there is none.
func (b *inlet) lineEnd() int {
	n := bytes.IndexByte(b.data()[b.scanned:], '\n')
	if n < 0 {
		b.scanned = b.w - b.r
		return -1
	}
	return b.scanned + n
}

// drop takes off what was handed on.
func (b *inlet) drop(n int) {
	b.r, b.scanned = b.r+n, 0
	if b.r == b.w {
		b.r, b.w = 0, 0
	}
}

// room is where more is to be read into. There is always some.
func (b *inlet) room(isRaw bool) []byte {
	n := b.w - b.r
	size := max(len(b.space), leastInlet)
	switch {
	case isRaw:
		size = max(size, rawChunk)
	case n == 0 && size > keepInlet:
		size = leastInlet
	case n == size:
		size *= 2
	}
	if size != len(b.space) {
		space := make([]byte, size)
		copy(space, b.data())
		b.space, b.r, b.w = space, 0, n
	} else if b.w == size {
		copy(b.space, b.data())
		b.r, b.w = 0, n
	}
	return b.space[b.w:]
}
