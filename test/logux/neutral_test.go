//go:build linux

package logux

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// neutralAPI is an HTTP back-end of no protocol in particular. It lets in whose token is good, as the user 38,
// and to the channel posts/7; it publishes a like and how many there are; it refuses anything else.
type neutralAPI struct {
	url string

	mu    sync.Mutex // guards asked
	asked []string
}

func startNeutralAPI(t *testing.T) *neutralAPI {
	t.Helper()
	api := &neutralAPI{}
	s := httptest.NewServer(api)
	t.Cleanup(s.Close)
	api.url = s.URL
	return api
}

// ServeHTTP implements http.Handler.
func (api *neutralAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q struct {
		Event     string
		Token     string
		UserID    string `json:"user_id"`
		MessageID string `json:"message_id"`
		Channel   string
		Type      string
		Payload   json.RawMessage
	}
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	api.mu.Lock()
	api.asked = append(api.asked, strings.TrimSpace(strings.Join([]string{q.Event, q.UserID, q.MessageID, q.Channel, q.Type, string(q.Payload)}, " ")))
	api.mu.Unlock()
	switch {
	case q.Event == "authorize" && q.Token == harness.Token:
		_, _ = io.WriteString(w, `{"user_id":"38"}`)
	case q.Event == "subscribe":
		fmt.Fprintf(w, `{"allow":%t}`, q.Channel == "posts/7")
	case q.Type == "like":
		_, _ = io.WriteString(w, `{"payload":{"ok":true},"publish":[{"channel":"posts/7","type":"like","payload":{"post":7}},{"channel":"posts/7","type":"likes","payload":{"count":8}}]}`)
	default:
		_, _ = io.WriteString(w, `{"error":"no"}`)
	}
}

// questions are what it was asked, in order of their text.
func (api *neutralAPI) questions() []string {
	api.mu.Lock()
	defer api.mu.Unlock()
	list := slices.Clone(api.asked)
	slices.Sort(list)
	return list
}

// Real Logux clients in front of an HTTP back-end of no protocol in particular, which says who they are too.
func TestLoguxNeutral(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	for _, client := range loguxClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			clients := logux.StartClients(t, client.from)
			api := startNeutralAPI(t)
			b := harness.Start(t, harness.Config{File: fmt.Sprintf(`
auth "http" "hook" {
  url    = %[1]q
  secret = %[2]q
}
upstream "http" "api" {
  url    = %[1]q
  secret = %[2]q
}
plugin "logux" {
  route "/*" {
    role     = "server"
    auth     = auth.http.hook
    upstream = upstream.http.api
  }
}
`, api.url, harness.Secret)})
			options := func(user, token string) logux.Options {
				return logux.Options{"server": b.URL("/"), "subprotocol": client.subprotocol, "userId": user, "token": token}
			}
			stranger := clients.Connect("stranger", options("38", "guess"))
			stranger.Expect("error Logux received wrong-credentials error (Wrong credentials)")
			other := clients.Connect("other", options("21", harness.Token))
			other.Expect("error Logux received wrong-credentials error (Wrong credentials)")

			reader, author := clients.Start("reader", options("38", harness.Token)), clients.Start("author", options("38", harness.Token))
			reader.Subscribe("posts/7")
			refused := `{"type":"logux/subscribe","channel":"posts/8"}`
			reader.Sync(refused)
			reader.Expect("undone " + refused + " denied")
			author.Sync(`{"type":"like","payload":{"post":7}}`)
			author.Expect(`add {"type":"like","payload":{"ok":true}}`)
			author.Expect(`processed {"type":"like","payload":{"post":7}}`)
			reader.Expect(`add {"type":"like","payload":{"post":7}}`)
			reader.Expect(`add {"type":"likes","payload":{"count":8}}`)
			author.Sync(`{"type":"hate"}`)
			author.Expect(`undone {"type":"hate"} denied`)
			for _, want := range []string{"authorize 38", "message 38 ", "subscribe 38 "} {
				if !slices.ContainsFunc(api.questions(), func(q string) bool { return strings.HasPrefix(q, want) }) {
					t.Errorf("the back-end was asked %q, and nowhere %q", api.questions(), want)
				}
			}
		})
	}
}

// A Logux server in front of what any protocol may have behind it: an auth block and an HTTP back-end, which is
// told whose action it is.
func TestLoguxBackendNeutral(t *testing.T) {
	api := startNeutralAPI(t)
	b := harness.Start(t, harness.Config{File: fmt.Sprintf(`
upstream "http" "api" {
  url    = %q
  secret = %q
}
%s
plugin "logux" {
  route "/logux" {
    role     = "backend"
    auth     = auth.static.dev
    upstream = upstream.http.api
    config {
      secret      = %q
      subprotocol = "1.2.0"
      supports    = "^1.0.0"
    }
  }
}
`, api.url, harness.Secret, harness.AuthBlock, parole)})
	n := &node{t: t, bridge: "http://" + b.Address() + "/logux"}
	auth := func(user, token, subprotocol string) string {
		return fmt.Sprintf(`{"command":"auth","authId":"i","userId":%q,"token":%q,"subprotocol":%q,"cookie":{},"headers":{}}`, user, token, subprotocol)
	}
	const id = "1560954012838 38:Y7bysd:O0ETfc 0"
	for command, want := range map[string]string{
		auth("38", harness.Token, "1.0.1"): `{"answer":"authenticated","authId":"i","subprotocol":"1.2.0"}`,
		auth("38", "guess", "1.0.1"):       `{"answer":"denied","authId":"i"}`,
		auth("21", harness.Token, "1.0.1"): `{"answer":"denied","authId":"i"}`,
		auth("38", harness.Token, "2.0.0"): `{"answer":"wrongSubprotocol","authId":"i","supported":"^1.0.0"}`,
		act4(`{"type":"like","payload":{"post":7}}`, id, ""): `{"answer":"resend","id":"` + id + `","channels":["posts/7"]} {"answer":"approved","id":"` + id + `"} ` +
			`{"answer":"action","id":"` + id + `","action":{"type":"likes","payload":{"count":8}},"meta":{"channels":["posts/7"]}} ` +
			`{"answer":"action","id":"` + id + `","action":{"type":"like","payload":{"ok":true}},"meta":{"clients":["38:Y7bysd"]}} {"answer":"processed","id":"` + id + `"}`,
		act4(`{"type":"hate"}`, id, ""):                                `{"answer":"forbidden","id":"` + id + `"}`,
		act4(`{"type":"logux/subscribe","channel":"posts/7"}`, id, ""): `{"answer":"approved","id":"` + id + `"} {"answer":"processed","id":"` + id + `"}`,
		act4(`{"type":"logux/subscribe","channel":"posts/8"}`, id, ""): `{"answer":"forbidden","id":"` + id + `"}`,
	} {
		if got := strings.Join(n.ask(4, command), " "); got != want {
			t.Errorf("%s is answered\n%s\nwant\n%s", command, got, want)
		}
	}
	asked := api.questions()
	want := []string{
		"message 38 " + id + `  hate {}`, "message 38 " + id + `  like {"post":7}`,
		"subscribe 38 " + id + ` posts/7`, "subscribe 38 " + id + ` posts/8`,
	}
	if !slices.Equal(asked, want) {
		t.Errorf("the back-end is asked\n%s\nwant\n%s", strings.Join(asked, "\n"), strings.Join(want, "\n"))
	}
}
