package core

import (
	"context"
	"slices"
	"sync"

	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Claim says whether the session now holds the name. An error means that nobody knows.
func (a *attached) Claim(ctx context.Context, s *session.Session, c *pluginv1.Claim) (granted bool, err error) {
	var evicted *session.Session
	k := claimKey{a, c.GetName()}
	if n := a.engine.nodes(); n != nil {
		var takeOver *cluster.Eviction
		if c.GetTakeOver() {
			takeOver = &cluster.Eviction{Code: int(c.GetCloseCode()), Reason: c.GetCloseReason()}
		}
		if granted, evicted, err = n.names.claim(ctx, k, s, takeOver); err != nil {
			return false, err
		}
	} else {
		granted, evicted = a.engine.claims.take(k, s, c.GetTakeOver())
	}
	if evicted != nil {
		evicted.Close(int(c.GetCloseCode()), c.GetCloseReason())
	}
	return granted, nil
}

// Release gives a name up.
func (a *attached) Release(s *session.Session, name string) {
	k := claimKey{a, name}
	if a.engine.claims.release(k, s) && a.engine.nodes() != nil {
		a.engine.nodes().names.release(k)
	}
}

// releaseAll gives up what an ended session held.
func (e *Engine) releaseAll(s *session.Session) {
	if keys := e.claims.releaseAll(s); len(keys) > 0 && e.nodes() != nil {
		e.nodes().names.release(keys...)
	}
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

// take gives a name to a session. One that is being closed gets none: its claim may come late, when another
// has taken its place already.
func (c *claims) take(k claimKey, s *session.Session, takeOver bool) (granted bool, evicted *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch old := c.holder[k]; {
	case s.IsClosing() || s.HasEnded():
		return false, nil
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

// of is the session that holds a name; nil: none.
func (c *claims) of(k claimKey) *session.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.holder[k]
}

// lose takes a name from the session that holds it, which is returned; nil: none did.
func (c *claims) lose(k claimKey) *session.Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.holder[k]
	if s != nil {
		c.dropLocked(k, s)
	}
	return s
}

// release says whether the session held the name.
func (c *claims) release(k claimKey, s *session.Session) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holder[k] != s {
		return false
	}
	c.dropLocked(k, s)
	return true
}

// releaseAll returns what the session held.
func (c *claims) releaseAll(s *session.Session) []claimKey {
	c.mu.Lock()
	defer c.mu.Unlock()
	keys := c.held[s]
	for _, k := range keys {
		delete(c.holder, k)
	}
	delete(c.held, s)
	return keys
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
