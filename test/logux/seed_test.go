//go:build linux

package logux

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// The published examples of the back-end protocol, in front: a bridge in place of the Logux server, a client,
// and a back-end that is asked and answers to the letter.

// seedCommand is a command of a request as it is on the wire.
type seedCommand []json.RawMessage

// seedBackend is the back-end of the examples. Each request is handed to the test, which writes the answer.
type seedBackend struct {
	url   string
	asked chan seedAsked
}

type seedAsked struct {
	commands []seedCommand
	w        http.ResponseWriter
	done     chan struct{}
}

// write writes a part of the answer, and flushes it.
func (a *seedAsked) write(t *testing.T, text string) {
	t.Helper()
	_, err := io.WriteString(a.w, text)
	if err == nil {
		err = http.NewResponseController(a.w).Flush()
	}
	if err != nil {
		t.Error(err)
	}
}

// answers writes the whole answer.
func (a *seedAsked) answers(t *testing.T, text string) {
	t.Helper()
	a.write(t, text)
	close(a.done)
}

func startSeedBackend(t *testing.T) *seedBackend {
	t.Helper()
	b := &seedBackend{asked: make(chan seedAsked)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Version          int
			Secret, Password string
			Commands         []seedCommand
		}
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(text, &body)
		}
		if err != nil || r.Method != http.MethodPost || r.URL.Path != "/logux" || r.Header.Get("Content-Type") != "application/json" ||
			body.Version != 1 || body.Secret != "secret" || body.Password != "secret" {
			t.Errorf("it is asked %s %s %v %s: %v", r.Method, r.URL, r.Header, text, err)
		}
		a := seedAsked{body.Commands, w, make(chan struct{})}
		select {
		case b.asked <- a:
			<-a.done
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	b.url = s.URL + "/logux"
	return b
}

// want waits for a request with one command, which reads like this, but for what metas have besides.
func (b *seedBackend) want(t *testing.T, want string) *seedAsked {
	t.Helper()
	select {
	case a := <-b.asked:
		if len(a.commands) != 1 {
			t.Fatalf("it is asked %d commands at once", len(a.commands))
		}
		command := a.commands[0]
		if string(command[0]) == `"action"` {
			var meta struct {
				ID   string      `json:"id"`
				Time json.Number `json:"time"`
			}
			if err := json.Unmarshal(command[2], &meta); err != nil {
				t.Fatal(err)
			}
			command[2] = fmt.Appendf(nil, `{"id":%q,"time":%s}`, meta.ID, meta.Time)
		}
		got, _ := json.Marshal(command)
		if ok, _ := regexp.MatchString("^"+strings.ReplaceAll(regexp.QuoteMeta(want), "<id>", "[A-Za-z0-9_-]{21}")+"$", string(got)); !ok {
			t.Errorf("it is asked\n%s\nwant\n%s", got, want)
		}
		return &a
	case <-time.After(harness.AnswerLimit):
		t.Fatalf("nobody asks %s", want)
		return nil
	}
}

// seedClient is a client with its base.
type seedClient struct {
	t    *testing.T
	ws   *websocket.Conn
	base int64
	sent int
}

func (c *seedClient) next() string {
	c.t.Helper()
	if err := c.ws.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
		c.t.Fatal(err)
	}
	_, frame, err := c.ws.ReadMessage()
	if err != nil {
		c.t.Fatal(err)
	}
	return string(frame)
}

// wants compares the beginning of the next frame, and tells the server that it came.
func (c *seedClient) wants(want string) {
	c.t.Helper()
	if got := c.next(); !strings.HasPrefix(got, want) {
		c.t.Errorf("the client got\n%s\nwant\n%s", got, want)
	}
}

// hears is wants for an action, which stands behind a number.
func (c *seedClient) hears(action string) {
	c.t.Helper()
	got := c.next()
	head, rest, _ := strings.Cut(strings.TrimPrefix(got, `["sync",`), ",")
	if !strings.HasPrefix(got, `["sync",`) || !strings.HasPrefix(rest, action+",{") {
		c.t.Errorf("the client got\n%s\nwant the action\n%s", got, action)
	}
	if err := harness.Send(c.ws, `["synced",`+head+`]`); err != nil {
		c.t.Fatal(err)
	}
}

// acts sends actions, with the ids that they have in the examples.
func (c *seedClient) acts(pairs ...string) {
	c.t.Helper()
	c.sent++
	frame := fmt.Sprintf(`["sync",%d`, c.sent)
	for i := 0; i < len(pairs); i += 2 {
		var ms, counter int64
		if _, err := fmt.Sscanf(pairs[i+1], "%d 38:Y7bysd:O0ETfc %d", &ms, &counter); err != nil {
			c.t.Fatal(err)
		}
		frame += fmt.Sprintf(`,%s,{"id":[%d,%d],"time":%d}`, pairs[i], ms-c.base, counter, ms-c.base)
	}
	if err := harness.Send(c.ws, frame+"]"); err != nil {
		c.t.Fatal(err)
	}
	c.wants(fmt.Sprintf(`["synced",%d]`, c.sent))
}

func TestLoguxSeed(t *testing.T) {
	b := startSeedBackend(t)
	bridge := harness.Start(t, harness.Config{File: fmt.Sprintf(`
upstream "logux" "app" {
  url     = %q
  secret  = "secret"
  version = 1
}
plugin "logux" {
  route "/*" {
    role     = "server"
    upstream = upstream.logux.app
  }
}
`, b.url)})

	// Authentication.
	ws, err := harness.Dial(bridge.URL("/"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { harness.Close(ws) })
	c := &seedClient{t: t, ws: ws}
	if err := harness.Send(ws, `["connect",4,"38:Y7bysd:O0ETfc",0,{"token":"good-token"}]`); err != nil {
		t.Fatal(err)
	}
	asked := b.want(t, `["auth","38","good-token","<id>"]`)
	asked.answers(t, fmt.Sprintf("[\n  [\"authenticated\", %s]\n]", asked.commands[0][3]))
	var connected []json.RawMessage
	if err := json.Unmarshal([]byte(c.next()), &connected); err != nil || string(connected[0]) != `"connected"` {
		t.Fatalf("connected: %s, %v", connected, err)
	}
	var times [2]int64
	if err := json.Unmarshal(connected[3], &times); err != nil {
		t.Fatal(err)
	}
	c.base = times[1]

	// Actions. The second is asked when the first is known.
	const first, second = "1560954012838 38:Y7bysd:O0ETfc 0", "1560954012900 38:Y7bysd:O0ETfc 1"
	const rename38, rename21 = `{"type":"user/rename","user":38,"name":"New"}`, `{"type":"user/rename","user":21,"name":"New"}`
	c.acts(rename38, first, rename21, second)
	asked = b.want(t, `["action",`+rename38+`,{"id":"`+first+`","time":1560954012838}]`)
	asked.answers(t, `[
  ["resend", "`+first+`", { "channels": ["users/38"] }],
  ["approved", "`+first+`"],
  ["processed", "`+first+`"]
]`)
	c.hears(`{"id":"` + first + `","type":"logux/processed"}`)
	asked = b.want(t, `["action",`+rename21+`,{"id":"`+second+`","time":1560954012900}]`)
	asked.answers(t, `[
  ["resend", "`+second+`", { "channels": ["users/21"] }],
  ["denied", "`+second+`"]
]`)
	c.hears(`{"action":` + rename21 + `,"id":"` + second + `","reason":"denied","type":"logux/undo"}`)

	// Subscription: the back-end posts the data while its response is open, and has its answer when they are on
	// their way.
	const subscription = "1560954012858 38:Y7bysd:O0ETfc 0"
	c.acts(`{"type":"logux/subscribe","channel":"38/name"}`, subscription)
	asked = b.want(t, `["action",{"type":"logux/subscribe","channel":"38/name"},{"id":"`+subscription+`","time":1560954012858}]`)
	asked.write(t, "[\n  [\"approved\", \""+subscription+"\"],\n")
	resp, err := http.Post("http://"+bridge.Address()+"/", "application/json", strings.NewReader(`{
  "version": 1,
  "secret": "secret",
  "commands": [
    [
      "action",
      { "type": "user/name", "user": 38, "name": "The User" },
      { "clients": ["38:Y7bysd"] }
    ]
  ]
}`))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || resp.StatusCode != http.StatusOK || len(text) > 0 {
		t.Errorf("the post is answered %d %s, %v", resp.StatusCode, text, err)
	}
	c.hears(`{ "type": "user/name", "user": 38, "name": "The User" }`)
	asked.answers(t, "  [\"processed\", \""+subscription+"\"]\n]")
	c.hears(`{"id":"` + subscription + `","type":"logux/processed"}`)

	// Wrong actions.
	const wrongChannel, wrongType = "1560954022858 38:Y7bysd:O0ETfc 0", "1560954022858 38:Y7bysd:O0ETfc 1"
	c.acts(`{"type":"logux/subscribe","channel":"usrs/38"}`, wrongChannel)
	b.want(t, `["action",{"type":"logux/subscribe","channel":"usrs/38"},{"id":"`+wrongChannel+`","time":1560954022858}]`).
		answers(t, "[\n  [\"unknownChannel\", \""+wrongChannel+"\"]\n]")
	c.hears(`{"action":{"type":"logux/subscribe","channel":"usrs/38"},"id":"` + wrongChannel + `","reason":"wrongChannel","type":"logux/undo"}`)
	c.acts(`{"type":"user/renam","user":38,"name":"New"}`, wrongType)
	b.want(t, `["action",{"type":"user/renam","user":38,"name":"New"},{"id":"`+wrongType+`","time":1560954022858}]`).
		answers(t, "[\n  [\"unknownAction\", \""+wrongType+"\"]\n]")
	c.hears(`{"action":{"type":"user/renam","user":38,"name":"New"},"id":"` + wrongType + `","reason":"unknownType","type":"logux/undo"}`)

	// Error.
	const failed = "1560954032858 38:Y7bysd:O0ETfc 0"
	c.acts(rename38, failed)
	b.want(t, `["action",`+rename38+`,{"id":"`+failed+`","time":1560954032858}]`).
		answers(t, "[\n  [\"error\", \"PostgreSQLError: No connection to database\\n    at DB.connnect\"]\n]")
	c.hears(`{"action":` + rename38 + `,"id":"` + failed + `","reason":"error","type":"logux/undo"}`)
}
