package access_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/internal/channel"
)

func TestRules(t *testing.T) {
	r := access.New([]access.Block{
		{Pattern: "chat/*", Join: &access.Peers{Plugins: []string{"mesh"}}, Publish: &access.Peers{Plugins: []string{"mesh"}, Realms: []string{"basic.ops"}}},
		{Pattern: "chat/lobby", Join: &access.Peers{}},
		{Pattern: "news/*", Publish: &access.Peers{Realms: []string{"basic.ops"}}},
		{Pattern: "*", Join: &access.Peers{Plugins: []string{"mesh", "logux"}}},
	}, []access.Owner{
		{Plugin: "chat", Prefixes: []string{"chat/"}},
		{Plugin: "chat2", Prefixes: []string{"chat/", "rooms/"}},
		{Plugin: "mesh"},
	})
	ops := func(plugin string) access.Subject { return access.Subject{Plugin: plugin, Realm: "basic.ops"} }
	plain := func(plugin string) access.Subject { return access.Subject{Plugin: plugin} }
	for _, tc := range []struct {
		name    string
		publish bool
		who     access.Subject
		channel string
		want    error
	}{
		{"an owner joins its own", false, plain("chat"), "chat/1", nil},
		{"so does another owner of the prefix", false, plain("chat2"), "chat/1", nil},
		{"a named plugin joins", false, plain("mesh"), "chat/1", nil},
		{"a plugin not named does not", false, plain("logux"), "chat/1", access.ErrChannelBlock},
		{"users of a realm not named for joining neither", false, ops("logux"), "chat/1", access.ErrChannelBlock},
		{"users of a named realm publish by any plugin", true, ops("ctproto"), "chat/1", nil},
		{"others of that plugin do not", true, plain("ctproto"), "chat/1", access.ErrChannelBlock},
		{"a block of its own counts more than a pattern", false, plain("mesh"), "chat/lobby", access.ErrChannelBlock},
		{"what that block does not say is as without it", true, plain("mesh"), "chat/lobby", access.ErrOwned},
		{"an owned channel without a block", true, plain("mesh"), "rooms/1", access.ErrOwned},
		{"the last block", false, plain("mesh"), "rooms/1", nil},
		{"only the exact prefix is owned", true, plain("mesh"), "chat", nil},
		{"a block without an owner", true, plain("mesh"), "news/1", access.ErrChannelBlock},
		{"a block without an owner names a realm", true, ops("mesh"), "news/1", nil},
		{"nobody's channel", true, plain("mesh"), "users/1", nil},
		{"a user held to channels, inside", true, access.Subject{Plugin: "mesh", Within: []channel.Pattern{"users/*"}}, "users/1", nil},
		{"a user held to channels, outside", true, access.Subject{Plugin: "mesh", Within: []channel.Pattern{"users/*"}}, "other", access.ErrWithin},
		{"a user held to none", true, access.Subject{Plugin: "mesh", Within: []channel.Pattern{}}, "users/1", access.ErrWithin},
		{"no block is about a private channel", false, plain("logux"), "$chat", nil},
		{"nor for publishing", true, plain("logux"), "$chat", nil},
		{"a user held to channels, a private one", true, access.Subject{Plugin: "mesh", Within: []channel.Pattern{"*"}}, "$users", access.ErrWithin},
		{"being held does not open what is owned", true, access.Subject{Plugin: "mesh", Within: []channel.Pattern{"*"}}, "rooms/1", access.ErrOwned},
	} {
		t.Run(tc.name, func(t *testing.T) {
			check := r.Join
			if tc.publish {
				check = r.Publish
			}
			if err := check(tc.who, tc.channel); !errors.Is(err, tc.want) {
				t.Errorf("%q: %v, want %v", tc.channel, err, tc.want)
			}
		})
	}
}

func TestErrorsSayWhatToWrite(t *testing.T) {
	r := access.New(nil, []access.Owner{{Plugin: "chat", Prefixes: []string{"chat/"}}})
	err := r.Join(access.Subject{Plugin: "mesh"}, "chat/7")
	if err == nil || !strings.Contains(err.Error(), `channel "chat/*" { join = [plugin.mesh] }`) {
		t.Errorf("%v", err)
	}
	var none access.Rules
	if err := none.Publish(access.Subject{Plugin: "mesh"}, "chat/7"); err != nil {
		t.Errorf("the zero Rules refuse: %v", err)
	}
}
