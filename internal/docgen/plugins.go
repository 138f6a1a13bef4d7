package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/protocol-bridge/bridge/plugins/chat"
	"github.com/protocol-bridge/bridge/plugins/ctproto"
	"github.com/protocol-bridge/bridge/plugins/logux"
	"github.com/protocol-bridge/bridge/plugins/mesh"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/spec"
)

// servers are what the built-in plugins describe themselves with, in the order of plugins.Builtin.
var servers = []struct {
	name string
	make func() (*sdk.Server, error)
}{
	{"chat", func() (*sdk.Server, error) { return sdk.NewServer(chat.New()) }},
	{"ctproto", func() (*sdk.Server, error) { return sdk.NewServer(ctproto.New()) }},
	{"logux", func() (*sdk.Server, error) { return sdk.NewServer(logux.New()) }},
	{"mesh", func() (*sdk.Server, error) { return sdk.NewServer(mesh.New()) }},
}

func writePlugins(w *bytes.Buffer) error {
	w.WriteString("\n## The built-in plugins\n\nWhat stands in their `config` blocks, and the roles of their routes. Their READMEs say more.\n")
	for _, s := range servers {
		server, err := s.make()
		if err != nil {
			return fmt.Errorf("plugin %q: %w", s.name, err)
		}
		d, err := server.Describe(context.Background(), &pluginv1.DescribeRequest{})
		if err != nil {
			return fmt.Errorf("describe plugin %q: %w", s.name, err)
		}
		writePlugin(w, s.name, d)
	}
	return nil
}

func writePlugin(w *bytes.Buffer, name string, d *pluginv1.DescribeResponse) {
	fmt.Fprintf(w, "\n### `plugin \"%[1]s\"`\n\n[README](../plugins/%[1]s/README.md)\n", name)
	if roles := d.GetRoles(); len(roles) > 0 {
		w.WriteString("\n| role | is for | clients are known |\n| --- | --- | --- |\n")
		for _, r := range roles {
			role := "none"
			if r.GetName() != "" {
				role = "`" + r.GetName() + "`"
			}
			fmt.Fprintf(w, "| %s | %s | %s |\n", role, cell(r.GetDoc()), authText(r.GetAuth()))
		}
	}
	fieldTable(w, "For the whole plugin:", d.GetConfig())
	fieldTable(w, "In each route:", d.GetRouteConfig())
}

func authText(a pluginv1.Auth) string {
	switch a {
	case pluginv1.Auth_AUTH_HANDSHAKE:
		return "at the handshake"
	case pluginv1.Auth_AUTH_OWN:
		return "to the plugin itself"
	case pluginv1.Auth_AUTH_IN_BAND, pluginv1.Auth_AUTH_UNSPECIFIED:
	}
	return "by a message of the protocol"
}

func fieldTable(w *bytes.Buffer, title string, fields []*pluginv1.Field) {
	if len(fields) == 0 {
		return
	}
	w.WriteString("\n" + title + "\n\n" + spec.Table(fields))
}
