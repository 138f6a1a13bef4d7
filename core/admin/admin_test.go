package admin

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start serves on a free port and returns its URL.
func start(t *testing.T, cfg Config) string {
	t.Helper()
	cfg.Address = "127.0.0.1:0"
	s := New(cfg)
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return "http://" + s.Addr().String()
}

func TestAnswers(t *testing.T) {
	var reasons []string
	var plugins []PluginStatus
	url := start(t, Config{
		Ready:   func() []string { return reasons },
		Plugins: func() []PluginStatus { return plugins },
	})
	bad := PluginStatus{Name: "chat", State: "failing", Restarts: 3, Error: "no such file", Mend: "check the path"}
	good := PluginStatus{Name: "logux", PID: 42, State: "running", Sessions: 7, Links: 1}
	tests := map[string]struct {
		reasons []string
		plugins []PluginStatus
		method  string
		path    string
		host    string
		status  int
		body    string
	}{
		"health":        {method: "GET", path: "/health", status: 200, body: `{"status":"ok"}`},
		"health, head":  {method: "HEAD", path: "/health", status: 200},
		"ready":         {method: "GET", path: "/ready", status: 200, body: `{"ready":true}`},
		"not ready":     {reasons: []string{"shutting down"}, method: "GET", path: "/ready", status: 503, body: `{"ready":false,"reasons":["shutting down"]}`},
		"by a name":     {method: "GET", path: "/ready", host: "bridge.example", status: 200, body: `{"ready":true}`},
		"no plugins":    {method: "GET", path: "/api/plugins", status: 200, body: `[]`},
		"a plugin":      {plugins: []PluginStatus{good}, method: "GET", path: "/api/plugins", status: 200, body: `[{"name":"logux","pid":42,"state":"running","restarts":0,"culprits":0,"sessions":7,"links":1}]`},
		"a bad plugin":  {plugins: []PluginStatus{bad}, method: "GET", path: "/api/plugins", status: 200, body: `[{"name":"chat","pid":0,"state":"failing","restarts":3,"culprits":0,"sessions":0,"links":0,"error":"no such file","mend":"check the path"}]`},
		"localhost":     {method: "GET", path: "/api/plugins", host: "localhost:6780", status: 200, body: `[]`},
		"rebound name":  {method: "GET", path: "/api/plugins", host: "evil.example", status: 403, body: "ask for this by a loopback address"},
		"post":          {method: "POST", path: "/api/plugins", status: 405, body: "method not allowed"},
		"delete":        {method: "DELETE", path: "/health", status: 405, body: "method not allowed"},
		"unknown":       {method: "GET", path: "/", status: 404, body: "not found"},
		"unknown, post": {method: "POST", path: "/api/sessions", status: 404, body: "not found"},
		"below a path":  {method: "GET", path: "/health/x", status: 404, body: "not found"},
		"dots":          {method: "GET", path: "/api/../health", status: 404, body: "not found"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			reasons, plugins = tt.reasons, tt.plugins
			req, err := http.NewRequestWithContext(t.Context(), tt.method, url+tt.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = tt.host
			res, err := http.DefaultTransport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			if got := strings.TrimSpace(string(body)); err != nil || res.StatusCode != tt.status || got != tt.body {
				t.Errorf("%s %s: got %d %s, %v, want %d %s", tt.method, tt.path, res.StatusCode, got, err, tt.status, tt.body)
			}
			if tt.status == 405 && res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("headers %v", res.Header)
			}
			if tt.status == 200 && tt.body != "" && !json.Valid(body) {
				t.Errorf("not JSON: %s", body)
			}
		})
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

func TestListen(t *testing.T) {
	for _, address := range []string{"", ":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		s := New(Config{Address: address})
		if err := s.Listen(); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"x", "127.0.0.1:notaport"} {
		if err := New(Config{Address: address}).Listen(); err == nil || errors.Is(err, ErrNotLoopback) {
			t.Errorf("%q: %v", address, err)
		}
	}
	s := New(Config{Address: "localhost:0"})
	if s.Addr() != nil {
		t.Error("an address before Listen")
	}
	if err := s.Serve(); err == nil {
		t.Error("served without an address")
	}
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(); err == nil {
		t.Error("bound twice")
	}
	s.Close() // without Serve
}
