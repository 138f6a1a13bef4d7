package listen

import (
	"errors"
	"io"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// attempt is a read or a write that does not wait. Its closures are made once, since one would be made
// for each call.
type attempt struct {
	p     []byte
	n     int
	err   error
	read  func(fd uintptr) bool
	write func(fd uintptr) bool
}

var attempts = sync.Pool{New: func() any {
	a := new(attempt)
	a.read, a.write = a.readOnce, a.writeOnce
	return a
}}

// tryRead reads what is there; 0 without an error when nothing is, and io.EOF at the end.
func tryRead(c syscall.RawConn, p []byte) (int, error) {
	a := attempts.Get().(*attempt)
	a.p, a.n, a.err = p, 0, nil
	err := c.Read(a.read)
	return a.done(err)
}

// tryWrite writes what the socket takes.
func tryWrite(c syscall.RawConn, p []byte) (int, error) {
	a := attempts.Get().(*attempt)
	a.p, a.n, a.err = p, 0, nil
	err := c.Write(a.write)
	return a.done(err)
}

func (a *attempt) done(err error) (int, error) {
	if err == nil {
		err = a.err
	}
	n := a.n
	a.p = nil
	attempts.Put(a)
	return n, err
}

func (a *attempt) readOnce(fd uintptr) bool {
	for {
		n, err := unix.Read(int(fd), a.p)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
		case err != nil:
			a.err = err
		case n == 0:
			a.err = io.EOF
		default:
			a.n = n
		}
		return true
	}
}

func (a *attempt) writeOnce(fd uintptr) bool {
	for a.n < len(a.p) {
		n, err := unix.Write(int(fd), a.p[a.n:])
		switch {
		case err == nil:
			a.n += n
		case errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return true
		default:
			a.err = err
			return true
		}
	}
	return true
}
