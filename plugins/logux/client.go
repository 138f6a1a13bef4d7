package logux

import (
	"strconv"
	"time"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

const (
	aliveTimer = "alive" // looks after the connection
	tidyTimer  = "tidy"  // ends what is kept of a client that does not come back
	claimTag   = "claim"
)

// stepClient is for the actor of a client.
func (p *Plugin) stepClient(s *session, ev sdk.Event) error {
	if s.State.mem == nil {
		s.State.mem = remember(s)
		p.spoken.recall(s.Route().ID, s.State.Conn.Server)
	}
	switch e := ev.(type) {
	case sdk.Bound:
		if err := p.arrive(s, e); err != nil {
			return err
		}
	case sdk.Frame:
		if s.ID() != s.State.Session {
			return nil // it was replaced
		}
		p.heard(s)
		p.message(s, e.Data)
	case sdk.Answer:
		p.answered(s, &e)
	case sdk.Timer:
		switch e.Name {
		case aliveTimer:
			p.alive(s)
		case tidyTimer:
			p.tidy(s)
		}
	case sdk.Told:
		p.told(s, e.Data)
	case sdk.Closed:
		if s.ID() == s.State.Session {
			p.leave(s)
		}
	}
	p.settle(s)
	return nil
}

// arrive takes a connection of the client that was authenticated. One that was there before is over.
func (p *Plugin) arrive(s *session, b sdk.Bound) error {
	var opened State
	if err := opened.UnmarshalBinary(b.Cell(stateCell)); err != nil {
		return err
	}
	if old := current(s); old != nil {
		old.Close(closeReplaced)
		p.unsubscribeAll(s, nil)
	}
	s.Claim(claimTag, s.Key(), &closeReplaced)
	mem := s.State.mem
	s.State.Conn, s.State.Session = opened.Conn, s.ID()
	s.State.Pinged, s.State.Paused = 0, false
	if given := opened.Conn.Given; given > nowMillis(s)*perMilli+time.Hour.Microseconds() {
		s.State.Conn.Given = 0 // of another server, or of nobody's
	} else {
		mem.synced = max(mem.synced, min(given, mem.recent.added))
	}
	s.State.Heard = 0
	p.heard(s)
	s.Timer(aliveTimer, config(s).Ping)
	s.StopTimer(tidyTimer)
	if headers := b.Cell(headersCell); headers != nil {
		s.Put(headersCell, headers)
	} else {
		s.Delete(headersCell)
	}
	p.resume(s)
	for i := range opened.Held {
		if !p.message(s, b.Cell(heldCell(i))) {
			break
		}
	}
	return nil
}

// message handles a message of the client; false: it ended the connection.
func (p *Plugin) message(s *session, data []byte) bool {
	m, fault := decode(data)
	if fault != nil {
		p.flush(s)
		fail(&s.Conn, fault)
		return false
	}
	switch m.kind {
	case kindSync:
		return p.receive(s, &m)
	case kindPing:
		s.SendAppend(func(dst []byte) []byte { return appendNumber(dst, "pong", p.lastAdded(s)) })
	case kindPong, kindSynced:
		p.ponged(s)
		p.confirmed(s, numberOf(m.added))
	case kindHeaders:
		s.Put(headersCell, m.object)
	case kindConnect, kindConnected:
		p.flush(s)
		fail(&s.Conn, wrongMessage(data))
		return false
	default:
		noteMessage(s, &m)
	}
	return true
}

func appendNumber(dst []byte, name string, n int64) []byte {
	dst = rawjson.AppendString(append(dst, '['), name)
	return append(strconv.AppendInt(append(dst, ','), n, 10), ']')
}

// heard notes traffic. Seconds do: it is written down at most once in one.
func (p *Plugin) heard(s *session) {
	if now := second(s.Time()); now > s.State.Heard {
		s.State.Heard = now
		s.State.Synced = s.State.mem.synced
	}
}

// ponged notes that the client answered. As with Logux' own server a synced does for a pong.
func (p *Plugin) ponged(s *session) {
	if s.State.Pinged != 0 {
		s.State.Pinged = 0
		s.Timer(aliveTimer, config(s).Ping)
	}
}

// alive pings a client that was silent for a while, and ends the connection of one that does not answer.
func (p *Plugin) alive(s *session) {
	c := current(s)
	if c == nil {
		return
	}
	cfg := sdk.RouteConfig[RouteConfig](c)
	now := nowMillis(s)
	silence := time.Duration(now-s.State.Heard*1000) * time.Millisecond
	switch {
	case s.State.Paused:
		s.Timer(aliveTimer, cfg.Ping) // its answer would not be read
	case s.State.Pinged != 0:
		c.Close(closeTimeout)
	case silence < cfg.Ping:
		s.Timer(aliveTimer, cfg.Ping-silence)
	default:
		s.State.Pinged = now
		c.SendAppend(func(dst []byte) []byte { return appendNumber(dst, "ping", p.lastAdded(s)) })
		s.Timer(aliveTimer, cfg.Timeout)
	}
}

// leave ends what a connection had. The client's queue goes on, and what becomes of it is kept.
func (p *Plugin) leave(s *session) {
	mem := s.State.mem
	p.unsubscribeAll(s, nil)
	s.StopTimer(aliveTimer)
	s.Delete(headersCell)
	s.State.Session, s.State.Synced = 0, mem.synced
	s.Timer(tidyTimer, keepOutcomes)
	if len(mem.frames) == 0 && mem.recent.last < mem.recent.first {
		p.tidy(s)
	}
}

// tidy forgets a client that has not come back.
func (p *Plugin) tidy(s *session) {
	if s.State.Session != 0 {
		return
	}
	if mem := s.State.mem; len(mem.frames) > 0 {
		s.Timer(tidyTimer, keepOutcomes)
		return
	}
	s.StopTimer(tidyTimer)
	var keys []string
	for key := range s.Cells() {
		keys = append(keys, key)
	}
	for _, key := range keys {
		s.Delete(key)
	}
	s.State = State{}
}
