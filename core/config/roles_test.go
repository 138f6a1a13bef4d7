package config_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/core/config"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// oneRoute reads a file with a route of plugin "demo" on a listener.
func oneRoute(t *testing.T, listener, route string) *config.Plugin {
	t.Helper()
	c, diags := config.Parse("one.hcl", []byte(`
listener "public" {
`+listener+`
}
auth "basic" "ops" {
  users = { ops = "$2y$12$`+strings.Repeat("a", 53)+`" }
}
plugin "demo" {
  route "/a" {
`+route+`
  }
}
`))
	if diags.Len() != 0 {
		t.Fatal(show(t, diags))
	}
	return c.Plugins[0]
}

func role(auth pluginv1.Auth, token ...*pluginv1.Field) *pluginv1.DescribeResponse {
	return &pluginv1.DescribeResponse{Name: "demo", Roles: []*pluginv1.Role{{Auth: auth}}, RouteConfig: token}
}

const (
	loopback = `address = "127.0.0.1:6789"`
	open     = `address = "0.0.0.0:6789"`
	proxied  = loopback + "\n" + `trusted_proxies = ["127.0.0.1"]`
)

func TestRouteWithoutAuth(t *testing.T) {
	const (
		inBand    = pluginv1.Auth_AUTH_IN_BAND
		handshake = pluginv1.Auth_AUTH_HANDSHAKE
		own       = pluginv1.Auth_AUTH_OWN
		none      = "auth = auth.none"
		basic     = "auth = auth.basic.ops"
	)
	tests := map[string]struct {
		listener, route string
		auth            pluginv1.Auth
		localOnly       bool
		summary         string // of the diagnostic; empty: none
	}{
		"in band, loopback":             {loopback, "", inBand, true, "Route without auth"},
		"in band, proxied":              {proxied, "", inBand, false, "Route without auth"},
		"in band, open":                 {open, "", inBand, false, "Route without auth"},
		"in band, none, open":           {open, none, inBand, false, ""},
		"in band, none, proxied":        {proxied, none, inBand, false, ""},
		"in band, basic, open":          {open, basic, inBand, false, ""},
		"unspecified, loopback":         {loopback, "", pluginv1.Auth_AUTH_UNSPECIFIED, true, "Route without auth"},
		"handshake, loopback":           {loopback, "", handshake, true, "Route without auth"},
		"handshake, proxied":            {proxied, "", handshake, false, "Route without auth"},
		"handshake, open":               {open, "", handshake, false, "Route without auth"},
		"handshake, none, loopback":     {loopback, none, handshake, false, ""},
		"handshake, none, proxied":      {proxied, none, handshake, false, "Open to everybody"},
		"handshake, none, open":         {open, none, handshake, false, "Open to everybody"},
		"handshake, basic, open":        {open, basic, handshake, false, ""},
		"accounts of its own, open":     {open, "", own, false, ""},
		"accounts of its own, loopback": {loopback, "", own, false, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := oneRoute(t, tt.listener, tt.route)
			request, diags := p.Resolve(role(tt.auth))
			summary := ""
			if diags.Len() > 0 {
				summary = diags.List()[0].Summary
			}
			wantErrors := tt.summary != "" && !tt.localOnly
			if summary != tt.summary || p.Routes[0].LocalOnly != tt.localOnly || diags.HasErrors() != wantErrors || (request == nil) != wantErrors {
				t.Errorf("got %q, errors %t, local only %t; want %q, %t, %t", summary, diags.HasErrors(), p.Routes[0].LocalOnly, tt.summary, wantErrors, tt.localOnly)
			}
		})
	}
}

func TestToken(t *testing.T) {
	const handshake, inBand = pluginv1.Auth_AUTH_HANDSHAKE, pluginv1.Auth_AUTH_IN_BAND
	expression := func(fallback string) *pluginv1.Field {
		return &pluginv1.Field{Name: "token", Type: pluginv1.FieldType_FIELD_TYPE_EXPRESSION, DefaultJson: fallback}
	}
	tests := map[string]struct {
		route string
		field *pluginv1.Field
		auth  pluginv1.Auth
		want  string // the expression's source; empty: none
		fault string // a piece of the diagnostic
	}{
		"written":              {"token = request.query.token", expression(`"request.bearer"`), handshake, "request.query.token", ""},
		"default":              {"", expression(`"request.bearer"`), handshake, "request.bearer", ""},
		"no default":           {"", expression(""), handshake, "", ""},
		"null by default":      {"", expression("null"), handshake, "", ""},
		"written null":         {"token = null", expression(`"request.bearer"`), handshake, "", ""},
		"default of the frame": {"", expression(`"payload.token"`), handshake, "", ""},
		"of the frame":         {"token = payload.token", expression(""), handshake, "", `not "payload"`},
		"of nobody yet":        {`token = "${request.cookie.a}${user.id}"`, expression(""), handshake, "", `not "user"`},
		"unknown":              {"token = requst.bearer", expression(""), handshake, "", "Did you mean \"request\"?"},
		"in band":              {"token = request.query.token", expression(""), inBand, "", ""},
		"of the frame in band": {"token = payload.token", expression(""), inBand, "", ""},
		"no such field":        {"", &pluginv1.Field{Name: "other"}, handshake, "", ""},
		"of another type":      {`token = "x"`, &pluginv1.Field{Name: "token"}, handshake, "", ""},
		"a text of its own":    {`token = "x-${request.query.a}"`, expression(""), handshake, `"x-${request.query.a}"`, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := oneRoute(t, loopback, "auth = auth.basic.ops\nconfig {\n"+tt.route+"\n}")
			_, diags := p.Resolve(role(tt.auth, tt.field))
			got := ""
			if token := p.Routes[0].Token; token != nil {
				got = token.Source()
			}
			text := strings.Join(strings.Fields(show(t, diags)), " ")
			if got != tt.want || diags.HasErrors() != (tt.fault != "") || !strings.Contains(text, tt.fault) {
				t.Errorf("token %q, want %q; diagnostics %s, want %q", got, tt.want, text, tt.fault)
			}
		})
	}
}

// TestResolveAgain: what a plugin that was started again is told changes nothing for those who read the
// routes meanwhile; the race detector looks on. Another description does change them.
func TestResolveAgain(t *testing.T) {
	c := full(t)
	resolve := func() {
		for _, p := range c.Plugins {
			if _, diags := p.Resolve(describe(p.Type)); diags.HasErrors() {
				t.Error(show(t, diags))
			}
		}
	}
	resolve()
	mesh := c.Plugins[2].Routes[1]
	token := mesh.Token
	if token == nil || token.Source() != "request.query.token" {
		t.Fatalf("token %v", token)
	}
	var wg sync.WaitGroup
	wg.Go(resolve)
	for _, p := range c.Plugins {
		for _, r := range p.Routes {
			if r.LocalOnly {
				t.Errorf("route %s is for this machine only", r.ID)
			}
			_, _ = r.Auth, r.Token
		}
	}
	wg.Wait()
	if mesh.Token != token {
		t.Error("the token is another")
	}
	other := describe("mesh")
	other.Roles[1].Auth = pluginv1.Auth_AUTH_OWN
	if _, diags := c.Plugins[2].Resolve(other); diags.HasErrors() || mesh.Token != nil {
		t.Errorf("a role that no longer authenticates at the handshake keeps its token %v; %s", mesh.Token, show(t, diags))
	}
}
