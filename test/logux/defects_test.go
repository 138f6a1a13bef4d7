//go:build linux

package logux

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// defect is one of @logux/server 0.13.1 that Bridge does not have.
type defect struct {
	what    string
	config  string // lines for the route
	scripts map[string]logux.Script
	play    func(s *logux.Scene)
	// What the transcript shows: lines in this order, lines that are there once, and lines that are not.
	shows, once, never []string
}

const (
	isProcessed = `< \["sync",\d+,\{"id":"\S+ \S+ 0","type":"logux/processed"\}`
	isUndone    = `< \["sync",\d+,\{"action":.*"reason":"%s","type":"logux/undo"\}`
)

func undone(reason string) string { return fmt.Sprintf(isUndone, reason) }

// defects are by the numbers that they have in the list of what is not copied. 13, that nothing has a limit, is
// shown by no transcript but in testLimits.
var defects = map[int]defect{
	1: {
		what:    "strangers do not end the process, with null where an object belongs",
		scripts: map[string]logux.Script{"ok": granted},
		play: func(s *logux.Scene) {
			for _, frame := range []string{`["headers",null]`, `["connect",4,"10:a:t",0,null]`, `["sync",1,null,null]`, `["sync",1,{"type":"a"},null]`} {
				a := s.Dial("a", nil)
				a.Send(frame)
				a.Ended()
			}
			for _, body := range []string{"null", `{"version":4,"secret":null,"commands":null}`, logux.Envelope(4, "null")} {
				s.Request(http.MethodPost, "/", body)
			}
			s.Control(logux.Action(`{"type":"note"}`, `{"clients":["10:b"],"reasons":"x"}`))
			s.Control(logux.Action(`null`, `null`))
			b := s.Enter("b", "10:b:t")
			b.Sync(1, `{"type":"ok"}`)
			b.Outcomes(1)
		},
		shows: []string{
			`a< \["error","wrong-format","\[\\"headers\\",null\]"\]`, `a'< \["error","wrong-format"`, `a''< \["error","wrong-format"`, `a'''< \["error","wrong-format"`,
			`POST / null: 400 "Wrong body"`, `POST / .*: 400 "Wrong body"`, `POST / .*: 400 "Wrong `, `control .*: 400 "Wrong command"`, `control .*: 400 "Wrong command"`, `b` + isProcessed,
		},
	},
	2: {
		what:    "an unknown action that was to subscribe is a wrong channel",
		scripts: map[string]logux.Script{"ok": granted, "logux/subscribe": answers("unknownAction")},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			a.Outcomes(1)
			a.Sync(2, `{"type":"ok"}`)
			a.Outcomes(1)
		},
		shows: []string{`a` + undone("wrongChannel"), `a` + isProcessed},
	},
	3: {
		what: "a response that is reset in the middle undoes the action, and the queue goes on, over reconnects too",
		scripts: map[string]logux.Script{"ok": granted, "reset": func(c *logux.Call) {
			c.Answer("approved")
			harness.Pause(answerArrives)
			c.Reset()
		}},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"reset"}`)
			a.Outcomes(1)
			a.Sync(2, `{"type":"ok"}`)
			a.Outcomes(1)
			a.Leave()
			b := s.Enter("b", "10:a:t")
			b.Sync(3, `{"type":"ok"}`)
			b.Outcomes(1)
		},
		shows: []string{`a` + undone("error"), `a` + isProcessed, `b` + isProcessed},
	},
	4: {
		what:    "the queue of a client that goes while its subscription waits goes on",
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
			b.Outcomes(2)
		},
		shows: []string{`b` + isProcessed, `b` + isProcessed, `@ action \{"action":\{"type":"ok"\}`},
	},
	5: {
		what:    "actions of the protocol's own types that a client sends end as any",
		scripts: map[string]logux.Script{"ok": granted, "logux/undo": granted, "logux/processed": granted, "logux/subscribed": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			for i, action := range []string{
				`{"type":"logux/undo","id":"1 10:a:t 0","reason":"x"}`, `{"type":"logux/processed","id":"1 10:a:t 0"}`,
				`{"type":"logux/subscribed","channel":"room"}`, `{"type":"ok"}`,
			} {
				a.Sync(i+1, action)
				a.Outcomes(1)
			}
		},
		shows: []string{`a` + isProcessed, `a` + isProcessed, `a` + isProcessed, `a` + isProcessed},
		never: []string{`a` + undone(`\w+`)},
	},
	6: {
		what:    "who fails to log in with a client's node id takes nothing from it",
		scripts: map[string]logux.Script{"bad": answers("denied"), "logux/subscribe": granted, "ok": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			a.Outcomes(1)
			x := s.Dial("x", nil)
			x.Knock(4, "10:a:t", 0, `{"token":"bad"}`)
			x.Ended()
			s.Control(logux.Action(`{"type":"by client"}`, `{"clients":["10:a"]}`), logux.Action(`{"type":"by node"}`, `{"nodes":["10:a:t"]}`),
				logux.Action(`{"type":"by user"}`, `{"users":["10"]}`), logux.Action(`{"type":"by channel"}`, `{"channels":["room"]}`))
			a.Sync(2, `{"type":"ok"}`)
			a.Outcomes(1)
		},
		shows: []string{`x< \["error","wrong-credentials"\]`, `a< .*by client`, `a< .*by node`, `a< .*by user`, `a< .*by channel`, `a` + isProcessed},
	},
	7: {
		what:    "a client cannot say whom the refusal of its action reaches",
		scripts: map[string]logux.Script{"logux/subscribe": granted},
		play: func(s *logux.Scene) {
			b := s.Enter("b", "11:b:t")
			b.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			b.Outcomes(1)
			a := s.Enter("a", "10:a:t")
			for i, key := range []string{`"channels":["room"]`, `"users":["11"]`, `"clients":["11:b"]`, `"nodes":["11:b:t"]`} {
				a.Own(float64(i+1), 0)
				a.Send(fmt.Sprintf(`["sync",%d,{"type":"spam"},{"id":%[1]d,"time":%[1]d,%s}]`, i+1, key))
				a.Outcomes(1)
			}
			s.Control(logux.Action(`{"type":"end"}`, `{"clients":["11:b"]}`))
			b.Has("end")
		},
		shows: []string{`a` + undone("denied"), `a` + undone("denied"), `a` + undone("denied"), `a` + undone("denied"), `b< .*end`},
		never: []string{`b< .*spam`, `@ action .*spam`},
	},
	8: {
		what: "a connection stays whose it is",
		play: func(s *logux.Scene) {
			for _, frame := range []string{`["connect",4,"11:b:t",0,{"token":"good"}]`, `["connected",4,"11:b:t",[1,2]]`} {
				a := s.Enter("a", "10:a:t")
				a.Send(frame)
				a.Ended()
			}
		},
		shows: []string{`a< \["error","wrong-format","\[\\"connect\\"`, `a closed`, `a'< \["error","wrong-format","\[\\"connected\\"`, `a' closed`},
		never: []string{`@ auth .*"userId":"11"`},
	},
	9: {
		what:    "a back-end that is down logs nobody out and locks nobody's address",
		scripts: map[string]logux.Script{"down": status(http.StatusServiceUnavailable, ""), "ok": granted},
		play: func(s *logux.Scene) {
			for range 5 {
				a := s.Dial("a", nil)
				a.Knock(4, "10:a:t", 0, `{"token":"down"}`)
				a.Ended()
			}
			b := s.Enter("b", "10:a:t")
			b.Sync(1, `{"type":"ok"}`)
			b.Outcomes(1)
		},
		shows: []string{`a closed 1013`, `a' closed 1013`, `a'' closed 1013`, `a''' closed 1013`, `a'''' closed 1013`, `b` + isProcessed},
		never: []string{`wrong-credentials`},
	},
	10: {
		what: "a connection gets an action once, by whatever names it is addressed",
		scripts: map[string]logux.Script{
			"logux/subscribe": granted, "all": resend(`"nodes":["10:a:t"],"clients":["10:a"],"channels":["room"],"users":["10"]`),
		},
		play: func(s *logux.Scene) {
			a, b := s.Enter("a", "10:a:t"), s.Enter("b", "11:b:t")
			a.Sync(1, `{"type":"logux/subscribe","channel":"room","filter":{"a":1}}`)
			a.Outcomes(1)
			a.Sync(2, `{"type":"logux/subscribe","channel":"room","filter":{"b":2}}`)
			a.Outcomes(1)
			s.Control(logux.Action(`{"type":"posted"}`, `{"nodes":["10:a:t"],"clients":["10:a"],"channels":["room"],"users":["10"]}`))
			s.Control(logux.Action(`{"type":"to the channel"}`, `{"channels":["room"]}`))
			b.Sync(1, `{"type":"all"}`)
			b.Outcomes(1)
			s.Control(logux.Action(`{"type":"end"}`, `{"clients":["10:a"]}`))
			a.Has("end")
		},
		once: []string{`a< .*"posted"`, `a< .*"to the channel"`, `a< .*"all"`},
	},
	11: {
		what:    "subscriptions of another tab end with the connection",
		scripts: map[string]logux.Script{"logux/subscribe": granted},
		play: func(s *logux.Scene) {
			a := s.Enter("a", "10:a:t")
			a.Of(1, "10:a:tab2", 0)
			a.Send(`["sync",1,{"type":"logux/subscribe","channel":"room"},{"id":[1,"10:a:tab2",0],"time":1}]`)
			a.Outcomes(1)
			s.Control(logux.Action(`{"type":"before"}`, `{"channels":["room"]}`))
			a.Has("before")
			b := s.Enter("b", "10:a:t")
			s.Control(logux.Action(`{"type":"behind"}`, `{"channels":["room"]}`), logux.Action(`{"type":"end"}`, `{"clients":["10:a"]}`))
			b.Has("end")
		},
		shows: []string{`a< .*"before"`, `b< .*"end"`},
		never: []string{`b< .*"behind"`},
	},
	12: {
		what:    "in development the text of an error goes to the author alone",
		config:  `      env = "development"` + "\n",
		scripts: map[string]logux.Script{"fail": func(c *logux.Call) { c.Answer("error", `"details":"the stack"`) }},
		play: func(s *logux.Scene) {
			other, stranger := s.Enter("other", "11:b:t"), s.Dial("stranger", nil)
			a := s.Enter("a", "10:a:t")
			a.Sync(1, `{"type":"fail"}`)
			a.Outcomes(1)
			s.Control(logux.Action(`{"type":"end"}`, `{"clients":["11:b"]}`))
			other.Has("end")
			stranger.Leave()
		},
		shows: []string{`a< \["debug","error","the stack"\]`},
		never: []string{`other< .*the stack`, `stranger< `},
	},
	14: {
		what:    "clients that are excluded get nothing, by no name",
		scripts: map[string]logux.Script{"logux/subscribe": granted},
		play: func(s *logux.Scene) {
			a, b := s.Enter("a", "10:a:t"), s.Enter("b", "10:b:t")
			a.Sync(1, `{"type":"logux/subscribe","channel":"room"}`)
			a.Outcomes(1)
			s.Control(logux.Action(`{"type":"note"}`,
				`{"clients":["10:a","10:b"],"nodes":["10:a:t"],"users":["10"],"channels":["room"],"excludeClients":["10:a"]}`),
				logux.Action(`{"type":"end"}`, `{"clients":["10:a","10:b"]}`))
			a.Has("end")
			b.Has("end")
		},
		once:  []string{`b< .*"note"`},
		never: []string{`a< .*"note"`},
	},
}

// TestDefects: what was found wrong in the original server is not so here.
func TestDefects(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	for number, d := range defects {
		t.Run(fmt.Sprintf("%02d", number), func(t *testing.T) {
			t.Parallel()
			t.Log(d.what)
			backend := logux.StartBackend(t)
			b := loguxBridge(t, backend, d.config)
			stage := logux.Stage{WS: b.URL("/"), Control: "http://" + b.Address() + "/", Backend: backend, Patience: 5 * time.Second}
			s := logux.NewScene(t, stage, d.scripts)
			d.play(s)
			d.check(t, s.End())
			if restarts := b.Plugin("logux").Restarts; restarts != 0 {
				t.Errorf("the plugin was started again %d times", restarts)
			}
		})
	}
	t.Run("13", testLimits)
	t.Run("13 queue", testQueueLimit)
}

func (d *defect) check(t *testing.T, lines []string) {
	t.Helper()
	rest := lines
	for _, want := range d.shows {
		found := regexp.MustCompile("^" + want)
		for len(rest) > 0 && !found.MatchString(rest[0]) {
			rest = rest[1:]
		}
		if len(rest) == 0 {
			t.Errorf("nowhere, or not in this order, is %s", want)
			break
		}
		rest = rest[1:]
	}
	times := func(pattern string) (n int) {
		found := regexp.MustCompile(pattern)
		for _, line := range lines {
			if found.MatchString(line) {
				n++
			}
		}
		return n
	}
	for _, want := range d.once {
		if n := times("^" + want); n != 1 {
			t.Errorf("%d times and not once is %s", n, want)
		}
	}
	for _, unwanted := range d.never {
		if times(unwanted) != 0 {
			t.Errorf("there is %s", unwanted)
		}
	}
	if t.Failed() {
		t.Logf("the scene:\n%s", strings.Join(lines, "\n"))
	}
}

// testLimits: bodies, frames, what waits for the log-in, the queue and the back-end's time have limits.
func testLimits(t *testing.T) {
	t.Parallel()
	backend := logux.StartBackend(t)
	b := startLogux(t, backend.URL(), `timeout = "1s"`, "")
	backend.Play(map[string]logux.Script{"good": answers("authenticated"), "ok": granted})
	connected := func(node string) *logux.Client {
		c := logux.Dial(t, b.URL("/"), nil)
		c.Send(fmt.Sprintf(`["connect",4,%q,0,{"token":"good"}]`, node))
		frameWith(t, c, `["connected",`)
		return c
	}
	// ends fails unless the connection is ended for what is sent. How may be lost where more was on its way.
	ends := func(what string, want int, frames ...string) {
		t.Helper()
		ws, err := harness.Dial(b.URL("/"))
		if err != nil {
			t.Fatal(err)
		}
		defer harness.Close(ws)
		for _, frame := range frames {
			if harness.Send(ws, frame) != nil {
				break // it has ended
			}
		}
		code, _, err := harness.AwaitClose(ws, harness.AnswerLimit)
		if late := new(net.OpError); err != nil && errors.As(err, &late) && late.Timeout() || err == nil && code != want {
			t.Errorf("%s: the connection ends with %d, %v, want %d", what, code, err, want)
		}
	}
	ends("a frame of 2 MiB", 1009, `["headers",{"x":"`+strings.Repeat("x", 2<<20)+`"}]`)
	ends("1001 frames before the log-in", 1013, slices.Repeat([]string{`["ping",1]`}, 1001)...)

	c := connected("10:a:t")
	c.Send(`["sync",1,{"type":"silence"},{"id":1,"time":1}]`)
	frameWith(t, c, `"reason":"error"`)
	c.Send(`["sync",2,{"type":"ok"},{"id":2,"time":2}]`)
	frameWith(t, c, `"type":"logux/processed"`)
	backend.Next().End()

	reply := logux.Do(t, http.MethodPost, "http://"+b.Address()+"/",
		`{"version":4,"secret":"`+harness.Secret+`","commands":[],"x":"`+strings.Repeat("x", 11<<20)+`"}`)
	if reply.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("a body of 11 MiB is answered %+v", reply)
	}
}

// testQueueLimit: a client whose actions wait for the back-end is not read beyond a bound.
func testQueueLimit(t *testing.T) {
	t.Parallel()
	const size, frames = 64 << 10, 200 // many times of what may wait
	backend := logux.StartBackend(t)
	b := startLogux(t, backend.URL(), `timeout = "30s"`, "")
	hold := make(chan struct{})
	backend.Play(map[string]logux.Script{"good": answers("authenticated"), "held": func(c *logux.Call) { <-hold; c.Processed() }})
	c := logux.Dial(t, b.URL("/"), nil)
	c.Send(`["connect",4,"10:a:t",0,{"token":"good"}]`)
	frameWith(t, c, `["connected",`)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range frames {
			c.Send(fmt.Sprintf(`["sync",%d,{"type":"held","x":"%s"},{"id":%[1]d,"time":%[1]d}]`, i+1, strings.Repeat("x", size)))
		}
	}()
	confirmed := 0
	for {
		frame, _ := c.Next(2 * time.Second)
		if frame == "" {
			break
		}
		confirmed++
	}
	if confirmed == 0 || confirmed*size > 4<<20 {
		t.Errorf("of %d frames of %d bytes %d are taken while the back-end answers nothing", frames, size, confirmed)
	}
	close(hold)
	<-sent
	for done := 0; done < frames; {
		frame, end := c.Next(harness.AnswerLimit)
		if frame == "" {
			t.Fatalf("%d of %d actions are done, then: %q", done, frames, end)
		}
		done += strings.Count(frame, `"type":"logux/processed"`)
	}
}
