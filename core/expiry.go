package core

import (
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
)

// expiries closes sessions when the proof of who their clients are runs out.
type expiries struct {
	mu     sync.Mutex // guards timers
	timers map[*session.Session]actor.Stopper
}

// set replaces when the session ends; the zero time is never.
func (x *expiries) set(clock actor.Clock, s *session.Session, at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropLocked(s)
	if at.IsZero() || s.HasEnded() {
		return
	}
	if x.timers == nil {
		x.timers = make(map[*session.Session]actor.Stopper)
	}
	x.timers[s] = clock.AfterFunc(max(at.Sub(clock.Now()), 0), func() { s.CloseWith(session.CloseExpired) })
}

// drop forgets a session.
func (x *expiries) drop(s *session.Session) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.dropLocked(s)
}

func (x *expiries) dropLocked(s *session.Session) {
	if t := x.timers[s]; t != nil {
		t.Stop()
		delete(x.timers, s)
	}
}
