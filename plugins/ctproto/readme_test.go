package ctproto

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
)

// TestReadmeTable: the table of the configuration says what the plugin describes.
func TestReadmeTable(t *testing.T) {
	s, err := sdk.NewServer(New())
	if err != nil {
		t.Fatal(err)
	}
	desc, err := s.Describe(context.Background(), &pluginv1.DescribeRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| attribute | type | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, f := range desc.GetRouteConfig() {
		fmt.Fprintf(&want, "| `%s` | %s | `%s` | %s |\n", f.GetName(), typeName(f), defaultText(f), f.GetDoc())
	}
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "<!-- config -->\n")
	got, _, ok := strings.Cut(rest, "<!-- /config -->")
	if !ok || got != want.String() {
		t.Errorf("the table in README.md is not what the plugin describes; it should be\n%s", want.String())
	}
}

func typeName(f *pluginv1.Field) string {
	if len(f.GetOneOf()) > 0 {
		return "`\"" + strings.Join(f.GetOneOf(), "\"` or `\"") + "\"`"
	}
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(f.GetType().String(), "FIELD_TYPE_")), "_", " ")
}

func defaultText(f *pluginv1.Field) string {
	if f.GetType() == pluginv1.FieldType_FIELD_TYPE_EXPRESSION {
		return strings.Trim(f.GetDefaultJson(), `"`)
	}
	return f.GetDefaultJson()
}
