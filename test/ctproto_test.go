//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/crypto/bcrypt"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// office is a back-end that speaks the HTTP contract: it authorizes users by the token in the payload,
// which it returns as their claims, adds numbers and echoes.
type office struct {
	*httptest.Server

	mu     sync.Mutex
	asked  []contractRequest // authorizations
	closed []contractRequest
}

// contractRequest is a request of the HTTP contract.
type contractRequest struct {
	Event    string          `json:"event"`
	Protocol string          `json:"protocol"`
	UserID   string          `json:"user_id"`
	Session  string          `json:"session"`
	Type     string          `json:"type"`
	Payload  json.RawMessage `json:"payload"`
}

func startOffice(t *testing.T) *office {
	t.Helper()
	o := &office{}
	o.Server = httptest.NewServer(o)
	t.Cleanup(o.Close)
	return o
}

func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q contractRequest
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &q)
	}
	if err != nil || q.Protocol != "ctproto" {
		http.Error(w, fmt.Sprintf("%q: %v", body, err), http.StatusBadRequest)
		return
	}
	_, _ = io.WriteString(w, o.answer(q))
}

func (o *office) answer(q contractRequest) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch q.Event {
	case "authorize":
		o.asked = append(o.asked, q)
		var who struct{ Token string }
		_ = json.Unmarshal(q.Payload, &who) // null and lists are nobody
		switch who.Token {
		case "":
			return `{"user_id":"nobody"}`
		case "refused":
			return `{"error":"Wrong auth payload"}`
		}
		return fmt.Sprintf(`{"user_id":%q,"claims":%s,"channels":["all","user/%s"]}`, who.Token, q.Payload, who.Token)
	case "closed":
		o.closed = append(o.closed, q)
		return `{}`
	}
	if q.Type == "sum-of-numbers" {
		var n struct{ A, B int }
		_ = json.Unmarshal(q.Payload, &n)
		return fmt.Sprintf(`{"payload":{"sum":%d}}`, n.A+n.B)
	}
	return fmt.Sprintf(`{"payload":%s}`, q.Payload)
}

// authorizations are those since the last look.
func (o *office) authorizations() []contractRequest {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.asked
	o.asked = nil
	return list
}

// The users of the API and their password.
const apiPassword = "not-of-this-world"

// startCTProto runs a bridge in front of the office: clients on /client, the API with users on
// /ctproto/v1/, and without on a listener of its own.
func startCTProto(t *testing.T) (*harness.Bridge, *office) {
	t.Helper()
	o := startOffice(t)
	hash, err := bcrypt.GenerateFromPassword([]byte(apiPassword), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	return harness.Start(t, harness.Config{File: fmt.Sprintf(`
listener "internal" {
  address = "127.0.0.1:0"
}
auth "http" "hook" {
  url    = %[1]q
  secret = %[2]q
}
auth "basic" "ops" {
  users = {
    ops     = %[3]q
    console = { password = %[3]q, roles = ["read"] }
    desk    = { password = %[3]q, channels = ["user/ada"] }
  }
}
upstream "http" "office" {
  url    = %[1]q
  secret = %[2]q
}
plugin "ctproto" {
  route "/client" {
    auth     = auth.http.hook
    upstream = upstream.http.office
    config {
      notify_closed = true
    }
  }
  route "/ctproto/v1/" {
    role = "api"
    auth = auth.basic.ops
  }
  route "/local/" {
    role     = "api"
    listener = listener.internal
  }
}
`, o.URL, harness.Secret, hash)}), o
}

// enter authorizes a client with that payload; it is closed with the test.
func enter(t *testing.T, b *harness.Bridge, payload string) *websocket.Conn {
	t.Helper()
	ws, answer, closed, err := harness.Authorize(b.URL("/client"), payload)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { harness.Close(ws) })
	if closed != nil || answer != payload {
		t.Fatalf("authorized with %q, closed %v, want %s", answer, closed, payload)
	}
	return ws
}

// newMessage is what a server sends by itself.
type newMessage struct {
	Type      string
	Payload   json.RawMessage
	MessageID string
}

// next returns the next frame of a client.
func next(t *testing.T, ws *websocket.Conn) (m newMessage) {
	t.Helper()
	if err := ws.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
		t.Fatal(err)
	}
	_, frame, err := ws.ReadMessage()
	if err == nil {
		err = json.Unmarshal(frame, &m)
	}
	if err != nil {
		t.Fatalf("%s: %v", frame, err)
	}
	return m
}

// nothingElse asks a client to be answered: what came before would be seen.
func nothingElse(t *testing.T, ws *websocket.Conn) {
	t.Helper()
	const probe = `{"messageId":"____probe_","payload":{"n":1463786910324359168}}`
	got, err := harness.Ask(ws, `{"messageId":"____probe_","type":"echo","payload":{"n":1463786910324359168}}`)
	if err != nil || got != probe {
		t.Errorf("got %s, %v, want nothing but the answer %s", got, err, probe)
	}
}

// Without authorize a connection has three seconds: one that says nothing (1), one that only pings (2),
// and one that says what is no message (3).
func TestCTProtoStatement02(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	b, _ := startCTProto(t)
	const deadline = 3 * time.Second
	for name, act := range map[string]func(*testing.T, *websocket.Conn){
		"01 silent": func(*testing.T, *websocket.Conn) {},
		"02 pings": func(t *testing.T, ws *websocket.Conn) {
			t.Helper()
			tick := time.NewTicker(deadline / 10)
			defer tick.Stop()
			for range 8 {
				if err := ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(time.Second)); err != nil {
					t.Error(err)
				}
				<-tick.C
			}
		},
		"03 no message": func(t *testing.T, ws *websocket.Conn) {
			t.Helper()
			if got, err := harness.Ask(ws, `{"a":1}`); err != nil || !strings.Contains(got, "'messageId' field missed") {
				t.Errorf("got %s, %v", got, err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			ws, err := harness.Dial(b.URL("/client"))
			if err != nil {
				t.Fatal(err)
			}
			defer ws.Close()
			act(t, ws)
			code, reason, err := harness.AwaitClose(ws, harness.AnswerLimit)
			took := time.Since(start)
			if err != nil || code != 1013 || reason != "Authorization required" {
				t.Errorf("closed with %d %q, %v", code, reason, err)
			}
			// The statement says 3.5 s at most; a machine with other things to do gets a second more.
			if took < deadline || took > deadline+1500*time.Millisecond {
				t.Errorf("closed after %v", took)
			}
		})
	}
}

// Given auth "http" and a payload of null or [], then the back-end receives exactly that.
func TestCTProtoStatement21(t *testing.T) {
	b, o := startCTProto(t)
	for _, payload := range []string{`null`, `[]`, `{"token":"","b":1463786910324359168,"a":{"y":[ ],"x":1.50},"a":2}`} {
		ws, answer, closed, err := harness.Authorize(b.URL("/client"), payload)
		if err != nil {
			t.Fatal(err)
		}
		harness.Close(ws)
		if closed != nil || answer != `{"userId":"nobody"}` {
			t.Errorf("%s: answer %q, closed %v", payload, answer, closed)
		}
		if list := o.authorizations(); len(list) != 1 || string(list[0].Payload) != payload {
			t.Errorf("%s: the back-end was asked %+v", payload, list)
		}
	}
}

// Given three authorized clients of whom two have the workspace, when an update selects them, then
// exactly those two get one message each, with different ids.
func TestCTProtoStatement31(t *testing.T) {
	b, _ := startCTProto(t)
	in := []*websocket.Conn{
		enter(t, b, `{"token":"ada","workspaceIds":["111","123"]}`),
		enter(t, b, `{"token":"bob","workspaceIds":["123"],"n":1463786910324359168}`),
	}
	out := enter(t, b, `{"token":"eve","workspaceIds":["1234"],"n":1463786910324359169}`)
	post(t, b, "updates", `{"select":{"all":[{"path":"/workspaceIds","contains":"123"}]},"type":"workspace-updated","payload":{"id":1463786910324359168}}`, `{"matched":2,"sent":2}`)
	ids := make(map[string]bool)
	for _, ws := range in {
		m := next(t, ws)
		if m.Type != "workspace-updated" || string(m.Payload) != `{"id":1463786910324359168}` || len(m.MessageID) != 10 || ids[m.MessageID] {
			t.Errorf("got %+v, and ids %v before", m, ids)
		}
		ids[m.MessageID] = true
		nothingElse(t, ws)
	}
	nothingElse(t, out)

	// Two numbers that a float64 does not tell apart, and the channel of one user.
	post(t, b, "updates", `{"select":{"path":"/n","equals":1463786910324359169},"type":"t","payload":{}}`, `{"matched":1,"sent":1}`)
	post(t, b, "updates", `{"channel":"user/eve","type":"u","payload":{}}`, `{"matched":1,"sent":1}`)
	if first, second := next(t, out), next(t, out); first.Type != "t" || second.Type != "u" {
		t.Errorf("got %+v and %+v", first, second)
	}
	for _, ws := range in {
		nothingElse(t, ws)
	}
}

// Given a client that is connected but not authorized, when an update selects everybody, then it gets
// nothing.
func TestCTProtoStatement33(t *testing.T) {
	b, o := startCTProto(t)
	silent, err := harness.Dial(b.URL("/client"))
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ada := enter(t, b, `{"token":"ada"}`)
	local := "http://" + b.AddressOf("internal") + "/local/"
	if status, _, body := (apiCall{url: local + "updates", body: `{"type":"everybody","payload":{}}`}).do(t); status != http.StatusOK || body != `{"matched":1,"sent":1}` {
		t.Errorf("update: %d %s", status, body)
	}
	if m := next(t, ada); m.Type != "everybody" {
		t.Errorf("got %+v", m)
	}
	if status, _, body := (apiCall{url: local + "close", body: `{"code":4001,"reason":"moved"}`}).do(t); status != http.StatusOK || body != `{"matched":1}` {
		t.Errorf("close: %d %s", status, body)
	}
	if code, reason, err := harness.AwaitClose(ada, harness.AnswerLimit); err != nil || code != 4001 || reason != "moved" {
		t.Errorf("closed with %d %q, %v", code, reason, err)
	}
	// The connection is as it was: its first message is this one.
	if got, err := harness.Ask(silent, `{"a":1}`); err != nil || !strings.Contains(got, "field missed") {
		t.Errorf("got %s, %v", got, err)
	}
	harness.Until(t, harness.AnswerLimit, "the back-end is told once of the session that was authorized", func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.closed) == 1 && o.closed[0].UserID == "ada"
	})
}
