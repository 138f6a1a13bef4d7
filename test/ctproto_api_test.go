//go:build linux

package test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// apiCall is a request of the API.
type apiCall struct {
	method      string // POST
	url         string
	user        string // empty: without authorization
	contentType string // application/json
	body        string
}

// do returns the status, the Allow header and the body of the answer.
func (c apiCall) do(t *testing.T) (status int, allow, body string) {
	t.Helper()
	method, contentType := c.method, c.contentType
	if method == "" {
		method = http.MethodPost
	}
	if contentType == "" {
		contentType = "application/json"
	}
	req, err := http.NewRequest(method, c.url, strings.NewReader(c.body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	if c.user != "" {
		req.SetBasicAuth(c.user, apiPassword)
	}
	client := &http.Client{Timeout: harness.AnswerLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, resp.Header.Get("Allow"), string(text)
}

// post posts as the user with all roles and wants that answer.
func post(t *testing.T, b *harness.Bridge, path, body, want string) {
	t.Helper()
	status, _, got := apiCall{url: "http://" + b.Address() + "/ctproto/v1/" + path, user: "ops", body: body}.do(t)
	if status != http.StatusOK || got != want {
		t.Errorf("POST %s %s: %d %s, want %s", path, body, status, got, want)
	}
}

// An update posted on another route and listener of the node reaches the clients: statement 32 of one
// node, as far as that goes.
func TestCTProtoUpdateFromAnotherListener(t *testing.T) {
	b, _ := startCTProto(t)
	ada := enter(t, b, `{"token":"ada"}`)
	status, _, body := apiCall{url: "http://" + b.AddressOf("internal") + "/local/updates", body: `{"type":"t","payload":{"n":1}}`}.do(t)
	if status != http.StatusOK || body != `{"matched":1,"sent":1}` {
		t.Errorf("got %d %s", status, body)
	}
	if m := next(t, ada); m.Type != "t" || string(m.Payload) != `{"n":1}` {
		t.Errorf("got %+v", m)
	}
}

// Who selects everybody is not selected, although the request is a session with an identity, too.
func TestCTProtoRequestsAreNotSelected(t *testing.T) {
	b, _ := startCTProto(t)
	ada := enter(t, b, `{"token":"ada"}`)
	post(t, b, "updates", `{"type":"everybody","payload":{}}`, `{"matched":1,"sent":1}`)
	if m := next(t, ada); m.Type != "everybody" {
		t.Errorf("got %+v", m)
	}
	post(t, b, "close", `{}`, `{"matched":1}`)
	if code, _, err := harness.AwaitClose(ada, harness.AnswerLimit); err != nil || code != 1000 {
		t.Errorf("closed with %d, %v", code, err)
	}
}

// Whoever may not, or does not know how, is told so; nobody else notices.
func TestCTProtoAPIRefusals(t *testing.T) {
	b, _ := startCTProto(t)
	ada := enter(t, b, `{"token":"ada"}`)
	const update = `{"type":"t","payload":{}}`
	const one = `{"channel":"user/ada","type":"t","payload":{}}`
	for _, tt := range []struct {
		name string
		apiCall
		path   string
		status int
		text   string
	}{
		{"nobody", apiCall{body: update}, "updates", 401, ""},
		{"nobody known", apiCall{body: update, user: "eve"}, "updates", 401, ""},
		{"a reader", apiCall{body: update, user: "console"}, "updates", 403, "write"},
		{"everybody, from a user with channels", apiCall{body: update, user: "desk"}, "updates", 403, "channels"},
		{"another channel than the user's", apiCall{body: strings.Replace(one, "ada", "bob", 1), user: "desk"}, "updates", 403, "channel"},
		{"close of everybody, from a user with channels", apiCall{body: `{}`, user: "desk"}, "close", 403, "channels"},
		{"another path", apiCall{body: update, user: "ops"}, "update", 404, "updates or close"},
		{"another method", apiCall{method: "GET", user: "ops"}, "updates", 405, "POST"},
		{"a form", apiCall{body: "type=t", contentType: "application/x-www-form-urlencoded", user: "ops"}, "updates", 415, "application/json"},
		{"too large", apiCall{body: `{"type":"t","payload":{"x":"` + strings.Repeat("x", 1<<20) + `"}}`, user: "ops"}, "updates", 413, "1 MiB"},
		{"no JSON", apiCall{body: "{", user: "ops"}, "updates", 400, "not JSON"},
		{"authorize", apiCall{body: `{"type":"authorize","payload":{}}`, user: "ops"}, "updates", 400, "reserved"},
		{"payload no object", apiCall{body: `{"type":"t","payload":[]}`, user: "ops"}, "updates", 400, "not an object"},
		{"code", apiCall{body: `{"code":1006}`, user: "ops"}, "close", 400, "code"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.url = "http://" + b.Address() + "/ctproto/v1/" + tt.path
			status, allow, body := tt.do(t)
			if status != tt.status || !strings.Contains(body, tt.text) || (allow == "POST") != (status == 405) {
				t.Errorf("got %d %s %s, want %d %s", status, allow, body, tt.status, tt.text)
			}
			var answer struct{ Error string }
			if err := json.Unmarshal([]byte(body), &answer); status != 401 && (err != nil || answer.Error == "") {
				t.Errorf("got %s, want an error: %v", body, err)
			}
		})
	}
	nothingElse(t, ada)
	status, _, body := apiCall{url: "http://" + b.Address() + "/ctproto/v1/updates", user: "desk", body: one}.do(t)
	if status != http.StatusOK || body != `{"matched":1,"sent":1}` {
		t.Errorf("to the user's own channel: %d %s", status, body)
	}
	if m := next(t, ada); m.Type != "t" {
		t.Errorf("got %+v", m)
	}
}

// While the plugin is killed again and again, each update is answered, and reaches each client once and
// in order.
func TestCTProtoUpdatesWhilePluginIsKilled(t *testing.T) {
	b, _ := startCTProto(t)
	clients := []*websocket.Conn{enter(t, b, `{"token":"ada"}`), enter(t, b, `{"token":"bob"}`)}
	updates := size(200, 60)
	for i := range updates {
		if i%20 == 10 {
			if pid := b.Plugin("ctproto").Pid; pid != 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		post(t, b, "updates", fmt.Sprintf(`{"select":{"path":"/token","in":["ada","bob"]},"type":"t","payload":{"n":%d}}`, i), `{"matched":2,"sent":2}`)
	}
	for _, ws := range clients {
		var ids []string
		for i := range updates {
			m := next(t, ws)
			if want := fmt.Sprintf(`{"n":%d}`, i); string(m.Payload) != want || slices.Contains(ids, m.MessageID) {
				t.Fatalf("update %d is %+v", i, m)
			}
			ids = append(ids, m.MessageID)
		}
		nothingElse(t, ws)
	}
}
