package core

import (
	"time"

	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
)

// drainTick is how often draining looks whether sessions have gone.
const drainTick = 10 * time.Millisecond

// CloseSessions closes all sessions with that code, spread over half of the time until the deadline
// so that not all come back elsewhere at once, and waits until they have gone or the deadline has
// passed. What is left then is cut off.
func (e *Engine) CloseSessions(code session.CloseCode, deadline time.Time) {
	var all []*session.Session
	e.hub.Each(func(s *session.Session, _ *hub.Group) { all = append(all, s) })
	if len(all) == 0 {
		return
	}
	// A thousand a second are no storm; more than that is spread.
	window := min(time.Until(deadline)/2, time.Duration(len(all))*time.Millisecond)
	start := time.Now()
	for i, s := range all {
		if due := window * time.Duration(i) / time.Duration(len(all)); time.Since(start) < due {
			time.Sleep(due - time.Since(start))
		}
		s.CloseWith(code)
	}
	for time.Now().Before(deadline) && e.sessions() > 0 {
		time.Sleep(drainTick)
	}
	e.hub.Each(func(s *session.Session, _ *hub.Group) { s.Ended(code.Code, code.Reason, false) })
}

func (e *Engine) sessions() int {
	n := 0
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, a := range e.plugins {
		if g := a.group.Load(); g != nil {
			n += g.Len()
		}
	}
	return n
}
