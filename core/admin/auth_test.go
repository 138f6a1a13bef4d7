package admin

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestAuthorize: /health and /ready are for everybody, all else for those whom somebody lets in.
func TestAuthorize(t *testing.T) {
	reg := prometheus.NewRegistry()
	count := prometheus.NewCounter(prometheus.CounterOpts{Name: "bridge_test_total", Help: "of the test"})
	reg.MustRegister(count)
	count.Add(7)
	status := 0
	url := start(t, Config{Metrics: reg, Authorize: func(*http.Request) int { return status }})
	for _, tc := range []struct {
		name, path, host string
		says, want       int
		header, text     string
	}{
		{"health", "/health", "", 401, 200, "", "ok"},
		{"ready", "/ready", "", 401, 200, "", "true"},
		{"let in", "/api/plugins", "", 200, 200, "", "[]"},
		{"let in, by a name", "/api/plugins", "bridge.example", 200, 200, "", "[]"},
		{"metrics", "/metrics", "", 200, 200, "", "bridge_test_total 7"},
		{"nobody", "/api/plugins", "", 401, 401, "WWW-Authenticate", "unauthorized"},
		{"nobody asks for metrics", "/metrics", "", 401, 401, "WWW-Authenticate", "unauthorized"},
		{"somebody else", "/api/plugins", "", 403, 403, "", "forbidden"},
		{"nobody can be asked", "/api/plugins", "", 503, 503, "Retry-After", "service unavailable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			status = tc.says
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+tc.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = tc.host
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if err != nil || res.StatusCode != tc.want || !strings.Contains(string(body), tc.text) {
				t.Errorf("got %d %s, %v, want %d with %s", res.StatusCode, body, err, tc.want, tc.text)
			}
			if tc.header != "" && res.Header.Get(tc.header) == "" {
				t.Errorf("no %s: %v", tc.header, res.Header)
			}
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()

	s := New(Config{Address: "0.0.0.0:0", Authorize: func(*http.Request) int { return 401 }})
	if err := s.Listen(); err != nil {
		t.Errorf("an address beyond loopback with auth: %v", err)
	}
	s.Close()
}
