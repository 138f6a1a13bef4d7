package auth

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	pools "github.com/protocol-bridge/bridge/core/upstream"
	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/httpapi"
)

const hookSecret = "s3cr3t-of-the-tests"

// answerWith answers every request with a status and a body.
func answerWith(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// serve returns the address of a real back-end.
func serve(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(handle)
	t.Cleanup(s.Close)
	return s.URL
}

// serveOrNot is serve; without a handler nobody listens at the address.
func serveOrNot(t *testing.T, handle http.HandlerFunc) string {
	t.Helper()
	if handle != nil {
		return serve(t, handle)
	}
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	return s.URL
}

// hang answers nothing until the client is gone.
func hang(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	<-r.Context().Done()
}

// drop hangs up instead of an answer.
func drop(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	panic(http.ErrAbortHandler)
}

// busy wants to be asked much later.
func busy(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	w.Header().Set("Retry-After", "1000")
	w.WriteHeader(http.StatusTooManyRequests)
}

func redirect(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
}

func askHTTP(t *testing.T, url string, timeout time.Duration) Backend {
	t.Helper()
	p, err := pools.NewHTTP(pools.HTTPConfig{URL: url, Secrets: []string{hookSecret}, ConnectTimeout: time.Minute, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return NewHTTP("http.hook", p.(Authorizer))
}

func TestHTTPAsks(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var body string
	url := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if err := httpapi.Verify(r.Header.Get(httpapi.SignatureHeader), b, time.Now(), 0, hookSecret); err != nil {
			t.Error(err)
		}
		mu.Lock()
		body = string(b)
		mu.Unlock()
		_, _ = io.WriteString(w, `{"user_id":"38","claims":{"n":12345678901234567890,"z":1.00},"channels":["user/38"]}`)
	})
	b := askHTTP(t, url, time.Minute)
	if b.Realm() != "http.hook" {
		t.Errorf("the realm is %q", b.Realm())
	}
	tests := []struct {
		name string
		req  Request
		want string
	}{
		{
			"everything",
			Request{
				Token: "good-token", HasToken: true, UserID: "38", Payload: []byte(`{"token":1.00}`), ID: "7.1.0", Protocol: "ctproto",
				Route: "/client", Session: "5", RemoteAddress: "203.0.113.9:1", Subprotocol: "1.0.0", Headers: []Field{{"a", "b"}},
				Opening: Opening{Authorization: "Bearer good-token", Cookie: "a=b"},
			},
			`{"version":1,"event":"authorize","protocol":"ctproto","route":"/client","session":"5","id":"7.1.0","remote_address":"203.0.113.9:1",` +
				`"user_id":"38","token":"good-token","payload":{"token":1.00}}`,
		},
		{"nothing", Request{}, `{"version":1,"event":"authorize"}`},
		{"null and an empty token", Request{HasToken: true, Payload: []byte("null")}, `{"version":1,"event":"authorize","token":"","payload":null}`},
	}
	for _, test := range tests {
		got := b.Authenticate(t.Context(), &test.req)
		if got.Outcome != upstream.OK || got.UserID != "38" || string(got.Claims) != `{"n":12345678901234567890,"z":1.00}` || !slices.Equal(got.Joins, []string{"user/38"}) {
			t.Errorf("%s is answered %+v", test.name, got)
		}
		mu.Lock()
		if body != test.want {
			t.Errorf("%s asks %s, want %s", test.name, body, test.want)
		}
		mu.Unlock()
	}
}

// show is an answer in one line.
func show(a Answer) string {
	return fmt.Sprintf("%v %q %s %q %q", a.Outcome, a.UserID, a.Claims, a.Reason, a.Supported)
}

func TestHTTPAnswers(t *testing.T) {
	t.Parallel()
	const unavailable = `unavailable ""  "" ""`
	tests := []struct {
		name    string
		handle  http.HandlerFunc // nil: nobody listens
		claimed string
		want    string
		detail  string
	}{
		{"user", answerWith(200, `{"user_id":"38"}`), "", `ok "38"  "" ""`, ""},
		{"number", answerWith(200, `{"user_id":38,"claims":{}}`), "", `ok "38" {} "" ""`, ""},
		{"claimed user", answerWith(200, `{"user_id":"38"}`), "38", `ok "38"  "" ""`, ""},
		{"another user", answerWith(200, `{"user_id":"38"}`), "39", `denied ""  "Wrong credentials" ""`, "another user"},
		{"no such user by another spelling", answerWith(200, `{"user_id":"38"}`), "038", `denied ""  "Wrong credentials" ""`, "another user"},
		{"error", answerWith(200, `{"error":"Wrong auth payload"}`), "", `denied ""  "Wrong auth payload" ""`, ""},
		{"401", answerWith(401, `{"error":"Log in"}`), "38", `denied ""  "Log in" ""`, ""},
		{"403", answerWith(403, `<html>`), "", `denied ""  "" ""`, ""},
		{"down", nil, "", unavailable, "connection refused"},
		{"slow", hang, "", unavailable, "no answer in time"},
		{"hangs up", drop, "", unavailable, "connection lost"},
		{"redirect", redirect, "", unavailable, "status 307"},
		{"HTML", answerWith(200, `<!DOCTYPE html>`), "", unavailable, "not JSON"},
		{"garbage", answerWith(200, "\x00\xff{"), "", unavailable, "not JSON"},
		{"empty", answerWith(200, ``), "", unavailable, "empty"},
		{"204", answerWith(204, ``), "", unavailable, "user_id is missing"},
		{"no user", answerWith(200, `{"claims":{"sub":"38"}}`), "38", unavailable, "user_id is missing"},
		{"empty user", answerWith(200, `{"user_id":""}`), "", unavailable, "user_id is missing"},
		{"user is an object", answerWith(200, `{"user_id":{}}`), "", unavailable, "user_id is neither"},
		{"claims are a list", answerWith(200, `{"user_id":"38","claims":[]}`), "", unavailable, "claims are not an object"},
		{"400", answerWith(400, `{"error":"bad request"}`), "", unavailable, "status 400"},
		{"404", answerWith(404, `Not Found`), "", unavailable, "status 404"},
		{"500", answerWith(500, `{"error":"stack"}`), "", unavailable, "status 500"},
		{"503", answerWith(503, `{"user_id":"38"}`), "", unavailable, "status 503"},
		{"429", busy, "", unavailable, "status 429"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			timeout := time.Minute
			if test.name == "slow" {
				timeout = 200 * time.Millisecond
			}
			got := askHTTP(t, serveOrNot(t, test.handle), timeout).Authenticate(t.Context(), &Request{Token: "t", HasToken: true, UserID: test.claimed})
			if show(got) != test.want || !strings.Contains(got.Detail, test.detail) {
				t.Errorf("the answer is %s, %q, want %s, %q", show(got), got.Detail, test.want, test.detail)
			}
		})
	}
}
