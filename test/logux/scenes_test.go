//go:build linux

package logux

import (
	"net/http"
	"strings"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// loguxScene is a script of clients and a back-end that is played to servers, which are compared by what
// comes of it.
type loguxScene struct {
	name string
	// env, supports, and subprotocol are options of the server, and so is ping, in milliseconds.
	env, supports, subprotocol string
	ping                       int
	// fresh wants a server that nobody has used.
	fresh bool
	// alone is why the original does not survive the scene, or never ends it.
	alone   string
	scripts map[string]logux.Script
	play    func(s *logux.Scene)
}

// loguxScenes are all of them, by the file of testdata/logux that has their transcripts.
var loguxScenes = []struct {
	file   string
	scenes []loguxScene
}{
	{"handshake", handshakeScenes},
	{"refusals", refusalScenes},
	{"frames", frameScenes},
	{"answers", answerScenes},
	{"queue", queueScenes},
	{"subscriptions", subscriptionScenes},
	{"receivers", receiverScenes},
	{"control", controlScenes},
	{"ids", idScenes},
	{"resume", resumeScenes},
}

// answers is a script of answers without further fields.
func answers(names ...string) logux.Script {
	return func(c *logux.Call) {
		for _, name := range names {
			c.Answer(name)
		}
	}
}

// resend is a script for an action that is approved for addressees, given as fields, and processed.
func resend(fields string) logux.Script {
	return func(c *logux.Call) {
		c.Answer("resend", fields)
		c.Answer("approved")
		c.Answer("processed")
	}
}

// raw is a script that writes a response as it is, with ID for the quoted id.
func raw(text string) logux.Script {
	return func(c *logux.Call) { c.Write(strings.ReplaceAll(text, "ID", c.Quoted())); c.Leave() }
}

// status is a script for a response that fails.
func status(code int, body string) logux.Script {
	return func(c *logux.Call) { c.Status(code, body) }
}

// good is a script for an action that is processed, and for a subscription.
var granted = answers("approved", "processed")

var handshakeScenes = []loguxScene{
	{
		name: "protocols",
		play: func(s *logux.Scene) {
			s.Dial("three", nil).Connect(3, "10:3:t", 0, `{"token":"good","subprotocol":"1.0.0"}`)
			s.Dial("four", nil).Connect(4, "10:4:t", 0, `{"token":"good","subprotocol":"1.0.0"}`)
			s.Dial("five", nil).Connect(5, "10:5:t", 0, `{"token":"good","subprotocol":1}`)
			s.Dial("six", nil).Connect(6, "10:6:t", 0, `{"token":"good","subprotocol":1}`)
			for _, p := range []int{2, 1, 0} {
				two := s.Dial("old", nil)
				two.Knock(p, "10:2:t", 0, `{"credentials":"good"}`)
				two.Ended()
			}
		},
	},
	{
		name:    "names",
		scripts: map[string]logux.Script{"": answers("authenticated")},
		play: func(s *logux.Scene) {
			for _, node := range []string{"38:Y7bysd:O0ETfc", "39:Y7bysd", "a:b:c:d", "uuid", ":uuid:t", "false:x:y"} {
				s.Dial("a", nil).Connect(4, node, 0, "")
			}
		},
	},
	{
		name: "the user called server", fresh: true,
		play: func(s *logux.Scene) {
			for _, node := range []string{"server:x:y", "server"} {
				a := s.Dial("a", nil)
				a.Knock(4, node, 0, `{"token":"good"}`)
				a.Ended()
			}
		},
	},
	{
		name:    "headers and cookies",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Dial("a", http.Header{"Cookie": {`a=%20b%3D; q="quoted"; dup=1; dup=2; bad=%zz; nov`}, "X-Other": {"not for back-ends"}})
			a.Send(`["headers",{"lang":"fr"}]`)
			a.Connect(4, "10:a:t", 0, `{"token":"good","subprotocol":"1.1.0","other":1}`)
			a.Sync(1, `{"type":"ok"}`)
			a.Outcomes(1)
			a.Send(`["headers",{"lang":"de"}]`)
			a.Sync(2, `{"type":"ok"}`)
			a.Outcomes(1)
			a.Send(`["headers",{}]`)
			a.Sync(3, `{"type":"ok"}`)
			a.Outcomes(1)
		},
	},
	{
		name:    "headers that are no texts",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Dial("a", nil)
			a.Send(`["headers",{"n":1.50,"x":{"y":[null]}}]`)
			a.Connect(4, "10:a:t", 0, `{"token":"good"}`)
			a.Sync(1, `{"type":"ok"}`)
			a.Outcomes(1)
		},
	},
	{
		name:    "frames before the answer",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Dial("a", nil)
			a.Knock(4, "10:a:t", 0, `{"token":"later"}`)
			a.Send(`["ping",3]`)
			a.Send(`["sync",1,{"type":"ok"},{"id":5,"time":5}]`)
			c := s.Backend.Next()
			a.Send(`["headers",{"lang":"fr"}]`)
			harness.Pause(answerArrives)
			c.Answered("authenticated")
			a.Has("connected")
			a.Own(5, 0)
			a.Outcomes(1)
		},
	},
	{
		name: "a bad frame before the answer",
		play: func(s *logux.Scene) {
			a := s.Dial("a", nil)
			a.Knock(4, "10:a:t", 0, `{"token":"later"}`)
			a.Send(`["sync",1,{"type":"ok"}]`)
			a.Ended()
			s.Backend.Next().Answered("authenticated")
		},
	},
	{
		name: "the answer is streamed",
		play: func(s *logux.Scene) {
			a := s.Dial("a", nil)
			a.Knock(4, "10:a:t", 0, `{"token":"later"}`)
			c := s.Backend.Next()
			c.Answer("authenticated", `"subprotocol":"3.0.0"`)
			a.Has("connected")
			c.Answer("denied")
			c.End()
		},
	},
	{
		name: "a second connect", fresh: true,
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Knock(4, "11:b:t", 0, `{"token":"good"}`)
			a.Frames(1)
		},
	},
	{
		name: "connected from a client", fresh: true, scripts: map[string]logux.Script{"": answers("authenticated")},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Send(`["connected",4,"10:a:t",[1,2]]`)
			a.Perhaps(func(string) bool { return false })
		},
	},
	{
		name: "another tab", fresh: true,
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t1")
			b := s.Enter("b", "10:a:t2")
			a.Ended()
			s.Control(logux.Action(`{"type":"note"}`, `{"clients":["10:a"]}`))
			b.Has("note")
			s.Control(logux.Action(`{"type":"user"}`, `{"users":["10"]}`))
			b.Has("user")
		},
	},
	{
		name: "a stranger with a client's name", fresh: true,
		scripts: map[string]logux.Script{"bad": answers("denied"), "logux/subscribe": granted, "ok": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			a.Outcomes(1)
			x := s.Dial("x", nil)
			x.Knock(4, "10:a:t", 0, `{"token":"bad"}`)
			x.Ended()
			s.Control(logux.Action(`{"type":"to the client"}`, `{"clients":["10:a"]}`),
				logux.Action(`{"type":"to the user"}`, `{"users":["10"]}`),
				logux.Action(`{"type":"to the channel"}`, `{"channels":["room"]}`))
			a.Sync(2, `{"type":"ok"}`)
			a.Perhaps(func(frame string) bool { return strings.Contains(frame, "processed") })
		},
	},
	{
		name: "guessing", fresh: true,
		scripts: map[string]logux.Script{"bad": answers("denied")},
		play: func(s *logux.Scene) {
			for range 3 {
				a := s.Dial("a", nil)
				a.Knock(4, "10:a:t", 0, `{"token":"bad"}`)
				a.Ended()
			}
			for _, node := range []string{"10:a:t", "11:a:t"} {
				a := s.Dial("a", nil)
				a.Knock(4, node, 0, `{"token":"good"}`)
				a.Frames(1)
				a.Leave()
			}
			harness.Pause(guessesForgotten)
			s.Enter("a", "10:a:t")
		},
	},
	{
		name: "development", env: "development",
		scripts: map[string]logux.Script{"no": answers("forbidden"), "unknown": answers("unknownAction"), "logux/subscribe": answers("unknownChannel")},
		play: func(s *logux.Scene) {
			s.Dial("three", nil).Connect(3, "10:3:t", 0, `{"token":"good"}`)
			a := s.Enter("a", "10:a:t")
			for i, action := range []string{`{"type":"no"}`, `{"type":"unknown"}`, `{"type":"logux/subscribe","channel":"room"}`} {
				a.Sync(i+1, action)
				a.Outcomes(1)
			}
		},
	},
	{
		name: "errors in development", env: "development", fresh: true,
		scripts: map[string]logux.Script{"fail": func(c *logux.Call) { c.Answer("error", `"details":"stack"`) }},
		play: func(s *logux.Scene) {
			other := s.Enter("other", "11:b:t")
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"fail"}`)
			a.Outcomes(1)
			a.Sync(2, `{"type":"fail"}`)
			a.Outcomes(1)
			s.Control(logux.Action(`{"type":"end"}`, `{"clients":["11:b"]}`))
			other.Has("end")
		},
	},
	{
		name:    "numbers as subprotocols",
		scripts: map[string]logux.Script{"ok": granted, "range": func(c *logux.Call) { c.Answer("wrongSubprotocol", `"supported":"^2.0.0"`) }},
		play: func(s *logux.Scene) {
			a := s.Dial("a", nil)
			a.Connect(5, "10:a:t", 0, `{"token":"good","subprotocol":3}`)
			a.Sync(1, `{"type":"ok"}`)
			a.Outcomes(1)
			s.Dial("none", nil).Connect(5, "10:b:t", 0, `{"token":"good"}`)
			b := s.Dial("b", nil)
			b.Knock(5, "10:c:t", 0, `{"token":"range","subprotocol":1}`)
			b.Ended()
		},
	},
	{
		name: "a range of the server's own", supports: "^1.0.0", subprotocol: "1.9.0",
		scripts: map[string]logux.Script{"": answers("authenticated")},
		play: func(s *logux.Scene) {
			for _, options := range []string{`{"subprotocol":"1.5.0"}`, `{"subprotocol":"0.9.1"}`, `{"subprotocol":"2.0.0"}`, `{"subprotocol":"abc"}`, ``} {
				a := s.Dial("a", nil)
				a.Knock(4, "10:a:t", 0, options)
				a.Frames(1)
			}
		},
	},
	{
		name: "binary frames",
		play: func(s *logux.Scene) {
			a := s.Dial("a", nil)
			a.SendBinary(`["connect",4,"10:a:t",0,{"token":"good"}]`)
			a.Has("connected")
		},
	},
	{
		name: "silence", ping: 500,
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			b := s.Dial("b", nil) // who has not connected is not pinged
			a.Has("ping")
			b.Leave()
		},
	},
}
