//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"golang.org/x/sys/unix"
)

// A back-end that answers at once takes part of the processors that whoever asks it could use. So it serves
// all connections in one thread, with one read and one write a request.

// asker is a connection to such a back-end.
type asker struct {
	fd      int
	partial []byte
}

// serveAll serves connections until one cannot be accepted.
func (b *backend) serveAll(ln net.Listener) error {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	come := make(chan int32, 1024) // descriptors, told before the poll is
	go func() { ended <- b.loop(ep, come) }()
	for {
		c, err := ln.Accept()
		if err != nil {
			return err
		}
		fd, err := own(c)
		if err != nil {
			return err
		}
		come <- int32(fd)
		if err := unix.EpollCtl(ep, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}); err != nil {
			return err
		}
		select {
		case err := <-ended:
			return err
		default:
		}
	}
}

// own takes a connection away from Go's runtime.
func own(c net.Conn) (fd int, err error) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return 0, err
	}
	if controlErr := raw.Control(func(of uintptr) { fd, err = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) }); controlErr != nil {
		return 0, controlErr
	}
	return fd, errors.Join(err, c.Close())
}

func (b *backend) loop(ep int, come <-chan int32) error {
	askers := make(map[int32]*asker)
	events := make([]unix.EpollEvent, 256)
	in, out := make([]byte, 256<<10), make([]byte, 0, 64<<10)
	for {
		n, err := unix.EpollWait(ep, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return err
		}
		for more := true; more; {
			select {
			case fd := <-come:
				askers[fd] = &asker{fd: int(fd)}
			default:
				more = false
			}
		}
		for _, e := range events[:max(n, 0)] {
			a := askers[e.Fd]
			if out, err = b.converse(a, in, out[:0]); err != nil {
				delete(askers, e.Fd) // before the number is somebody else's
				_ = unix.Close(a.fd)
			}
		}
	}
}

// converse reads what came on a connection and answers the requests that are whole.
func (b *backend) converse(a *asker, in, out []byte) ([]byte, error) {
	n := copy(in, a.partial)
	got, err := unix.Read(a.fd, in[n:])
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return out, nil
	case err != nil:
		return out, err
	case got == 0:
		return out, net.ErrClosed
	}
	rest := in[:n+got]
	for {
		r, next, err := cutRequest(rest)
		if err != nil {
			return out, err
		}
		if r == nil {
			break
		}
		rest = next
		out = b.respond(out, r)
	}
	a.partial = append(a.partial[:0], rest...)
	for from := 0; from < len(out); {
		n, err := unix.Write(a.fd, out[from:])
		switch {
		case err == nil:
			from += n
		case errors.Is(err, unix.EINTR):
		default: // who does not read has asked more than it may
			return out, err
		}
	}
	return out, nil
}

type plainRequest struct {
	posts bool
	body  []byte
}

// cutRequest takes a request off b; nil while it has not all come.
func cutRequest(b []byte) (r *plainRequest, rest []byte, err error) {
	head, rest, ok := bytes.Cut(b, []byte("\r\n\r\n"))
	if !ok {
		return nil, b, nil
	}
	r = &plainRequest{posts: bytes.HasPrefix(head, []byte("POST "))}
	size := 0
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		name, value, _ := bytes.Cut(line, []byte{':'})
		switch {
		case len(name) == len("content-length") && bytes.EqualFold(name, []byte("content-length")):
			if size, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || size < 0 {
				return nil, b, fmt.Errorf("length %q", value)
			}
		case len(name) == len("transfer-encoding") && bytes.EqualFold(name, []byte("transfer-encoding")):
			return nil, b, errors.New("a body in chunks is not read here")
		}
	}
	if len(rest) < size {
		return nil, b, nil
	}
	r.body = rest[:size]
	return r, rest[size:], nil
}

func (b *backend) respond(out []byte, r *plainRequest) []byte {
	status, body := http.StatusOK, b.scratch[:0]
	if r.posts {
		var err error
		if body, err = b.answer(body, r.body); err != nil {
			status, body = http.StatusBadRequest, append(body[:0], err.Error()...)
		}
	} else {
		var report bytes.Buffer
		b.report(&report)
		body = append(body, report.Bytes()...)
	}
	b.scratch = body
	out = append(out, "HTTP/1.1 "...)
	out = strconv.AppendInt(out, int64(status), 10)
	out = append(append(append(out, ' '), http.StatusText(status)...), "\r\nContent-Type: application/json\r\nContent-Length: "...)
	out = strconv.AppendInt(out, int64(len(body)), 10)
	return append(append(out, "\r\n\r\n"...), body...)
}
