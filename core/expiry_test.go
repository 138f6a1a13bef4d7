package core

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/protocol-bridge/bridge/core/session"
)

// TestExpiries: each session is closed when its time has come, whatever was set, moved and dropped
// before, and no other is.
func TestExpiries(t *testing.T) {
	limits := session.NewLimits(session.Limits{})
	rapid.Check(t, func(t *rapid.T) {
		clock := &handClock{now: time.Unix(1_800_000_000, 0)}
		var x expiries
		ends := make(map[*session.Session]time.Time)
		var all []*session.Session
		pick := func(t *rapid.T) *session.Session { return rapid.SampledFrom(all).Draw(t, "session") }
		after := rapid.Custom(func(t *rapid.T) time.Duration {
			return time.Duration(rapid.IntRange(0, 20).Draw(t, "seconds")) * time.Second
		})
		for range 20 {
			s := session.New(uint64(len(all)), &session.Info{}, silent{}, silent{}, limits)
			all = append(all, s)
		}
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				s := pick(t)
				ends[s] = clock.Now().Add(after.Draw(t, "after"))
				x.set(clock, s, ends[s])
			},
			"never": func(t *rapid.T) {
				s := pick(t)
				delete(ends, s)
				x.set(clock, s, time.Time{})
			},
			"drop": func(t *rapid.T) {
				s := pick(t)
				delete(ends, s)
				x.drop(s)
			},
			"wait": func(t *rapid.T) { clock.advance(after.Draw(t, "wait")) },
			"": func(t *rapid.T) {
				clock.advance(0)
				waiting := 0
				for i, s := range all {
					end, has := ends[s]
					over := has && !end.After(clock.Now())
					if over && !s.IsClosing() {
						t.Fatalf("session %d is open %v after its end", i, clock.Now().Sub(end))
					}
					if !over && s.IsClosing() {
						t.Fatalf("session %d was closed", i)
					}
					if over { // another takes its place
						s.Ended(session.CloseLost.Code, "", true)
						delete(ends, s)
						all[i] = session.New(s.ID, &session.Info{}, silent{}, silent{}, limits)
					} else if has {
						waiting++
					}
				}
				if n := len(x.queue.list); n != waiting || len(x.queue.place) != n {
					t.Fatalf("%d are kept, want %d", n, waiting)
				}
			},
		})
		for _, s := range all {
			s.Ended(session.CloseLost.Code, "", true)
		}
	})
}
