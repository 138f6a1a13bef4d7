package auth

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"

	"github.com/protocol-bridge/bridge/upstream"
)

// Attacks on a backend with one RSA key, known to everybody, and on one with a secret. Each is refused
// as what it is: wrong credentials, or an expired token.
func TestJWTAttacks(t *testing.T) {
	k, c := keysOfTests(), newClock()
	var fetched atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fetched.Add(1)
		fmt.Fprint(w, keySetOf(withID(t, &k.otherRSA.PublicKey, "k")))
	}))
	t.Cleanup(thief.Close)

	public := publicPEM(t, &k.rsa.PublicKey)
	der := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)})
	rsaKey := newJWT(t, JWTConfig{PublicKey: public, Now: c.now})
	secret := newJWT(t, JWTConfig{Secrets: []string{testSecret}, Now: c.now})

	claims := claimsOf(c.now(), "38", "")
	exp := func(value string) string { return `{"sub":"38","exp":` + value + `}` }
	// These are signed well: what is wrong is what they say.
	good := func(header, payload string) string { return craft(t, header, payload, "RS256", k.rsa) }
	rs := func(payload string) string { return good(`{"alg":"RS256"}`, payload) }
	parts := strings.Split(rs(claims), ".")
	pad := func(s string) string { return s + strings.Repeat("=", (4-len(s)%4)%4) }
	resigned := func(header, payload string) string { return craftParts(t, header+"."+payload, "RS256", k.rsa) }
	slashed := base64.RawStdEncoding.EncodeToString([]byte(withRest(0, `{"x":"????????",`+claims[1:])))
	loose := b64(withRest(1, claims))
	loose = loose[:len(loose)-1] + string(loose[len(loose)-1]+1)
	if decoded, err := base64.RawURLEncoding.DecodeString(loose); err != nil || string(decoded) != withRest(1, claims) || !strings.Contains(slashed, "/") {
		t.Fatalf("the attacks are not what they are meant to be: %v", err)
	}
	embedded := publicJWK(t, &k.otherRSA.PublicKey, nil)
	stolen := func(header string) string { return craft(t, header, claims, "RS256", k.otherRSA) }
	huge := func(n int) string { // a good token of n bytes or one less
		overhead := len(rs(claimsOf(c.now(), "38", `,"x":""`)))
		token := rs(claimsOf(c.now(), "38", `,"x":"`+strings.Repeat("x", (n-overhead)*3/4)+`"`))
		return token
	}

	wantOutcome(t, "a good token", rsaKey.Authenticate(t.Context(), withToken(rs(claims))), upstream.OK)
	fits := huge(maxToken)
	if len(fits) > maxToken || len(fits) < maxToken-3 {
		t.Fatalf("the largest token has %d bytes", len(fits))
	}
	wantOutcome(t, "the largest token", rsaKey.Authenticate(t.Context(), withToken(fits)), upstream.OK)
	wantOutcome(t, "nested as deeply as may be", rsaKey.Authenticate(t.Context(), withToken(rs(claimsOf(c.now(), "38", `,"x":`+nested(maxTokenDepth-1))))), upstream.OK)
	wantOutcome(t, "one name at two places", rsaKey.Authenticate(t.Context(), withToken(rs(claimsOf(c.now(), "38", `,"a":{"sub":1},"b":[{"sub":1},{"sub":2}]`)))), upstream.OK)

	attacks := map[string]string{
		"public key as secret, PEM":                  craft(t, `{"alg":"HS256"}`, claims, "HS256", public),
		"public key as secret, PEM without line end": craft(t, `{"alg":"HS256"}`, claims, "HS256", []byte(strings.TrimSpace(string(public)))),
		"public key as secret, PKCS #1":              craft(t, `{"alg":"HS512"}`, claims, "HS512", der),
		"public key as secret, modulus":              craft(t, `{"alg":"HS256"}`, claims, "HS256", k.rsa.N.Bytes()),
		"empty secret":                               b64(`{"alg":"HS256"}`) + "." + b64(claims) + ".",
		"an EC key's algorithm":                      craft(t, `{"alg":"ES256"}`, claims, "ES256", k.p256),

		"none":                        b64(`{"alg":"none"}`) + "." + b64(claims) + ".",
		"None":                        b64(`{"alg":"None"}`) + "." + b64(claims) + ".",
		"NONE":                        b64(`{"alg":"NONE"}`) + "." + b64(claims) + ".",
		"nOnE":                        b64(`{"alg":"nOnE"}`) + "." + b64(claims) + ".",
		"none with a space":           b64(`{"alg":"none "}`) + "." + b64(claims) + ".",
		"none with escapes":           b64(`{"alg":"\u006eone"}`) + "." + b64(claims) + ".",
		"none without the last point": b64(`{"alg":"none"}`) + "." + b64(claims),
		"none with a signature":       good(`{"alg":"none"}`, claims),
		"none with a NUL":             good(`{"alg":"none\u0000"}`, claims),
		"empty alg":                   good(`{"alg":""}`, claims),
		"null alg":                    good(`{"alg":null}`, claims),
		"no alg":                      good(`{"typ":"JWT"}`, claims),
		"list of algs":                good(`{"alg":["RS256"]}`, claims),
		"number as alg":               good(`{"alg":256}`, claims),
		"alg in another case":         good(`{"alg":"rs256"}`, claims),
		"alg under another name":      good(`{"Alg":"RS256"}`, claims),
		"unknown alg":                 good(`{"alg":"RS257"}`, claims),
		"another alg of the family":   good(`{"alg":"RS512"}`, claims),
		"two algs":                    good(`{"alg":"none","alg":"RS256"}`, claims),
		"two algs, one with escapes":  good(`{"alg":"RS256","\u0061lg":"none"}`, claims),

		"jku":               stolen(`{"alg":"RS256","kid":"k","jku":"` + thief.URL + `"}`),
		"x5u":               stolen(`{"alg":"RS256","kid":"k","x5u":"` + thief.URL + `"}`),
		"jwk":               stolen(`{"alg":"RS256","jwk":` + embedded + `}`),
		"x5c":               stolen(`{"alg":"RS256","x5c":["` + base64.StdEncoding.EncodeToString(x509.MarshalPKCS1PublicKey(&k.otherRSA.PublicKey)) + `"]}`),
		"another key":       stolen(`{"alg":"RS256"}`),
		"crit":              good(`{"alg":"RS256","crit":["exp"],"exp":1}`, claims),
		"empty crit":        good(`{"alg":"RS256","crit":[]}`, claims),
		"null crit":         good(`{"alg":"RS256","crit":null}`, claims),
		"b64":               good(`{"alg":"RS256","b64":false,"crit":["b64"]}`, claims),
		"b64 without crit":  good(`{"alg":"RS256","b64":false}`, claims),
		"number as kid":     good(`{"alg":"RS256","kid":1}`, claims),
		"path as kid":       stolen(`{"alg":"RS256","kid":"../../../dev/null"}`),
		"two kids":          good(`{"alg":"RS256","kid":"a","kid":"b"}`, claims),
		"header is a list":  good(`[{"alg":"RS256"}]`, claims),
		"header is text":    good(`"RS256"`, claims),
		"header is null":    good(`null`, claims),
		"two headers":       good(`{"alg":"RS256"}{"alg":"RS256"}`, claims),
		"broken header":     good(`{"alg":"RS256"`, claims),
		"header not UTF-8":  good("{\"alg\":\"RS256\",\"x\":\"\xff\"}", claims),
		"comment in header": good(`{"alg":"RS256"/**/}`, claims),

		"no exp":                rs(`{"sub":"38"}`),
		"exp as text":           rs(exp(`"9999999999"`)),
		"null exp":              rs(exp(`null`)),
		"exp in a list":         rs(exp(`[9999999999]`)),
		"exp is true":           rs(exp(`true`)),
		"exp 1e400":             rs(exp(`1e400`)),
		"exp 1e99":              rs(exp(`1e99`)),
		"exp 1e999999999":       rs(exp(`1e999999999`)),
		"exp with 5000 digits":  rs(exp(strings.Repeat("9", 5000))),
		"exp beyond int64":      rs(exp(`9223372036854775808`)),
		"exp that would wrap":   rs(exp(`18446744073709551617`)),
		"exp in milliseconds":   rs(exp(`9999999999999`)),
		"exp in hexadecimal":    rs(exp(`0xffffffff`)),
		"exp is NaN":            rs(exp(`NaN`)),
		"exp is Infinity":       rs(exp(`Infinity`)),
		"exp in another case":   rs(`{"sub":"38","Exp":9999999999}`),
		"two exps":              rs(`{"sub":"38","exp":1,"exp":9999999999}`),
		"nbf as text":           rs(claimsOf(c.now(), "38", `,"nbf":"0"`)),
		"nbf 1e400":             rs(claimsOf(c.now(), "38", `,"nbf":1e400`)),
		"iat as text":           rs(`{"sub":"38","exp":9999999999,"iat":"0"}`),
		"two subs":              rs(`{"sub":"1","exp":9999999999,"sub":"38"}`),
		"two subs with escapes": rs(`{"sub":"38","exp":9999999999,"\u0073ub":"1"}`),
		"two members below":     rs(claimsOf(c.now(), "38", `,"a":{"id":1,"id":2}`)),
		"two in a list":         rs(claimsOf(c.now(), "38", `,"a":[{"id":1,"id":2}]`)),
		"nested too deeply":     rs(claimsOf(c.now(), "38", `,"x":`+nested(maxTokenDepth))),
		"nested very deeply":    rs(claimsOf(c.now(), "38", `,"x":`+nested(5000))),
		"payload is a list":     rs(`[` + claims + `]`),
		"payload is text":       rs(`"38"`),
		"payload is null":       rs(`null`),
		"payload is empty":      rs(``),
		"two payloads":          rs(claims + claims),
		"broken payload":        rs(claims[:len(claims)-1]),
		"payload not UTF-8":     rs(`{"sub":"` + "\xff" + `","exp":9999999999}`),
		"single quotes":         rs(`{'sub':'38','exp':9999999999}`),
		"BOM":                   rs("\ufeff" + claims),

		"empty":                        "",
		"points":                       "..",
		"one part":                     "x",
		"two parts":                    parts[0] + "." + parts[1],
		"no signature":                 parts[0] + "." + parts[1] + ".",
		"four parts":                   strings.Join(parts, ".") + ".",
		"five parts, as encryption":    strings.Join(parts, ".") + ".x.x",
		"signature of another token":   parts[0] + "." + parts[1] + "." + strings.Split(rs(exp("9999999999")), ".")[2],
		"signature cut":                strings.Join(parts, ".")[:len(strings.Join(parts, "."))-4],
		"signature longer":             strings.Join(parts, ".") + "AAAA",
		"padding behind the signature": parts[0] + "." + parts[1] + "." + pad(parts[2]),
		"padding in the header":        resigned(pad(b64(withRest(1, `{"alg":"RS256"}`))), parts[1]),
		"padding in the payload":       resigned(parts[0], pad(b64(withRest(2, claims)))),
		"base64 of the other kind":     resigned(parts[0], slashed),
		"loose bits":                   resigned(parts[0], loose),
		"space in front":               " " + strings.Join(parts, "."),
		"space behind":                 strings.Join(parts, ".") + " ",
		"line end behind":              strings.Join(parts, ".") + "\n",
		"line break within":            resigned(parts[0][:4]+"\r\n"+parts[0][4:], parts[1]),
		"scheme in front":              "Bearer " + strings.Join(parts, "."),
		"quotes":                       `"` + strings.Join(parts, ".") + `"`,
		"NUL behind":                   strings.Join(parts, ".") + "\x00",
		"one byte too long":            huge(maxToken + 4),
		"1 MB":                         huge(1 << 20),
		"1 MB of points":               strings.Repeat(".", 1<<20),
		"JSON":                         jsonToken(t, claims, k.rsa),
		"JSON with two signatures":     jsonToken(t, claims, k.otherRSA, k.rsa),
	}
	if n := len(attacks["one byte too long"]); n < maxToken+1 || n > maxToken+4 {
		t.Errorf("the token that is too long has %d bytes", n)
	}
	for name, token := range attacks {
		t.Run(name, func(t *testing.T) {
			for backend, b := range map[string]Backend{"rsa": rsaKey, "secret": secret} {
				got := b.Authenticate(t.Context(), withToken(token))
				wantOutcome(t, backend, got, upstream.Denied)
				if got.Reason != reasonWrong {
					t.Errorf("%s: reason %q, want %q", backend, got.Reason, reasonWrong)
				}
			}
		})
	}
	for name, value := range map[string]string{"negative exp": "-1", "very negative exp": "-62135596000", "exp zero": "0", "exp 1e-99": "1e-99", "exp 1.5": "1.5", "exp -0.0": "-0.0"} {
		t.Run(name, func(t *testing.T) {
			got := rsaKey.Authenticate(t.Context(), withToken(rs(exp(value))))
			wantOutcome(t, value, got, upstream.Denied)
			if got.Reason != reasonExpired {
				t.Errorf("reason %q, want %q", got.Reason, reasonExpired)
			}
		})
	}
	wantOutcome(t, "no token", rsaKey.Authenticate(t.Context(), &Request{UserID: "38"}), upstream.Denied)
	if n := fetched.Load(); n != 0 {
		t.Errorf("%d requests to where the tokens point", n)
	}
}

// withRest adds spaces until the length leaves this rest when divided by three.
func withRest(rest int, text string) string {
	for len(text)%3 != rest {
		text += " "
	}
	return text
}

func nested(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }

func jsonToken(t *testing.T, claims string, keys ...any) string {
	t.Helper()
	options := []jws.SignOption{jws.WithJSON()}
	for _, key := range keys {
		options = append(options, jws.WithKey(jwa.RS256(), key))
	}
	token, err := jws.Sign([]byte(claims), options...)
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(token) {
		t.Fatalf("%s is no JSON", token)
	}
	return string(token)
}

func FuzzToken(f *testing.F) {
	c := newClock()
	b := newJWT(f, JWTConfig{Secrets: []string{testSecret}, Now: c.now})
	good := sign(f, "HS256", []byte(testSecret), "k", claimsOf(c.now(), "38", ""))
	for _, s := range []string{"", "..", good, good + "=", b64(`{"alg":"none"}`) + "." + b64(`{"exp":1e99}`) + ".x"} {
		f.Add(s)
	}
	for _, payload := range []string{`{"exp":9999999999,"sub":"1"}`, `{"exp":1,"exp":2}`, `{"exp":-1.5e3}`, `{"a":[[{}]]}`, "{\"\xff\":1}"} {
		f.Add(craft(f, `{"alg":"HS256","kid":"x"}`, payload, "HS256", []byte(testSecret)))
	}
	f.Fuzz(func(t *testing.T, text string) {
		ans := b.Authenticate(t.Context(), withToken(text))
		switch parsed, err := parseToken(text); {
		case ans.Outcome == upstream.Unavailable:
			t.Fatalf("%q: %+v", text, ans)
		case err != nil && ans.Outcome == upstream.OK:
			t.Fatalf("%q: OK, but %v", text, err)
		case err == nil:
			if len(text) > maxToken || !json.Valid(parsed.claims) || parsed.alg == "" || parsed.expires.IsZero() {
				t.Fatalf("%q: %+v", text, parsed)
			}
			if again := base64.RawURLEncoding.EncodeToString(parsed.claims); strings.Split(text, ".")[1] != again {
				t.Fatalf("%q: the payload has two forms, %q", text, again)
			}
		}
	})
}

// What is signed well, but says anything.
func FuzzTokenPayload(f *testing.F) {
	c := newClock()
	b := newJWT(f, JWTConfig{Secrets: []string{testSecret}, Now: c.now})
	for _, payload := range []string{
		claimsOf(c.now(), "38", ""), `{"exp":9999999999,"sub":1e5}`, `{"exp":9e9,"sub":"x"}`, `{"exp":99999999999999,"sub":"x"}`,
		`{"exp":9999999999,"sub":{"a":1}}`, `{"exp":9999999999.5,"sub":"x","nbf":0,"iat":-1}`, `{"exp":1,"exp":2}`, `[]`,
	} {
		f.Add(payload)
	}
	f.Fuzz(func(t *testing.T, payload string) {
		ans := b.Authenticate(t.Context(), withToken(craft(t, `{"alg":"HS256"}`, payload, "HS256", []byte(testSecret))))
		if ans.Outcome != upstream.OK {
			wantOutcome(t, payload, ans, upstream.Denied)
			return
		}
		var decoded struct{ Exp json.Number }
		if err := json.Unmarshal([]byte(payload), &decoded); err != nil || string(ans.Claims) != payload || ans.UserID == "" || !ans.Expires.After(c.now()) {
			t.Errorf("%s: %+v, %v", payload, ans, err)
		}
	})
}
