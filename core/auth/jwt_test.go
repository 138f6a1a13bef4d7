package auth

import (
	"bytes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/upstream"
)

func TestJWTAlgorithms(t *testing.T) {
	k := keysOfTests()
	tests := []struct {
		alg    string
		sign   any
		public any // nil: the secret
	}{
		{alg: "HS256", sign: []byte(testSecret)},
		{alg: "HS384", sign: []byte(testSecret)},
		{alg: "HS512", sign: []byte(testSecret)},
		{alg: "RS256", sign: k.rsa, public: &k.rsa.PublicKey},
		{alg: "RS384", sign: k.rsa, public: &k.rsa.PublicKey},
		{alg: "RS512", sign: k.rsa, public: &k.rsa.PublicKey},
		{alg: "PS256", sign: k.rsa, public: &k.rsa.PublicKey},
		{alg: "PS384", sign: k.rsa, public: &k.rsa.PublicKey},
		{alg: "PS512", sign: k.rsa, public: &k.rsa.PublicKey},
		{alg: "ES256", sign: k.p256, public: &k.p256.PublicKey},
		{alg: "ES384", sign: k.p384, public: &k.p384.PublicKey},
		{alg: "ES512", sign: k.p521, public: &k.p521.PublicKey},
		{alg: "EdDSA", sign: k.ed, public: k.ed.Public()},
		{alg: "Ed25519", sign: k.ed, public: k.ed.Public()},
	}
	for _, tt := range tests {
		t.Run(tt.alg, func(t *testing.T) {
			c := newClock()
			configs := map[string]JWTConfig{"secret": {Secrets: []string{"another", testSecret}}}
			if tt.public != nil {
				configs = map[string]JWTConfig{
					"PEM":     {PublicKey: publicPEM(t, tt.public)},
					"two PEM": {PublicKey: append(publicPEM(t, &k.otherRSA.PublicKey), publicPEM(t, tt.public)...)},
					"JWK":     {PublicKey: []byte(publicJWK(t, tt.public, nil))},
					"JWK set": {PublicKey: []byte(keySetOf(withID(t, tt.public, "k"), withID(t, &k.otherRSA.PublicKey, "o")))},
					"alg":     {PublicKey: []byte(publicJWK(t, tt.public, map[string]any{"alg": tt.alg, "use": "sig", "key_ops": []string{"verify"}}))},
					"only":    {PublicKey: publicPEM(t, tt.public), Algorithms: []string{tt.alg}},
				}
			}
			claims := claimsOf(c.now(), "38", `,"n":1234567890123456789,"f":1.00,"Z":{"b":1,"a":2}`)
			for name, cfg := range configs {
				cfg.Now = c.now
				b := newJWT(t, cfg)
				for _, id := range []string{"", "k"} {
					token := sign(t, tt.alg, tt.sign, id, claims)
					got := b.Authenticate(t.Context(), withToken(token))
					wantOutcome(t, name+", kid "+id, got, upstream.OK)
					if got.UserID != "38" || string(got.Claims) != claims || !got.Expires.Equal(c.now().Add(time.Hour)) {
						t.Errorf("%s: user %q, claims %s, expires %v", name, got.UserID, got.Claims, got.Expires)
					}
					broken := token[:len(token)-8] + "AAAAAAAA"
					wantOutcome(t, name+", broken signature", b.Authenticate(t.Context(), withToken(broken)), upstream.Denied)
					other := strings.Replace(token, ".", "."+b64(claimsOf(c.now(), "39", ""))+".", 1)
					parts := strings.Split(other, ".")
					other = parts[0] + "." + parts[1] + "." + parts[3]
					wantOutcome(t, name+", another payload", b.Authenticate(t.Context(), withToken(other)), upstream.Denied)
				}
			}
		})
	}
}

// A key verifies with its own family of algorithms, whatever the token says.
func TestJWTKeyDecides(t *testing.T) {
	k, c := keysOfTests(), newClock()
	signers := map[string]any{
		"HS256": []byte(testSecret), "HS384": []byte(testSecret), "HS512": []byte(testSecret),
		"RS256": k.rsa, "PS512": k.rsa, "ES256": k.p256, "ES384": k.p384, "ES512": k.p521, "EdDSA": k.ed,
	}
	configs := map[string]JWTConfig{
		"HS":    {Secrets: []string{testSecret}},
		"RS":    {PublicKey: publicPEM(t, &k.rsa.PublicKey)},
		"ES256": {PublicKey: publicPEM(t, &k.p256.PublicKey)},
		"ES384": {PublicKey: publicPEM(t, &k.p384.PublicKey)},
		"ES512": {PublicKey: publicPEM(t, &k.p521.PublicKey)},
		"Ed":    {PublicKey: publicPEM(t, k.ed.Public())},
	}
	fits := func(config, alg string) bool {
		return strings.HasPrefix(alg, config) || config == "RS" && alg == "PS512"
	}
	for config, cfg := range configs {
		cfg.Now = c.now
		b := newJWT(t, cfg)
		for signedAs, key := range signers {
			for _, says := range []string{"HS256", "HS384", "HS512", "RS256", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
				token := craft(t, `{"alg":"`+says+`"}`, claimsOf(c.now(), "38", ""), signedAs, key)
				want := upstream.Denied
				if says == signedAs && fits(config, says) {
					want = upstream.OK
				}
				wantOutcome(t, fmt.Sprintf("key %s, signed as %s, says %s", config, signedAs, says),
					b.Authenticate(t.Context(), withToken(token)), want)
			}
		}
	}
}

func TestJWTConfigured(t *testing.T) {
	k, c := keysOfTests(), newClock()
	user := func(source string) *expr.Expr {
		e, diags := expr.Parse([]byte(source), "", hcl.InitialPos, []string{"claims"})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return e
	}
	now := c.now()
	in := func(d time.Duration) int64 { return now.Add(d).Unix() }
	tests := []struct {
		name    string
		cfg     JWTConfig
		claims  string
		user    string // empty: denied
		reason  string
		expires time.Time
	}{
		{"issuer", JWTConfig{Issuer: "https://id.example/"}, claimsOf(now, "38", `,"iss":"https://id.example/"`), "38", "", now.Add(time.Hour)},
		{"wrong issuer", JWTConfig{Issuer: "https://id.example/"}, claimsOf(now, "38", `,"iss":"https://id.example"`), "", reasonWrong, time.Time{}},
		{"no issuer", JWTConfig{Issuer: "x"}, claimsOf(now, "38", ""), "", reasonWrong, time.Time{}},
		{"list of issuers", JWTConfig{Issuer: "x"}, claimsOf(now, "38", `,"iss":["x"]`), "", reasonWrong, time.Time{}},
		{"issuer is no text", JWTConfig{Issuer: "1"}, claimsOf(now, "38", `,"iss":1`), "", reasonWrong, time.Time{}},
		{"issuer that nobody asked for", JWTConfig{}, claimsOf(now, "38", `,"iss":"x"`), "38", "", now.Add(time.Hour)},

		{"audience", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":"rt"`), "38", "", now.Add(time.Hour)},
		{"audience with escapes", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":"\u0072t"`), "38", "", now.Add(time.Hour)},
		{"audience in a list", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":["x", "rt"]`), "38", "", now.Add(time.Hour)},
		{"wrong audience", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":"x"`), "", reasonWrong, time.Time{}},
		{"audience in another case", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":"RT"`), "", reasonWrong, time.Time{}},
		{"not in the list", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":["x","rt2"]`), "", reasonWrong, time.Time{}},
		{"empty list", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":[]`), "", reasonWrong, time.Time{}},
		{"list in a list", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":[["rt"]]`), "", reasonWrong, time.Time{}},
		{"audience is an object", JWTConfig{Audience: "rt"}, claimsOf(now, "38", `,"aud":{"rt":"rt"}`), "", reasonWrong, time.Time{}},
		{"no audience", JWTConfig{Audience: "rt"}, claimsOf(now, "38", ""), "", reasonWrong, time.Time{}},

		{"algorithm that is not taken", JWTConfig{Algorithms: []string{"RS512", "PS256"}}, claimsOf(now, "38", ""), "", reasonWrong, time.Time{}},

		{"expires in a second", JWTConfig{}, fmt.Sprintf(`{"sub":"38","exp":%d}`, in(time.Second)), "38", "", now.Add(time.Second)},
		{"expires now", JWTConfig{}, fmt.Sprintf(`{"sub":"38","exp":%d}`, in(0)), "", reasonExpired, time.Time{}},
		{"with leeway", JWTConfig{Leeway: 10 * time.Second}, fmt.Sprintf(`{"sub":"38","exp":%d}`, in(-9*time.Second)), "38", "", now.Add(time.Second)},
		{"beyond the leeway", JWTConfig{Leeway: 10 * time.Second}, fmt.Sprintf(`{"sub":"38","exp":%d}`, in(-10*time.Second)), "", reasonExpired, time.Time{}},
		{"kept", JWTConfig{OnExpire: "keep"}, claimsOf(now, "38", ""), "38", "", time.Time{}},
		{"expired and kept", JWTConfig{OnExpire: "keep"}, fmt.Sprintf(`{"sub":"38","exp":%d}`, in(0)), "", reasonExpired, time.Time{}},
		{"closed", JWTConfig{OnExpire: "close"}, claimsOf(now, "38", ""), "38", "", now.Add(time.Hour)},
		{"exp with a fraction", JWTConfig{}, fmt.Sprintf(`{"sub":"38","exp":%d.999}`, in(time.Minute)), "38", "", now.Add(time.Minute)},
		{"exp with an exponent", JWTConfig{}, `{"sub":"38","exp":4.0e9}`, "38", "", time.Unix(4e9, 0)},
		{"not before now", JWTConfig{}, claimsOf(now, "38", fmt.Sprintf(`,"nbf":%d`, in(0))), "38", "", now.Add(time.Hour)},
		{"not yet", JWTConfig{}, claimsOf(now, "38", fmt.Sprintf(`,"nbf":%d`, in(time.Second))), "", reasonEarly, time.Time{}},
		{"nbf with leeway", JWTConfig{Leeway: 10 * time.Second}, claimsOf(now, "38", fmt.Sprintf(`,"nbf":%d`, in(10*time.Second))), "38", "", now.Add(time.Hour + 10*time.Second)},
		{"nbf beyond the leeway", JWTConfig{Leeway: 10 * time.Second}, claimsOf(now, "38", fmt.Sprintf(`,"nbf":%d`, in(11*time.Second))), "", reasonEarly, time.Time{}},
		{"made in the future", JWTConfig{}, fmt.Sprintf(`{"sub":"38","exp":%d,"iat":%d}`, in(time.Hour), in(time.Second)), "", reasonEarly, time.Time{}},
		{"iat with leeway", JWTConfig{Leeway: time.Second}, fmt.Sprintf(`{"sub":"38","exp":%d,"iat":%d}`, in(time.Hour), in(time.Second)), "38", "", now.Add(time.Hour + time.Second)},
		{"no iat", JWTConfig{}, fmt.Sprintf(`{"sub":"38","exp":%d}`, in(time.Hour)), "38", "", now.Add(time.Hour)},

		{"another claim", JWTConfig{UserID: user("claims.uid")}, claimsOf(now, "x", `,"uid":1234567890123456789`), "1234567890123456789", "", now.Add(time.Hour)},
		{"a nested claim", JWTConfig{UserID: user(`"u-${claims.a.id}"`)}, claimsOf(now, "x", `,"a":{"id":"7"}`), "u-7", "", now.Add(time.Hour)},
		{"a number as sub", JWTConfig{}, fmt.Sprintf(`{"sub":38,"exp":%d}`, in(time.Hour)), "38", "", now.Add(time.Hour)},
		{"missing claim", JWTConfig{UserID: user("claims.uid")}, claimsOf(now, "x", ""), "", reasonWrong, time.Time{}},
		{"null claim", JWTConfig{UserID: user("claims.uid")}, claimsOf(now, "x", `,"uid":null`), "", reasonWrong, time.Time{}},
		{"empty claim", JWTConfig{UserID: user("claims.uid")}, claimsOf(now, "x", `,"uid":""`), "", reasonWrong, time.Time{}},
		{"a list as user", JWTConfig{UserID: user("claims.uid")}, claimsOf(now, "x", `,"uid":["a"]`), "", reasonWrong, time.Time{}},
		{"an expression that fails", JWTConfig{UserID: user(`"u-${claims.uid}"`)}, claimsOf(now, "x", ""), "", reasonWrong, time.Time{}},
		{"no sub", JWTConfig{}, fmt.Sprintf(`{"exp":%d}`, in(time.Hour)), "", reasonWrong, time.Time{}},
		{"empty sub", JWTConfig{}, claimsOf(now, "", ""), "", reasonWrong, time.Time{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.cfg.Now, tt.cfg.PublicKey = c.now, publicPEM(t, &k.rsa.PublicKey)
			b := newJWT(t, tt.cfg)
			token := sign(t, "RS256", k.rsa, "", tt.claims)
			for _, claimed := range []string{"", tt.user} {
				req := withToken(token)
				req.UserID = claimed
				got := b.Authenticate(t.Context(), req)
				want := upstream.OK
				if tt.user == "" {
					want = upstream.Denied
				}
				wantOutcome(t, tt.claims, got, want)
				if got.UserID != tt.user || got.Reason != tt.reason || !got.Expires.Equal(tt.expires) {
					t.Errorf("%s: user %q, reason %q, expires %v, want %q, %q, %v", tt.claims, got.UserID, got.Reason, got.Expires, tt.user, tt.reason, tt.expires)
				}
				if want == upstream.OK && string(got.Claims) != tt.claims {
					t.Errorf("claims %s, want %s", got.Claims, tt.claims)
				}
				if strings.Contains(got.Detail, token[:20]) || strings.Contains(got.Detail, token[len(token)-20:]) {
					t.Errorf("the detail shows the token: %s", got.Detail)
				}
			}
			req := withToken(token)
			req.UserID = "somebody"
			wantOutcome(t, "claims another user", b.Authenticate(t.Context(), req), upstream.Denied)
		})
	}
}

// The forms of PEM in which one gets a public key.
func TestJWTPublicKeyForms(t *testing.T) {
	k, c := keysOfTests(), newClock()
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &k.rsa.PublicKey, k.rsa)
	if err != nil {
		t.Fatal(err)
	}
	forms := map[string][]byte{
		"PKIX":        publicPEM(t, &k.rsa.PublicKey),
		"PKCS #1":     pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)}),
		"certificate": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}),
		"text before": append([]byte("a key:\r\n"), publicPEM(t, &k.rsa.PublicKey)...),
		"JWK, spaces": []byte("\n " + publicJWK(t, &k.rsa.PublicKey, nil) + "\n"),
	}
	for name, text := range forms {
		b := newJWT(t, JWTConfig{PublicKey: text, Now: c.now})
		wantOutcome(t, name, b.Authenticate(t.Context(), withToken(sign(t, "RS256", k.rsa, "", claimsOf(c.now(), "38", "")))), upstream.OK)
		wantOutcome(t, name+", another key", b.Authenticate(t.Context(), withToken(sign(t, "RS256", k.otherRSA, "", claimsOf(c.now(), "38", "")))), upstream.Denied)
	}
}

// A token that says of which key it is, is of that one; else of one without a name.
func TestJWTKeyID(t *testing.T) {
	k, c := keysOfTests(), newClock()
	named := []string{withID(t, &k.rsa.PublicKey, "a"), withID(t, &k.otherRSA.PublicKey, "b")}
	mixed := []string{withID(t, &k.rsa.PublicKey, "a"), publicJWK(t, &k.otherRSA.PublicKey, nil)}
	twice := []string{withID(t, &k.rsa.PublicKey, "a"), withID(t, &k.otherRSA.PublicKey, "a")}
	tests := []struct {
		name string
		keys []string
		sign any
		id   string
		want upstream.Outcome
	}{
		{"its own", named, k.rsa, "a", upstream.OK},
		{"its own, the second", named, k.otherRSA, "b", upstream.OK},
		{"of another", named, k.otherRSA, "a", upstream.Denied},
		{"unknown id", named, k.rsa, "c", upstream.Denied},
		{"no id", named, k.otherRSA, "", upstream.OK},
		{"id in another case", named, k.rsa, "A", upstream.Denied},
		{"nameless key, unknown id", mixed, k.otherRSA, "c", upstream.OK},
		{"nameless key, no id", mixed, k.otherRSA, "", upstream.OK},
		{"nameless key, id of another", mixed, k.otherRSA, "a", upstream.Denied},
		{"named key, unknown id", mixed, k.rsa, "c", upstream.Denied},
		{"two keys of one id", twice, k.otherRSA, "a", upstream.OK},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newJWT(t, JWTConfig{PublicKey: []byte(keySetOf(tt.keys...)), Now: c.now})
			token := sign(t, "RS256", tt.sign, tt.id, claimsOf(c.now(), "38", ""))
			wantOutcome(t, tt.id, b.Authenticate(t.Context(), withToken(token)), tt.want)
		})
	}
}

func TestNewJWT(t *testing.T) {
	k := keysOfTests()
	public := publicPEM(t, &k.rsa.PublicKey)
	private := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.rsa)})
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const address = "https://user:hunter2@id.example/jwks.json"
	tests := []struct {
		name string
		cfg  JWTConfig
		want string // empty: good
	}{
		{"secret", JWTConfig{Secrets: []string{testSecret}}, ""},
		{"public key", JWTConfig{PublicKey: public}, ""},
		{"URL", JWTConfig{JWKSURL: "http://127.0.0.1:1/jwks.json"}, ""},
		{"URL and algorithms", JWTConfig{JWKSURL: "https://id.example/", Algorithms: []string{"RS256", "ES512", "EdDSA"}}, ""},
		{"no key", JWTConfig{}, "exactly one"},
		{"no secret", JWTConfig{Secrets: []string{}}, "exactly one"},
		{"secret and public key", JWTConfig{Secrets: []string{testSecret}, PublicKey: public}, "exactly one"},
		{"secret and URL", JWTConfig{Secrets: []string{testSecret}, JWKSURL: "https://id.example/"}, "exactly one"},
		{"public key and URL", JWTConfig{PublicKey: public, JWKSURL: "https://id.example/"}, "exactly one"},
		{"empty secret", JWTConfig{Secrets: []string{testSecret, ""}}, "empty"},
		{"no PEM", JWTConfig{PublicKey: []byte("hello")}, "neither PEM"},
		{"private key", JWTConfig{PublicKey: private}, "no public key"},
		{"public and private key", JWTConfig{PublicKey: append(public, private...)}, "no public key"},
		{"private JWK", JWTConfig{PublicKey: []byte(publicJWK(t, k.rsa, nil))}, "no public key"},
		{"secret as JWK", JWTConfig{PublicKey: []byte(`{"kty":"oct","k":"aHVudGVyMg"}`)}, "no public key"},
		{"weak key", JWTConfig{PublicKey: publicPEM(t, k.weakRSA)}, "1024 bits"},
		{"weak JWK", JWTConfig{PublicKey: []byte(keySetOf(publicJWKUnchecked(k.weakRSA, "w")))}, "no key that can verify"},
		{"key for encryption", JWTConfig{PublicKey: []byte(publicJWK(t, &k.rsa.PublicKey, map[string]any{"use": "enc"}))}, `use "enc"`},
		{"weak curve", JWTConfig{PublicKey: publicPEM(t, &p224.PublicKey)}, "elliptic curve"},
		{"key for encryption, by its kind", JWTConfig{PublicKey: publicPEM(t, x25519.PublicKey())}, "none of RSA"},
		{"very large key", JWTConfig{PublicKey: publicPEM(t, &rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 8192), E: 65537})}, "8193 bits"},
		{"many keys", JWTConfig{PublicKey: bytes.Repeat(public, maxKeys+1)}, "more than 100"},
		{"broken JSON", JWTConfig{PublicKey: []byte(`{"keys":[`)}, "not valid JSON"},
		{"empty set", JWTConfig{PublicKey: []byte(`{"keys":[]}`)}, "no key that can verify"},
		{"broken PEM", JWTConfig{PublicKey: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})}, "PEM block"},
		{"unknown algorithm", JWTConfig{Secrets: []string{testSecret}, Algorithms: []string{"HS255"}}, "HS255"},
		{"algorithm none", JWTConfig{Secrets: []string{testSecret}, Algorithms: []string{"none"}}, "none"},
		{"algorithm of another key", JWTConfig{Secrets: []string{testSecret}, Algorithms: []string{"HS256", "RS256"}}, "RS256"},
		{"HMAC with a public key", JWTConfig{PublicKey: public, Algorithms: []string{"HS256"}}, "HS256"},
		{"HMAC with a key set", JWTConfig{JWKSURL: "https://id.example/", Algorithms: []string{"HS256"}}, "HS256"},
		{"on_expire", JWTConfig{Secrets: []string{testSecret}, OnExpire: "never"}, "never"},
		{"leeway", JWTConfig{Secrets: []string{testSecret}, Leeway: -1}, "negative"},
		{"URL of another scheme", JWTConfig{JWKSURL: "file:///etc/passwd"}, "HTTP server"},
		{"URL without a host", JWTConfig{JWKSURL: "https:///x"}, "HTTP server"},
		{"no URL", JWTConfig{JWKSURL: "::"}, "HTTP server"},
		{"URL with a password", JWTConfig{JWKSURL: address}, "password"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, err := NewJWT(tt.cfg)
			if tt.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				closeAtEnd(t, b)
				return
			}
			if b != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v, %v, want an error with %q", b, err, tt.want)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}
