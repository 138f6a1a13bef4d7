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

// TestRepositoryConfiguration: the file that `bridge` runs in the repository is valid.
func TestRepositoryConfiguration(t *testing.T) {
	text, err := os.ReadFile("../bridge.hcl")
	if err != nil {
		t.Fatal(err)
	}
	validate(t, string(text))
}

func validate(t *testing.T, hcl string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "bridge.hcl")
	if err := os.WriteFile(file, []byte(hcl), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(harness.Program("bridge"), "validate", "--config", file).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
