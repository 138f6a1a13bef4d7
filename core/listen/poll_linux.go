package listen

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pollers wait for all WebSockets of a server, each for its share: a connection that has nothing to say
// has no goroutine, no stack and no buffer.
type pollers struct {
	all  []*poller
	next atomic.Uint32
}

// poller is an epoll descriptor which the runtime's own waits for. What came on a connection is read and
// handed on in the poller's goroutine, as far as that needs no waiting; all that came by then is one turn.
type poller struct {
	srv    *Server
	file   *os.File
	raw    syscall.RawConn
	fd     int
	ended  atomic.Bool
	events [256]unix.EpollEvent
	places []place
	ends   []place // those of places at which the client has ended what it sends
	turn   []*conn // with something to be read
	again  []*conn // with more than one read took
	buf    *burst
}

// startPollers makes as many as there are processors. Where that fails, connections have goroutines of
// their own.
func (s *Server) startPollers() {
	for range runtime.GOMAXPROCS(0) {
		p, err := newPoller(s)
		if err != nil {
			s.log.Warn("idle connections will take more memory", "err", err)
			return
		}
		s.pollers.all = append(s.pollers.all, p)
		go p.run()
	}
}

func newPoller(s *Server) (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // or the runtime would not wait for it
		_ = unix.Close(fd)
		return nil, fmt.Errorf("make epoll non-blocking: %w", err)
	}
	p := &poller{srv: s, fd: fd, file: os.NewFile(uintptr(fd), "epoll"), buf: new(burst)}
	if p.raw, err = p.file.SyscallConn(); err == nil {
		err = p.file.SetReadDeadline(time.Time{}) // fails where the runtime does not wait for it
	}
	if err != nil {
		_ = p.file.Close()
		return nil, fmt.Errorf("wait for epoll: %w", err)
	}
	return p, nil
}

// pick returns the poller of a connection to come, nil where there is none.
func (l *pollers) pick() *poller {
	if len(l.all) == 0 {
		return nil
	}
	return l.all[l.next.Add(1)%uint32(len(l.all))]
}

// stop ends all of them. No connection is open.
func (l *pollers) stop() {
	for _, p := range l.all {
		p.ended.Store(true)
		_ = p.file.SetReadDeadline(time.Unix(1, 0))
	}
}

// add has the poller wait for what comes on a connection: each time something does after it was read
// empty. The kernel forgets the connection when it is closed.
func (p *poller) add(c *conn) error {
	var failed error
	err := c.raw.Control(func(fd uintptr) {
		failed = unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, int(fd), &unix.EpollEvent{
			Events: unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLET,
			Fd:     int32(c.place.slot), Pad: int32(c.place.generation),
		})
	})
	if err == nil {
		err = failed
	}
	return err
}

func (p *poller) run() {
	// The whole life of the poller is one read: between two of them what the runtime has been told of
	// would be forgotten.
	_ = p.raw.Read(func(uintptr) bool {
		for !p.ended.Load() {
			if !p.poll() {
				return false
			}
			// What was handed on is sent before more is read.
			runtime.Gosched()
		}
		return true
	})
	_ = p.file.Close()
}

// poll serves what has come; false when the runtime is to wait for more.
func (p *poller) poll() (more bool) {
	n, err := unix.EpollWait(p.fd, p.events[:], 0)
	if err != nil {
		n = 0 // a signal came
		more = true
	}
	p.places, p.ends = p.places[:0], p.ends[:0]
	for i := range n {
		e := &p.events[i]
		at := place{uint32(e.Fd), uint32(e.Pad)}
		p.places = append(p.places, at)
		if e.Events&(unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
			p.ends = append(p.ends, at)
		}
	}
	p.turn = p.srv.roster.find(p.turn[:0], p.ends)
	for _, c := range p.turn {
		c.atEnd.Store(true)
	}
	p.turn = append(p.turn[:0], p.again...)
	p.again = p.again[:0]
	left := len(p.turn)
	p.turn = p.srv.roster.find(p.turn, p.places)
	now := time.Now()
	for i, c := range p.turn {
		// Who has more to say has kept its turn.
		if i < left || c.claim() {
			p.serve(c, now)
		}
	}
	clear(p.turn)
	return more || n == len(p.events) || len(p.again) > 0
}

// serve reads a connection once and hands on what came.
func (p *poller) serve(c *conn, now time.Time) {
	defer func() {
		if r := recover(); r != nil {
			p.srv.panicked(c, r)
			go c.serve(nil, drain)
		}
	}()
	for {
		n, err := tryRead(c.raw, p.buf[:])
		if n == 0 && err != nil {
			c.lost()
			c.end()
			return
		}
		if n > 0 {
			c.hear(now)
			if used, v := c.feed(p.buf[:n]); v != goOn {
				go c.serve(bytes.Clone(p.buf[used:n]), v) // who may wait
				return
			}
		}
		switch {
		case n == len(p.buf) || n > 0 && c.atEnd.Load(): // of an end behind what was read nobody is told again
			p.again = append(p.again, c)
			return
		case c.rest():
			return
		}
	}
}
