package ctproto

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
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
		fmt.Fprintf(&want, "| `%s` | %s | %s | %s |\n", f.GetName(), typeName(f), defaultText(f), f.GetDoc())
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
	text := f.GetDefaultJson()
	if f.GetType() == pluginv1.FieldType_FIELD_TYPE_EXPRESSION {
		text = strings.Trim(text, `"`)
	}
	if text == "" {
		return "none"
	}
	return "`" + text + "`"
}

var curlBody = regexp.MustCompile(`(?s)/(updates|close) -d '(.*?)'`)

// TestReadmeRequests: what the README posts to the API is taken.
func TestReadmeRequests(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	list := curlBody.FindAllStringSubmatch(string(text), -1)
	if len(list) < 2 {
		t.Errorf("README.md posts %d times", len(list))
	}
	for _, m := range list {
		step := apiRequest{path: "/api/" + m[1], body: m[2]}.step(t)
		if got := plugintest.Format(step); !strings.HasPrefix(got, "call "+m[1]+" select") {
			t.Errorf("%s of %s leads to %s", m[1], m[2], got)
		}
	}
}
