package listen

import (
	"context"
	"crypto/tls"
	"net"
	"strconv"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// admission asks who the client is. It returns nil once the client was answered instead, or is gone.
func (s *Server) admission(ctx *fasthttp.RequestCtx, e *route.Entry, info *session.Info) *session.Admission {
	defer s.admissions.Add(-1)
	if s.admissions.Add(1) > int64(s.cfg.MaxAdmissions) {
		if dropped, ok := s.quiet.Allow(time.Now()); ok {
			s.log.Warn("too many clients wait for their auth backend", "route", e.ID,
				"limit", s.cfg.MaxAdmissions, "dropped", dropped)
		}
		s.meter.refused(tooManyWaiting)
		s.later(ctx)
		return nil
	}
	who, refusal, gone := s.ask(ctx.Conn().(*accepted).Conn, e, info)
	switch {
	case gone:
		s.drop(ctx)
	case s.life.Err() != nil:
		s.later(ctx)
	case refusal != nil:
		s.meter.refused(notAdmitted)
		s.turnAway(ctx, refusal)
	case who == nil:
		s.log.Error("nobody said who the client is", "route", e.ID)
		s.reject(ctx, fasthttp.StatusInternalServerError, "internal error")
	default:
		return who
	}
	return nil
}

// ask calls Admit, and says whether the client left meanwhile.
func (s *Server) ask(c net.Conn, e *route.Entry, info *session.Info) (who *session.Admission, refusal *Refusal, gone bool) {
	life, cancel := context.WithCancel(s.life)
	defer cancel()
	l := lookOut(c, cancel)
	defer func() { gone = l.stop() }() // behind a panic as well
	who, refusal = s.opener.Admit(life, e, info)
	return who, refusal, false
}

// turnAway answers with a refusal.
func (s *Server) turnAway(ctx *fasthttp.RequestCtx, r *Refusal) {
	status := r.Status
	if status < 400 || status > 599 {
		status = fasthttp.StatusInternalServerError
	}
	if r.Challenge != "" {
		ctx.Response.Header.Set("WWW-Authenticate", r.Challenge)
	}
	if r.RetryAfter > 0 {
		ctx.Response.Header.Set("Retry-After", strconv.Itoa(r.RetryAfter))
	}
	s.reject(ctx, status, r.Text)
}

// lookout watches for a client that leaves while somebody else works for it. It takes nothing from
// the connection.
type lookout struct {
	conn net.Conn
	done chan struct{} // nil: nothing can be seen
	gone bool          // once done is closed
}

// lookOut starts a lookout, which calls left when the client goes. stop is to be called.
func lookOut(c net.Conn, left func()) *lookout {
	l := &lookout{conn: c}
	raw := rawConn(c)
	if raw == nil || c.SetReadDeadline(time.Time{}) != nil {
		return l
	}
	l.done = make(chan struct{})
	go func() {
		defer close(l.done)
		if l.gone, _ = peek(raw); l.gone {
			left()
		}
	}()
	return l
}

// stop ends it and says whether the client left.
func (l *lookout) stop() (gone bool) {
	if l.done == nil {
		return false
	}
	_ = l.conn.SetReadDeadline(time.Unix(1, 0))
	<-l.done
	_ = l.conn.SetReadDeadline(time.Time{})
	return l.gone
}

// rawConn is nil for what is no socket. Under TLS it is good for peek alone.
func rawConn(c net.Conn) syscall.RawConn {
	secure, under := c.(*tls.Conn)
	if under {
		c = secure.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil
	}
	if under {
		return sealed{raw}
	}
	return raw
}
