package config_test

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// full reads the file that has everything this version serves.
func full(t *testing.T) *config.Config {
	t.Helper()
	setTestEnv(t)
	c, diags := config.Load("testdata/good/full.hcl")
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	return c
}

// equal compares values by what they print as, secrets aside.
func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s:\ngot  %s\nwant %s", what, g, w)
	}
}

func reveal(secrets []redact.Secret) []string {
	var list []string
	for _, s := range secrets {
		list = append(list, s.Reveal())
	}
	return list
}

func auth(t *testing.T, c *config.Config, ref string) *config.Auth {
	t.Helper()
	for _, a := range c.Auths {
		if a.Ref() == ref {
			return a
		}
	}
	t.Fatalf("no auth %s", ref)
	return nil
}

func upstream(t *testing.T, c *config.Config, ref string) *config.Upstream {
	t.Helper()
	for _, u := range c.Upstreams {
		if u.Ref() == ref {
			return u
		}
	}
	t.Fatalf("no upstream %s", ref)
	return nil
}

func TestFullListeners(t *testing.T) {
	c := full(t)
	equal(t, "compression", c.Listeners[0].Compression, true)
	equal(t, "compression by default", c.Listeners[1].Compression, false)
	equal(t, "origins", c.Listeners[0].Origins, []string{"https://app.example", "https://*.example.com", "http://[::1]:3000"})
	equal(t, "trusted proxies", c.Listeners[2].TrustedProxies, []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.7/32"), netip.MustParsePrefix("fd00::/8"),
	})
	for i, loopback := range []bool{true, true, false} {
		if got := c.Listeners[i].Loopback(); got != loopback {
			t.Errorf("listener %s: loopback %t", c.Listeners[i].Name, got)
		}
	}
	if c.Admin.Auth != auth(t, c, "basic.ops") {
		t.Errorf("admin %+v", c.Admin)
	}
}

func TestFullAuths(t *testing.T) {
	c := full(t)
	users := auth(t, c, "basic.ops").Basic.Users
	if len(users) != 3 || users[0].Name != "app" || users[1].Name != "console" || users[2].Name != "ops" {
		t.Fatalf("users %+v", users)
	}
	if u := users[2]; u.Roles != nil || u.Allow != nil || u.Channels != nil || u.Topics != nil || !strings.HasPrefix(u.Hash.Reveal(), "$2y$12$abc") {
		t.Errorf("a user who is a hash has limits: %+v", u)
	}
	if u := users[0]; !strings.HasPrefix(u.Hash.Reveal(), "$argon2id$") {
		t.Errorf("user %+v", u)
	}
	u := users[1]
	equal(t, "console", fmt.Sprint(u.Roles, u.Allow, u.Channels, u.Topics), "[read] [10.0.0.0/8 ::1/128] [news chat/*] []")
	if u.Topics == nil || !strings.HasPrefix(u.Hash.Reveal(), "$2b$10$") {
		t.Errorf("console: topics %v, hash of the environment %t", u.Topics, u.Hash != "")
	}

	site := auth(t, c, "jwt.site").JWT
	if site.JWKSURL != "https://id.example/jwks.json" || site.Issuer != "https://id.example/" || site.Audience != "realtime" ||
		site.OnExpire != "close" || site.Algorithms != nil || site.Secrets != nil || site.UserID.Source() != "claims.sub" || site.Leeway != 10*time.Second {
		t.Errorf("jwt.site: %+v", site)
	}
	shared := auth(t, c, "jwt.shared").JWT
	equal(t, "algorithms", shared.Algorithms, []string{"HS256", "HS512"})
	equal(t, "secrets", reveal(shared.Secrets), []string{"hunter2-hunter2-hunter2-hunter2-of-the-environment", "0123456789abcdef0123456789abcdef"})
	if shared.Leeway != time.Minute || shared.OnExpire != "keep" {
		t.Errorf("jwt.shared: %+v", shared)
	}
	id, ok, err := shared.UserID.String(expr.Scope{"claims": expr.JSON([]byte(`{"id":38}`))})
	if id != "site-38" || !ok || err != nil {
		t.Errorf("user id %q, %t, %v", id, ok, err)
	}
	file := auth(t, c, "jwt.file").JWT
	if file.PublicKeyFile != "testdata/good/key.pem" || file.UserID.Source() != "claims.sub" || file.OnExpire != "close" {
		t.Errorf("jwt.file: %+v", file)
	}
	hook := auth(t, c, "http.hook").HTTP
	equal(t, "hook", *hook, config.HTTPBackend{
		URL: "http://127.0.0.1:3000/ws-auth", Secrets: hook.Secrets, ConnectTimeout: 2 * time.Second, Timeout: 10 * time.Second, MaxConnections: 64,
	})
	equal(t, "secrets", reveal(hook.Secrets), []string{"hunter2-of-BRIDGE_HOOK_SECRET"})
}

func TestFullUpstreams(t *testing.T) {
	c := full(t)
	node := upstream(t, c, "logux_server.node").LoguxServer
	equal(t, "node", *node, config.LoguxServer{
		URL: "http://127.0.0.1:31338/", Secrets: node.Secrets, Version: 3, Mirror: []channel.Pattern{"users/*"},
		ConnectTimeout: 2 * time.Second, Timeout: 10 * time.Second,
	})
	api := upstream(t, c, "http.api").HTTP
	equal(t, "api", *api, config.HTTPBackend{
		URL: "http://127.0.0.1:3000/messages", Secrets: api.Secrets, ConnectTimeout: time.Second, Timeout: 3 * time.Second, MaxConnections: 7,
	})
	equal(t, "secrets", reveal(api.Secrets), []string{"hunter2-of-BRIDGE_HOOK_SECRET", "an-older-one"})
}

func TestFullChannels(t *testing.T) {
	c := full(t)
	chat, news := c.Channels[0], c.Channels[1]
	if chat.Pattern != "chat/*" || !slices.Equal(chat.Join.Plugins, []*config.Plugin{c.Plugins[2]}) || chat.Join.Auths != nil ||
		!slices.Equal(chat.Publish.Plugins, []*config.Plugin{c.Plugins[2]}) || !slices.Equal(chat.Publish.Auths, []*config.Auth{auth(t, c, "basic.ops")}) {
		t.Errorf("chat: %+v", chat)
	}
	if news.Join != nil || news.Publish == nil || len(news.Publish.Plugins)+len(news.Publish.Auths) != 0 {
		t.Errorf("news: %+v", news)
	}
}

// TestDefaultAuth: a route without auth and with a Logux upstream asks that one, unless the plugin has
// accounts of its own.
func TestDefaultAuth(t *testing.T) {
	c := full(t)
	declared, implicit := auth(t, c, "logux.app"), auth(t, c, "logux.second")
	if declared.Logux.Upstream != upstream(t, c, "logux.app") || implicit.Logux.Upstream != upstream(t, c, "logux.second") {
		t.Errorf("auths ask %v and %v", declared.Logux.Upstream, implicit.Logux.Upstream)
	}
	second, server, backend := c.Plugins[0].Routes[2], c.Plugins[1].Routes[0], c.Plugins[1].Routes[2]
	for range 2 {
		if second.Auth != implicit || server.Auth != declared {
			t.Errorf("routes have %v and %v", second.Auth, server.Auth)
		}
		for _, p := range c.Plugins {
			if _, diags := p.Resolve(describe(p.Type)); diags.Len() != 0 {
				t.Fatal(show(t, diags))
			}
		}
		if backend.Auth != nil || backend.LocalOnly {
			t.Errorf("a route of a plugin with its own accounts has %v", backend.Auth)
		}
	}
}

func TestWhole(t *testing.T) {
	setTestEnv(t)
	text, err := os.ReadFile("testdata/whole.hcl")
	if err != nil {
		t.Fatal(err)
	}
	c, diags := config.Parse("whole.hcl", text)
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	for _, p := range c.Plugins {
		req, diags := p.Resolve(describe(p.Type))
		if diags.Len() != 0 {
			t.Fatal(show(t, diags))
		}
		for i, r := range req.GetRoutes() {
			want := ""
			if p.Routes[i].Path == "/logux" {
				want = "logux_server"
			}
			if r.GetPush() != want {
				t.Errorf("route %s is told that it pushes to %q, want %q", r.GetPath(), r.GetPush(), want)
			}
		}
	}
	tls := config.TLS{CertFile: "testdata/good/cert.pem", KeyFile: "testdata/good/key.pem"}
	equal(t, "tls", *c.Listeners[0].TLS, tls)
	if c.Listeners[0].Framing != "" || c.Listeners[1].Framing != "lines" || c.Listeners[1].TLS != nil {
		t.Errorf("listeners %+v %+v", c.Listeners[0], c.Listeners[1])
	}
	backend, server := c.Plugins[0].Routes[0], c.Plugins[0].Routes[1]
	if backend.Push != c.Upstreams[1] || server.Push != nil {
		t.Errorf("push %v and %v", backend.Push, server.Push)
	}
	equal(t, "limits", server.Limits, config.Limits{MaxFrame: 1 << 20, Rate: config.Rate{Count: 100, Per: time.Second}, MaxSessions: 100000})
	if got := server.Limits.Rate.String(); got != "100/s" {
		t.Errorf("rate %q", got)
	}
	equal(t, "cluster secrets", reveal(c.Cluster.Secrets), []string{"hunter2-of-BRIDGE_CLUSTER_SECRET"})
	equal(t, "cluster tls", *c.Cluster.TLS, tls)
	c.Cluster.TLS, c.Cluster.Secrets = nil, nil
	equal(t, "cluster", *c.Cluster, config.Cluster{
		Name: "main", Listen: "127.0.0.1:6222", Advertise: "10.0.0.1:6222", Replicas: 3, Node: -1, Range: c.Cluster.Range,
		Routes: []string{"nats://10.0.0.1:6222", "nats://10.0.0.2:6222"},
	})
}

// TestTakesRawTCP: a plugin that does not serve raw TCP has no route on a listener that takes it.
func TestTakesRawTCP(t *testing.T) {
	c, diags := config.Parse("lines.hcl", []byte(`
listener "legacy" {
  address = "127.0.0.1:7000"
  framing = "lines"
}
plugin "ctproto" {
  route "/" {
    auth = auth.none
  }
}
`))
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	_, diags = c.Plugins[0].Resolve(describe("ctproto"))
	if got := show(t, diags); !strings.Contains(got, "which the plugin does not serve here") || !strings.Contains(got, "line 7") {
		t.Errorf("got %s", got)
	}
}
