//go:build linux

package logux

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// odd is an action that nobody may write otherwise: with a number of 19 digits and such that a float64 has
// not, keys out of order and twice, fields that nobody knows, escapes that need not be, and white space.
func odd(typ string) string {
	return fmt.Sprintf(`{"type":%q,"z":1,"id":1234567890123456789,"b":{"y":0.10,"a":12345678901234567890,"e":[1E2,-0,1.0]},`+
		`"twice":1,"twice":{"twice":2,"twice":3}, "s" : "\u0444\/\u0022" ,"null":null,"":[ ]}`, typ)
}

// What an action says is not touched: neither what clients send nor what back-ends answer and post, in no role
// and in no version.
func TestLoguxBytes(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	for version := 1; version <= 4; version++ {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			t.Parallel()
			t.Run("server", func(t *testing.T) { bytesOfServer(t, version) })
			t.Run("backend", func(t *testing.T) { bytesOfBackend(t, version) })
			t.Run("relay", func(t *testing.T) { bytesOfRelay(t, version) })
		})
	}
}

// hasBytes fails the test unless the text has the action.
func hasBytes(t *testing.T, what, text, action string) {
	t.Helper()
	if !strings.Contains(text, action) {
		t.Errorf("%s is\n%s\nwithout\n%s", what, text, action)
	}
}

// command is an action command in the form of a version.
func command(version int, action, meta string) string {
	if version < 4 {
		return fmt.Sprintf(`["action",%s,%s]`, action, meta)
	}
	return logux.Action(action, meta)
}

func bytesOfServer(t *testing.T, version int) {
	backend := logux.StartBackend(t)
	b := startLogux(t, backend.URL(), fmt.Sprint("version = ", version), "")
	backend.Play(map[string]logux.Script{"good": answers("authenticated"), "logux/subscribe": granted})
	in := func(protocol int, node string) *logux.Client {
		c := logux.Dial(t, b.URL("/"), nil)
		c.Send(fmt.Sprintf(`["connect",%d,%q,0,{"token":"good"}]`, protocol, node))
		frameWith(t, c, `["connected",`)
		c.Send(`["sync",1,{"type":"logux/subscribe","channel":"room"},{"id":1,"time":1}]`)
		frameWith(t, c, `"type":"logux/processed"`)
		return c
	}
	author, old, young := in(4, "10:a:t"), in(3, "11:b:t"), in(5, "12:c:t")
	seen := func(action string, clients ...*logux.Client) {
		t.Helper()
		for _, c := range clients {
			frameWith(t, c, action)
		}
	}

	author.Send(`["sync",2,` + odd("asked") + `,{"id":2,"time":2}]`)
	c := backend.Next()
	hasBytes(t, "what the back-end is asked", string(c.Body), odd("asked"))
	c.Answer("resend", `"channels":["room"]`)
	c.Answer("approved")
	if version >= 4 {
		c.Answer("action", `"action":`+odd("answered"), `"meta":{"channels":["room"]}`)
		seen(odd("answered"), author)
	}
	c.Answered("processed")
	frameWith(t, author, `"type":"logux/processed"`)
	seen(odd("asked"), old, young)
	if version >= 4 {
		seen(odd("answered"), old, young)
	}

	author.Send(`["sync",3,` + odd("refused") + `,{"id":3,"time":3}]`)
	backend.Next().Answered("forbidden")
	seen(`{"action":`+odd("refused")+`,`, author)

	url := "http://" + b.Address() + "/"
	reply := logux.Do(t, http.MethodPost, url, logux.Envelope(version, command(version, odd("posted"), `{"channels":["room"]}`)))
	if reply.Status != http.StatusOK {
		t.Errorf("the control endpoint answers %+v", reply)
	}
	seen(odd("posted"), author, old, young)
}

func bytesOfBackend(t *testing.T, version int) {
	backend := logux.StartBackend(t)
	b, n := startBehindNode(t, demoUpstream(backend.URL()))
	backend.Play(map[string]logux.Script{"": answers("authenticated"), "logux/subscribe": granted, "asked": func(c *logux.Call) {
		c.Answer("resend", `"channels":["room"]`)
		c.Answer("approved")
		c.Answer("action", `"action":`+odd("answered"), `"meta":{"clients":["38:a"]}`)
		c.Answered("processed")
	}})
	here := logux.Dial(t, b.URL("/"), nil)
	here.Send(`["connect",4,"10:a:t",0]`)
	frameWith(t, here, `["connected",`)
	here.Send(`["sync",1,{"type":"logux/subscribe","channel":"room"},{"id":1,"time":1}]`)
	frameWith(t, here, `"type":"logux/processed"`)

	got := n.ask(version, command(version, odd("asked"), `{"id":"1560954012838 38:a:b 0","time":1560954012838}`))
	asked := backend.Asked()
	hasBytes(t, "what the back-end is asked", string(asked[len(asked)-1].Action), odd("asked"))
	if version == 4 {
		hasBytes(t, "the answer", strings.Join(got, ""), odd("answered"))
	} else {
		hasBytes(t, "what is pushed", strings.Join(n.posts(), ""), odd("answered"))
	}
	frameWith(t, here, odd("asked"))
}

func bytesOfRelay(t *testing.T, version int) {
	backend := logux.StartBackend(t)
	b, n := startBehindNode(t, demoUpstream(backend.URL()))
	body := strings.Replace(logux.Envelope(version, command(version, odd("posted"), `{"channels":["room"]}`)), harness.Secret, parole, 1)
	reply := logux.Do(t, http.MethodPost, "http://"+b.AddressOf("internal")+"/relay", body)
	if reply.Status != http.StatusOK {
		t.Errorf("the relay answers %+v", reply)
	}
	hasBytes(t, "what is passed on", strings.Join(n.posts(), ""), odd("posted"))
}
