package config

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

func TestParseOrigin(t *testing.T) {
	tests := map[string]string{ // empty: refused
		"https://app.example":            "https://app.example",
		"HTTPS://App.Example":            "https://app.example",
		"https://app.example:443":        "https://app.example",
		"http://app.example:80":          "http://app.example",
		"http://app.example:443":         "http://app.example:443",
		"https://app.example:8443":       "https://app.example:8443",
		"https://*.example.com":          "https://*.example.com",
		"https://*.example.com:8443":     "https://*.example.com:8443",
		"http://localhost:3000":          "http://localhost:3000",
		"http://[::1]:3000":              "http://[::1]:3000",
		"https://xn--bcher-kva.example":  "https://xn--bcher-kva.example",
		"":                               "",
		"*":                              "",
		"null":                           "",
		"app.example":                    "",
		"//app.example":                  "",
		"ws://app.example":               "",
		"https://":                       "",
		"https://:443":                   "",
		"https://app.example:":           "",
		"https://app.example:port":       "",
		"https://app.example/":           "",
		"https://app.example?":           "",
		"https://app.example#x":          "",
		"https://a@app.example":          "",
		"https://*":                      "",
		"https://*.":                     "",
		"https://*.com":                  "",
		"https://*app.example.com":       "",
		"https://app.*.example.com":      "",
		"https://*.*.example.com":        "",
		"https://bücher.example":         "",
		"https://app example":            "",
		"https://app.example, https://x": "",
		"https://a,b.example":            "",
		"https://a$b.example":            "",
		"https://[fe80::1%25eth0]":       "",
		"https://[127.0.0.1]":            "",
		"https://[::1":                   "",
	}
	for in, want := range tests {
		got, why := parseOrigin(in)
		if got != want || (why == "") != (want != "") {
			t.Errorf("%q: got %q (%s), want %q", in, got, why, want)
		}
	}
}

func TestParsePrefix(t *testing.T) {
	tests := map[string]string{ // empty: refused
		"10.0.0.0/8":          "10.0.0.0/8",
		"10.0.0.7":            "10.0.0.7/32",
		"::ffff:10.0.0.7":     "10.0.0.7/32",
		"::1":                 "::1/128",
		"fd00::/8":            "fd00::/8",
		"0.0.0.0/0":           "0.0.0.0/0",
		"10.0.0.7/32":         "10.0.0.7/32",
		"":                    "",
		"10.0.0.7/8":          "",
		"10.0.0.0/33":         "",
		"10.0.0.0/":           "",
		"10.0.0.0/255.0.0.0":  "",
		"010.0.0.1":           "",
		"localhost":           "",
		"fe80::1%eth0":        "",
		"::ffff:10.0.0.0/104": "",
	}
	for in, want := range tests {
		p, why := parsePrefix(in)
		got := ""
		if why == "" {
			got = p.String()
		}
		if got != want {
			t.Errorf("%q: got %q (%s), want %q", in, got, why, want)
		}
	}
}

func TestBadHash(t *testing.T) {
	b := func(head string) string { return head + strings.Repeat("a", 53) }
	const salt, key = "c29tZXNhbHRzb21lc2FsdA", "aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMmh1bnQ"
	argon := func(params string) string { return "$argon2id$v=19$" + params + "$" + salt + "$" + key }
	tests := map[string]string{ // summary; empty: good
		b("$2a$10$"):                "",
		b("$2b$12$"):                "",
		b("$2y$16$"):                "",
		b("$2y$09$"):                "Weak hash",
		b("$2y$04$"):                "Weak hash",
		b("$2y$17$"):                "Slow hash",
		b("$2y$31$"):                "Slow hash",
		b("$2x$12$"):                "Broken hash",
		b("$2y$1$"):                 "Broken hash",
		b("$2y$12$") + "a":          "Broken hash",
		b("$2y$12$") + "\n":         "Broken hash",
		argon("m=65536,t=3,p=4"):    "",
		argon("m=7168,t=5,p=1"):     "",
		argon("m=262144,t=1,p=255"): "",
		argon("m=262145,t=1,p=1"):   "Weak or slow hash",
		argon("m=7167,t=5,p=1"):     "Weak or slow hash",
		argon("m=99999999,t=1,p=1"): "Weak or slow hash",
		argon("m=65536,t=0,p=1"):    "Weak or slow hash",
		argon("m=65536,t=65,p=1"):   "Weak or slow hash",
		argon("m=65536,t=1,p=0"):    "Weak or slow hash",
		argon("m=65536,t=1,p=256"):  "Weak or slow hash",
		argon("m=65536,t=1"):        "Broken hash",
		argon("t=1,m=65536,p=1"):    "Broken hash",
		argon("m=-1,t=1,p=1"):       "Broken hash",
		"$argon2id$v=19$m=65536,t=3,p=4$" + salt + "$":                          "Broken hash",
		"$argon2id$v=19$m=65536,t=3,p=4$" + salt + "$a":                         "Weak or slow hash",
		"$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$" + key:                          "Weak or slow hash",
		"$argon2id$v=19$m=65536,t=3,p=4$" + strings.Repeat("a", 88) + "$" + key: "Weak or slow hash",
		"$argon2i$v=19$m=65536,t=3,p=4$" + salt + "$" + key:                     "Unknown hash",
		"$6$salt$hash":       "Unknown hash",
		"{SHA}W6ph5Mm5Pz8=":  "Unknown hash",
		"":                   "Empty password",
		"parole":             "Password in plain text",
		"2y$12$without-sign": "Password in plain text",
	}
	for in, want := range tests {
		got, detail := badHash(in)
		if got != want || (detail == "") != (want == "") {
			t.Errorf("%q: got %q (%s), want %q", in, got, detail, want)
		}
	}
}

// TestRealHashes: what the libraries make is taken.
func TestRealHashes(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("parole"), leastCost)
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("some salt of mine")
	key := argon2.IDKey([]byte("parole"), salt, 1, leastMemory, 1, 32)
	phc := fmt.Sprintf("$argon2id$v=%d$m=%d,t=1,p=1$%s$%s", argon2.Version, leastMemory,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
	for _, s := range []string{string(hash), phc} {
		if summary, detail := badHash(s); summary != "" {
			t.Errorf("%s: %s: %s", s, summary, detail)
		}
	}
}

func TestOverlap(t *testing.T) {
	tests := map[string]struct {
		a, b string
		want bool
	}{
		"same":                 {"127.0.0.1:1", "127.0.0.1:1", true},
		"other port":           {"127.0.0.1:1", "127.0.0.1:2", false},
		"other address":        {"127.0.0.1:1", "127.0.0.2:1", false},
		"all":                  {":1", "127.0.0.1:1", true},
		"all, the other way":   {"[::1]:1", "0.0.0.0:1", true},
		"all, six":             {"[::]:1", "10.0.0.1:1", true},
		"name of this machine": {"localhost:1", "127.0.0.1:1", true},
		"any free port":        {":0", ":0", false},
	}
	for name, tt := range tests {
		if got := overlap(tt.a, tt.b); got != tt.want {
			t.Errorf("%s: %s and %s overlap: %t, want %t", name, tt.a, tt.b, got, tt.want)
		}
	}
}

// TestSpecs: everything in a declaration that a table or a text shows is there.
func TestSpecs(t *testing.T) {
	var check func(path string, s *BlockSpec)
	check = func(path string, s *BlockSpec) {
		if s.Type != "" && (s.Doc == "" || !strings.HasSuffix(s.Doc, ".")) {
			t.Errorf("%s: no sentence: %q", path, s.Doc)
		}
		if len(s.Kinds) > 0 && len(s.Attrs)+len(s.Blocks) > 0 {
			t.Errorf("%s: has kinds and something else", path)
		}
		for _, a := range s.Attrs {
			switch {
			case a.Name == "" || a.Type == "" || a.Doc == "" || a.Example == "" || strings.HasSuffix(a.Doc, "."):
				t.Errorf("%s: %+v is not whole", path, a)
			case a.Required == (a.Default != ""):
				t.Errorf("%s: %q is required and has a default, or neither", path, a.Name)
			}
		}
		for _, b := range append(s.Blocks, s.Kinds...) {
			check(path+" "+b.Header(), b)
		}
	}
	check("bridge.hcl", Spec())
}
