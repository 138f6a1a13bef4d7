//go:build !unix

package http1

// look takes every socket for alive: there is no way to see it without waiting.
func (n *conn) look(uintptr) bool {
	n.alive = true
	return true
}

const canTake = false

func (n *conn) take(uintptr) bool { return true }
