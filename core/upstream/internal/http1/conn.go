package http1

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

const (
	// inSize is the memory that a connection reads into, and so the most that a head may have and
	// the largest piece of a body.
	inSize = 16 << 10
	// outSize is the memory for writing that a connection keeps.
	outSize = 64 << 10
)

// conn is one connection, with the response that is being read from it.
type conn struct {
	client *Client
	net    net.Conn
	raw    syscall.RawConn // of the socket; nil when there is none to look at
	plain  bool            // nothing stands between net and the socket
	abort  func()          // closes net
	probe  func(fd uintptr) bool
	alive  bool // what probe found
	turn   turn

	in      []byte
	r, w    int // what was read and not yet used is in[r:w]
	out     []byte
	expires time.Time // do not use after it

	// ctx is that of the request that runs, or ran last: it says why the socket was closed. One that has an
	// end is watched until there is another, as most requests have the same.
	ctx  context.Context //nolint:containedctx // see above
	stop func() bool     // ends the watch; nil: there is none
	head head
	body body
	some bool // a byte of the body came
}

// Response is the response to one request. It is used by one goroutine, and not after Close.
type Response conn

func newConn(c *Client, secured, socket net.Conn) *conn {
	n := &conn{client: c, net: secured, in: make([]byte, inSize)}
	n.abort = func() { _ = secured.Close() }
	n.probe, n.turn.take = n.look, n.take
	if sc, ok := socket.(syscall.Conn); ok {
		n.raw, _ = sc.SyscallConn()
		n.plain = canTake && n.raw != nil && secured == socket
	}
	return n
}

// usable reports whether a connection that was kept may be used, and sets its deadline. The server
// may have closed it since, or have said something that nobody asked for; of a plain one that is seen
// when the request is written.
func (n *conn) usable(until time.Time) bool {
	switch {
	case time.Now().After(n.expires):
		return false
	case n.plain:
		return n.net.SetReadDeadline(until) == nil
	case n.net.SetDeadline(until) != nil:
		return false
	}
	return n.raw == nil || n.silent()
}

// silent reports whether the socket is open, and nothing came on it.
func (n *conn) silent() bool {
	n.alive = false
	return n.raw.Read(n.probe) == nil && n.alive
}

// begin makes a connection that of a request; false: the context of the one before closes it just now.
func (n *conn) begin(ctx context.Context) bool {
	n.r, n.w, n.some = 0, 0, false
	if n.ctx == ctx {
		return true
	}
	if !n.unwatch() {
		return false
	}
	n.ctx = ctx
	if ctx.Done() != nil {
		n.stop = context.AfterFunc(ctx, n.abort)
	}
	return true
}

// unwatch ends the watch of a context; false: that has ended, and closes the connection.
func (n *conn) unwatch() bool {
	stop := n.stop
	n.ctx, n.stop = nil, nil
	return stop == nil || stop()
}

// turn is a request of a plain connection up to the first bytes of the response. All of it is one wait for
// the socket: to look for these bytes before they can be there would cost a system call for each request.
type turn struct {
	take func(fd uintptr) bool // the connection's, made a value once

	kept    bool // the connection was kept, and is to be looked at
	begun   bool
	written int
	err     error
}

var errStale = errors.New("the server closed a connection, or said something unasked")

// write writes a request. Of a plain connection it also waits for the first bytes of the response. kept
// says that the connection had another one.
func (n *conn) write(header string, body []byte, kept bool, until time.Time) (written int, err error) {
	out := n.out[:0]
	out = append(out, n.client.head...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	out = append(append(append(out, "\r\n"...), header...), "\r\n"...)
	out = append(out, body...)
	if cap(out) <= outSize {
		n.out = out
	}
	if !n.plain {
		return n.net.Write(out)
	}
	t := &n.turn
	n.out, t.kept, t.begun, t.written, t.err = out, kept, false, 0, nil
	err = n.raw.Read(t.take)
	if cap(out) > outSize {
		n.out = nil
	}
	written = t.written
	switch {
	case err != nil || t.err != nil:
		return written, cmp.Or(err, t.err)
	case written < len(out): // the socket is full
		if err := n.net.SetWriteDeadline(until); err != nil {
			return written, err
		}
		more, err := n.net.Write(out[written:])
		return written + more, err
	}
	return written, nil
}

// fill reads more, behind what is there.
func (n *conn) fill() error {
	if n.r == n.w {
		n.r, n.w = 0, 0
	}
	got, err := n.net.Read(n.in[n.w:])
	n.w += got
	if got > 0 {
		return nil // an error comes again
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// readHead reads heads until one is not that of an interim response.
func (n *conn) readHead() error {
	for interim := 0; ; {
		for {
			size := headSize(n.in[n.r:n.w])
			if size > 0 {
				err := n.head.parse(n.in[n.r : n.r+size])
				n.r += size
				if err != nil {
					return err
				}
				break
			}
			if n.w == len(n.in) {
				return fmt.Errorf("%w: the head is too large", ErrMalformed)
			}
			if err := n.fill(); err != nil {
				return err
			}
		}
		if n.head.status >= 200 {
			break
		}
		if interim++; interim > 8 || n.head.status == 101 {
			return fmt.Errorf("%w: status %d was not asked for", ErrMalformed, n.head.status)
		}
	}
	n.body = newBody(&n.head)
	return nil
}

// explain says what an error of the connection means. Time limits and the end of a context show
// themselves only as errors of the socket.
func (n *conn) explain(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, net.ErrClosed):
		return ErrClosed
	case errors.Is(err, os.ErrDeadlineExceeded) && n.some && n.client.cfg.IdleTimeout > 0:
		return ErrIdle
	case errors.Is(err, os.ErrDeadlineExceeded):
		return ErrTimeout
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: the server closed it", ErrLost)
	case errors.Is(err, ErrMalformed):
		return err
	}
	return fmt.Errorf("%w: %w", ErrLost, err)
}

// drop closes the connection for good.
func (n *conn) drop() {
	n.unwatch()
	_ = n.net.Close()
	c := n.client
	c.mu.Lock()
	delete(c.all, n)
	c.mu.Unlock()
}

// Status is the status of the response.
func (r *Response) Status() int { return r.head.status }

// RetryAfter is what the response says about when to come back; ok is false if it does not.
func (r *Response) RetryAfter(now time.Time) (wait time.Duration, ok bool) {
	return retryAfter(r.head.retryAfter, now)
}

// Next waits for more of the body and returns what there is, at least a byte; it is good until the
// next call. The end of the body is io.EOF. A byte must come within the client's IdleTimeout, the
// first one at the time that [Client.Post] was given; without an IdleTimeout, all of them.
func (r *Response) Next() ([]byte, error) {
	n := (*conn)(r)
	for {
		piece, err := n.body.take(n)
		if len(piece) > 0 {
			n.some = true
			return piece, nil
		}
		if err != nil {
			return nil, err
		}
		if n.body.complete {
			return nil, io.EOF
		}
		if n.some && n.client.cfg.IdleTimeout > 0 {
			if err := n.net.SetReadDeadline(time.Now().Add(n.client.cfg.IdleTimeout)); err != nil {
				return nil, n.explain(n.ctx, err)
			}
		}
		if err := n.fill(); err != nil {
			if errors.Is(err, io.EOF) && n.body.framing == untilClose {
				n.body.complete = true
				return nil, io.EOF
			}
			return nil, n.explain(n.ctx, err)
		}
	}
}

// Buffered returns what is there of the body without waiting, good until the next call, and whether
// the body ends with it.
func (r *Response) Buffered() (piece []byte, complete bool) {
	n := (*conn)(r)
	piece, _ = n.body.take(n) // an error comes again
	n.some = n.some || len(piece) > 0
	return piece, n.body.complete
}

// Close ends the request. The connection is kept if the body was read to its end, else closed.
func (r *Response) Close() {
	n := (*conn)(r)
	aborted := n.ctx == nil || n.ctx.Err() != nil
	if aborted || !n.body.complete || !n.head.keep || n.r != n.w {
		n.drop()
		return
	}
	now := time.Now()
	n.expires = now.Add(keepFor)
	if limit := n.head.keepFor; limit > 0 {
		// It closes about then: a request that is sent at that moment is lost.
		n.expires = now.Add(limit - min(limit/2, time.Second))
	}
	n.client.keep(n)
}

// headSize returns the size of the head at the beginning of p with its empty line, 0 if that is not
// there yet.
func headSize(p []byte) int {
	for from := 0; ; {
		i := bytes.IndexByte(p[from:], '\n')
		if i < 0 {
			return 0
		}
		from += i + 1
		switch {
		case bytes.HasPrefix(p[from:], []byte("\n")):
			return from + 1
		case bytes.HasPrefix(p[from:], []byte("\r\n")):
			return from + 2
		}
	}
}
