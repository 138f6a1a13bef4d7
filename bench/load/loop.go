//go:build linux

package load

import (
	"errors"
	"fmt"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// loop is many connections on one epoll descriptor.
type loop struct {
	ep     int
	conns  []*conn
	in     []byte // what was just read, of any connection
	events []unix.EpollEvent
	timer  int // -1: none
	expiry [8]byte
	// frame takes a frame of a connection; what it appends to c.out is written after it.
	frame func(c *conn, payload []byte) error
}

// conn is one connection.
type conn struct {
	fd, index int
	partial   []byte // a frame of which more must come
	out       []byte // frames to be written
	stuck     bool   // the socket was full
	http      bool   // plain requests and answers; a frame is the body of one
	session   session
}

const readSize = 256 << 10

var epoch = time.Now()

// now is a time in ns that goes on evenly.
func now() int64 { return int64(time.Since(epoch)) }

func newLoop() (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	return &loop{ep: ep, in: make([]byte, readSize), events: make([]unix.EpollEvent, 512), timer: -1}, nil
}

func dialAll(s *Spec) (*loop, error) {
	l, err := newLoop()
	if err != nil {
		return nil, err
	}
	if err := l.dialEach(s); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// dialEach opens what the spec says; of a MeshFanout the first one is a back-end's.
func (l *loop) dialEach(s *Spec) error {
	if s.Kind != MeshFanout {
		return l.dial(s, s.Connections)
	}
	if err := l.dial(s.api(), 1); err != nil {
		return err
	}
	return l.dial(s, s.Connections-1)
}

// dial opens so many connections more.
func (l *loop) dial(s *Spec, n int) error {
	for range n {
		fd, rest, err := dial(s)
		if err != nil {
			return err
		}
		c := &conn{fd: fd, index: len(l.conns), partial: rest, http: s.Path == ""}
		l.conns = append(l.conns, c)
		if err := l.control(unix.EPOLL_CTL_ADD, c, unix.EPOLLIN); err != nil {
			return err
		}
	}
	return nil
}

func (l *loop) control(op int, c *conn, events uint32) error {
	return unix.EpollCtl(l.ep, op, c.fd, &unix.EpollEvent{Events: events, Fd: int32(c.index)})
}

func (l *loop) close() {
	for _, c := range l.conns {
		_ = unix.Close(c.fd)
	}
	if l.timer >= 0 {
		_ = unix.Close(l.timer)
	}
	_ = unix.Close(l.ep)
}

// every makes wait return at that interval at the latest.
func (l *loop) every(d time.Duration) error {
	fd, err := unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return err
	}
	l.timer = fd
	ts := unix.NsecToTimespec(int64(d))
	if err := unix.TimerfdSettime(fd, 0, &unix.ItimerSpec{Interval: ts, Value: ts}, nil); err != nil {
		return err
	}
	return unix.EpollCtl(l.ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: -1})
}

// patience is how long wait waits, in ms.
const patience = 100

// wait waits for something to happen, for a while, and serves it.
func (l *loop) wait() error {
	_, err := l.serve(patience)
	return err
}

// errOverdue is what until returns when it has waited in vain.
var errOverdue = errors.New("it does not come in time")

// until serves what happens until something is so, for so long at most.
func (l *loop) until(limit time.Duration, done func() bool) error {
	for deadline := now() + int64(limit); !done(); {
		if now() > deadline {
			return errOverdue
		}
		if err := l.wait(); err != nil {
			return err
		}
	}
	return nil
}

// serve serves what happens within so many ms, and says whether something did.
func (l *loop) serve(patience int) (served bool, err error) {
	n, err := unix.EpollWait(l.ep, l.events, patience)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, err
	}
	for i := range max(n, 0) {
		e := &l.events[i]
		if e.Fd < 0 {
			_, _ = unix.Read(l.timer, l.expiry[:]) // only wakes
			continue
		}
		c := l.conns[e.Fd]
		if e.Events&unix.EPOLLOUT != 0 {
			c.stuck = false
			if err := l.control(unix.EPOLL_CTL_MOD, c, unix.EPOLLIN); err != nil {
				return false, err
			}
		}
		if e.Events&(unix.EPOLLIN|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			if err := l.read(c); err != nil {
				return false, fmt.Errorf("connection %d: %w", c.index, err)
			}
		}
		if err := l.flush(c); err != nil {
			return false, fmt.Errorf("connection %d: %w", c.index, err)
		}
	}
	return n > 0, nil
}

func (l *loop) read(c *conn) error {
	n := copy(l.in, c.partial)
	m, err := unix.Read(c.fd, l.in[n:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return err
	case m == 0:
		return io.ErrUnexpectedEOF
	}
	rest, err := l.frames(c, l.in[:n+m])
	c.partial = append(c.partial[:0], rest...)
	return err
}

func (l *loop) frames(c *conn, b []byte) (rest []byte, err error) {
	for {
		next := cut
		if c.http {
			next = cutAnswer
		}
		payload, rest, ok, err := next(b)
		if err != nil || !ok {
			return rest, err
		}
		b = rest
		if payload == nil {
			c.out = append(c.out, pong...)
		} else if err := l.frame(c, payload); err != nil {
			return rest, err
		}
	}
}

// flush writes what waits, as far as the socket takes it.
func (l *loop) flush(c *conn) error {
	if c.stuck || len(c.out) == 0 {
		return nil
	}
	n, err := unix.Write(c.fd, c.out)
	if err != nil && !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR) {
		return err
	}
	if n = max(n, 0); n == len(c.out) {
		c.out = c.out[:0]
		return nil
	}
	c.out = c.out[:copy(c.out, c.out[n:])]
	c.stuck = true
	return l.control(unix.EPOLL_CTL_MOD, c, unix.EPOLLIN|unix.EPOLLOUT)
}
