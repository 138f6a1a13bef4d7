package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/protocol-bridge/bridge/plugins/ctproto"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
)

// servers are what the built-in plugins describe themselves with, in the order of plugins.Builtin.
var servers = []struct {
	name string
	make func() (*sdk.Server, error)
}{
	{"ctproto", func() (*sdk.Server, error) { return sdk.NewServer(ctproto.New()) }},
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
	w.WriteString("\n" + title + "\n\n")
	rows := make([]row, 0, len(fields))
	for _, f := range fields {
		r := row{name: f.GetName(), typ: typeText(f), fallback: defaultText(f), doc: f.GetDoc()}
		if f.GetRequired() {
			r.fallback = "required"
		}
		rows = append(rows, r)
	}
	table(w, rows)
}

// typeText names a type in the words of the core's own tables.
func typeText(f *pluginv1.Field) string {
	if one := f.GetOneOf(); len(one) > 0 {
		return `"` + strings.Join(one, `" or "`) + `"`
	}
	list := f.GetType() == pluginv1.FieldType_FIELD_TYPE_STRING_LIST
	switch {
	case f.GetSecret() && list:
		return "secret, or several"
	case f.GetSecret():
		return "secret"
	}
	return map[pluginv1.FieldType]string{
		pluginv1.FieldType_FIELD_TYPE_UNSPECIFIED: "text",
		pluginv1.FieldType_FIELD_TYPE_STRING:      "text",
		pluginv1.FieldType_FIELD_TYPE_BOOL:        "true or false",
		pluginv1.FieldType_FIELD_TYPE_INT:         "whole number",
		pluginv1.FieldType_FIELD_TYPE_NUMBER:      "number",
		pluginv1.FieldType_FIELD_TYPE_DURATION:    "duration",
		pluginv1.FieldType_FIELD_TYPE_SIZE:        "size",
		pluginv1.FieldType_FIELD_TYPE_STRING_LIST: "list of texts",
		pluginv1.FieldType_FIELD_TYPE_STRING_MAP:  "table of texts",
		pluginv1.FieldType_FIELD_TYPE_EXPRESSION:  "expression",
	}[f.GetType()]
}

// defaultText is the default as it would be written in bridge.hcl.
func defaultText(f *pluginv1.Field) string {
	raw := f.GetDefaultJson()
	if raw == "" || raw == "null" {
		return "none"
	}
	if f.GetType() == pluginv1.FieldType_FIELD_TYPE_EXPRESSION {
		var source string
		if json.Unmarshal([]byte(raw), &source) == nil {
			raw = source
		}
	}
	return "`" + raw + "`"
}
