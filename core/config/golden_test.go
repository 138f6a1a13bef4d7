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
	secret := &pluginv1.Field{Name: "secret", Type: text, Secret: true}
	switch kind {
	case "ctproto":
		return ctproto()
	case "logux":
		return &pluginv1.DescribeResponse{
			Name: kind,
			Roles: []*pluginv1.Role{
				{Name: "server", Doc: "Logux clients", Auth: pluginv1.Auth_AUTH_IN_BAND},
				{Name: "control", Doc: "back-ends", Auth: pluginv1.Auth_AUTH_OWN},
				{Name: "backend", Doc: "an existing Logux server", Auth: pluginv1.Auth_AUTH_OWN},
				{Name: "relay", Doc: "passes actions on", Auth: pluginv1.Auth_AUTH_OWN},
			},
			RouteConfig: []*pluginv1.Field{{Name: "control_secret", Type: text, Secret: true}, {Name: "control_mask", Type: list}, secret},
		}
	case "mesh":
		const whole = pluginv1.FieldType_FIELD_TYPE_INT
		return &pluginv1.DescribeResponse{
			Name: kind,
			Roles: []*pluginv1.Role{
				{Name: "api", Doc: "back-ends", Auth: pluginv1.Auth_AUTH_HANDSHAKE},
				{Name: "client", Doc: "end users", Auth: pluginv1.Auth_AUTH_HANDSHAKE},
			},
			Config:      []*pluginv1.Field{{Name: "topic_size", Type: whole}, {Name: "max_topics", Type: whole}},
			RouteConfig: []*pluginv1.Field{{Name: "topic", Type: expression}, {Name: "token", Type: expression}},
		}
	case "chat":
		return &pluginv1.DescribeResponse{
			Name:   kind,
			Roles:  []*pluginv1.Role{{Doc: "clients", Auth: pluginv1.Auth_AUTH_OWN, Transports: []pluginv1.Transport{pluginv1.Transport_TRANSPORT_WEBSOCKET, pluginv1.Transport_TRANSPORT_TCP}}},
			Config: []*pluginv1.Field{{Name: "database", Type: text}, {Name: "signup", Type: pluginv1.FieldType_FIELD_TYPE_BOOL}},
		}
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
	t.Setenv("BRIDGE_TEST_LONG_SECRET", "hunter2-hunter2-hunter2-hunter2-of-the-environment")
	t.Setenv("BRIDGE_TEST_EMPTY", "")
	t.Setenv("BRIDGE_TEST_HASH", "$2b$10$"+strings.Repeat("hunter2", 8)[:53])
	for _, name := range []string{"LOGUX_CONTROL_SECRET", "BRIDGE_HOOK_SECRET", "BRIDGE_CLUSTER_SECRET"} {
		t.Setenv(name, "hunter2-of-"+name)
	}
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
