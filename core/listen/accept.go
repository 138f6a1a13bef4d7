package listen

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"github.com/valyala/fasthttp"
)

// accepted is a connection as fasthttp knows it. fasthttp closes what was hijacked from it once the
// hijacker returns, and only then pools its buffers (8 KiB, the size of a head); a connection that
// was taken is therefore not closed by it.
type accepted struct {
	net.Conn
	taken    bool        // a WebSocket's now
	hijacked bool        // fasthttp is through with it, but for the hijacker
	busy     atomic.Bool // at a request, from its handler to the end of the response

	guard  guard
	begun  uint64      // requests that reached the handler
	fault  *faultError // what the client sent is read no further
	owed   int64       // what the budget counts of an answer that is being written
	held   []byte      // came behind a head that asks for another protocol
	secure bool        // over TLS
	named  net.Addr    // who the PROXY protocol says the peer is; nil: nobody
}

// Read implements net.Conn. Nothing that the guard refuses goes on: a head with a fault is never
// complete.
func (a *accepted) Read(p []byte) (n int, err error) {
	if a.fault != nil {
		return 0, a.fault
	}
	if len(a.held) > 0 {
		n = copy(p, a.held)
		a.held = a.held[n:]
	} else {
		n, err = a.Conn.Read(p)
	}
	good, f := a.guard.take(p[:n])
	if f != nil {
		a.fault = f
		if a.guard.state <= inMethod && a.guard.pos == 0 && good < n {
			p[good] = '?' // fasthttp answers nobody who has not begun a request
			good++
		}
		return good, f
	}
	if good < n {
		a.held = append(append([]byte(nil), p[good:n]...), a.held...)
		err = nil // it comes again
	}
	return good, err
}

// Close implements net.Conn.
func (a *accepted) Close() error {
	switch {
	case a.taken:
		return nil
	case a.fault != nil || a.guard.state != atStart:
		a.linger()
	}
	return a.Conn.Close()
}

// bodyEnded says whether the request that the handler is at came whole. fasthttp reports a body that
// is cut off and one that is complete alike, and takes any end for that of a trailer.
func (a *accepted) bodyEnded() error {
	switch {
	case a.guard.ended >= a.begun:
		return io.EOF
	case a.fault != nil:
		return a.fault
	}
	return io.ErrUnexpectedEOF
}

// What a client still sends behind a fault, or of a body that nobody wants, is read for a while: a
// connection that is closed over unread bytes is reset, and the answer lost.
const (
	lingerTime  = time.Second
	lingerBytes = 16 << 20
)

func (a *accepted) linger() {
	tcp, ok := a.Conn.(*net.TCPConn)
	if !ok || tcp.CloseWrite() != nil || tcp.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, tcp, lingerBytes)
}

// accept serves what comes in until the address is closed. fasthttp's own loop would leave
// goroutines behind for a while and could not say when all is over.
func (s *Server) accept(ln net.Listener) error {
	var pause time.Duration
	for {
		nc, err := ln.Accept()
		switch {
		case err == nil:
			pause = 0
			s.admit(nc)
		case s.stopping.Load():
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", ln.Addr(), err)
		default:
			// Out of descriptors, most often: connections that end bring relief.
			pause = min(max(2*pause, 5*time.Millisecond), time.Second)
			s.log.Error("accept failed", "err", err, "pause", pause)
			time.Sleep(pause)
		}
	}
}

func (s *Server) admit(nc net.Conn) {
	a := &accepted{Conn: nc}
	s.mu.Lock()
	if s.stopping.Load() {
		s.mu.Unlock()
		_ = nc.Close()
		return
	}
	why, ok := s.doors.enter(s.addressKey(nc))
	if !ok {
		s.mu.Unlock()
		s.turnOff(nc, why)
		return
	}
	s.plain[a] = struct{}{}
	s.mu.Unlock()
	s.meter.opened(1)
	go func() {
		switch err := s.prepare(a); {
		case err != nil:
			if !errors.Is(err, errStopping) && !errors.Is(err, io.EOF) { // else it only came and went
				s.meter.refused(malformed)
			}
			s.log.Debug("connection refused", "remote_address", nc.RemoteAddr().String(), "err", err)
			_ = a.Conn.Close()
		case s.cfg.Lines:
			s.forget(a)
			s.serveLines(a)
			return
		default:
			_ = s.http.ServeConn(a) // one client's fault
			s.settle(a)
		}
		s.forget(a)
		if !a.hijacked {
			s.over(nc)
		}
	}()
}

// settle gives back what an answer held, once it was written.
func (s *Server) settle(a *accepted) {
	s.cfg.Budget.Give(a.owed)
	a.owed = 0
}

// forget is called when a connection is not to be closed by Stop any more.
func (s *Server) forget(a *accepted) {
	s.mu.Lock()
	delete(s.plain, a)
	s.mu.Unlock()
}

// over is called at the end of each connection.
func (s *Server) over(nc net.Conn) {
	s.meter.opened(-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doors.leave(s.addressKey(nc))
	if s.doors.open == 0 && s.stopping.Load() {
		s.finish()
	}
}

// connState follows the connections of fasthttp.
func (s *Server) connState(c net.Conn, state fasthttp.ConnState) {
	a := c.(*accepted)
	switch state {
	case fasthttp.StateIdle:
		a.busy.Store(false)
		s.settle(a)
		if s.stopping.Load() {
			_ = a.Conn.Close()
		}
	case fasthttp.StateHijacked:
		a.hijacked = true
	}
}
