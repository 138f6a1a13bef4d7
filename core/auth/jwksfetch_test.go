package auth

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/protocol-bridge/bridge/upstream"
)

// Whatever the server answers but a key set: nobody is denied for it, and old keys go on.
func TestJWKSBadAnswers(t *testing.T) {
	k := keysOfTests()
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		elsewhere.Add(1)
		fmt.Fprint(w, keySetOf(keyA(t)))
	}))
	t.Cleanup(other.Close)
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	redirect := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, status) }
	}
	many := make([]string, maxKeys+1)
	for i := range many {
		many[i] = withID(t, &k.p256.PublicKey, fmt.Sprint(i))
	}
	answers := map[string]http.HandlerFunc{
		"HTML":                 text(200, "<!doctype html><html><body>Please log in</body></html>"),
		"empty":                text(200, ""),
		"garbage":              text(200, "\x00\xff\x17{[}"),
		"null":                 text(200, "null"),
		"list":                 text(200, "["+keyA(t)+"]"),
		"a single key":         text(200, keyA(t)),
		"no keys member":       text(200, `{"key":[]}`),
		"keys is an object":    text(200, `{"keys":`+keyA(t)+`}`),
		"cut":                  text(200, keySetOf(keyA(t))[:100]),
		"two documents":        text(200, keySetOf(keyA(t))+keySetOf(keyA(t))),
		"too many keys":        text(200, keySetOf(many...)),
		"404":                  text(404, keySetOf(keyA(t))),
		"201":                  text(201, keySetOf(keyA(t))),
		"500":                  text(500, keySetOf(keyA(t))),
		"204":                  text(204, ""),
		"redirect 301":         redirect(301),
		"redirect 302":         redirect(302),
		"redirect 307":         redirect(307),
		"redirect 308":         redirect(308),
		"more than a megabyte": text(200, keySetOf(keyA(t))+strings.Repeat(" ", maxKeySet)),
		"a gigabyte": func(w http.ResponseWriter, _ *http.Request) {
			piece := bytes.Repeat([]byte(" "), 1<<16)
			for range 1 << 14 {
				if _, err := w.Write(piece); err != nil {
					return
				}
			}
			t.Error("a gigabyte was read to its end")
		},
		"a long header": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X", strings.Repeat("x", 1<<20))
			fmt.Fprint(w, keySetOf(keyA(t)))
		},
		"cut connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"shorter than it says": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "10000")
			fmt.Fprint(w, keySetOf(keyA(t)))
		},
		"no keys": text(200, `{"keys":[]}`),
		"no usable keys": text(200, keySetOf(
			`{"kty":"new","kid":"a"}`, `null`, `17`, `{}`, `{"kty":"oct","kid":"a","k":"aHVudGVyMg"}`,
			publicJWKUnchecked(k.weakRSA, "a"), publicJWK(t, k.p256, map[string]any{"kid": "a"}),
			publicJWK(t, &k.p256.PublicKey, map[string]any{"kid": "a", "use": "enc"}),
			publicJWK(t, &k.p256.PublicKey, map[string]any{"kid": "a", "key_ops": []string{"sign", "deriveKey"}}),
			publicJWK(t, &k.p256.PublicKey, map[string]any{"kid": "a", "key_ops": []string{}}),
			publicJWK(t, &k.p256.PublicKey, map[string]any{"kid": "a", "alg": "ECDH-ES"}),
			publicJWK(t, &k.p256.PublicKey, map[string]any{"kid": "a", "alg": "RS256"}),
			publicJWK(t, &k.p256.PublicKey, map[string]any{"kid": "a", "alg": "HS256"}),
		)),
	}
	for name, h := range answers {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t, "")
			r.server.handle(h)
			wantOutcome(t, "no keys ever", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.Unavailable)
			wantOutcome(t, "no key id", r.b.Authenticate(t.Context(), withToken(r.p256(""))), upstream.Unavailable)
			if log := r.log.String(); strings.Contains(log, "hunter2") || strings.Contains(log, "jwks.json") {
				t.Errorf("the log shows the URL: %s", log)
			}

			r = newRemote(t, keySetOf(keyA(t)))
			r.want("a good set", r.p256("a"), upstream.OK, 1)
			r.server.handle(h)
			wantOutcome(t, "unknown key", r.b.Authenticate(t.Context(), withToken(r.p384("b"))), upstream.Unavailable)
			if name != "no keys" && name != "no usable keys" { // which takes them away
				wantOutcome(t, "known key", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.OK)
				return
			}
			wantOutcome(t, "removed key", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.Unavailable)
			r.server.serve(keySetOf(keyA(t)))
			r.clock.advance(retryPause)
			wantOutcome(t, "it is back", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.OK)
		})
	}
	if n := elsewhere.Load(); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}

// Keys that are of no use do not spoil their neighbours.
func TestJWKSSkipsKeys(t *testing.T) {
	k := keysOfTests()
	r := newRemote(t, keySetOf(
		`{"kty":"new","kid":"a"}`, `17`, publicJWKUnchecked(k.weakRSA, "a"),
		publicJWK(t, &k.p256.PublicKey, map[string]any{"kid": "a", "use": "sig", "key_ops": []string{"verify"}, "x5u": "http://127.0.0.1:1/"}),
		keyB(t), `{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"c"}`,
	))
	r.want("a", r.p256("a"), upstream.OK, 1)
	r.want("b", r.p384("b"), upstream.OK, 1)
	r.server.serve(keySetOf(publicJWK(t, &k.rsa.PublicKey, map[string]any{"kid": "r", "alg": "RS256"})))
	r.want("the key's own algorithm", sign(t, "RS256", k.rsa, "r", claimsOf(r.clock.now(), "38", "")), upstream.OK, 2)
	for _, alg := range []string{"RS384", "RS512", "PS256"} {
		r.want("another algorithm of the family", sign(t, alg, k.rsa, "r", claimsOf(r.clock.now(), "38", "")), upstream.Denied, 2)
	}
	weak := craft(t, `{"alg":"HS256","kid":"a"}`, claimsOf(r.clock.now(), "38", ""), "HS256", []byte("hunter2"))
	r.want("a secret", weak, upstream.Denied, 2)
}

func TestJWKSTakesNoProxy(t *testing.T) {
	proxy := newKeyServer(t, keySetOf(keyB(t)))
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, proxy.URL)
	}
	c := newClock()
	b := newJWT(t, JWTConfig{JWKSURL: "http://id.invalid/jwks.json", Now: c.now})
	wantOutcome(t, "through a proxy", b.Authenticate(t.Context(), withToken(sign(t, "ES384", keysOfTests().p384, "b", claimsOf(c.now(), "38", "")))), upstream.Unavailable)
	// The environment may have been read before this test set it.
	if b.(*jwtBackend).remote.client.Transport.(*http.Transport).Proxy != nil {
		t.Error("there is a proxy")
	}
	if n := proxy.fetches.Load(); n != 0 {
		t.Errorf("%d requests to the proxy of the environment", n)
	}
}

func TestJWKSOverTLS(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, keySetOf(keyA(t))) }))
	t.Cleanup(server.Close)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	c := newClock()
	token := sign(t, "ES256", keysOfTests().p256, "a", claimsOf(c.now(), "38", ""))

	b := newJWT(t, JWTConfig{JWKSURL: server.URL, Now: c.now})
	wantOutcome(t, "a certificate that nobody knows", b.Authenticate(t.Context(), withToken(token)), upstream.Unavailable)

	b = newJWT(t, JWTConfig{JWKSURL: server.URL, Now: c.now})
	transport := server.Client().Transport.(*http.Transport)
	b.(*jwtBackend).remote.client.Transport.(*http.Transport).TLSClientConfig = transport.TLSClientConfig
	wantOutcome(t, "a known certificate", b.Authenticate(t.Context(), withToken(token)), upstream.OK)
}
