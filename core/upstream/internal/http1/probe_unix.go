//go:build unix

package http1

import (
	"errors"
	"syscall"
)

// look notes whether a socket is open and silent, without waiting.
func (n *conn) look(fd uintptr) bool {
	var b [1]byte
	_, err := syscall.Read(int(fd), b[:])
	n.alive = errors.Is(err, syscall.EAGAIN)
	return true
}
