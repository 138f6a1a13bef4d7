//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"
)

// dial connects, upgrades, and returns the socket with what came behind the answer. It blocks.
func dial(address, path string) (fd int, rest []byte, err error) {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return 0, nil, err
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, err
	}
	rest, err = handshake(fd, to, path)
	if err != nil {
		_ = unix.Close(fd)
		return 0, nil, fmt.Errorf("connect to %s%s: %w", address, path, err)
	}
	return fd, rest, nil
}

func handshake(fd int, to netip.AddrPort, path string) (rest []byte, err error) {
	if err := unix.Connect(fd, &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}); err != nil {
		return nil, err
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
		return nil, err
	}
	request := "GET " + path + " HTTP/1.1\r\nHost: " + to.String() + "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	if _, err := unix.Write(fd, []byte(request)); err != nil {
		return nil, err
	}
	var answer []byte
	for {
		var buf [4096]byte
		n, err := unix.Read(fd, buf[:])
		if err != nil {
			return nil, err
		}
		if n == 0 {
			return nil, errors.New("the server closed during the handshake")
		}
		answer = append(answer, buf[:n]...)
		head, rest, ok := bytes.Cut(answer, []byte("\r\n\r\n"))
		if !ok {
			continue
		}
		if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
			return nil, fmt.Errorf("the server answered %q", answer)
		}
		return rest, unix.SetNonblock(fd, true)
	}
}
