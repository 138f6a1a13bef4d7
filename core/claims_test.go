package core

import (
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

// silent is a connection that nobody is at the other end of.
type silent struct{}

func (silent) AppendFrame(dst, _ []byte, _ bool) []byte       { return dst }
func (silent) AppendClose(dst []byte, _ int, _ string) []byte { return append(dst, 0) }
func (silent) TryWrite(p []byte) (int, error)                 { return len(p), nil }
func (silent) Write(p []byte) (int, error)                    { return len(p), nil }
func (silent) SetWriteDeadline(time.Time) error               { return nil }
func (silent) CloseWrite() error                              { return nil }
func (silent) Close() error                                   { return nil }
func (silent) Frame(s *session.Session, data []byte, _ bool)  { s.Release(len(data)) }
func (silent) Eof(*session.Session)                           {}
func (silent) Closed(*session.Session, int, string, bool)     {}

// A claim is made in its own time: one of a session that was replaced meanwhile takes nothing from who
// replaced it.
func TestLateClaim(t *testing.T) {
	t.Parallel()
	limits := session.NewLimits(session.Limits{})
	open := func(id uint64) *session.Session {
		return session.New(id, &session.Info{}, silent{}, silent{}, limits)
	}
	var c claims
	key := claimKey{name: "client"}
	first, second, third := open(1), open(2), open(3)
	if granted, evicted := c.take(key, first, true); !granted || evicted != nil {
		t.Fatal("a free name is not given")
	}
	second.Close(1001, "the client connected again")
	if granted, evicted := c.take(key, third, true); !granted || evicted != first {
		t.Fatal("a name is not taken over")
	}
	if granted, evicted := c.take(key, second, true); granted || evicted != nil {
		t.Error("a session that is being closed takes a name over")
	}
	third.Ended(1006, "", false)
	if granted, _ := c.take(key, third, false); granted {
		t.Error("a session that has ended is given a name")
	}
}
