package listen

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/protocol-bridge/bridge/core/route"
)

func TestAllowedOrigin(t *testing.T) {
	tests := map[string]struct {
		origin, host string
		want         bool
	}{
		"none":                        {"", "app.example", true},
		"same":                        {"https://app.example", "app.example", true},
		"same, other case":            {"https://App.Example", "app.EXAMPLE", true},
		"same port":                   {"http://app.example:8080", "app.example:8080", true},
		"default port":                {"https://app.example", "app.example:443", true},
		"default port, written":       {"https://app.example:443", "app.example", true},
		"other port":                  {"https://app.example:444", "app.example", false},
		"plain to a port":             {"http://app.example", "app.example:443", false},
		"other host":                  {"https://evil.example", "app.example", false},
		"longer host":                 {"https://app.example.evil.example", "app.example", false},
		"subdomain":                   {"https://x.app.example", "app.example", false},
		"null":                        {"null", "app.example", false},
		"not a URL":                   {"http://[", "app.example", false},
		"nothing but a scheme":        {"file://", "app.example", false},
		"loopback, other ports":       {"http://localhost:3000", "127.0.0.1:6789", true},
		"loopback by 6":               {"http://[::1]:3000", "localhost:6789", true},
		"loopback by 6, without port": {"http://[::1]", "[::1]", true},
		"loopback to elsewhere":       {"http://localhost:3000", "app.example", false},
		"elsewhere to loopback":       {"https://app.example", "127.0.0.1:6789", false},
		"looks like loopback":         {"http://localhost.evil.example", "127.0.0.1:6789", false},
		"an app's own scheme":         {"app://app.example", "app.example", false},
		"with a path":                 {"https://app.example/", "app.example", false},
		"with a name before it":       {"https://app.example@evil.example", "app.example", false},
		"a name that is the host":     {"https://evil@app.example", "app.example", false},
		"nothing asked for":           {"https://app.example", "", false},
		"0.0.0.0 is not loopback":     {"http://localhost", "0.0.0.0:6789", false},
		"mapped loopback":             {"http://[::ffff:127.0.0.1]", "127.0.0.1", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := allowedOrigin(tt.origin, tt.host, nil); got != tt.want {
				t.Errorf("allowedOrigin(%q, %q) = %v", tt.origin, tt.host, got)
			}
		})
	}
}

func TestListedOrigins(t *testing.T) {
	tests := map[string]struct {
		listed string
		yes    []string
		no     []string
	}{
		"itself": {
			"https://app.example",
			[]string{"https://app.example", "https://APP.example", "https://app.example:443"},
			[]string{"http://app.example", "https://app.example:8443", "https://x.app.example", "https://app.example.evil.example", "https://evilapp.example", "null", ""},
		},
		"with a port": {
			"http://App.Example:8080",
			[]string{"http://app.example:8080"},
			[]string{"http://app.example", "https://app.example:8080"},
		},
		"the scheme's port": {"https://app.example:443", []string{"https://app.example"}, []string{"https://app.example:444"}},
		"subdomains": {
			"https://*.example.com",
			[]string{"https://a.example.com", "https://a.b.example.com", "https://A.EXAMPLE.com"},
			[]string{
				"https://example.com", "https://.example.com", "https://evilexample.com", "https://a.example.com.evil.example",
				"https://a.example.com:8443", "http://a.example.com", "https://evil.example/.example.com", "https://evil.example#.example.com",
				"https://evil.example?.example.com", "https://evil.example:1@a.example.com",
			},
		},
		"subdomains on a port": {"http://*.example.com:3000", []string{"http://a.example.com:3000"}, []string{"http://a.example.com"}},
		"an app":               {"capacitor://localhost", []string{"capacitor://localhost"}, []string{"http://localhost", "ionic://localhost"}},
		"an extension":         {"chrome-extension://abcdef", []string{"chrome-extension://abcdef"}, []string{"chrome-extension://abcdeg"}},
		"IPv6":                 {"http://[2001:db8::1]:80", []string{"http://[2001:db8::1]"}, []string{"http://[2001:db8::2]"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, err := parseAllowed(tt.listed)
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range tt.yes {
				if !allowedOrigin(o, "bridge.example", []allowed{a}) {
					t.Errorf("%s does not let %q in", tt.listed, o)
				}
			}
			for _, o := range tt.no {
				if o != "" && allowedOrigin(o, "bridge.example", []allowed{a}) {
					t.Errorf("%s lets %q in", tt.listed, o)
				}
			}
		})
	}
}

func TestOriginsThatCannotBe(t *testing.T) {
	tests := map[string]string{
		"":                         "is not a scheme and a host",
		"*":                        "is not a scheme and a host",
		"null":                     "is not a scheme and a host",
		"app.example":              "is not a scheme and a host",
		"app.example:443":          "is not a scheme and a host",
		"//app.example":            "is not a scheme and a host",
		"https://":                 "is not a scheme and a host",
		"https://app.example/":     "is not a scheme and a host",
		"https://app.example/x":    "is not a scheme and a host",
		"https://app.example?x":    "is not a scheme and a host",
		"https://me@app.example":   "is not a scheme and a host",
		"https://app.example:*":    "is not a scheme and a host",
		"https://*":                "has a star",
		"https://*.":               "has a star",
		"https://a.*.example":      "has a star",
		"https://*.*.example":      "has a star",
		"https://*app.example":     "has a star",
		"https://app.example\"]":   "is not a scheme and a host",
		"http://0::":               "is not a scheme and a host",
		"http://[app.example]":     "is not a scheme and a host",
		"http://[::1%25eth0]":      "is not a scheme and a host",
		"https://bücher.example":   "in ASCII",
		"https://\xff.app.example": "in ASCII",
	}
	for text, want := range tests {
		if _, err := parseAllowed(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	s := New(Config{
		Name: "public", Address: "127.0.0.1:0", Routes: new(atomic.Pointer[route.Table]),
		Origins: []string{"app.example", "https://app.example", "https://a.*"},
	}, newPeer())
	err := s.Listen()
	if err == nil || s.Addr() != nil {
		t.Fatalf("listens with bad origins: %v", err)
	}
	for _, want := range []string{`listener "public"`, `"app.example"`, `"https://a.*"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

func TestOrigins(t *testing.T) {
	f := startPlain(t, Config{Origins: []string{"https://app.example", "https://*.example.com"}}, repeats)
	for origin, let := range map[string]bool{
		"https://app.example": true, "https://a.example.com": true, "http://h": true,
		"https://example.com": false, "https://evil.example": false, "null": false,
	} {
		for _, sent := range []string{
			strings.Replace(handshakeText, "Host: example\r\n", "Host: h\r\nOrigin: "+origin+"\r\n", 1),
			"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\nOrigin: " + origin + "\r\n\r\n",
		} {
			if res, _ := f.answer(t, sent); (res.StatusCode != http.StatusForbidden) != let {
				t.Errorf("%s: got %d", sent, res.StatusCode)
			}
		}
		for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
			if res, _ := f.answer(t, method+" /api/ HTTP/1.1\r\nHost: h\r\nOrigin: "+origin+"\r\n\r\n"); res.StatusCode != http.StatusOK {
				t.Errorf("%s from %s: got %d", method, origin, res.StatusCode)
			}
		}
	}
}

func TestOriginRemedy(t *testing.T) {
	with := New(Config{Name: "public", Origins: []string{"https://app.example"}}, nil)
	without := New(Config{Name: "public"}, nil)
	const none = "none: this is no origin that could be listed"
	for _, tt := range []struct {
		server       *Server
		origin, want string
	}{
		{without, "https://new.example", `put origins = ["https://new.example"] into listener "public"`},
		{with, "https://new.example", `put origins = ["https://app.example", "https://new.example"] into listener "public"`},
		{with, "null", none},
		{with, "https://*.new.example", none},
		{with, "chrome-extension://abcdef", none},
		{with, `https://new.example"]`, none},
		{with, "https://new.example/x", none},
		{with, "https://${x}", none},
		{with, "https://" + strings.Repeat("x", 300), none},
	} {
		if got := tt.server.originRemedy(tt.origin); got != tt.want {
			t.Errorf("%q: got %s, want %s", tt.origin, got, tt.want)
		}
	}
}

func TestLogsOfStrangersAreFew(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	for range 20 {
		c := f.raw(t)
		c.send(t, strings.Replace(handshakeText, "\r\n\r\n", "\r\nOrigin: https://evil.example\r\n\r\n", 1))
		c.response(t, "GET")
	}
	n := strings.Count(f.logs.String(), "origin refused")
	if n == 0 || n > 10 || !strings.Contains(f.logs.String(), `origins = [\"https://evil.example\"]`) {
		t.Errorf("%d lines:\n%s", n, f.logs)
	}
}

// FuzzOrigin compares with what an origin is made of, cut by hand.
func FuzzOrigin(f *testing.F) {
	for _, seed := range []string{
		"https://a.example.com", "https://a.b.example.com:443", "https://example.com", "http://[::1]:80", "null", "https://a.example.com.",
		"https://x@a.example.com", "https://a.example.com/", "https://evil.example\\.example.com", "https://a.example.com:", "HTTPS://A.Example.Com",
	} {
		f.Add(seed)
	}
	below, err := parseAllowed("https://*.example.com")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		host, isHTTPS := strings.CutPrefix(strings.ToLower(text), "https://")
		host = strings.TrimSuffix(strings.TrimSuffix(host, "443"), ":")
		sub, isBelow := strings.CutSuffix(host, ".example.com")
		could := isHTTPS && isBelow && sub != "" && !strings.ContainsAny(sub, "/?#@\\:")
		if o, ok := parseOrigin(text); ok {
			if below.match(o) && !could {
				t.Errorf("%q is let in", text)
			}
			again, ok := parseOrigin(o.scheme + "://" + net.JoinHostPort(o.host, o.port))
			if !ok || again != o {
				t.Errorf("%q is %+v, and that is %+v", text, o, again)
			}
		}
		if a, err := parseAllowed(text); err == nil && !a.below && !a.match(a.origin) {
			t.Errorf("%q lists %+v, and does not match it", text, a)
		}
	})
}
