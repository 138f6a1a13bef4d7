//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"
)

// dial connects, upgrades unless the path is empty, and returns the socket with what came behind the answer. It
// blocks.
func dial(s *Spec) (fd int, rest []byte, err error) {
	to, err := netip.ParseAddrPort(s.Address)
	if err != nil {
		return 0, nil, err
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, err
	}
	if err = bind(fd, s.Source); err == nil {
		rest, err = handshake(fd, to, s.Path)
	}
	if err != nil {
		_ = unix.Close(fd)
		return 0, nil, fmt.Errorf("connect to %s%s: %w", s.Address, s.Path, err)
	}
	return fd, rest, nil
}

// bind has a socket come from an address, with whatever port is free for where it connects to.
func bind(fd int, source string) error {
	if source == "" {
		return nil
	}
	from, err := netip.ParseAddr(source)
	if err != nil {
		return err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return err
	}
	return unix.Bind(fd, &unix.SockaddrInet4{Addr: from.As4()})
}

func handshake(fd int, to netip.AddrPort, path string) (rest []byte, err error) {
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return nil, err
	}
	if path != "" {
		rest, err = upgrade(socket(fd), to.String(), path)
	}
	return rest, errors.Join(err, unix.SetNonblock(fd, true))
}

// socket reads and writes a socket that blocks.
type socket int

func (s socket) Read(p []byte) (int, error) {
	n, err := unix.Read(int(s), p)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return max(n, 0), err
}

func (s socket) Write(p []byte) (int, error) { return unix.Write(int(s), p) }

// upgrade makes a WebSocket of a connection, and returns what came behind the answer.
func upgrade(c io.ReadWriter, host, path string) (rest []byte, err error) {
	_, err = io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	var answer []byte
	for err == nil {
		var buf [4096]byte
		var n int
		n, err = c.Read(buf[:])
		answer = append(answer, buf[:n]...)
		head, rest, ok := bytes.Cut(answer, []byte("\r\n\r\n"))
		switch {
		case !ok:
		case !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")):
			return nil, fmt.Errorf("the server answered %q", answer)
		default:
			return rest, nil
		}
	}
	return nil, fmt.Errorf("handshake: %w", err)
}
