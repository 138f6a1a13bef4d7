//go:build linux

package logux

import (
	"fmt"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// subscriptionScenes: who is on which channel, and what they get.
var subscriptionScenes = []loguxScene{
	{
		name: "data by answers",
		play: func(s *logux.Scene) {
			a := s.Enter("a", "38:Y7bysd:O0ETfc")
			a.Sync(1, `{"type":"logux/subscribe","channel":"users/38","since":{"id":"1560954012838 server:abcdefgh 0","time":1560954012838},"more":{"z":1,"a":2}}`)
			c := s.Backend.Next()
			c.Answer("approved")
			c.Answer("action", `"action":{"type":"user/name","user":38,"name":"The User"}`, `"meta":{"clients":["38:Y7bysd"]}`)
			a.Has("The User")
			c.Answer("action", `"action":{"type":"user/old"}`, `"meta":{"client":"38:Y7bysd","id":"1560954012000 server:abcdefgh 3","time":1560954012000}`)
			a.Has("user/old")
			s.Control(logux.Action(`{"type":"live"}`, `{"channels":["users/38"]}`)) // before it is loaded
			a.Has("live")
			c.Answered("processed")
			a.Outcomes(1)
		},
	},
	{
		name: "data by the control endpoint",
		play: func(s *logux.Scene) {
			a := s.Enter("a", "38:Y7bysd:O0ETfc")
			a.Sync(1, `{"type":"logux/subscribe","channel":"38/name"}`)
			c := s.Backend.Next()
			c.Answer("approved")
			s.Control(logux.Action(`{"type":"user/name","user":38,"name":"The User"}`, `{"clients":["38:Y7bysd"]}`))
			c.Answered("processed")
			a.Outcomes(1)
		},
	},
	{
		name:    "refused and failed",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			for i, script := range []logux.Script{
				answers("forbidden"), answers("unknownChannel"), answers("approved"),
				func(c *logux.Call) { c.Answer("error", `"details":"stack"`) },
				func(c *logux.Call) { c.Answer("approved"); c.Answer("error", `"details":"stack"`) },
			} {
				s.Backend.Script("logux/subscribe", script)
				a.Sync(i+1, `{"type":"logux/subscribe","channel":"room"}`)
				a.Outcomes(1)
				s.Control(logux.Action(`{"type":"note"}`, `{"channels":["room"]}`), logux.Action(`{"type":"end"}`, `{"clients":["10:a"]}`))
				a.Has("end")
			}
		},
	},
	{
		name: "names that are none",
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			for i, action := range []string{
				`{"type":"logux/subscribe","channel":5}`, `{"type":"logux/subscribe"}`, `{"type":"logux/subscribe","channel":null}`,
				`{"type":"logux/unsubscribe","channel":5}`, `{"type":"logux/unsubscribe"}`,
			} {
				a.Sync(i+1, action)
				a.Outcomes(1)
			}
		},
	},
	{
		name:    "names that others have no use for",
		scripts: map[string]logux.Script{"logux/subscribe": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			for i, channel := range []string{"with space", "$own", "", "a.*>@|:é"} {
				a.Sync(i+1, fmt.Sprintf(`{"type":"logux/subscribe","channel":%q}`, channel))
				a.Outcomes(1)
			}
		},
	},
	{
		name:    "filters",
		scripts: map[string]logux.Script{"logux/subscribe": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			hit := func() {
				s.Control(logux.Action(`{"type":"note"}`, `{"channels":["room"]}`), logux.Action(`{"type":"end"}`, `{"clients":["10:a"]}`))
				a.Has("end")
			}
			for i, action := range []string{
				`{"type":"logux/subscribe","channel":"room","filter":{"a":1}}`,
				`{"type":"logux/subscribe","channel":"room","filter":{"b":2}}`,
				`{"type":"logux/subscribe","channel":"room","filter":{"b":2}}`,
				`{"type":"logux/unsubscribe","channel":"room","filter":{"a":1}}`,
				`{"type":"logux/unsubscribe","channel":"room"}`,
				`{"type":"logux/unsubscribe","channel":"room","filter":{"b":2}}`,
				`{"type":"logux/unsubscribe","channel":"room"}`,
				`{"type":"logux/subscribe","channel":"room","filter":{}}`,
				`{"type":"logux/unsubscribe","channel":"room"}`,
			} {
				a.Sync(i+1, action)
				a.Outcomes(1)
				hit()
			}
		},
	},
	{
		name:    "another tab on the connection",
		scripts: map[string]logux.Script{"logux/subscribe": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			subscribe := func(r *logux.Role, added int, tab, typ string) {
				r.Of(float64(added), tab, 0)
				r.Send(fmt.Sprintf(`["sync",%d,{"type":%q,"channel":"room"},{"id":[%d,%q,0],"time":%d}]`, added, typ, added, tab, added))
				r.Outcomes(1)
				s.Control(logux.Action(`{"type":"note"}`, `{"channels":["room"]}`), logux.Action(`{"type":"end"}`, `{"clients":["10:a"]}`))
				r.Has("end")
			}
			subscribe(a, 1, "10:a:tab2", "logux/subscribe")
			subscribe(a, 2, "10:a:t", "logux/subscribe")
			subscribe(a, 3, "10:a:t", "logux/unsubscribe")
			b := s.Enter("b", "10:a:t") // the other tab's subscription goes with the connection
			s.Control(logux.Action(`{"type":"note"}`, `{"channels":["room"]}`), logux.Action(`{"type":"end"}`, `{"clients":["10:a"]}`))
			b.Has("end")
		},
	},
}

// receiverScenes: whom an action reaches, said in each way. a1 and a2 are clients of one user, b is on
// the channel "room" as a1 is, c on none.
var receiverScenes = func() (scenes []loguxScene) {
	cast := func(s *logux.Scene) map[string]*logux.Role {
		all := make(map[string]*logux.Role)
		for _, name := range []string{"a1", "a2", "b", "c"} {
			user := map[byte]string{'a': "10", 'b': "11", 'c': "12"}[name[0]]
			all[name] = s.Enter(name, fmt.Sprintf("%s:%s:t", user, name))
		}
		for _, name := range []string{"a1", "b"} {
			all[name].Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			all[name].Outcomes(1)
		}
		return all
	}
	// Everybody hears this, behind what they may have heard.
	end := func(s *logux.Scene, all map[string]*logux.Role) {
		s.Control(logux.Action(`{"type":"end"}`, `{"clients":["10:a1","10:a2","11:b","12:c"]}`))
		for _, name := range []string{"a1", "a2", "b", "c"} {
			all[name].Has("end")
		}
	}
	rows := []string{
		``,
		`"node":"10:a1:t"`,
		`"nodes":["10:a1:t","11:b:t","10:a1","nobody"]`,
		`"client":"10:a2"`,
		`"clients":["10:a1","12:c","10"]`,
		`"user":"10"`,
		`"users":["10","12"]`,
		`"channel":"room"`,
		`"channels":["room","elsewhere"]`,
		`"nodes":["10:a1:t"],"users":["10"],"channels":["room"]`,
		`"nodes":["10:a1:t"],"clients":["10:a1"]`,
		`"nodes":["10:a1:t"],"clients":["10:a1"],"users":["10"],"channels":["room"]`,
		`"user":"12","users":["11"]`,
		`"channels":["room"],"users":["10"],"excludeClients":["10:a1"]`,
		`"clients":["10:a1","11:b"],"nodes":["12:c:t"],"excludeClients":["10:a1","12:c"]`,
		`"users":[10]`,
		`"channels":["room"],"other":{"x":1}`,
	}
	scripts := map[string]logux.Script{"logux/subscribe": granted, "ok": granted}
	scenes = append(scenes, loguxScene{
		name: "of the control endpoint", scripts: scripts,
		play: func(s *logux.Scene) {
			all := cast(s)
			for i, to := range rows {
				s.Control(logux.Action(fmt.Sprintf(`{"type":"note","row":%d,"a":{"y":1,"b":[1,2]}}`, i), "{"+to+"}"))
			}
			end(s, all)
		},
	})
	for i, to := range rows[1:] {
		scenes = append(scenes, loguxScene{
			name:    "of a resend: " + to,
			scripts: map[string]logux.Script{"logux/subscribe": granted, "note": resend(to)},
			play: func(s *logux.Scene) {
				all := cast(s)
				all["a1"].Sync(2, fmt.Sprintf(`{"type":"note","row":%d}`, i))
				all["a1"].Outcomes(1)
				end(s, all)
			},
		})
	}
	scenes = append(scenes, loguxScene{
		name: "of answers", scripts: map[string]logux.Script{"logux/subscribe": granted, "ok": func(c *logux.Call) {
			c.Answer("approved")
			for i, to := range rows {
				c.Answer("action", fmt.Sprintf(`"action":{"type":"note","row":%d}`, i), `"meta":{`+to+`}`)
			}
			c.Answer("processed")
		}},
		play: func(s *logux.Scene) {
			all := cast(s)
			all["a1"].Sync(2, `{"type":"ok"}`)
			all["a1"].Outcomes(1)
			end(s, all)
		},
	})
	return append(scenes,
		loguxScene{
			name: "in a client's name", scripts: scripts,
			play: func(s *logux.Scene) {
				all := cast(s)
				for _, to := range []string{`"channels":["room"]`, `"users":["10"]`, `"clients":["10:a1"]`, `"nodes":["10:a1:t"]`} {
					s.Control(logux.Action(`{"type":"note"}`, `{"id":"1560954012838 10:a1:t 0",`+to+`}`))
				}
				end(s, all)
			},
		},
		loguxScene{
			name: "ids and times of the control endpoint", scripts: scripts,
			play: func(s *logux.Scene) {
				a := s.Enter("a", "10:a:t")
				for _, meta := range []string{
					`"id":"1560954012838 server:rails 0"`, `"id":"1560954012838 server:rails 2","time":1560954012839`,
					`"time":1560954012000`, `"id":"1560954012838 server:rails 0","time":"1560954012838"`,
				} {
					s.Control(logux.Action(`{"type":"note"}`, `{"clients":["10:a"],`+meta+`}`))
					a.Has("note")
				}
			},
		},
		loguxScene{
			name: "an undo goes to those who have had the action", scripts: map[string]logux.Script{
				"logux/subscribe": granted, "ok": func(c *logux.Call) {
					c.Answer("resend", `"channels":["room"]`)
					c.Answer("approved")
					harness.Pause(answerArrives)
					c.Answer("error", `"details":"stack"`)
				}, "no": func(c *logux.Call) { c.Answer("resend", `"channels":["room"]`); c.Answer("forbidden") },
			},
			play: func(s *logux.Scene) {
				all := cast(s)
				all["c"].Sync(1, `{"type":"ok"}`)
				all["c"].Outcomes(1)
				all["c"].Sync(2, `{"type":"no"}`)
				all["c"].Outcomes(1)
				end(s, all)
			},
		},
		loguxScene{
			name: "the back-end's notices", scripts: scripts,
			play: func(s *logux.Scene) {
				all := cast(s)
				s.Control(logux.Action(`{"type":"logux/subscribed","channel":"news"}`, `{"nodes":["12:c:t"]}`),
					logux.Action(`{"type":"logux/undo","id":"1560954012838 11:b:t 0","reason":"late"}`, `{"clients":["11:b"],"channels":["room"]}`),
					logux.Action(`{"type":"news"}`, `{"channels":["news"]}`))
				end(s, all)
			},
		},
	)
}()
