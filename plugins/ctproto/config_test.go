package ctproto

import (
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestConfigurationIsChecked(t *testing.T) {
	client := func(config string) *pluginv1.RouteConfig {
		return &pluginv1.RouteConfig{Id: "r", Path: "/", Config: []byte(config), Upstream: "http", Auth: true}
	}
	api := func(path string) *pluginv1.RouteConfig {
		return &pluginv1.RouteConfig{Id: "a", Path: path, Role: "api"}
	}
	noUpstream, noAuth, logux := client(`{}`), client(`{}`), client(`{"notify_closed":true}`)
	noUpstream.Upstream, noAuth.Auth, logux.Upstream = "", false, "logux"
	tests := []struct {
		name            string
		route           *pluginv1.RouteConfig
		attribute, text string // of the complaint; no text: there is none
	}{
		{"client", client(`{}`), "", ""},
		{"told of the end", client(`{"notify_closed":true}`), "", ""},
		{"timeout", client(`{"authorize_timeout":"0s"}`), "authorize_timeout", "longer"},
		{"negative timeout", client(`{"authorize_timeout":"-1s"}`), "authorize_timeout", "negative"},
		{"no duration", client(`{"authorize_timeout":3}`), "authorize_timeout", "."},
		{"errors", client(`{"errors":"loud"}`), "errors", "silent"},
		{"token", client(`{"token":"message.id"}`), "token", "message"},
		{"flag", client(`{"strict_pending":"yes"}`), "strict_pending", "."},
		{"no upstream", noUpstream, "", "no upstream"},
		{"no auth", noAuth, "", "no auth"},
		{"not told", logux, "notify_closed", "kind http"},
		{"api", api("/ctproto/v1/"), "", ""},
		{"api for the rest", api("/*"), "", ""},
		{"api without anything below", api("/ctproto/v1"), "", "ends in a slash"},
		{"api at the root", api("/"), "", "ends in a slash"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := plugintest.Configure(t, New(), plugintest.Config{Routes: []*pluginv1.RouteConfig{tt.route}})
			switch {
			case tt.text == "" && len(list) > 0:
				t.Errorf("got %v, want none", list)
			case tt.text == "":
			case len(list) != 1 || list[0].GetRoute() != tt.route.GetId() || list[0].GetAttribute() != tt.attribute || !strings.Contains(list[0].GetText(), tt.text):
				t.Errorf("got %v, want one about %q with %q", list, tt.attribute, tt.text)
			}
		})
	}
}
