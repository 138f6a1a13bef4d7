package core

import (
	"slices"
	"time"

	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
)

const (
	// drainTick is how often draining looks whether sessions have gone.
	drainTick = 10 * time.Millisecond
	// hurryTime is how long clients have to answer a close where there is no time for more.
	hurryTime = time.Second
)

// CloseSessions closes all sessions with that code and waits until they have gone or the deadline has
// passed; what is left then is cut off. Closes are spread over half of the time, so that not all come
// back elsewhere at once. A session whose turn it is is read no more, and closed when all that it has in
// flight is answered, or when three quarters of the time are over. Once hurry is closed all that is a
// matter of a second; a nil one never is.
func (e *Engine) CloseSessions(code session.CloseCode, deadline time.Time, hurry <-chan struct{}) {
	for {
		all := e.list(func(s *session.Session) bool { return !s.HasEnded() })
		closeSessions(all, code, deadline, hurry)
		if len(all) == 0 || !time.Now().Before(deadline) {
			break
		} // else some may have come meanwhile, which were at their handshake
	}
	cutOff(e.list(func(*session.Session) bool { return true }), code)
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

func closeSessions(all []*session.Session, code session.CloseCode, deadline time.Time, hurry <-chan struct{}) {
	if len(all) == 0 {
		return
	}
	start, total := time.Now(), time.Until(deadline)
	// A thousand a second are no storm; more than that is spread.
	window, patience := min(total/2, time.Duration(len(all))*time.Millisecond), total/4*3
	tick := time.NewTicker(drainTick)
	defer tick.Stop()
	var busy []*session.Session // whose turn it is, with something in flight
	for next := 0; ; {
		passed := time.Since(start)
		for ; next < len(all) && passed >= window*time.Duration(next)/time.Duration(len(all)); next++ {
			all[next].StopReading()
			busy = append(busy, all[next])
		}
		busy = slices.DeleteFunc(busy, func(s *session.Session) bool {
			if s.InFlight() > 0 && passed < patience {
				return s.HasEnded()
			}
			s.CloseWith(code)
			return true
		})
		if passed >= total || next == len(all) && len(busy) == 0 && ended(all) {
			break
		}
		select {
		case <-tick.C:
		case <-hurry:
			hurry, window, patience, total = nil, 0, 0, min(total, passed+hurryTime)
		}
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
