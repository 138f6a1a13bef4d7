//go:build linux

package chatweb

import (
	"io"
	"net"
	"sync"
	"testing"
)

// cable is between pages and a bridge, and can be pulled.
type cable struct {
	address string // where pages connect
	far     string

	mu    sync.Mutex // guards the rest
	cut   bool
	ends  map[net.Conn]bool
	tried int // connections that were made while it was cut
}

// newCable lays one to an address until the test ends.
func newCable(t *testing.T, far string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{address: l.Addr().String(), far: far, ends: map[net.Conn]bool{}}
	var done sync.WaitGroup
	done.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			done.Go(func() { c.carry(near) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		c.pull()
		done.Wait()
	})
	return c
}

// carry copies in both directions until one of them ends.
func (c *cable) carry(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", c.far)
	if err != nil {
		return
	}
	defer far.Close()
	if !c.add(near, far) {
		return
	}
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(near, far)
		_ = near.Close()
	})
	_, _ = io.Copy(far, near)
	_ = far.Close()
	back.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.ends, near)
	delete(c.ends, far)
}

func (c *cable) add(near, far net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		c.tried++
		return false
	}
	c.ends[near], c.ends[far] = true, true
	return true
}

// pull ends all connections, and those that are made until plug.
func (c *cable) pull() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for end := range c.ends {
		_ = end.Close()
	}
}

func (c *cable) plug() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
}

// tries is how often somebody connected since it was pulled.
func (c *cable) tries() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tried
}
