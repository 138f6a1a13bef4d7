//go:build linux

package logux

import (
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// How long a scene waits until guesses are forgotten, and until an answer was read by itself.
const (
	answerArrives    = 200 * time.Millisecond
	guessesForgotten = 3500 * time.Millisecond
)

// refusalScenes: what a client is told when the back-end does not let it in, or cannot be asked.
var refusalScenes = func() (scenes []loguxScene) {
	for _, row := range []struct {
		name   string
		script logux.Script
	}{
		{"denied", answers("denied")},
		{"denied, with a subprotocol", func(c *logux.Call) { c.Answer("denied", `"subprotocol":"1.0.0"`) }},
		{"wrong subprotocol", func(c *logux.Call) { c.Answer("wrongSubprotocol", `"supported":"^2.0.0"`) }},
		{"error", func(c *logux.Call) { c.Answer("error", `"details":"stack"`) }},
		{"error without an id", raw(`[{"answer":"error","details":"stack"}]`)},
		{"error with null for an id", raw(`[{"id":null,"answer":"error","details":"stack"}]`)},
		{"status 500", status(500, "Internal error")},
		{"status 503", status(503, "")},
		{"status 404", status(404, "Not found")},
		{"wrong secret", status(403, "Wrong secret")},
		{"no answers", raw(`[]`)},
		{"empty", raw(``)},
		{"an answer to something else", raw(`[{"answer":"authenticated","authId":"of another"}]`)},
		{"not JSON", raw(`<html>`)},
		{"truncated", raw(`[`)},
		{"reset", (*logux.Call).Reset},
		{"reset in the array", func(c *logux.Call) { c.Write("[ "); harness.Pause(answerArrives); c.Reset() }},
		{"cut off in the array", func(c *logux.Call) { c.Write("[ "); harness.Pause(answerArrives); c.Cut() }},
		{"denied and then authenticated", answers("denied", "authenticated")},
		{"authenticated and then reset", func(c *logux.Call) { c.Answer("authenticated"); harness.Pause(answerArrives); c.Reset() }},
		{"an answer to an action", raw(`[{"answer":"approved","authId":ID}]`)},
		{"an unknown answer", raw(`[{"answer":"maybe","authId":ID}]`)},
	} {
		scenes = append(scenes, loguxScene{
			name: row.name, scripts: map[string]logux.Script{"it": row.script}, fresh: true,
			play: func(s *logux.Scene) {
				a := s.Dial("a", nil)
				a.Knock(4, "10:a:t", 0, `{"token":"it","subprotocol":"1.0.0"}`)
				if row.name == "cut off in the array" {
					a.Perhaps(func(string) bool { return true }) // the original never answers
				} else {
					a.Frames(1)
				}
				a.Perhaps(func(string) bool { return false })
				a.Leave()
			},
		})
	}
	return append(scenes, loguxScene{
		name: "refused connections", fresh: true,
		play: func(s *logux.Scene) {
			s.Backend.Down()
			a := s.Dial("a", nil)
			a.Knock(4, "10:a:t", 0, `{"token":"good"}`)
			a.Ended()
			s.Backend.Up()
			s.Enter("b", "10:a:t")
		},
	})
}()

// answerScenes: each answer that a back-end may give to an action, and what it may do wrong. The author
// sends one action, and when that is done another; b is who it is resent to.
var answerScenes = func() (scenes []loguxScene) {
	const to = `"channels":["room"]`
	for _, row := range []struct {
		name   string
		hangs  bool   // the original never answers
		alone  string // the original ends
		subs   bool   // the action is a subscription
		script logux.Script
	}{
		{name: "processed", script: granted},
		{name: "resent and processed", script: resend(to)},
		{name: "resent and denied", script: func(c *logux.Call) { c.Answer("resend", to); c.Answer("forbidden") }},
		{name: "resent, approved and failed", script: func(c *logux.Call) {
			c.Answer("resend", to)
			c.Answer("approved")
			c.Answer("error", `"details":"stack"`)
		}},
		{name: "forbidden", script: answers("forbidden")},
		{name: "denied", script: answers("denied")},
		{name: "unknown action", script: answers("unknownAction")},
		{name: "unknown channel for an action", script: answers("unknownChannel")},
		{name: "error", script: func(c *logux.Call) { c.Answer("error", `"details":"stack"`) }},
		{name: "error without an id", script: raw(`[{"answer":"error","details":"stack"}]`)},
		{name: "error with null for an id", script: raw(`[{"answer":"error","id":null,"details":"stack"}]`)},
		{name: "approved alone", script: answers("approved")},
		{name: "approved in a truncated array", script: raw(`[{"answer":"approved","id":ID}`)},
		{name: "no answers", script: raw(`[]`)},
		{name: "empty", script: raw(``)},
		{name: "204", script: status(204, "")},
		{name: "answers to something else", script: raw(`[{"answer":"approved","id":"1 10:a:t 0"},{"answer":"processed","id":"1 10:a:t 0"}]`)},
		{name: "status 302", script: func(c *logux.Call) { c.Redirect("/elsewhere") }},
		{name: "status 400", script: status(400, "Wrong body")},
		{name: "status 500", script: status(500, "")},
		{name: "status 201", script: func(c *logux.Call) {
			c.Status(201, `[{"answer":"approved","id":`+c.Quoted()+`},{"answer":"processed","id":`+c.Quoted()+`}]`)
		}},
		{name: "reset", script: (*logux.Call).Reset},
		{name: "cut off after an answer", hangs: true, script: func(c *logux.Call) { c.Answer("approved"); c.Cut() }},
		{name: "reset after an answer", script: func(c *logux.Call) { c.Answer("approved"); harness.Pause(answerArrives); c.Reset() }},
		{name: "not JSON", script: raw(`<html>`)},
		{name: "a missing comma", script: raw(`[{"answer":"approved","id":ID} {"answer":"processed","id":ID}]`)},
		{name: "a doubled comma", script: raw(`[{"answer":"approved","id":ID},,{"answer":"processed","id":ID}]`)},
		{name: "a byte order mark", script: raw("\ufeff" + `[{"answer":"approved","id":ID},{"answer":"processed","id":ID}]`)},
		{name: "a trailing comma", script: raw(`[{"answer":"approved","id":ID},{"answer":"processed","id":ID},]`)},
		{name: "junk behind the array", script: raw(`[{"answer":"approved","id":ID},{"answer":"processed","id":ID}] and more`)},
		{name: "null among the answers", script: raw(`[null,{"answer":"approved","id":ID},null,{"answer":"processed","id":ID}]`)},
		{name: "a string among the answers", script: raw(`["x",{"answer":"approved","id":ID},{"answer":"processed","id":ID}]`)},
		{name: "an answer without a name", script: raw(`[{"id":ID},{"answer":"approved","id":ID},{"answer":"processed","id":ID}]`)},
		{name: "an unknown answer", script: raw(`[{"answer":"maybe","id":ID},{"answer":"approved","id":ID},{"answer":"processed","id":ID}]`)},
		{name: "an object for the array", script: raw(`{"a":{"answer":"approved","id":ID},"b":{"answer":"processed","id":ID}}`)},
		{name: "processed before approved", script: answers("processed", "approved")},
		{name: "resend after approved", script: func(c *logux.Call) {
			c.Answer("approved")
			c.Answer("resend", to)
			c.Answer("processed")
		}},
		{name: "resend twice", script: func(c *logux.Call) {
			c.Answer("resend", `"users":["nobody"]`)
			c.Answer("resend", to)
			c.Answer("approved")
			c.Answer("processed")
		}},
		{name: "resend to nobody", script: resend(`"channels":[]`)},
		{name: "resend without addressees", script: answers("resend", "approved", "processed")},
		{name: "resend to a string", script: resend(`"channels":"room"`)},
		{name: "approved twice", script: answers("approved", "approved", "processed", "processed")},
		{name: "approved and then forbidden", script: answers("approved", "forbidden", "processed")},
		{name: "forbidden and then processed", script: answers("forbidden", "processed")},
		{name: "error after processed, later", script: func(c *logux.Call) {
			c.Answer("approved")
			c.Answer("processed")
			harness.Pause(answerArrives)
			c.Answer("error", `"details":"late"`)
		}},
		{name: "error after processed, at once", script: raw(`[{"answer":"approved","id":ID},{"answer":"processed","id":ID},{"answer":"error","id":ID,"details":"x"}]`)},
		{name: "further keys", script: raw(`[{"answer":"approved","id":ID,"x":1},{"answer":"processed","id":ID,"custom_data":null}]`)},
		{name: "arrays", script: raw(`[["approved",ID],["processed",ID]]`)},
		{name: "in pieces of 7 bytes", script: func(c *logux.Call) {
			c.Pieces(`[{"answer":"action","id":`+c.Quoted()+`,"action":{"type":"ф€😀"},"meta":{"clients":["10:a"]}},`+
				`{"answer":"approved","id":`+c.Quoted()+`},{"answer":"processed","id":`+c.Quoted()+`}]`, 7)
			c.Leave()
		}},
		{name: "an action for the author", script: func(c *logux.Call) {
			c.Answer("approved")
			c.Answer("action", `"action":{"type":"more"}`, `"meta":{"clients":["10:a"]}`)
			c.Answer("processed")
		}},
		{name: "an action before approved", script: func(c *logux.Call) {
			c.Answer("action", `"action":{"type":"more"}`, `"meta":{"clients":["10:a"]}`)
			harness.Pause(answerArrives)
			c.Answer("approved")
			c.Answer("processed")
		}},
		{name: "an action before forbidden", script: func(c *logux.Call) {
			c.Answer("action", `"action":{"type":"more"}`, `"meta":{"clients":["10:a"]}`)
			harness.Pause(answerArrives)
			c.Answer("forbidden")
		}},
		{name: "an action without meta", script: func(c *logux.Call) {
			c.Answer("approved")
			c.Answer("action", `"action":{"type":"more"}`)
			c.Answer("processed")
		}},
		{name: "an action for nobody", script: func(c *logux.Call) {
			c.Answer("approved")
			c.Answer("action", `"action":{"type":"more"}`, `"meta":{}`)
			c.Answer("processed")
		}},
		{name: "approved subscription", subs: true, script: granted},
		{name: "forbidden subscription", subs: true, script: answers("forbidden")},
		{name: "unknown channel", subs: true, script: answers("unknownChannel")},
		{name: "unknown action for a subscription", subs: true, alone: "defect 2: it crashes", script: answers("unknownAction")},
		{name: "resend for a subscription", subs: true, script: resend(to)},
		{name: "failed subscription", subs: true, script: func(c *logux.Call) { c.Answer("error", `"details":"stack"`) }},
		{name: "subscription approved and failed", subs: true, script: func(c *logux.Call) {
			c.Answer("approved")
			c.Answer("error", `"details":"stack"`)
		}},
	} {
		scenes = append(scenes, loguxScene{
			name: row.name, alone: row.alone,
			scripts: map[string]logux.Script{"it": row.script, "next": granted, "logux/subscribe": granted},
			play: func(s *logux.Scene) {
				b := s.Enter("b", "11:b:t")
				b.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
				b.Outcomes(1)
				action := `{"type":"it","payload":1}`
				if row.subs {
					s.Backend.Script("logux/subscribe", row.script)
					action = `{"type":"logux/subscribe","channel":"it"}`
				}
				a := s.Enter("a", "10:a:t")
				for i, action := range []string{action, `{"type":"next"}`} {
					a.Sync(i+1, action)
					if row.hangs {
						a.PerhapsOutcomes(1)
					} else {
						a.Outcomes(1)
					}
				}
				s.Control(logux.Action(`{"type":"behind"}`, `{"channels":["room","it"]}`))
				b.Has("behind")
			},
		})
	}
	return append(scenes, loguxScene{
		name: "refused connections", scripts: map[string]logux.Script{"next": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			s.Backend.Down()
			a.Sync(1, `{"type":"it"}`)
			a.Outcomes(1)
			s.Backend.Up()
			a.Sync(2, `{"type":"next"}`)
			a.Outcomes(1)
		},
	}, loguxScene{
		name: "approved in time", scripts: map[string]logux.Script{"next": granted, "logux/subscribe": granted},
		play: func(s *logux.Scene) {
			b := s.Enter("b", "11:b:t")
			b.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			b.Outcomes(1)
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"it"}`)
			c := s.Backend.Next()
			c.Answer("resend", to)
			c.Answer("approved")
			b.Has(`"it"`) // while the author has heard nothing
			a.Has("synced")
			c.Answer("processed")
			a.Outcomes(1) // while the response is open
			a.Sync(2, `{"type":"next"}`)
			a.Outcomes(1)
			c.End()
		},
	})
}()
