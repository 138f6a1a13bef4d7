package core

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

// leaving is sessions whose clients answer a close after so long, each noting when it was closed.
type leaving struct {
	start  time.Time
	answer time.Duration // negative: never
	all    []*session.Session
	closed []time.Duration // when each was; negative: not
}

// leaver is one of them.
type leaver struct {
	of *leaving
	n  int
}

func newLeaving(n int, answer time.Duration) *leaving {
	l := &leaving{start: time.Now(), answer: answer, closed: slices.Repeat([]time.Duration{-1}, n)}
	for i := range n {
		v := &leaver{l, i}
		l.all = append(l.all, session.New(uint64(i+1), &session.Info{}, v, v, session.NewLimits(session.Limits{})))
	}
	return l
}

func (v *leaver) AppendFrame(dst, data []byte, _ bool) []byte { return append(dst, data...) }

func (v *leaver) AppendClose(dst []byte, code int, reason string) []byte {
	v.of.closed[v.n] = time.Since(v.of.start)
	if v.of.answer >= 0 {
		time.AfterFunc(v.of.answer, func() { v.of.all[v.n].ClosedByClient(code, reason) })
	}
	return append(dst, 0)
}
func (v *leaver) TryWrite(p []byte) (int, error)                     { return len(p), nil }
func (v *leaver) Write(p []byte) (int, error)                        { return len(p), nil }
func (v *leaver) SetWriteDeadline(time.Time) error                   { return nil }
func (v *leaver) CloseWrite() error                                  { return nil }
func (v *leaver) Close() error                                       { return nil }
func (v *leaver) Frame(*session.Session, []byte, bool)               {}
func (v *leaver) Eof(*session.Session)                               {}
func (v *leaver) Closed(_ *session.Session, _ int, _ string, _ bool) {}

// TestCloseSessionsIsSpread: a thousand sessions a second are closed, or as many as leave half of the
// time.
func TestCloseSessionsIsSpread(t *testing.T) {
	for _, tt := range []struct {
		name            string
		sessions        int
		timeout, window time.Duration
	}{
		{"one", 1, 30 * time.Second, 0},
		{"a hundred", 100, 30 * time.Second, 100 * time.Millisecond},
		{"more than there is time for", 50_000, 30 * time.Second, 15 * time.Second},
		{"no time", 1000, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLeaving(tt.sessions, time.Millisecond)
				closeSessions(l.all, session.CloseGoingAway, time.Now().Add(tt.timeout), nil)
				for i, at := range l.closed {
					due := tt.window * time.Duration(i) / time.Duration(tt.sessions)
					if at < due || at > due+drainTick {
						t.Fatalf("session %d was closed after %v, want %v", i, at, due)
					}
				}
				if took := time.Since(l.start); took > tt.window+2*drainTick || !ended(l.all) {
					t.Errorf("it took %v, all have ended: %v", took, ended(l.all))
				}
				synctest.Wait()
			})
		})
	}
}

// TestCloseSessionsWaits: what is in flight is answered first, nothing more is read meanwhile, and
// nobody is waited for beyond three quarters of the time.
func TestCloseSessionsWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeaving(3, 0)
		quick, slow, never := l.all[0], l.all[1], l.all[2]
		slow.Hold(1)
		never.Hold(1)
		time.AfterFunc(7*time.Second, func() {
			if slow.Readable() {
				t.Error("it is still read")
			}
			slow.Release(1)
		})
		closeSessions(l.all, session.CloseGoingAway, time.Now().Add(20*time.Second), nil)
		for i, want := range []time.Duration{0, 7 * time.Second, 15 * time.Second} {
			if at := l.closed[i]; at < want || at > want+drainTick {
				t.Errorf("session %d was closed after %v, want %v", i, at, want)
			}
		}
		if !quick.HasEnded() || !never.HasEnded() || time.Since(l.start) > 15*time.Second+drainTick {
			t.Errorf("it took %v", time.Since(l.start))
		}
	})
}

// TestCloseSessionsCutsOff: a client that does not answer is cut off at the deadline.
func TestCloseSessionsCutsOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeaving(2, -1)
		closeSessions(l.all, session.CloseGoingAway, time.Now().Add(3*time.Second), nil)
		if took := time.Since(l.start); took < 3*time.Second || took > 3*time.Second+drainTick || !ended(l.all) {
			t.Errorf("it took %v, all have ended: %v", took, ended(l.all))
		}
	})
}

// TestCloseSessionsHurries: once it is in a hurry everybody is told at once, and has a second.
func TestCloseSessionsHurries(t *testing.T) {
	for name, answer := range map[string]time.Duration{"clients answer": 0, "they do not": -1} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLeaving(10_000, answer)
				l.all[0].Hold(1)
				hurry := make(chan struct{})
				time.AfterFunc(time.Second, func() { close(hurry) })
				closeSessions(l.all, session.CloseGoingAway, time.Now().Add(time.Minute), hurry)
				for i, at := range l.closed {
					if at < 0 || at > time.Second+drainTick {
						t.Fatalf("session %d was closed after %v", i, at)
					}
				}
				if took := time.Since(l.start); took > time.Second+hurryTime+2*drainTick || !ended(l.all) {
					t.Errorf("it took %v, all have ended: %v", took, ended(l.all))
				}
				synctest.Wait()
			})
		})
	}
}
