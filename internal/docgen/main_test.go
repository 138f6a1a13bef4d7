package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/plugins"
)

// TestCurrent: the pages say what is declared.
func TestCurrent(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := renderAll(root)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("%s is not current: run `go generate ./plugins`", name)
		}
	}
}

// TestServers: what docgen describes are the built-in plugins, all of them.
func TestServers(t *testing.T) {
	var got, want []string
	for _, s := range servers {
		got = append(got, s.name)
	}
	for _, p := range plugins.Builtin {
		want = append(want, p.Name)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("servers are %q, the built-in plugins are %q: add what is missing to plugins.go", got, want)
	}
}

// TestIntro: what the introduction tells of expressions is so.
func TestIntro(t *testing.T) {
	for root, members := range expr.Members {
		row, _, _ := strings.Cut(after(intro, "| `"+root+"` |"), "\n")
		for _, m := range members {
			if !strings.Contains(row, "`"+m+"`") && !strings.Contains(row, "`"+root+"."+m+"`") {
				t.Errorf("the row of %q does not name %q: %s", root, m, row)
			}
		}
	}
	list, _, ok := strings.Cut(after(intro, "Functions: "), ".\n")
	if !ok {
		t.Fatal("no list of functions")
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.Trim(name, " \n`")
		_, diags := expr.Parse([]byte(name+"()"), "intro", hcl.InitialPos, nil)
		if strings.Contains(diags.Error(), "Unknown function") {
			t.Errorf("there is no function %q", name)
		}
	}
}

func after(s, mark string) string {
	_, rest, _ := strings.Cut(s, mark)
	return rest
}

// TestExamples: each example of the page is understood where it belongs.
func TestExamples(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"cert.pem", "key.pem", "site.pem"} {
		if err := os.WriteFile(name, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"OPS_PASSWORD_HASH", "CONSOLE_PASSWORD_HASH"} {
		t.Setenv(name, "$2y$12$"+strings.Repeat("a", 53))
	}
	for _, name := range []string{"LOGUX_CONTROL_SECRET", "BRIDGE_HOOK_SECRET", "BRIDGE_CLUSTER_SECRET", "JWT_SECRET"} {
		t.Setenv(name, "0123456789abcdef0123456789abcdef")
	}
	var file strings.Builder
	var add func(b *config.BlockSpec)
	add = func(b *config.BlockSpec) {
		if b.Type == "route" || b.Type == "limits" || b.Type == "tls" {
			return
		}
		file.WriteString(b.Example + "\n")
		for _, k := range b.Kinds {
			add(k)
		}
	}
	for _, b := range config.Spec().Blocks {
		add(b)
	}
	// What the blocks refer to, and those that stand in others.
	for _, b := range config.Spec().Blocks {
		for _, inner := range b.Blocks {
			switch inner.Type {
			case "route":
				file.WriteString("plugin \"more\" {\n" + strings.Replace(inner.Example, "/client", "/more", 1) + "\n}\n")
			case "tls":
				if b.Type == "listener" {
					file.WriteString("listener \"more\" {\n address = \"127.0.0.1:0\"\n" + inner.Example + "\n}\n")
				}
			}
		}
	}
	file.WriteString("plugin \"mesh\" {}\n")
	_, diags := config.Parse("examples.hcl", []byte(file.String()))
	for _, d := range diags.List() {
		switch d.Summary {
		case "Not supported by this version", "Static tokens beyond loopback":
			// The first is what the page says too; the second is the price of one file for all.
		default:
			t.Errorf("%s\nin\n%s", d.Error(), file.String())
		}
	}
}

// TestSetups: whole files become sections, and a file without a title is refused.
func TestSetups(t *testing.T) {
	dir := t.TempDir()
	if got, err := readSetups(dir); got != "" || err != nil {
		t.Errorf("an empty folder gives %q, %v", got, err)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("b.hcl", "# Second.\nadmin {\n}\n")
	write("a.hcl", "# First\n#\n# It says more:\n#\n#     curl\n\n# of this one\nlistener \"x\" {}\n")
	const want = "## Set-ups\n\nWhole files, to begin with.\n" +
		"\n### First\n\nIt says more:\n\n    curl\n\n[examples/setups/a.hcl](../examples/setups/a.hcl)\n\n```hcl\n# of this one\nlistener \"x\" {}\n```\n" +
		"\n### Second\n\n[examples/setups/b.hcl](../examples/setups/b.hcl)\n\n```hcl\nadmin {\n}\n```\n"
	if got, err := readSetups(dir); got != want || err != nil {
		t.Errorf("got\n%s%v\nwant\n%s", got, err, want)
	}
	write("c.hcl", "admin {}\n")
	if _, err := readSetups(dir); err == nil || !strings.Contains(err.Error(), "c.hcl") {
		t.Errorf("a file without a title: %v", err)
	}
}
