package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/config"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// TestDefaultFrom: a secret that the block does not have is the upstream's, and just as strong where others
// than this machine are kept out by it.
func TestDefaultFrom(t *testing.T) {
	const from = "upstream.secret"
	described := &pluginv1.DescribeResponse{
		Name:  "demo",
		Roles: []*pluginv1.Role{{Auth: pluginv1.Auth_AUTH_OWN}},
		RouteConfig: []*pluginv1.Field{
			{Name: "one", Type: pluginv1.FieldType_FIELD_TYPE_STRING, Secret: true, DefaultFrom: from},
			{Name: "several", Type: pluginv1.FieldType_FIELD_TYPE_STRING_LIST, Secret: true, DefaultFrom: from},
		},
	}
	tests := []struct {
		name, address, kind, upstream, block string
		one, several                         string // JSON
		fault                                string
	}{
		{name: "a back-end's", kind: "logux", upstream: `{
  url    = "http://127.0.0.1:1/"
  secret = ["new", "old"]
}`, one: `"new"`, several: `["new","old"]`},
		{name: "a server's", kind: "logux_server", upstream: `{
  url    = "http://127.0.0.1:1/"
  secret = "secret"
}`, one: `"secret"`, several: `["secret"]`},
		{name: "one that is written", kind: "logux", upstream: `{
  url    = "http://127.0.0.1:1/"
  secret = "theirs"
}`, block: `config {
  one     = "mine"
  several = ["mine"]
}`, one: `"mine"`, several: `["mine"]`},
		{name: "none", kind: "dev", upstream: `{}`, one: "null", several: "null"},
		{name: "one that signs", kind: "http", upstream: `{
  url    = "http://127.0.0.1:1/"
  secret = "of another kind"
}`, one: "null", several: "null"},
		{name: "a weak one beyond loopback", address: "0.0.0.0:6789", kind: "logux", upstream: `{
  url    = "http://127.0.0.1:1/"
  secret = "changeme"
}`, fault: "a word that everybody tries first"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			address := test.address
			if address == "" {
				address = "127.0.0.1:6789"
			}
			c, diags := config.Parse("bridge.hcl", []byte(`listener "public" {
  address = "`+address+`"
  default = true
}
upstream "`+test.kind+`" "u" `+test.upstream+`
plugin "demo" {
  route "/" {
    upstream = upstream.`+test.kind+`.u
    `+test.block+`
  }
}
`))
			if diags.HasErrors() {
				t.Fatal(diags.Error())
			}
			request, diags := c.Plugins[0].Resolve(described)
			if test.fault != "" {
				if !strings.Contains(diags.Error(), test.fault) || strings.Contains(diags.Error(), "changeme") {
					t.Errorf("it says %s", diags.Error())
				}
				return
			}
			if diags.HasErrors() {
				t.Fatal(diags.Error())
			}
			var got struct{ One, Several json.RawMessage }
			if err := json.Unmarshal(request.GetRoutes()[0].GetConfig(), &got); err != nil {
				t.Fatal(err)
			}
			if string(got.One) != test.one || string(got.Several) != test.several {
				t.Errorf("got %s and %s, want %s and %s", got.One, got.Several, test.one, test.several)
			}
		})
	}
}
