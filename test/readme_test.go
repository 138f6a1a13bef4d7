//go:build linux

package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

var hclBlock = regexp.MustCompile("(?s)```hcl\n(.*?)```")

// TestReadmes: every configuration that a plugin's README shows is valid to the command, the plugin's
// own block included.
func TestReadmes(t *testing.T) {
	files, err := filepath.Glob("../plugins/*/README.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no README of a plugin: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, section := range []string{"Synopsis", "Description", "Configuration", "Examples", "Messages", "Guarantees", "Metrics", "Bugs"} {
			if !strings.Contains(string(text), "\n## "+section+"\n") {
				t.Errorf("%s has no section %s", file, section)
			}
		}
		blocks := hclBlock.FindAllStringSubmatch(string(text), -1)
		if len(blocks) == 0 {
			t.Errorf("%s shows no configuration", file)
		}
		for i, b := range blocks {
			name := fmt.Sprintf("%s %d", filepath.Base(filepath.Dir(file)), i+1)
			t.Run(name, func(t *testing.T) { validate(t, b[1]) })
		}
	}
}

// TestMigrationPage: so are those of the page for who comes from a Logux server.
func TestMigrationPage(t *testing.T) {
	text, err := os.ReadFile("../docs/logux-migration.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := hclBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Error("it shows no configuration")
	}
	for _, b := range blocks {
		validate(t, b[1], "LOGUX_CONTROL_SECRET="+harness.Secret)
	}
}

// TestRepositoryConfiguration: the file that `bridge` runs in the repository is valid.
func TestRepositoryConfiguration(t *testing.T) {
	text, err := os.ReadFile("../bridge.hcl")
	if err != nil {
		t.Fatal(err)
	}
	validate(t, string(text))
}

func validate(t *testing.T, hcl string, environ ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bridge.hcl")
	if err := os.WriteFile(file, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(harness.Program("bridge"), "validate", "--config", file)
	cmd.Env = append(os.Environ(), environ...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
