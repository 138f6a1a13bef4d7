//go:build linux

package logux

import (
	"fmt"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// queueScenes: the actions of one client are worked off one after another.
var queueScenes = []loguxScene{
	{
		name:    "an undone action undoes what waits behind it",
		scripts: map[string]logux.Script{"ok": granted, "bad": answers("unknownAction"), "after": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(5, `{"type":"slow"}`, `{"type":"ok"}`, `{"type":"bad"}`, `{"type":"next"}`, `{"type":"last"}`)
			c := s.Backend.Next()
			a.Has("synced") // and nothing else
			c.Answer("approved")
			c.Answer("processed")
			c.End()
			a.Outcomes(5)
			a.Sync(6, `{"type":"after"}`)
			a.Outcomes(1)
		},
	},
	{
		name:    "clients do not wait for each other",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a, b := s.Enter("a", "10:a:t"), s.Enter("b", "10:b:t")
			a.Sync(1, `{"type":"slow"}`)
			c := s.Backend.Next()
			a.Sync(2, `{"type":"ok"}`)
			b.Sync(1, `{"type":"ok"}`)
			b.Outcomes(1)
			c.Answer("approved")
			c.Answer("processed")
			a.Outcomes(2) // while the first response is open
			c.End()
		},
	},
	{
		name:    "a slow subscription",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(3, `{"type":"logux/subscribe","channel":"room"}`, `{"type":"ok"}`, `{"type":"logux/unsubscribe","channel":"room"}`)
			s.Backend.Next().Processed()
			a.Outcomes(3)
		},
	},
	{
		name:    "undone by the back-end while it runs",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(2, `{"type":"slow"}`, `{"type":"waits"}`)
			c := s.Backend.Next()
			c.Answer("approved")
			s.Control(logux.Action(fmt.Sprintf(`{"type":"logux/undo","id":%q,"reason":"moved"}`, a.ID(1)), `{"clients":["10:a"]}`))
			a.Outcomes(2)
			a.Sync(3, `{"type":"ok"}`)
			a.Outcomes(1)
			c.Answered("processed") // too late
			harness.Pause(answerArrives)
			s.Control(logux.Action(`{"type":"end"}`, `{"clients":["10:a"]}`))
			a.Has("end")
		},
	},
	{
		name:    "the author goes while its subscription waits",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			c := s.Backend.Next()
			a.Has("synced")
			a.Leave()
			s.Control(logux.Action(`{"type":"note"}`, `{"clients":["10:a"]}`)) // behind the end of the connection
			c.Processed()
			b := s.Enter("b", "10:a:t")
			b.Sync(2, `{"type":"ok"}`)
			b.PerhapsOutcomes(2)
		},
	},
	{
		name:    "types of the protocol's own",
		scripts: map[string]logux.Script{"ok": granted, "logux/later": granted, "logux/subscribed": granted, "logux/undo": granted, "logux/processed": granted},
		play: func(s *logux.Scene) {
			for i, action := range []string{
				`{"type":"logux/later"}`, `{"type":"logux/subscribed","channel":"a"}`,
				`{"type":"logux/undo","id":"1 10:a:t 0","reason":"x"}`, `{"type":"logux/processed","id":"1 10:a:t 0"}`,
			} {
				a := s.Enter("a", fmt.Sprintf("1%d:a:t", i))
				a.Sync(2, action, `{"type":"ok"}`)
				a.PerhapsOutcomes(2)
			}
		},
	},
	{
		name: "an id that is in the queue", scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"slow"}`)
			c := s.Backend.Next()
			a.Sync(1, `{"type":"slow"}`)
			a.Sync(2, `{"type":"ok"}`)
			a.Sync(2, `{"type":"ok"}`)
			a.Has(`["synced",2]`)
			c.Processed()
			a.Outcomes(2)
		},
	},
	{
		name: "an id that is done", scripts: map[string]logux.Script{"ok": granted, "no": answers("forbidden")},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			for i, action := range []string{`{"type":"ok"}`, `{"type":"no"}`} {
				a.Sync(i+1, action)
				a.Outcomes(1)
				a.Sync(i+1, action)
				a.Outcomes(1)
			}
		},
	},
	{
		name: "a sync of nothing",
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Send(`["sync",1]`)
			a.Has("synced")
		},
	},
}

// resumeScenes: who comes back.
var resumeScenes = []loguxScene{
	{
		name: "while an action runs",
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"slow"}`)
			c := s.Backend.Next()
			a.Has("synced")
			a.Leave()
			b := s.Enter("b", "10:a:t")
			c.Processed()
			b.Outcomes(1)
		},
	},
	{
		name: "after an action was done", fresh: true,
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"slow"}`)
			c := s.Backend.Next()
			a.Has("synced")
			a.Leave()
			other := s.Enter("other", "11:b:t") // behind the end of the connection
			c.Processed()
			other.Sync(1, `{"type":"ok"}`)
			other.Outcomes(1) // behind the outcome of the first
			b := s.Enter("b", "10:a:t")
			b.PerhapsOutcomes(1)
		},
	},
	{
		name: "an id that another connection sent", fresh: true,
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"slow"}`)
			c := s.Backend.Next()
			a.Has("synced")
			b := s.Enter("b", "10:a:t")
			b.Again(a, 1, `{"type":"slow"}`)
			b.Has("synced")
			c.Processed()
			b.Outcomes(1)
		},
	},
	{
		name:    "subscriptions go with the connection",
		scripts: map[string]logux.Script{"logux/subscribe": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			a.Outcomes(1)
			b := s.Enter("b", "10:a:t")
			a.Ended()
			s.Control(logux.Action(`{"type":"note"}`, `{"channels":["room"]}`), logux.Action(`{"type":"end"}`, `{"clients":["10:a"]}`))
			b.Has("end")
			b.Sync(2, `{"type":"logux/subscribe","channel":"room","since":{"id":"1560954012838 server:abcdefgh 0","time":1560954012838}}`)
			b.Outcomes(1)
			s.Control(logux.Action(`{"type":"note"}`, `{"channels":["room"]}`))
			b.Has("note")
		},
	},
	{
		name: "a client that has seen more than there is", fresh: true,
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Dial("a", nil)
			a.Connect(4, "10:a:t", 99, `{"token":"good"}`)
			a.Send(`["synced",1000]`)
			a.Sync(1, `{"type":"ok"}`)
			a.Outcomes(1)
		},
	},
}
