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
	everything := func(*session.Session) bool { return true }
	closeSessions(e.list(everything), code, deadline)
	cutOff(e.list(everything), code) // and what came meanwhile
}

// sessionsOn lists the sessions of some routes.
func (e *Engine) sessionsOn(routes map[string]bool) []*session.Session {
	return e.list(func(s *session.Session) bool { return routes[s.Info.Route] })
}

// sessions counts them.
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

func closeSessions(all []*session.Session, code session.CloseCode, deadline time.Time) {
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
	for time.Now().Before(deadline) && !ended(all) {
		time.Sleep(drainTick)
	}
	cutOff(all, code)
}

// cutOff ends what has not ended yet.
func cutOff(all []*session.Session, code session.CloseCode) {
	for _, s := range all {
		s.Ended(code.Code, code.Reason, false)
	}
}

func (e *Engine) list(which func(*session.Session) bool) []*session.Session {
	var all []*session.Session
	e.hub.Each(func(s *session.Session, _ *hub.Group) {
		if which(s) {
			all = append(all, s)
		}
	})
	return all
}

func ended(all []*session.Session) bool {
	for _, s := range all {
		if !s.HasEnded() {
			return false
		}
	}
	return true
}
