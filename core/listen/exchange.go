package listen

import (
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/valyala/fasthttp"
	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// responseBuffer is how much of a response may wait for a client that reads slowly.
const responseBuffer = 1 << 20

// exchange is a plain request as its session sees it: the [session.ResponseWriter] that is answered,
// and the body that fasthttp then reads from. The connection's goroutine waits in it, looking out
// for a client that leaves.
type exchange struct {
	srv  *Server
	conn net.Conn
	raw  syscall.RawConn // nil: a client that leaves is noticed only when it is written to
	sess *session.Session

	seats *route.Seats // of which it has one while its answer is streamed

	mu       sync.Mutex
	status   int // 0: not answered yet
	headers  []session.Header
	body     []byte // not yet taken by fasthttp
	last     bool   // nothing follows body
	code     int    // the session was closed with it
	dead     bool   // the connection is to be closed
	slow     bool   // because the client did not read
	held     int64  // what the budget counts of the answer
	finished bool   // the connection is fasthttp's again
	reading  bool   // the goroutine reads from the connection, a deadline wakes it
	feeding  bool   // and that is the request's body, which only a whole answer interrupts

	wake chan struct{} // wakes the goroutine where it cannot read
}

func newExchange(s *Server, c net.Conn) *exchange {
	return &exchange{srv: s, conn: c, raw: rawConn(c), wake: make(chan struct{}, 1)}
}

// Respond implements [session.ResponseWriter].
func (x *exchange) Respond(status int, headers []session.Header, body []byte, last bool) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.respond(status, headers, body, last)
}

func (x *exchange) respond(status int, headers []session.Header, body []byte, last bool) error {
	if x.last || x.dead || x.finished {
		return session.ErrClosed
	}
	if x.status == 0 {
		if status < 200 || status > 599 {
			status = fasthttp.StatusInternalServerError
		}
		x.status = status
		x.headers = append(x.headers, headers...)
	}
	if len(x.body) > 0 && len(x.body)+len(body) > responseBuffer || !x.hold(len(body)) {
		x.slow = true
		x.kill()
		return session.ErrSlowConsumer
	}
	x.body = append(x.body, body...)
	x.last = last
	x.rouse()
	return nil // what comes before the end of the request's body waits for that
}

// hold counts more of an answer. The caller holds mu.
func (x *exchange) hold(n int) bool {
	if !x.srv.cfg.Budget.Take(int64(n)) {
		x.srv.meter.refused(noMemory)
		return false
	}
	x.held += int64(n)
	return true
}

// leave returns what the budget counts of the answer, for the caller to give it back.
func (x *exchange) leave() (held int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	held, x.held = x.held, 0
	return held
}

// refuse answers where nothing was answered yet, and ends the connection elsewhere.
func (x *exchange) refuse(status int, text string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.status != 0 {
		x.kill()
		return
	}
	_ = x.respond(status, []session.Header{{Name: "content-type", Value: "text/plain; charset=utf-8"}}, []byte(text), true)
}

// rouse wakes the connection's goroutine. The caller holds mu.
func (x *exchange) rouse() {
	if x.reading && (!x.feeding || x.last || x.dead) {
		_ = x.conn.SetReadDeadline(time.Unix(1, 0))
	}
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// kill closes the connection. The caller holds mu.
func (x *exchange) kill() {
	if x.finished {
		return
	}
	x.dead = true
	x.rouse()
	_ = x.conn.Close()
}

// finish gives the connection back.
func (x *exchange) finish() {
	x.mu.Lock()
	x.finished = true
	x.mu.Unlock()
}

// settled says whether the rest of the request's body matters to nobody any more.
func (x *exchange) settled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.last || x.dead
}

// interruptible lets a whole answer interrupt the read that follows; it returns false when one is
// there.
func (x *exchange) interruptible(deadline time.Time) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.last || x.dead {
		return false
	}
	x.reading, x.feeding = true, true
	return x.conn.SetReadDeadline(deadline) == nil
}

func (x *exchange) uninterruptible() {
	x.mu.Lock()
	x.reading, x.feeding = false, false
	x.mu.Unlock()
}

// answer waits for the answer and has fasthttp write it. complete says that the request's body was
// read to its end. It returns true when the answer is streamed.
func (x *exchange) answer(ctx *fasthttp.RequestCtx, complete bool) (streams bool) {
	if !x.wait(func() bool { return x.status != 0 }) {
		x.over()
		x.srv.drop(ctx)
		return false
	}
	x.mu.Lock()
	status, headers, body, last := x.status, x.headers, x.body, x.last
	x.finished = last
	x.mu.Unlock()
	ctx.SetStatusCode(status)
	for _, h := range headers {
		setHeader(&ctx.Response.Header, h)
	}
	if !complete {
		ctx.SetConnectionClose()
	}
	if !last {
		ctx.Response.ImmediateHeaderFlush = true
		ctx.Response.SetBodyStream((*stream)(x), -1)
		return true
	}
	ctx.Response.SetBodyRaw(body)
	x.sess.Ended(session.CloseNormal.Code, session.CloseNormal.Reason, false)
	return false
}

// setHeader sets what a plugin may say; the rest is of the connection, and ours.
func setHeader(to *fasthttp.ResponseHeader, h session.Header) {
	switch strings.ToLower(h.Name) {
	case "connection", "content-length", "transfer-encoding", "keep-alive", "upgrade", "trailer", "te":
		return
	}
	if validHeader(h) {
		to.Add(h.Name, h.Value)
	}
}

func validHeader(h session.Header) bool {
	const special = "!#$%&'*+-.^_`|~"
	for i := range len(h.Name) {
		c := h.Name[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && strings.IndexByte(special, c) < 0 {
			return false
		}
	}
	for i := range len(h.Value) {
		if c := h.Value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return h.Name != ""
}

// wait waits until ready, which is called with mu held, and returns false when the connection is
// over before.
func (x *exchange) wait(ready func() bool) bool {
	watch := x.raw != nil
	for {
		x.mu.Lock()
		if x.dead || ready() {
			ok := !x.dead
			x.mu.Unlock()
			return ok
		}
		x.reading = watch
		if watch {
			_ = x.conn.SetReadDeadline(time.Time{})
		}
		x.mu.Unlock()
		if !watch {
			<-x.wake
			continue
		}
		gone, more := peek(x.raw)
		x.uninterruptible()
		if gone {
			return false
		}
		// Another request is waiting already: until it is read nothing can be seen behind it.
		watch = !more
	}
}

// peek waits for a byte, the end of the connection or its read deadline, without taking anything.
func peek(raw syscall.RawConn) (gone, more bool) {
	if s, ok := raw.(sealed); ok {
		return s.peek(), false
	}
	var b [1]byte
	err := raw.Read(func(fd uintptr) bool {
		for {
			n, _, err := unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
			switch err {
			case unix.EINTR:
				continue
			case unix.EAGAIN:
				return false
			}
			gone, more = err != nil || n == 0, n > 0
			return true
		}
	})
	_ = err // the deadline, or the connection was closed by us: who did so knows
	return gone, more
}

// lost ends the session of a client that left.
func (x *exchange) lost() {
	x.mu.Lock()
	x.kill()
	x.mu.Unlock()
	x.over()
}

// over ends the session of a connection that is over.
func (x *exchange) over() {
	x.mu.Lock()
	why, byClient := session.CloseLost, true
	if x.slow {
		why, byClient = session.CloseSlowConsumer, false
	}
	x.mu.Unlock()
	x.sess.Ended(why.Code, why.Reason, byClient)
}

// stream is an exchange as fasthttp reads the body of its response.
type stream exchange

// Read implements io.Reader. It waits for more of the body.
func (b *stream) Read(p []byte) (int, error) {
	x := (*exchange)(b)
	if !x.wait(func() bool { return len(x.body) > 0 || x.last }) {
		return 0, io.ErrUnexpectedEOF
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.body) == 0 {
		return 0, io.EOF
	}
	n := copy(p, x.body)
	x.held -= int64(n)
	x.srv.cfg.Budget.Give(int64(n))
	if x.body = x.body[n:]; len(x.body) == 0 {
		x.body = nil
	}
	// fasthttp bounds the response as a whole; a stream may take longer.
	return n, x.conn.SetWriteDeadline(time.Now().Add(x.srv.cfg.WriteTimeout))
}

// Close implements io.Closer. It is called when the response was written, or could not be.
func (b *stream) Close() error {
	x := (*exchange)(b)
	x.mu.Lock()
	complete := x.last && len(x.body) == 0 && !x.dead
	x.finished = complete
	x.mu.Unlock()
	x.srv.cfg.Budget.Give(x.leave())
	x.seats.Give()
	if complete {
		x.sess.Ended(session.CloseNormal.Code, session.CloseNormal.Reason, false)
	} else {
		x.over()
	}
	return nil
}

// The rest of [session.Transport]: there are no frames, and an end is a status.

// AppendFrame implements [session.Transport].
func (x *exchange) AppendFrame(dst, _ []byte, _ bool) []byte { return dst }

// AppendClose implements [session.Transport].
func (x *exchange) AppendClose(dst []byte, code int, _ string) []byte {
	x.mu.Lock()
	x.code = code
	x.mu.Unlock()
	return dst
}

// TryWrite implements [session.Transport].
func (x *exchange) TryWrite(p []byte) (int, error) { return len(p), nil }

// Write implements [session.Transport].
func (x *exchange) Write(p []byte) (int, error) { return len(p), nil }

// SetWriteDeadline implements [session.Transport].
func (x *exchange) SetWriteDeadline(time.Time) error { return nil }

// CloseWrite implements [session.Transport]: a session that is closed without an answer is answered
// by its code, and one in the middle of an answer is cut off.
func (x *exchange) CloseWrite() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case x.last || x.dead || x.finished:
	case x.status == 0:
		status, text := closeStatus(x.code)
		headers := []session.Header{{Name: "content-type", Value: "text/plain; charset=utf-8"}}
		if status == fasthttp.StatusServiceUnavailable {
			headers = append(headers, session.Header{Name: "retry-after", Value: retryAfter})
		}
		_ = x.respond(status, headers, []byte(text), true)
	case x.code == session.CloseNormal.Code:
		x.last = true
		x.rouse()
	default:
		x.kill()
	}
	return nil
}

func closeStatus(code int) (status int, text string) {
	switch code {
	case session.CloseNormal.Code:
		return fasthttp.StatusNoContent, ""
	case session.CloseExpired.Code:
		return fasthttp.StatusForbidden, "not allowed\n"
	case session.CloseTooLarge.Code:
		return fasthttp.StatusRequestEntityTooLarge, "request too large\n"
	case session.CloseGoingAway.Code, session.CloseRestart.Code, session.CloseUnavailable.Code:
		return fasthttp.StatusServiceUnavailable, "try again later\n"
	}
	return fasthttp.StatusInternalServerError, "internal error\n"
}

// Close implements [session.Transport].
func (x *exchange) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.kill()
	return nil
}
