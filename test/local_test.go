//go:build linux

package test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestAPIWithoutAuthIsForThisMachine: an API route without auth serves who is on this machine, and
// nobody who comes by a proxy, a page of another site, or a name that was made to point here.
func TestAPIWithoutAuthIsForThisMachine(t *testing.T) {
	b := harness.Start(t, harness.Config{File: "plugin \"ctproto\" {\n  route \"/api/\" {\n    role = \"api\"\n  }\n}\n"})
	for _, tc := range []struct {
		name    string
		host    string
		headers map[string]string
		status  string
	}{
		{"from here", "", nil, "200"},
		{"from here, by name", "localhost:80", nil, "200"},
		{"through a proxy", "", map[string]string{"X-Forwarded-For": "203.0.113.9"}, "403"},
		{"through a proxy that says it is here", "", map[string]string{"X-Forwarded-For": "127.0.0.1"}, "403"},
		{"through a proxy that speaks RFC 7239", "", map[string]string{"Forwarded": "for=127.0.0.1"}, "403"},
		{"DNS rebinding", "evil.example", map[string]string{"Origin": "http://evil.example"}, "403"},
		{"DNS rebinding without an origin", "evil.example:6789", nil, "403"},
		{"cross-site POST", "", map[string]string{"Origin": "https://evil.example"}, "403"},
		{"cross-site POST of a page without an origin", "", map[string]string{"Origin": "null"}, "403"},
		{"cross-site by its metadata", "", map[string]string{"Sec-Fetch-Site": "cross-site"}, "403"},
		{"a form", "", map[string]string{"Content-Type": "text/plain"}, "415"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			req, err := http.NewRequest(http.MethodPost, "http://"+b.Address()+"/api/updates", strings.NewReader(`{"type":"t","payload":{}}`))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			for name, value := range tc.headers {
				req.Header.Set(name, value)
			}
			if tc.host != "" {
				req.Host = tc.host
			}
			if got := fetch(t, req); !strings.HasPrefix(got, tc.status+" ") {
				t.Errorf("got %s, want status %s", got, tc.status)
			}
		})
	}
}
