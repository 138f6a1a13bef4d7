package core

import (
	"slices"
	"sync"

	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Claim says whether the session now holds the name.
func (a *attached) Claim(s *session.Session, c *pluginv1.Claim) bool {
	granted, evicted := a.engine.claims.take(claimKey{a, c.GetName()}, s, c.GetTakeOver())
	if evicted != nil {
		evicted.Close(int(c.GetCloseCode()), c.GetCloseReason())
	}
	return granted
}

// Release gives a name up.
func (a *attached) Release(s *session.Session, name string) {
	a.engine.claims.release(claimKey{a, name}, s)
}

// claims are the names that sessions of this node hold.
type claims struct {
	mu     sync.Mutex
	holder map[claimKey]*session.Session
	held   map[*session.Session][]claimKey
}

type claimKey struct {
	plugin *attached
	name   string
}

func (c *claims) take(k claimKey, s *session.Session, takeOver bool) (granted bool, evicted *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch old := c.holder[k]; {
	case old == s:
		return true, nil
	case old != nil && !takeOver:
		return false, nil
	case old != nil:
		c.dropLocked(k, old)
		evicted = old
	}
	if c.holder == nil {
		c.holder = make(map[claimKey]*session.Session)
		c.held = make(map[*session.Session][]claimKey)
	}
	c.holder[k] = s
	c.held[s] = append(c.held[s], k)
	return true, evicted
}

func (c *claims) release(k claimKey, s *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holder[k] == s {
		c.dropLocked(k, s)
	}
}

func (c *claims) releaseAll(s *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.held[s] {
		delete(c.holder, k)
	}
	delete(c.held, s)
}

func (c *claims) dropLocked(k claimKey, s *session.Session) {
	delete(c.holder, k)
	keys := c.held[s]
	if i := slices.Index(keys, k); i >= 0 {
		keys = slices.Delete(keys, i, i+1)
	}
	if len(keys) == 0 {
		delete(c.held, s)
		return
	}
	c.held[s] = keys
}
