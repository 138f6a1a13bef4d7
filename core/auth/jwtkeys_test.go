package auth

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
)

const testSecret = "a secret of the tests, which is long enough for any hash there is, and longer"

// testKeys are made once: they take long.
type testKeys struct {
	rsa, otherRSA *rsa.PrivateKey
	weakRSA       *rsa.PublicKey
	p256, p384    *ecdsa.PrivateKey
	p521          *ecdsa.PrivateKey
	ed            ed25519.PrivateKey
}

var keysOfTests = sync.OnceValue(func() *testKeys {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	var k testKeys
	var err error
	k.rsa, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	k.otherRSA, err = rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	k.weakRSA = &weak.PublicKey
	k.p256, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	k.p384, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	k.p521, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	must(err)
	_, k.ed, err = ed25519.GenerateKey(rand.Reader)
	must(err)
	return &k
})

func publicPEM(t testing.TB, public any) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// publicJWK returns a key's JWK with more members.
func publicJWK(t testing.TB, public any, members map[string]any) string {
	t.Helper()
	key, err := jwk.Import(public)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	maps.Copy(m, members)
	raw, err = json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func withID(t testing.TB, public any, id string) string {
	t.Helper()
	return publicJWK(t, public, map[string]any{"kid": id})
}

func keySetOf(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

// sign returns the token that jwx makes.
func sign(t testing.TB, alg string, key any, id, claims string) string {
	t.Helper()
	known, ok := jwa.LookupSignatureAlgorithm(alg)
	if !ok {
		t.Fatalf("no algorithm %q", alg)
	}
	h := jws.NewHeaders()
	if id != "" {
		if err := h.Set("kid", id); err != nil {
			t.Fatal(err)
		}
	}
	signed, err := jws.Sign([]byte(claims), jws.WithKey(known, key, jws.WithProtectedHeaders(h)))
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// craft signs a header and a payload as they stand.
func craft(t testing.TB, header, payload, alg string, key any) string {
	t.Helper()
	return craftParts(t, b64(header)+"."+b64(payload), alg, key)
}

func craftParts(t testing.TB, signed, alg string, key any) string {
	t.Helper()
	known, _ := jwa.LookupSignatureAlgorithm(alg)
	signer, err := jws.SignerFor(known)
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signer.Sign(key, []byte(signed))
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// claimsOf returns good claims of a user, and more.
func claimsOf(now time.Time, user, more string) string {
	return fmt.Sprintf(`{"sub":%q,"iat":%d,"exp":%d%s}`, user, now.Unix(), now.Add(time.Hour).Unix(), more)
}

func newJWT(t testing.TB, cfg JWTConfig) Backend {
	t.Helper()
	cfg.Realm = "jwt.site"
	b, err := NewJWT(cfg)
	if err != nil {
		t.Fatal(err)
	}
	closeAtEnd(t, b)
	return b
}

func withToken(token string) *Request { return &Request{HasToken: true, Token: token} }

// publicJWKUnchecked is for keys that jwx refuses to write.
func publicJWKUnchecked(public *rsa.PublicKey, id string) string {
	return fmt.Sprintf(`{"kty":"RSA","kid":%q,"e":"AQAB","n":%q}`, id, base64.RawURLEncoding.EncodeToString(public.N.Bytes()))
}
