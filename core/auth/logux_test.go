package auth

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pools "github.com/protocol-bridge/bridge/core/upstream"
	"github.com/protocol-bridge/bridge/upstream"
)

func askLogux(t *testing.T, url string, version int, timeout time.Duration) Backend {
	t.Helper()
	p, err := pools.NewLogux(pools.LoguxConfig{URL: url, Secret: hookSecret, Version: version, ConnectTimeout: time.Minute, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return NewLogux("logux.app", p.(Authenticator))
}

var authID = regexp.MustCompile(`"[A-Za-z0-9_-]{21}"`)

// loguxAnswer answers an auth command with a body in which $ is the command's id.
func loguxAnswer(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		question, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, strings.ReplaceAll(body, `"$"`, authID.FindString(string(question))))
	}
}

func TestLoguxAsks(t *testing.T) {
	t.Parallel()
	full := Request{
		Token: `good"token`, HasToken: true, UserID: "38", Subprotocol: "1.1.0", Headers: []Field{{"lang", "fr"}, {`a"b`, ""}},
		Opening: Opening{Authorization: "Bearer x", Cookie: `a=%20b; q="x"; d=1; d=2; nov`},
		Payload: []byte(`{"p":1}`), ID: "7.1.0", Session: "5", RemoteAddress: "203.0.113.9:1",
	}
	const (
		old  = `"password":"` + hookSecret + `","secret":"` + hookSecret + `","commands":[`
		head = `"secret":"` + hookSecret + `","commands":[`
	)
	tests := []struct {
		version int
		req     Request
		want    string
	}{
		{1, full, `{"version":1,` + old + `["auth","38","good\"token","$"]]}`},
		{2, full, `{"version":2,` + old + `["auth","38","good\"token","$"]]}`},
		{3, full, `{"version":3,` + head + `["auth","38","good\"token","$"]]}`},
		{
			4, full,
			`{"version":4,` + head + `{"command":"auth","authId":"$","userId":"38","token":"good\"token","subprotocol":"1.1.0",` +
				`"cookie":{"a":" b","q":"x","d":"1"},"headers":{"lang":"fr","a\"b":""}}]}`,
		},
		{1, Request{}, `{"version":1,` + old + `["auth",null,null,"$"]]}`},
		{3, Request{}, `{"version":3,` + head + `["auth",null,null,"$"]]}`},
		{4, Request{}, `{"version":4,` + head + `{"command":"auth","authId":"$","subprotocol":"0.0.0","cookie":{},"headers":{}}]}`},
		{
			4,
			Request{HasUserID: true, Headers: []Field{{"n", "1.50"}}, HeadersJSON: []byte(`{"n":1.50}`)},
			`{"version":4,` + head + `{"command":"auth","authId":"$","userId":"","subprotocol":"0.0.0","cookie":{},"headers":{"n":1.50}}]}`,
		},
		{
			4,
			Request{Headers: []Field{{"n", "1"}}, HeadersJSON: []byte(`{"n":`)},
			`{"version":4,` + head + `{"command":"auth","authId":"$","subprotocol":"0.0.0","cookie":{},"headers":{"n":"1"}}]}`,
		},
		{4, Request{HasToken: true}, `{"version":4,` + head + `{"command":"auth","authId":"$","token":"","subprotocol":"0.0.0","cookie":{},"headers":{}}]}`},
	}
	for _, test := range tests {
		var mu sync.Mutex
		var body, id string
		url := serve(t, func(w http.ResponseWriter, r *http.Request) {
			b, _ := io.ReadAll(r.Body)
			mu.Lock()
			defer mu.Unlock()
			id = authID.FindString(string(b))
			body = strings.ReplaceAll(string(b), id, `"$"`)
			_, _ = io.WriteString(w, `[["authenticated",`+id+`]]`)
		})
		b := askLogux(t, url, test.version, time.Minute)
		got := b.Authenticate(t.Context(), &test.req)
		mu.Lock()
		if body != test.want || !json.Valid([]byte(body)) {
			t.Errorf("version %d asks %s, want %s", test.version, body, test.want)
		}
		before := id
		mu.Unlock()
		if got.Outcome != upstream.OK || got.UserID != test.req.UserID || b.Realm() != "logux.app" {
			t.Errorf("version %d: %+v is answered %+v", test.version, test.req, got)
		}
		b.Authenticate(t.Context(), &test.req)
		mu.Lock()
		if id == before {
			t.Errorf("two questions have the id %s", id)
		}
		mu.Unlock()
	}
}

func TestLoguxAnswers(t *testing.T) {
	t.Parallel()
	const (
		ok          = `ok "38"  "" ""`
		denied      = `denied ""  "Wrong credentials" ""`
		failed      = `error ""  "" ""`
		unavailable = `unavailable ""  "" ""`
	)
	tests := []struct {
		name   string
		handle http.HandlerFunc // nil: nobody listens
		want   string
		detail string
	}{
		{"authenticated", loguxAnswer(`[["authenticated","$"]]`), ok, ""},
		{"authenticated as object", loguxAnswer(`[{"answer":"authenticated","authId":"$","subprotocol":"1.0.0"}]`), ok, ""},
		{"more follows", loguxAnswer(`[["authenticated","$"],["denied","$"]]`), ok, ""},
		{"denied", loguxAnswer(`[["denied","$"]]`), denied, ""},
		{"denied as object", loguxAnswer(`[{"answer":"denied","authId":"$"}]`), denied, ""},
		{"wrong subprotocol", loguxAnswer(`[{"answer":"wrongSubprotocol","authId":"$","supported":"^2.0.0"}]`), `other ""  "" "^2.0.0"`, ""},
		{"error", loguxAnswer(`[["error","$","stack"]]`), failed, "stack"},
		{"error without id", loguxAnswer(`[["error","stack"]]`), failed, "stack"},
		{"error as object", loguxAnswer(`[{"answer":"error","authId":"$","details":"stack"}]`), failed, "stack"},
		{"error of an old library", loguxAnswer(`[["error",{},"stack"]]`), failed, "stack"},
		{"down", nil, unavailable, "connection refused"},
		{"slow", hang, unavailable, "no answer in time"},
		{"hangs up", drop, unavailable, "connection lost"},
		{"redirect", redirect, unavailable, "status 307"},
		{"HTML", loguxAnswer(`<!DOCTYPE html>`), unavailable, "not JSON"},
		{"garbage", loguxAnswer("\x00\xff["), unavailable, "not JSON"},
		{"object", loguxAnswer(`{"answer":"denied","authId":"$"}`), unavailable, "not an array"},
		{"other ids", loguxAnswer(`[["denied","x"],["authenticated","y"]]`), unavailable, "to something else"},
		{"no id", loguxAnswer(`[["denied"]]`), unavailable, "has no id"},
		{"wrong password of an old library", loguxAnswer(`[["unauthorized","Incorrect password"]]`), unavailable, "to something else"},
		{"answer of an action", loguxAnswer(`[["forbidden","$"]]`), unavailable, "not known for an authentication"},
		{"empty list", loguxAnswer(`[]`), unavailable, "nothing for this question"},
		{"empty", loguxAnswer(``), unavailable, "empty"},
		{"truncated", loguxAnswer(`[["denied"`), unavailable, "ends inside the array"},
		{"204", answerWith(204, ``), unavailable, "empty"},
		{"401", answerWith(401, `[["denied","x"]]`), unavailable, "status 401"},
		{"403", answerWith(403, "Wrong secret"), unavailable, "status 403"},
		{"500", answerWith(500, "stack"), unavailable, "status 500"},
		{"429", busy, unavailable, "status 429"},
	}
	for version := 1; version <= 4; version++ {
		t.Run(strconv.Itoa(version), func(t *testing.T) {
			t.Parallel()
			for _, test := range tests {
				t.Run(test.name, func(t *testing.T) {
					t.Parallel()
					timeout := time.Minute
					if test.name == "slow" {
						timeout = 200 * time.Millisecond
					}
					req := &Request{Token: "t", HasToken: true, UserID: "38"}
					got := askLogux(t, serveOrNot(t, test.handle), version, timeout).Authenticate(t.Context(), req)
					if show(got) != test.want || !strings.Contains(got.Detail, test.detail) {
						t.Errorf("the answer is %s, %q, want %s, %q", show(got), got.Detail, test.want, test.detail)
					}
				})
			}
		})
	}
}

// Who cannot be asked about is denied without asking; nobody in particular is a guest.
func TestLoguxUsers(t *testing.T) {
	t.Parallel()
	refused := askLogux(t, serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the back-end is asked") }), 4, time.Minute)
	for _, user := range []string{"server", "server:x", "38:client", "3 8", "3\n8", "\xff"} {
		if got := refused.Authenticate(t.Context(), &Request{UserID: user}); got.Outcome != upstream.Denied || got.Detail == "" {
			t.Errorf("user %q is answered %+v", user, got)
		}
	}
	guest := askLogux(t, serve(t, loguxAnswer(`[{"answer":"authenticated","authId":"$"}]`)), 4, time.Minute)
	if got := guest.Authenticate(t.Context(), &Request{}); got.Outcome != upstream.OK || got.UserID != "" {
		t.Errorf("a guest is answered %+v", got)
	}
}
