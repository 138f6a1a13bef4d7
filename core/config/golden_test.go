package config_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/config"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

var update = flag.Bool("update", false, "write what is found into testdata")

// describe stands for the plugins of the files in testdata.
func describe(kind string) *pluginv1.DescribeResponse {
	const (
		text       = pluginv1.FieldType_FIELD_TYPE_STRING
		list       = pluginv1.FieldType_FIELD_TYPE_STRING_LIST
		expression = pluginv1.FieldType_FIELD_TYPE_EXPRESSION
	)
	switch kind {
	case "ctproto":
		return ctproto()
	case "needsrole":
		return &pluginv1.DescribeResponse{Name: kind, Roles: []*pluginv1.Role{
			{Name: "server", Doc: "Logux clients"}, {Name: "control", Doc: "back-ends"},
		}}
	case "required":
		return &pluginv1.DescribeResponse{Name: kind, Config: []*pluginv1.Field{
			{Name: "database", Required: true, Type: text, Doc: "Where messages are stored.", Example: `"sqlite:chat.db"`},
			{Name: "other", Type: text},
		}}
	case "demo":
		return &pluginv1.DescribeResponse{
			Name: kind,
			Config: []*pluginv1.Field{
				{Name: "text", Type: text, DefaultJson: `"hello"`},
				{Name: "flag", Type: pluginv1.FieldType_FIELD_TYPE_BOOL},
				{Name: "count", Type: pluginv1.FieldType_FIELD_TYPE_INT, DefaultJson: "3"},
				{Name: "ratio", Type: pluginv1.FieldType_FIELD_TYPE_NUMBER},
				{Name: "wait", Type: pluginv1.FieldType_FIELD_TYPE_DURATION},
				{Name: "room", Type: pluginv1.FieldType_FIELD_TYPE_SIZE},
				{Name: "names", Type: list},
				{Name: "labels", Type: pluginv1.FieldType_FIELD_TYPE_STRING_MAP},
				{Name: "topic", Type: expression},
				{Name: "mode", Type: text, OneOf: []string{"message", "silent"}},
				{Name: "key", Type: text, Secret: true},
				{Name: "keys", Type: list, Secret: true},
			},
			RouteConfig: []*pluginv1.Field{{Name: "key", Type: text, Secret: true}},
		}
	}
	return &pluginv1.DescribeResponse{Name: kind}
}

func setTestEnv(t *testing.T) {
	t.Helper()
	t.Setenv("BRIDGE_TEST_SECRET", "hunter2-from-the-environment")
	t.Setenv("BRIDGE_TEST_EMPTY", "")
}

// TestBadFiles compares what an operator reads about each file of testdata/bad with the text beside
// it. The word hunter2 stands for whatever must not be shown.
func TestBadFiles(t *testing.T) {
	setTestEnv(t)
	files, err := filepath.Glob("testdata/bad/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		t.Run(strings.TrimSuffix(name, ".hcl"), func(t *testing.T) {
			src, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			c, diags := config.Parse(name, src)
			if c == nil && !diags.HasErrors() {
				t.Fatal("neither a Config nor errors")
			}
			if c != nil {
				for _, p := range c.Plugins {
					_, more := p.Resolve(describe(p.Type))
					diags.Append(more)
				}
			}
			if !diags.HasErrors() {
				t.Error("no errors")
			}
			got := show(t, diags)
			if strings.Contains(got, "hunter2") || strings.Contains(diags.Error(), "hunter2") {
				t.Errorf("a secret is shown:\n%s\n%s", got, diags.Error())
			}
			compare(t, strings.TrimSuffix(file, ".hcl")+".txt", got)
		})
	}
}

func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs.\ngot:\n%s\nwant:\n%s", file, got, want)
	}
}

func TestGoodFiles(t *testing.T) {
	setTestEnv(t)
	files, err := filepath.Glob("testdata/good/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal("no files", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			c, diags := config.Load(file)
			if diags.HasErrors() {
				t.Fatal(show(t, diags))
			}
			for _, p := range c.Plugins {
				if _, diags := p.Resolve(describe(p.Type)); diags.HasErrors() {
					t.Fatal(show(t, diags))
				}
			}
		})
	}
}
