package listen

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// request serves a plain request: it makes the session, feeds it what there is of the body and waits
// for the answer. It runs in fasthttp's goroutine of the connection and holds it until then. It
// returns true when the answer is streamed: the seat is then given back behind that.
func (s *Server) request(ctx *fasthttp.RequestCtx, e *route.Entry, info *session.Info, who *session.Admission) (streams bool) {
	b := requestBody{
		ctx: ctx, conn: ctx.Conn().(*accepted), srv: s, limit: e.MaxBody, whole: max(s.cfg.MaxBody, e.WholeBody),
	}
	if b.limit == 0 {
		b.limit = b.whole
	}
	buf := messages.Get().(*[]byte)
	defer freeMessage(buf)
	defer func() { s.cfg.Budget.Give(b.held) }()
	whole, err := b.begin(buf)
	if err != nil {
		b.refuse(err)
		return false
	}
	x := newExchange(s, b.conn.Conn)
	x.seats = e.Seats
	defer func() {
		if !streams {
			b.conn.owed += x.leave()
		}
	}()
	first := *buf
	if !whole {
		first = nil
	}
	sess, err := s.opener.OpenRequest(e, info, who, first, !whole, x)
	if err != nil {
		s.meter.refused(notReady)
		if dropped, ok := s.quiet.Allow(time.Now()); ok {
			s.log.Warn("request refused", "route", e.ID, "err", err, "dropped", dropped)
		}
		x.finish()
		ctx.Response.Header.Set("Retry-After", retryAfter)
		refuse(ctx, fasthttp.StatusServiceUnavailable, "try again later")
		if !whole {
			ctx.SetConnectionClose()
		}
		return false
	}
	x.sess = sess
	done := false
	defer func() {
		if !done { // a panic: nobody else would end the session
			sess.Ended(session.CloseInternal.Code, session.CloseInternal.Reason, false)
		}
	}()
	complete := whole
	if !whole {
		complete = b.feed(x, buf)
	}
	streams = x.answer(ctx, complete)
	done = true
	return streams
}

// requestBody reads the body of one request.
type requestBody struct {
	ctx   *fasthttp.RequestCtx
	conn  *accepted
	srv   *Server
	limit int64 // of all of it; negative: none
	whole int64 // up to which it is read at once
	read  int64
	held  int64 // what the budget counts of it
}

// Read reads from the body; at its end it returns io.EOF.
func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ctx.RequestBodyStream().Read(p)
	b.read += int64(n)
	switch {
	case b.limit >= 0 && b.read > b.limit:
		err = errBodyTooLarge
	case err == io.EOF: //nolint:errorlint // as io.Reader says
		err = b.conn.bodyEnded()
	}
	return n, err
}

var (
	errBodyTooLarge = errors.New("request body too large")
	errNoMemory     = errors.New("too many bytes wait")
)

// begin reads the body into buf, up to what is read at once, and says whether that was all.
func (b *requestBody) begin(buf *[]byte) (whole bool, err error) {
	*buf = (*buf)[:0]
	h := &b.ctx.Request.Header
	if !hasBody(h) {
		return true, nil
	}
	if n := int64(h.ContentLength()); b.limit >= 0 && n > b.limit {
		return false, errBodyTooLarge
	} else if n > b.whole {
		return false, nil
	}
	at := (*buf)[:0]
	defer func() { *buf = at }()
	for {
		if len(at) == cap(at) {
			at = append(at, 0)[:len(at)]
			if !b.hold(int64(cap(at))) {
				return false, errNoMemory
			}
		}
		if err := b.conn.SetReadDeadline(time.Now().Add(b.srv.cfg.BodyTimeout)); err != nil {
			return false, err
		}
		n, err := b.Read(at[len(at):cap(at)])
		at = at[:len(at)+n]
		switch {
		case err == io.EOF: //nolint:errorlint // as io.Reader says
			return true, nil
		case err != nil:
			return false, err
		case b.read > b.whole:
			return false, nil // only a chunked body comes here: its length was not known
		}
	}
}

// hold counts a buffer that has grown.
func (b *requestBody) hold(n int64) bool {
	if !b.srv.cfg.Budget.Take(n - b.held) {
		return false
	}
	b.held = n
	return true
}

// refuse answers a request whose body could not be read.
func (b *requestBody) refuse(err error) {
	var netErr net.Error
	var f *faultError
	switch {
	case errors.As(err, &f):
		b.srv.meter.refused(malformed)
		refuse(b.ctx, f.status, f.text)
	case errors.Is(err, errNoMemory):
		b.srv.meter.refused(noMemory)
		b.srv.later(b.ctx)
	case errors.Is(err, errBodyTooLarge):
		refuse(b.ctx, fasthttp.StatusRequestEntityTooLarge, "request body too large")
	case errors.Is(err, os.ErrDeadlineExceeded):
		refuse(b.ctx, fasthttp.StatusRequestTimeout, "request timeout")
	case errors.As(err, &netErr), errors.Is(err, io.ErrUnexpectedEOF):
		b.srv.drop(b.ctx)
		return
	default:
		refuse(b.ctx, fasthttp.StatusBadRequest, "bad request body")
	}
	b.ctx.SetConnectionClose()
}

// feed hands a streamed body to the session, first what begin left in buf, and says whether it came
// to the end of it. A whole answer that comes earlier ends it; one that has only begun waits for it.
func (b *requestBody) feed(x *exchange, buf *[]byte) (complete bool) {
	if first := *buf; len(first) > 0 && !b.hand(x, first) {
		return false
	}
	for {
		if !x.interruptible(time.Now().Add(b.srv.cfg.BodyTimeout)) {
			return false
		}
		n, err := b.Read((*buf)[:cap(*buf)])
		x.uninterruptible()
		if errors.Is(err, errBodyTooLarge) {
			x.refuse(fasthttp.StatusRequestEntityTooLarge, "request body too large\n")
			return false
		}
		if f := b.conn.fault; f != nil && errors.Is(err, f) {
			x.refuse(f.status, f.text+"\n")
			return false
		}
		if n > 0 && !b.hand(x, (*buf)[:n]) {
			return false
		}
		switch {
		case err == nil:
		case err == io.EOF: //nolint:errorlint // as io.Reader says
			x.sess.Eof()
			return true
		case !errors.Is(err, os.ErrDeadlineExceeded):
			x.lost()
			return false
		case !x.settled():
			x.refuse(fasthttp.StatusRequestTimeout, "request timeout\n")
			return false
		}
	}
}

// hand hands one chunk on and waits until another may be read.
func (b *requestBody) hand(x *exchange, chunk []byte) bool {
	x.sess.Frame(chunk, true)
	return x.sess.WaitReadable()
}

// drop closes the connection without an answer.
func (s *Server) drop(ctx *fasthttp.RequestCtx) {
	ctx.HijackSetNoResponse(true)
	from := ctx.Conn().(*accepted).Conn
	ctx.Hijack(func(net.Conn) { s.over(from) }) // fasthttp closes it behind that
}
