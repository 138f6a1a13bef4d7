package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/internal/expr"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

func ctproto() *pluginv1.DescribeResponse {
	return &pluginv1.DescribeResponse{
		Name: "ctproto",
		Roles: []*pluginv1.Role{
			{Doc: "clients"},
			{Name: "api", Doc: "updates from the back-end", Auth: pluginv1.Auth_AUTH_HANDSHAKE},
			{Name: "own", Doc: "accounts of its own", Auth: pluginv1.Auth_AUTH_OWN},
		},
		RouteConfig: []*pluginv1.Field{
			{Name: "authorize_timeout", Type: pluginv1.FieldType_FIELD_TYPE_DURATION, DefaultJson: `"3s"`},
			{Name: "token", Type: pluginv1.FieldType_FIELD_TYPE_EXPRESSION, DefaultJson: `"payload.token"`},
			{Name: "errors", Type: pluginv1.FieldType_FIELD_TYPE_STRING, DefaultJson: `"message"`, OneOf: []string{"message", "silent"}},
		},
	}
}

func TestRepositoryFile(t *testing.T) {
	c, diags := config.Load("../../bridge.hcl")
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	if c.Listeners[0].Address != "127.0.0.1:6789" || !c.Listeners[0].Default {
		t.Errorf("listeners: %+v", c.Listeners)
	}
	if c.Admin.Address != "127.0.0.1:6780" || c.DataDir != "../../data" || c.Shutdown.Timeout != 30*time.Second {
		t.Errorf("admin %+v, data_dir %q, shutdown %+v", c.Admin, c.DataDir, c.Shutdown)
	}
	p := c.Plugins[0]
	r := p.Routes[0]
	if p.Type != "ctproto" || p.MTLS || p.EventTimeout != 10*time.Second || r.ID != "ctproto:public:/client" ||
		r.Auth != c.Auths[0] || r.Upstream != c.Upstreams[0] || r.Upstream.Kind != "dev" {
		t.Errorf("plugin %+v, route %+v", p, r)
	}
	tokens := c.Auths[0].Static.Tokens
	if len(tokens) != 1 || !tokens[0].Token.Equal("good-token") || tokens[0].UserID != "38" {
		t.Errorf("tokens: %+v", tokens)
	}
	channels, err := r.Channels.Channels(expr.Scope{"user": expr.Object(map[string]string{"id": "38"})})
	if err != nil || len(channels) != 1 || channels[0] != "user/38" {
		t.Errorf("channels %q, %v", channels, err)
	}
	request, diags := p.Resolve(ctproto())
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	if got, want := string(request.GetRoutes()[0].GetConfig()), `{"authorize_timeout":"3s","errors":"message","token":"payload.token"}`; got != want {
		t.Errorf("config of the route: %s, want %s", got, want)
	}
	if string(request.GetConfig()) != "{}" || request.GetLabel() != "ctproto" || request.GetRoutes()[0].GetUpstream() != "dev" || !request.GetRoutes()[0].GetAuth() {
		t.Errorf("request: %v", request)
	}
}

func show(tb testing.TB, d *config.Diagnostics) string {
	tb.Helper()
	var buf bytes.Buffer
	if _, err := d.WriteTo(&buf); err != nil {
		tb.Fatal(err)
	}
	return buf.String()
}

func TestResolveMakesJSON(t *testing.T) {
	setTestEnv(t)
	c, diags := config.Load("testdata/good/demo.hcl")
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	p := c.Plugins[0]
	for range 3 {
		request, diags := p.Resolve(describe("demo"))
		if diags.Len() != 0 {
			t.Fatal(show(t, diags))
		}
		want := `{"count":-7,"flag":true,"key":"hunter2-from-the-environment",` +
			`"keys":["hunter2-from-the-environment","an-older-one"],"labels":{"a":"1","b":"2"},"mode":"silent",` +
			`"names":["x","y"],"ratio":0.25,"room":65536,"text":"a \u003cb\u003e \"c\"",` +
			`"topic":"\"in/${urlencode(payload.topic)}\"","wait":"1m30s"}`
		if got := string(request.GetConfig()); got != want {
			t.Errorf("config:\n%s\nwant:\n%s", got, want)
		}
		if got := string(request.GetRoutes()[0].GetConfig()); got != `{"key":null}` {
			t.Errorf("config of the route: %s", got)
		}
	}
	request, diags := c.Plugins[1].Resolve(describe("demo"))
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	want := `{"count":3,"flag":null,"key":null,"keys":null,"labels":null,"mode":null,"names":null,"ratio":null,"room":null,` +
		`"text":"hello","topic":null,"wait":null}`
	if got := string(request.GetConfig()); got != want {
		t.Errorf("defaults:\n%s\nwant:\n%s", got, want)
	}
}

func TestDemoFile(t *testing.T) {
	setTestEnv(t)
	c, diags := config.Load("testdata/good/demo.hcl")
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	if c.DataDir != "/var/lib/bridge" || !c.Listeners[0].Loopback() || c.Listeners[1].Loopback() || c.Listeners[1].Default {
		t.Errorf("data_dir %q, listeners %+v", c.DataDir, c.Listeners)
	}
	u := c.Upstreams[0].Logux
	if u.URL != "https://back-end.example/logux" || len(u.Secrets) != 2 || !u.Secrets[0].Equal("hunter2-from-the-environment") ||
		!u.Secrets[1].Equal("old-secret-value") || u.Version != 3 || u.ConnectTimeout != time.Second || u.Timeout != 2*time.Second ||
		u.IdleTimeout != 3*time.Second || u.MaxConnections != 5 || u.Batch != 6 {
		t.Errorf("upstream %+v", u)
	}
	if strings.Contains(fmt.Sprintf("%+v", u), "hunter2") {
		t.Error("an upstream prints its secret")
	}
	tokens := c.Auths[0].Static.Tokens
	if len(tokens) != 2 || tokens[1].Token.Reveal() != "two words" || tokens[1].UserID != "39" {
		t.Errorf("tokens %+v", tokens)
	}
	p := c.Plugins[0]
	if p.Command[0] != filepath.Join("testdata", "good", "demo") || p.Command[1] != "-v" || !p.MTLS || !p.Standby ||
		p.EventTimeout != time.Minute || p.Env["N"] != "3" || !strings.HasPrefix(p.SHA256, "e3b0") {
		t.Errorf("plugin %+v", p)
	}
	r := p.Routes[0]
	if len(r.Also) != 2 || r.Limits.MaxFrame != 2<<20 || r.Limits.MaxBinary != 4096 || r.Upstream.Ref() != "logux.app" ||
		r.Auth.Ref() != "static.dev" || r.Channels != nil || r.AuthNone {
		t.Errorf("route %+v", r)
	}
	if r := p.Routes[1]; !r.AuthNone || r.Auth != nil || r.ID != "demo:internal:/*" || r.Listener != c.Listeners[1] {
		t.Errorf("route %+v", r)
	}
	if p := c.Plugins[1]; p.Type != "demo" || p.Label != "second" || !p.MTLS || len(p.Command) != 0 {
		t.Errorf("plugin %+v", p)
	}
	if c.Shutdown.Delay != 5*time.Second || c.Shutdown.Timeout != time.Minute {
		t.Errorf("shutdown %+v", c.Shutdown)
	}
}

func TestComplaints(t *testing.T) {
	setTestEnv(t)
	const file = `listener "public" {
  address = "127.0.0.1:6789"
}
plugin "demo" {
  config {
    text = "x"
    key  = "hunter2"
  }
  route "/a" {
    auth = auth.none
    config {}
  }
  route "/b" {
    auth = auth.none
  }
}
`
	c, diags := config.Parse("complaints.hcl", []byte(file))
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	p := c.Plugins[0]
	if _, diags := p.Resolve(describe("demo")); diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	if p.Complaints(nil).HasErrors() {
		t.Error("no complaints are errors")
	}
	diags = p.Complaints([]*pluginv1.Complaint{
		{Attribute: "text", Text: "text must be longer, 100% so."},
		{Attribute: "key", Text: "This is too easy to guess."},
		{Attribute: "count", Text: "It must be even."},
		{Route: "demo:public:/a", Text: "Something is missing."},
		{Route: "demo:public:/b", Attribute: "key", Text: "It is needed here."},
		{Route: "demo:public:/nowhere", Text: "Which route is that?"},
	})
	got := show(t, diags)
	if strings.Contains(got, "hunter2") {
		t.Error("a secret is shown")
	}
	compare(t, "testdata/complaints.txt", got)
}

func TestLoadOfNoFile(t *testing.T) {
	c, diags := config.Load("testdata/no-such-file.hcl")
	if c != nil || !diags.HasErrors() {
		t.Fatal("no errors")
	}
	if got := show(t, diags); !strings.Contains(got, "no such file or directory. Name another file") {
		t.Errorf("got %s", got)
	}
}

func TestDiagnosticsZeroValue(t *testing.T) {
	for _, d := range []*config.Diagnostics{nil, {}} {
		if d.HasErrors() || d.Len() != 0 || d.List() != nil || show(t, d) != "" {
			t.Errorf("%v is not none", d)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.hcl", "../../bridge.hcl"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			src, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(src))
		}
	}
	f.Fuzz(func(t *testing.T, src string) {
		if strings.Contains(src, "secret_file") {
			t.Skip("reads files")
		}
		c, diags := config.Parse("fuzz.hcl", []byte(src))
		if (c == nil) != diags.HasErrors() {
			t.Fatal("a Config and errors, or neither")
		}
		show(t, diags)
		if c == nil {
			return
		}
		ids := map[string]bool{}
		for _, p := range c.Plugins {
			request, diags := p.Resolve(describe(p.Type))
			if (request == nil) != diags.HasErrors() {
				t.Fatal("a request and errors, or neither")
			}
			show(t, diags)
			for _, r := range p.Routes {
				if ids[r.ID] {
					t.Fatalf("two routes have the id %q", r.ID)
				}
				ids[r.ID] = true
			}
			if request != nil && !json.Valid(request.GetConfig()) {
				t.Fatalf("not JSON: %s", request.GetConfig())
			}
		}
	})
}
