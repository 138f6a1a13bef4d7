//go:build linux

package test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// route is a CTProto route with that auth backend and an upstream that echoes.
const route = `
upstream "dev" "echo" {}
plugin "ctproto" {
  route "/client" {
    auth     = auth.%s
    upstream = upstream.dev.echo
    channels = ["user/${user.id}"]
  }
}
`

// welcome is how a client fares that shows what it has.
type welcome struct {
	name    string
	payload string
	want    string // the response's payload
	closed  string // or the reason of the close, whose code is 1008
}

func (w welcome) check(t *testing.T, b *harness.Bridge) {
	t.Helper()
	ws, answer, closed, err := harness.Authorize(b.URL("/client"), w.payload)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	switch {
	case w.closed == "" && (closed != nil || answer != w.want):
		t.Errorf("answer %q, closed %v, want %q", answer, closed, w.want)
	case w.closed != "" && (closed == nil || closed.Code != 1008 || closed.Text != w.closed):
		t.Errorf("answer %q, closed %v, want close 1008 %q", answer, closed, w.closed)
	}
}

func checkWelcomes(t *testing.T, b *harness.Bridge, list []welcome) {
	t.Helper()
	for _, w := range list {
		t.Run(w.name, func(t *testing.T) { w.check(t, b) })
	}
}

const (
	denied      = "Authorization failed: "
	unavailable = "Authorization failed: service unavailable"
)

// wrongTokens are tokens of every wrong shape. None may be taken for a token, or end anything but the
// connection it came on.
func wrongTokens(reason string) []welcome {
	var list []welcome
	for name, payload := range map[string]string{
		"missing": `{}`, "null": `{"token":null}`, "array": `{"token":["good-token"]}`, "object": `{"token":{"a":1}}`,
		"a megabyte": `{"token":"` + strings.Repeat("x", 1<<20-200) + `"}`, "number": `{"token":38}`, "empty": `{"token":""}`,
		"true": `{"token":true}`, "null payload": `null`, "array payload": `["good-token"]`,
	} {
		w := welcome{name: "token is " + name, payload: payload, closed: reason}
		if name == "array" || name == "object" {
			w.closed = denied + "Wrong auth payload"
		}
		list = append(list, w)
	}
	return list
}

func TestAuthStatic(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.AuthBlock + fmt.Sprintf(route, "static.dev")})
	checkWelcomes(t, b, append(wrongTokens(denied+"Wrong credentials"),
		welcome{name: "right", payload: `{"token":"good-token"}`, want: `{"userId":"38"}`},
		welcome{name: "wrong", payload: `{"token":"good-token "}`, closed: denied + "Wrong credentials"},
	))
}

// keyServer is an identity provider: it signs tokens and publishes its keys.
type keyServer struct {
	*httptest.Server
	key   atomic.Pointer[signingKey]
	down  atomic.Bool
	asked atomic.Int64
}

type signingKey struct {
	private *ecdsa.PrivateKey
	id      string
}

func startKeyServer(t *testing.T) *keyServer {
	t.Helper()
	k := &keyServer{}
	k.rotate(t, "first")
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.asked.Add(1)
		if k.down.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		public, err := jwk.Import(k.key.Load().private.Public())
		if err == nil {
			err = public.Set(jwk.KeyIDKey, k.key.Load().id)
		}
		if err != nil {
			t.Error(err)
		}
		set := jwk.NewSet()
		_ = set.AddKey(public)
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *keyServer) rotate(t *testing.T, id string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k.key.Store(&signingKey{private, id})
}

func (k *keyServer) token(t *testing.T, claims string) string {
	t.Helper()
	key := k.key.Load()
	headers := jws.NewHeaders()
	if err := headers.Set(jws.KeyIDKey, key.id); err != nil {
		t.Fatal(err)
	}
	token, err := jws.Sign([]byte(claims), jws.WithKey(jwa.ES256(), key.private, jws.WithProtectedHeaders(headers)))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}

func jwtFile(url string) string {
	return fmt.Sprintf("auth \"jwt\" \"site\" {\n  jwks_url = %q\n  audience = \"realtime\"\n  leeway = \"0s\"\n}\n", url) + fmt.Sprintf(route, "jwt.site")
}

// TestAuthJWT: tokens of an identity provider whose keys rotate.
func TestAuthJWT(t *testing.T) {
	keys := startKeyServer(t)
	b := harness.Start(t, harness.Config{File: jwtFile(keys.URL)})
	claims := func(more string) string {
		return fmt.Sprintf(`{"sub":"38","aud":"realtime","exp":%d,"n":1463786910324359168,"b":1,"a":2%s}`, time.Now().Add(time.Hour).Unix(), more)
	}
	show := func(token string) string { return fmt.Sprintf(`{"token":%q}`, token) }
	good := claims("")
	first := keys.token(t, good)
	checkWelcomes(t, b, append(wrongTokens(denied+"Wrong credentials"),
		welcome{name: "right, its claims byte for byte", payload: show(first), want: good},
		welcome{name: "for another audience", payload: show(keys.token(t, strings.Replace(good, "realtime", "other", 1))), closed: denied + "Wrong credentials"},
		welcome{name: "expired", payload: show(keys.token(t, `{"sub":"38","aud":"realtime","exp":1000000000}`)), closed: denied + "Token expired"},
		welcome{name: "changed on the way", payload: show(first[:len(first)-4] + "AAAA"), closed: denied + "Wrong credentials"},
	))

	keys.rotate(t, "second")
	rotated := claims(`,"r":1`)
	welcome{payload: show(keys.token(t, rotated)), want: rotated}.check(t, b)

	// A session ends with its token.
	ws, answer, closed, err := harness.Authorize(b.URL("/client"),
		show(keys.token(t, fmt.Sprintf(`{"sub":"38","aud":"realtime","exp":%d}`, time.Now().Add(3*time.Second).Unix()))))
	if err != nil || closed != nil {
		t.Fatalf("%q, %v, %v", answer, closed, err)
	}
	defer ws.Close()
	if code, reason, err := harness.AwaitClose(ws, harness.AnswerLimit); err != nil || code != 1008 || reason != "credentials expired" {
		t.Errorf("a session with an expired token ended with %d %q, %v", code, reason, err)
	}
}

// TestAuthJWTUnavailable: while the keys were never to be had nobody is told that they are wrong.
func TestAuthJWTUnavailable(t *testing.T) {
	keys := startKeyServer(t)
	keys.down.Store(true)
	b := harness.Start(t, harness.Config{File: jwtFile(keys.URL)})
	token := keys.token(t, fmt.Sprintf(`{"sub":"38","aud":"realtime","exp":%d}`, time.Now().Add(time.Hour).Unix()))
	welcome{payload: fmt.Sprintf(`{"token":%q}`, token), closed: unavailable}.check(t, b)
}

// TestAuthHTTP: a back-end that speaks the HTTP contract and is right, down, slow or wrong.
func TestAuthHTTP(t *testing.T) {
	var answer atomic.Pointer[func(http.ResponseWriter)]
	var asked atomic.Pointer[map[string]json.RawMessage]
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var q map[string]json.RawMessage
		if err := json.Unmarshal(body, &q); err != nil {
			t.Errorf("asked %q: %v", body, err)
		}
		asked.Store(&q)
		if !strings.Contains(r.Header.Get("Bridge-Signature"), "v1=") {
			t.Errorf("the request is not signed: %v", r.Header)
		}
		(*answer.Load())(w)
	}))
	t.Cleanup(hook.Close)
	b := harness.Start(t, harness.Config{
		File: fmt.Sprintf("auth \"http\" \"hook\" {\n  url = %q\n  secret = %q\n  timeout = \"1s\"\n}\n", hook.URL, harness.Secret) + fmt.Sprintf(route, "http.hook"),
	})
	text := func(status int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, tc := range []struct {
		welcome
		answer func(http.ResponseWriter)
	}{
		{welcome{name: "right, claims byte for byte", want: `{"n":1463786910324359168,"b":1,"a":2}`}, text(200, `{"user_id":"38","claims":{"n":1463786910324359168,"b":1,"a":2}}`)},
		{welcome{name: "right without claims", want: `{"userId":"38"}`}, text(200, `{"user_id":"38"}`)},
		{welcome{name: "refused with words", closed: denied + "Wrong auth payload"}, text(200, `{"error":"Wrong auth payload"}`)},
		{welcome{name: "refused by 401", closed: denied + "denied"}, text(401, ``)},
		{welcome{name: "refused by 403 with words", closed: denied + "Banned"}, text(403, `{"error":"Banned"}`)},
		{welcome{name: "500", closed: unavailable}, text(500, `{"user_id":"38"}`)},
		{welcome{name: "HTML", closed: unavailable}, text(200, `<html>welcome</html>`)},
		{welcome{name: "nothing", closed: unavailable}, text(200, ``)},
		{welcome{name: "nobody", closed: unavailable}, text(200, `{}`)},
		{welcome{name: "a list", closed: unavailable}, text(200, `[]`)},
		{welcome{name: "a redirect", closed: unavailable}, func(w http.ResponseWriter) {
			w.Header().Set("Location", hook.URL+"/elsewhere")
			w.WriteHeader(302)
		}},
		{welcome{name: "slow", closed: unavailable}, func(w http.ResponseWriter) {
			w.WriteHeader(200)
			_ = http.NewResponseController(w).Flush()
			harness.Pause(2 * time.Second)
		}},
		{welcome{name: "reset", closed: unavailable}, func(w http.ResponseWriter) {
			c, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				_ = c.Close()
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answer.Store(&tc.answer)
			tc.payload = `{"token":"t"}`
			tc.check(t, b)
		})
	}

	ok := text(200, `{"user_id":"38"}`)
	answer.Store(&ok)
	for _, payload := range []string{`null`, `[]`, `{"b":1463786910324359168,"a":1,"a":2,"x":{"y":[ ]}}`} { // 21 of CTProto's statements
		t.Run("21 payload "+payload, func(t *testing.T) {
			welcome{payload: payload, want: `{"userId":"38"}`}.check(t, b)
			q := *asked.Load()
			if got := string(q["payload"]); got != payload {
				t.Errorf("the back-end got the payload %s, want %s", got, payload)
			}
			for member, want := range map[string]string{"version": `1`, "event": `"authorize"`, "protocol": `"ctproto"`, "route": `"/client"`} {
				if got := string(q[member]); got != want {
					t.Errorf("the back-end got %s %s, want %s", member, got, want)
				}
			}
		})
	}

	hook.CloseClientConnections()
	hook.Listener.Close()
	welcome{payload: `{}`, closed: unavailable}.check(t, b)
}

// TestAuthLogux: a back-end of each version of the Logux back-end protocol.
func TestAuthLogux(t *testing.T) {
	for version := 1; version <= 4; version++ {
		t.Run(fmt.Sprintf("version %d", version), func(t *testing.T) {
			backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { loguxAuth(t, version, w, r) }))
			t.Cleanup(backend.Close)
			b := harness.Start(t, harness.Config{File: fmt.Sprintf(
				"upstream \"logux\" \"app\" {\n  url = %q\n  secret = %q\n  version = %d\n  timeout = \"1s\"\n}\nauth \"logux\" \"app\" {\n  upstream = upstream.logux.app\n}\n",
				backend.URL, harness.Secret, version) + fmt.Sprintf(route, "logux.app")})
			checkWelcomes(t, b, []welcome{
				{name: "right", payload: `{"token":"good-token"}`, want: `{"userId":""}`},
				{name: "refused", payload: `{"token":"bad-token"}`, closed: denied + "Wrong credentials"},
				{name: "an error", payload: `{"token":"error"}`, closed: unavailable},
				{name: "nothing", payload: `{"token":"nothing"}`, closed: unavailable},
				{name: "503", payload: `{"token":"503"}`, closed: unavailable},
				{name: "slow", payload: `{"token":"slow"}`, closed: unavailable},
				{name: "HTML", payload: `{"token":"html"}`, closed: unavailable},
			})
		})
	}
}

// loguxAuth answers an auth command by its token.
func loguxAuth(t *testing.T, version int, w http.ResponseWriter, r *http.Request) {
	var q struct {
		Version  int               `json:"version"`
		Commands []json.RawMessage `json:"commands"`
	}
	body, _ := io.ReadAll(r.Body)
	if err := json.Unmarshal(body, &q); err != nil || q.Version != version || len(q.Commands) != 1 {
		t.Errorf("asked %q: %v", body, err)
		return
	}
	var id, token string
	if version == 4 {
		var c struct{ AuthID, Token string }
		_ = json.Unmarshal(q.Commands[0], &c)
		id, token = c.AuthID, c.Token
	} else {
		var c [4]any
		_ = json.Unmarshal(q.Commands[0], &c)
		token, _ = c[2].(string)
		id, _ = c[3].(string)
	}
	say := func(name string) {
		if version == 4 {
			fmt.Fprintf(w, `[{"answer":%q,"authId":%q}]`, name, id)
		} else {
			fmt.Fprintf(w, `[[%q,%q]]`, name, id)
		}
	}
	switch token {
	case "good-token":
		say("authenticated")
	case "bad-token":
		say("denied")
	case "error":
		say("error")
	case "nothing":
		_, _ = io.WriteString(w, "[]")
	case "503":
		w.WriteHeader(http.StatusServiceUnavailable)
	case "slow":
		w.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(w).Flush()
		harness.Pause(2 * time.Second)
	case "html":
		_, _ = io.WriteString(w, "<html></html>")
	}
}
