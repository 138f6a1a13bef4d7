//go:build linux

package logux

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// frameScenes: what is no frame of the protocol, before a client has connected and after.
var frameScenes = func() (scenes []loguxScene) {
	for _, row := range []struct{ frame, alone string }{
		{`nope{`, ""},
		{`[1]`, ""},
		{`[]`, ""},
		{`{}`, ""},
		{`"sync"`, ""},
		{`null`, ""},
		{`["hello"]`, ""},
		{`["hello",1,2,3]`, ""},
		{`["headers"]`, ""},
		{`["headers",[]]`, ""},
		{`["headers",null]`, "defect 1: it crashes"},
		{`["connect",4]`, ""},
		{`["connect","4","10:a:t",0]`, ""},
		{`["connect",4,"10:a:t",0,null]`, "defect 1: it crashes"},
		{`["connect",4,"10:a:t",0,{},{}]`, ""},
		{`["ping"]`, ""},
		{`["ping","1"]`, ""},
		{`["pong",{}]`, ""},
		{`["sync"]`, ""},
		{`["sync",1,{"type":"a"}]`, ""},
		{`["sync",1,{"type":"a"},{"id":1}]`, ""},
		{`["sync",1,{"type":"a"},{"time":1}]`, ""},
		{`["sync",1,{"type":5},{"id":1,"time":1}]`, ""},
		{`["sync",1,{},{"id":1,"time":1}]`, ""},
		{`["sync",1,[],{"id":1,"time":1}]`, ""},
		{`["sync","1",{"type":"a"},{"id":1,"time":1}]`, ""},
		{`["sync",1,{"type":"a"},{"id":"1 10:a:t 0","time":1}]`, ""},
		{`["sync",1,{"type":"a"},{"id":[1],"time":1}]`, ""},
		{`["sync",1,{"type":"a"},{"id":[1,"10:a:t"],"time":1}]`, ""},
		{`["sync",1,{"type":"a"},{"id":[1,"10:a:t",0,0],"time":1}]`, ""},
		{`["sync",1,{"type":"a"},{"id":1,"time":"1"}]`, ""},
		{`["synced"]`, ""},
		{`["synced",null]`, ""},
		{`["error"]`, ""},
		{`["error",1]`, ""},
		{`["debug","error"]`, ""},
		{`["debug","other","text"]`, ""},
		{`["duilian"]`, ""},
		{"[\"hello\\u0000\n\",\"<\"]", ""},
	} {
		scenes = append(scenes, loguxScene{
			name: strings.ReplaceAll(row.frame, "\n", `\n`), alone: row.alone,
			play: func(s *logux.Scene) {
				neighbour := s.Enter("neighbour", "11:b:t")
				first := s.Dial("first", nil)
				first.Send(row.frame)
				first.Ended()
				a := s.Enter("a", "10:a:t")
				a.Send(row.frame)
				a.Ended()
				s.Control(logux.Action(`{"type":"end"}`, `{"clients":["11:b"]}`))
				neighbour.Has("end")
			},
		})
	}
	return append(scenes, loguxScene{
		name: "a number for a token",
		play: func(s *logux.Scene) {
			a := s.Dial("a", nil)
			a.Knock(4, "10:a:t", 0, `{"token":5}`)
			if !a.Perhaps(func(string) bool { return true }) {
				s.Backend.Next().Answered("denied")
				a.Ended()
			}
		},
	}, loguxScene{
		name: "frames that are answered, or with nothing",
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			for _, frame := range []string{
				`["error","wrong-format","x"]`, `["error","later"]`, `["debug","error","text"]`, `["duilian","x"]`,
				`["synced",5]`, `["pong",5]`, `["ping",5]`, `["headers",{}]`, `[ "ping" , 6 ]`,
			} {
				a.Send(frame)
			}
			a.Frames(2)
			a.Send(`["duilian","金木水火土"]`)
			a.Send(`["ping",7]`)
			a.Has("pong")
		},
	})
}()

// idScenes: how ids, times and bytes come through.
var idScenes = []loguxScene{
	{
		name: "forms", scripts: map[string]logux.Script{"note": resend(`"clients":["11:b","10:a"]`)},
		play: func(s *logux.Scene) {
			b := s.Enter("b", "11:b:t")
			a := s.Enter("a", "10:a:t")
			for i, id := range []struct {
				shift   float64
				node    string
				counter int
				wire    string
			}{
				{5, "10:a:t", 0, `5`},
				{5, "10:a:t", 2, `[5,2]`},
				{5, "10:a:tab2", 0, `[5,"10:a:tab2",0]`},
				{6, "10:a:t", 0, `[6,"10:a:t",0]`},
				{-234335128352, "10:a:t", 3, `[-234335128352,3]`},
				{7.5, "10:a:t", 0, `7.5`},
				{4294967296, "10:a:t", 0, `4294967296`},
			} {
				a.Of(id.shift, id.node, id.counter)
				a.Send(fmt.Sprintf(`["sync",%d,{"type":"note","n":%d},{"id":%s,"time":%d}]`, i+1, i, id.wire, i))
				a.Outcomes(1)
				b.Has("note")
			}
		},
	},
	{
		name: "somebody else's", scripts: map[string]logux.Script{"note": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Of(5, "11:b:t", 0)
			a.Send(`["sync",2,{"type":"theirs"},{"id":[5,"11:b:t",0],"time":5},{"type":"note"},{"id":6,"time":6}]`)
			a.Own(6, 0)
			a.Outcomes(2)
		},
	},
	{
		name: "further keys of a meta", scripts: map[string]logux.Script{"note": granted, "logux/subscribe": granted},
		play: func(s *logux.Scene) {
			b := s.Enter("b", "11:b:t")
			b.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			b.Outcomes(1)
			a := s.Enter("a", "10:a:t")
			for i, key := range []string{`"channels":["room"]`, `"reasons":["x"]`, `"added":1`, `"other":null`, `"subprotocol":"0.5.0"`} {
				a.Own(float64(i+1), 0)
				a.Send(fmt.Sprintf(`["sync",%[1]d,{"type":"note"},{"id":%[1]d,"time":%[1]d,%[2]s}]`, i+1, key))
				a.Outcomes(1)
			}
			s.Control(logux.Action(`{"type":"end"}`, `{"clients":["11:b"]}`))
			b.Has("end")
		},
	},
	{
		name: "bytes", scripts: map[string]logux.Script{"A": resend(`"clients":["11:b"]`), "no": answers("forbidden")},
		play: func(s *logux.Scene) {
			b := s.Enter("b", "11:b:t")
			a := s.Enter("a", "10:a:t")
			for i, action := range []string{
				`{"type":"A","z":1,"b":{"y":1,"a":[null,true,1.5,"ф€😀"]}}`,
				`{"z":1,"type":"A"}`,
				`{"type":"A","n":12345678901234567890}`,
				`{"type":"A","n":1.0,"e":1e2}`,
				`{"type":"A","s":"\u0444\/"}`,
				`{ "type" : "A" , "x" : [ 1 ] }`,
				`{"type":"A","type":"A","x":1,"x":2}`,
				`{"type":"A","10":1,"9":2,"b":3}`,
				`{"type":"no","z":1,"n":12345678901234567890}`,
			} {
				a.Sync(i+1, action)
				a.Outcomes(1)
			}
			s.Control(logux.Action(`{"type":"end","n":12345678901234567890}`, `{"clients":["11:b"]}`))
			b.Has("end")
		},
	},
}

// controlScenes: what the control endpoint says to whom.
var controlScenes = func() (scenes []loguxScene) {
	note := logux.Action(`{"type":"note"}`, `{"clients":["11:b"]}`)
	with := func(secret, version, commands string) string {
		return fmt.Sprintf(`{"version":%s,"secret":%q,"commands":%s}`, version, secret, commands)
	}
	for _, row := range []struct{ name, body, alone string }{
		{"not JSON", `{`, ""},
		{"nothing", ``, ""},
		{"an array", `[]`, ""},
		{"an object", `{}`, ""},
		{"a string", `"x"`, ""},
		{"null", `null`, "defect 1: it crashes"},
		{"no version", `{"secret":"x","commands":[]}`, ""},
		{"a version in words", with(logux.Secret, `"4"`, `[]`), ""},
		{"no secret", `{"version":4,"commands":[]}`, ""},
		{"a secret that is none", `{"version":4,"secret":5,"commands":[]}`, ""},
		{"no commands", `{"version":4,"secret":"x"}`, ""},
		{"commands that are none", with(logux.Secret, "4", `{}`), ""},
		{"a command that is a string", with(logux.Secret, "4", `["x"]`), ""},
		{"version 5", with(logux.Secret, "5", `[`+note+`]`), ""},
		{"version 0", with(logux.Secret, "0", `[`+note+`]`), ""},
		{"version 3", with(logux.Secret, "3", `[["action",{"type":"note"},{"clients":["11:b"]}]]`), ""},
		{"version 1", strings.ReplaceAll(with(logux.Secret, "1", `[["action",{"type":"note"},{"clients":["11:b"]}]]`), `"secret":`, `"password":`), ""},
		{"no command at all", with(logux.Secret, "4", `[]`), ""},
		{"two commands", with(logux.Secret, "4", `[`+note+`,`+note+`]`), ""},
		{"a wrong second command", with(logux.Secret, "4", `[`+note+`,{"command":"auth"}]`), ""},
		{"an action without a type", with(logux.Secret, "4", `[{"command":"action","action":{},"meta":{}}]`), ""},
		{"no action", with(logux.Secret, "4", `[{"command":"action","meta":{}}]`), ""},
		{"no meta", with(logux.Secret, "4", `[{"command":"action","action":{"type":"note"}}]`), ""},
		{"an unknown command", with(logux.Secret, "4", `[{"command":"later","action":{"type":"note"},"meta":{}}]`), ""},
		{"reasons that are none", with(logux.Secret, "4", `[{"command":"action","action":{"type":"note"},"meta":{"reasons":"x"}}]`), "defect 1: it crashes"},
		{"null for a meta", with(logux.Secret, "4", `[{"command":"action","action":{"type":"note"},"meta":null}]`), "defect 1: it crashes"},
		{"a wrong secret", with("wrong", "4", `[`+note+`]`), ""},
	} {
		scenes = append(scenes, loguxScene{
			name: row.name, alone: row.alone, fresh: row.name == "a wrong secret",
			play: func(s *logux.Scene) {
				b := s.Enter("b", "11:b:t")
				s.Request(http.MethodPost, "/", row.body)
				s.Request(http.MethodGet, "/health", "")
				s.Control(logux.Action(`{"type":"end"}`, `{"clients":["11:b"]}`))
				b.Has("end")
			},
		})
	}
	return append(scenes, loguxScene{
		name: "four wrong secrets", fresh: true,
		play: func(s *logux.Scene) {
			for range 4 {
				s.Request(http.MethodPost, "/", with("wrong", "4", `[]`))
			}
			s.Request(http.MethodPost, "/", with(logux.Secret, "4", `[]`))
			s.Request(http.MethodPost, "/", `{`)
			s.Request(http.MethodGet, "/health", "")
			harness.Pause(guessesForgotten)
			s.Request(http.MethodPost, "/", with(logux.Secret, "4", `[]`))
		},
	}, loguxScene{
		name: "paths and methods",
		play: func(s *logux.Scene) {
			for _, method := range []string{http.MethodPut, http.MethodDelete, http.MethodHead, http.MethodOptions} {
				s.Request(method, "/", "")
			}
			s.Request(http.MethodPost, "/health", "")
			s.Request(http.MethodPost, "/elsewhere", with(logux.Secret, "4", `[]`))
			s.Request(http.MethodGet, "/elsewhere", "")
			s.Request(http.MethodPost, "/?query=1", with(logux.Secret, "4", `[]`))
		},
	})
}()
