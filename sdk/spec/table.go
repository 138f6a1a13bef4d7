package spec

import (
	"encoding/json"
	"fmt"
	"strings"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Table is a Markdown table of the fields that a plugin's Describe declares, in the words of the manual:
// for a README. It ends with a line feed, and is empty for no fields.
func Table(fields []*pluginv1.Field) string {
	if len(fields) == 0 {
		return ""
	}
	var w strings.Builder
	w.WriteString("| attribute | type | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range fields {
		fmt.Fprintf(&w, "| `%s` | %s | %s | %s |\n", f.GetName(), cell(typeText(f)), cell(defaultText(f)), cell(f.GetDoc()))
	}
	return w.String()
}

// cell is a text as it may stand in a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

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
	switch {
	case f.GetRequired():
		return "required"
	case f.GetDefaultFrom() != "":
		return "the upstream's"
	case raw == "" || raw == "null":
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
