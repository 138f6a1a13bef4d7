//go:build linux

package logux

import (
	"fmt"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// loguxClients are the packages of real clients, with their subprotocols of the scripted back-end's: a
// SemVer up to 0.21, a number since.
var loguxClients = []struct {
	name, from  string
	subprotocol any
	told        string // what a back-end is told of it
}{
	{"0.21.1", "logux-client-4", "1.0.0", `"1.0.0"`},
	{"0.23", "logux-client-5", 1, `"1.0.0"`},
}

// With the clients of the first users and with today's, one bridge serves what an application does.
func TestLoguxClients(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	for _, client := range loguxClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			clients := logux.StartClients(t, client.from)
			backend := logux.StartBackend(t)
			b := loguxBridge(t, backend, "")
			backend.Play(map[string]logux.Script{
				"good":          answers("authenticated"),
				"users/name":    resend(`"channels":["users/10"]`),
				"users/no":      answers("forbidden"),
				"users/unknown": answers("unknownAction"),
				"users/fail":    func(c *logux.Call) { c.Answer("error", `"details":"stack"`) },
				"logux/subscribe": func(c *logux.Call) {
					c.Answer("approved")
					c.Answer("action", `"action":{"type":"users/first","n":12345678901234567890}`, `"meta":{"channels":["users/10"]}`)
					c.Answer("processed")
				},
			})
			options := func(user string) logux.Options {
				return logux.Options{
					"server": b.URL("/"), "subprotocol": client.subprotocol, "userId": user, "token": "good",
					"minDelay": 10, "maxDelay": 50,
				}
			}
			ada, bob := clients.Start("ada", options("10")), clients.Start("bob", options("11"))
			if auth := backend.Asked()[0]; string(auth.Fields["subprotocol"]) != client.told || *auth.UserID != "10" {
				t.Errorf("the back-end was told of the subprotocol %s and the user %s", auth.Fields["subprotocol"], *auth.UserID)
			}

			ada.Subscribe("users/10")
			bob.Sync(`{"type":"users/name","name":"Bob"}`)
			bob.Expect(`processed {"type":"users/name","name":"Bob"}`)
			ada.Expect(`add {"type":"users/name","name":"Bob"}`)
			for typ, reason := range map[string]string{"no": "denied", "unknown": "unknownType", "fail": "error"} {
				action := fmt.Sprintf(`{"type":"users/%s"}`, typ)
				bob.Sync(action)
				bob.Expect("undone " + action + " " + reason)
			}

			bob.Headers(map[string]string{"lang": "fr"})
			bob.Sync(`{"type":"users/name","name":"Robert"}`)
			ada.Expect(`add {"type":"users/name","name":"Robert"}`)
			asked := backend.Asked()
			if last := asked[len(asked)-1]; string(last.Fields["headers"]) != `{"lang":"fr"}` {
				t.Errorf("the back-end was told of the headers %s", last.Fields["headers"])
			}

			// A connection that was cut comes back, and its subscription with it.
			ada.Cut()
			ada.Expect("state disconnected")
			ada.Expect("state synchronized")
			harness.Until(t, harness.AnswerLimit, "the client subscribes again", func() bool {
				asked := backend.Asked()
				last := asked[len(asked)-1]
				return last.Type() == "logux/subscribe" && len(asked) > 1
			})
			bob.Sync(`{"type":"users/name","name":"Bobby"}`)
			ada.Expect(`add {"type":"users/name","name":"Bobby"}`)

			ada.Sync(`{"type":"logux/unsubscribe","channel":"users/10"}`)
			ada.Expect(`processed {"type":"logux/unsubscribe","channel":"users/10"}`)
			bob.Sync(`{"type":"users/name","name":"Nobody hears"}`)
			bob.Expect(`processed {"type":"users/name","name":"Nobody hears"}`)
			if told := ada.Told(); len(told) > 0 {
				t.Errorf("who unsubscribed was told %q", told)
			}
		})
	}
}

// Given a back-end that refuses connections or answers 503, when a client connects, then it is connected
// 6 s after the back-end is back: it was not told to give up.
func TestLoguxStatement8(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	for _, client := range loguxClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			clients := logux.StartClients(t, client.from)
			backend := logux.StartBackend(t)
			b := loguxBridge(t, backend, "")
			backend.Play(map[string]logux.Script{"": status(503, ""), "good": status(503, ""), "ok": granted})
			options := logux.Options{"server": b.URL("/"), "subprotocol": client.subprotocol, "userId": "10", "token": "good"}
			c := clients.Connect("c", options)
			harness.Until(t, harness.AnswerLimit, "the back-end was asked twice", func() bool { return len(backend.Asked()) >= 2 })
			backend.Down()
			c.Expect("state disconnected")
			c.Expect("state connecting")
			c.Expect("state disconnected")
			c.Sync(`{"type":"ok"}`) // which waits for the connection
			backend.Script("good", answers("authenticated"))
			backend.Up()
			const limit = 6*time.Second + 2*time.Second // of a machine that is busy with other tests
			if told, ok := c.Within(limit, "state synchronized"); !ok {
				t.Errorf("%v after the back-end was back the client had been told %q", limit, told)
			}
			c.Expect(`processed {"type":"ok"}`)
		})
	}
}

// Given a client connected, when another tab of it authenticates, then the first connection ends, and what is
// for the client reaches only the second.
func TestLoguxStatement10(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	for _, client := range loguxClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			clients := logux.StartClients(t, client.from)
			backend := logux.StartBackend(t)
			b := loguxBridge(t, backend, "")
			backend.Play(map[string]logux.Script{"good": answers("authenticated")})
			options := logux.Options{
				"server": b.URL("/"), "subprotocol": client.subprotocol, "userId": "10", "token": "good",
				"clientId": "a", "attempts": 0, // it does not come back, or they would take turns
			}
			first := clients.Start("first", options)
			second := clients.Start("second", options)
			first.Expect("state disconnected")
			reply := logux.Post(t, "http://"+b.Address()+"/", logux.Action(`{"type":"note"}`, `{"clients":["10:a"]}`))
			if reply.Status != 200 {
				t.Errorf("the control endpoint answers %+v", reply)
			}
			second.Expect(`add {"type":"note"}`)
			if told := first.Told(); len(told) > 0 {
				t.Errorf("the first was told %q", told)
			}
		})
	}
}

// Given the author disconnects during processing and returns, then it is told that its action was processed.
func TestLoguxStatement28(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	for _, client := range loguxClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			clients := logux.StartClients(t, client.from)
			backend := logux.StartBackend(t)
			b := loguxBridge(t, backend, "")
			backend.Play(map[string]logux.Script{"good": answers("authenticated")})
			c := clients.Start("c", logux.Options{
				"server": b.URL("/"), "subprotocol": client.subprotocol, "userId": "10", "token": "good", "minDelay": 500,
			})
			c.Sync(`{"type":"slow"}`)
			call := backend.Next()
			c.Expect("state synchronized") // the server has it
			c.Cut()
			c.Expect("state disconnected")
			call.Processed()
			c.Expect(`processed {"type":"slow"}`) // when it is connected again
			backend.None()
		})
	}
}
