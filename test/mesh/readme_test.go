//go:build linux

package mesh

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestReadmeExamples runs what README.md shows in other languages.
func TestReadmeExamples(t *testing.T) {
	text, err := os.ReadFile("../../plugins/mesh/README.md")
	if err != nil {
		t.Fatal(err)
	}
	b := harness.Start(t, config("", ""))
	api := "http://" + b.Address()
	for _, tt := range []struct{ language, program, file, want string }{
		{"sh", "sh", "example.sh", "{\"E\":null,\"r\":{\"s\":0,\"f\":0}}{\"E\":{\"c\":401,\"m\":\"failed to send\"}}"},
		{"js", "node", "example.mjs", "0 got it, 0 did not\n"},
		{"python", "python3", "example.py", "0 got it, 0 did not\n"},
		{"php", "php", "example.php", "0 got it, 0 did not\n"},
	} {
		t.Run(tt.language, func(t *testing.T) {
			m := regexp.MustCompile("(?s)```" + tt.language + "\n(.*?)```").FindStringSubmatch(string(text))
			if m == nil {
				t.Fatal("there is no example")
			}
			mustHave(t, tt.program)
			file := filepath.Join(t.TempDir(), tt.file)
			write(t, file, strings.ReplaceAll(m[1], "curl -s http://127.0.0.1:6789", "curl -s "+api))
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			cmd := exec.CommandContext(ctx, tt.program, file)
			cmd.Env = append(os.Environ(), "MESH_API="+api)
			out, err := cmd.CombinedOutput()
			if err != nil || string(out) != tt.want {
				t.Errorf("got %q, %v, want %q", out, err, tt.want)
			}
		})
	}
}

func mustHave(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if os.Getenv("CI") == "" {
			t.Skip(program, "is not here")
		}
		t.Fatal(err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestReadmeConsumer runs the consumer that README.md shows, with the package ws of npm.
func TestReadmeConsumer(t *testing.T) {
	mustHave(t, "node")
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	modules := filepath.Join(root, "test", "ctproto", "node_modules")
	if _, err := os.Stat(filepath.Join(modules, "ws")); err != nil {
		if os.Getenv("CI") == "" {
			t.Skip("the packages of npm are not here: npm ci --prefix test/ctproto")
		}
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../plugins/mesh/README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)```mjs\n(.*?)```").FindStringSubmatch(string(text))
	if m == nil {
		t.Fatal("there is no example")
	}
	cfg := config("", "")
	cfg.File = strings.Replace(cfg.File, `topic = "chat"`, `topic = "inbox"`, 1)
	b := harness.Start(t, cfg)
	dir := t.TempDir()
	if err := os.Symlink(modules, filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "consumer.mjs"), m[1])
	ctx, cancel := context.WithCancel(t.Context())
	cmd := exec.CommandContext(ctx, "node", "consumer.mjs")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "MESH_API=http://"+b.Address())
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	user := endUser(t, b)
	for _, text := range []string{"hello", "\u00e9\"\n", ""} {
		user.send(text)
		user.want("received: " + text)
	}
	cancel()
	_ = cmd.Wait() // it was killed
	if out.Len() > 0 {
		t.Errorf("it says %s", out)
	}
}
