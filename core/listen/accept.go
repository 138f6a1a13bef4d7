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
	eof      bool        // the client will send no more
	busy     atomic.Bool // at a request, from its handler to the end of the response
	secure   bool        // over TLS
	named    net.Addr    // who the PROXY protocol says the peer is; nil: nobody
}

// Read implements net.Conn. It notes the end, since fasthttp reports a body that is cut off and one
// that is complete alike.
func (a *accepted) Read(p []byte) (int, error) {
	n, err := a.Conn.Read(p)
	if err == io.EOF { //nolint:errorlint // as io.Reader says
		a.eof = true
	}
	return n, err
}

// Close implements net.Conn.
func (a *accepted) Close() error {
	if a.taken {
		return nil
	}
	return a.Conn.Close()
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
	s.plain[a] = struct{}{}
	s.open++
	s.mu.Unlock()
	go func() {
		switch err := s.prepare(a); {
		case err != nil:
			s.log.Debug("connection refused", "remote_address", nc.RemoteAddr().String(), "err", err)
			_ = a.Conn.Close()
		case s.cfg.Lines:
			s.forget(a)
			s.serveLines(a)
			return
		default:
			_ = s.http.ServeConn(a) // one client's fault
		}
		s.forget(a)
		if !a.hijacked {
			s.over()
		}
	}()
}

// forget is called when a connection is not to be closed by Stop any more.
func (s *Server) forget(a *accepted) {
	s.mu.Lock()
	delete(s.plain, a)
	s.mu.Unlock()
}

// over is called at the end of each connection.
func (s *Server) over() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.open == 0 && s.stopping.Load() {
		close(s.done)
	}
}

// connState follows the connections of fasthttp.
func (s *Server) connState(c net.Conn, state fasthttp.ConnState) {
	a := c.(*accepted)
	switch state {
	case fasthttp.StateIdle:
		a.busy.Store(false)
		if s.stopping.Load() {
			_ = a.Conn.Close()
		}
	case fasthttp.StateHijacked:
		a.hijacked = true
	}
}
