//go:build linux

package test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	// The example's tests are made of it, which tells the go command when to run them again.
	_ "github.com/protocol-bridge/bridge/sdk/plugintest"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const (
	// shoutDir holds an external plugin, which is a module of its own.
	shoutDir = "../examples/plugins/shout"
	guide    = "../docs/writing-a-plugin.md"
)

// program is what an external plugin's block in bridge.hcl names.
type program struct{ path, sum string }

// built makes the example's program, once; it is removed with the harness' own.
var built = sync.OnceValue(func() error {
	path := harness.Program("shout")
	if out, err := exec.Command("go", "build", "-C", shoutDir, "-o", path, ".").CombinedOutput(); err != nil {
		return fmt.Errorf("build the example: %w\n%s", err, out)
	}
	return nil
})

// buildShout makes the example's program. It reads the sources itself as well: by that the go command
// knows that results of before a change are not to be shown again.
func buildShout(t *testing.T) program {
	t.Helper()
	shoutFiles(t)
	if err := built(); err != nil {
		t.Fatal(err)
	}
	path := harness.Program("shout")
	return program{path, sumOf(t, path)}
}

func sumOf(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// shoutFiles returns the example's files by their path in its folder.
func shoutFiles(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	root := os.DirFS(shoutDir)
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// shoutBlocks are the blocks of bridge.hcl in which it stands beside the plugin lines; both have the
// channel "news".
func shoutBlocks(p program) string {
	return fmt.Sprintf(`
auth "static" "dev" {
  tokens = { ada-token = "ada", bob-token = "bob" }
}
upstream "dev" "echo" {}

plugin "shout" {
  command = [%q]
  sha256  = %q
  route "/shout" {
    auth     = auth.static.dev
    upstream = upstream.dev.echo
    channels = ["news"]
    config {
      greeting = "hello"
    }
  }
}
`, p.path, p.sum) + harness.LinesPlugin("")
}

// shouter is a client that has said who it is and joined a room.
func shouter(t *testing.T, b *harness.Bridge, name string) *harness.Lines {
	t.Helper()
	l := harness.MustDialLines(t, b.URL("/shout"))
	says(t, l, "HELLO "+name+"-token", "OK "+name)
	says(t, l, "JOIN lobby", "OK", "HERE "+name)
	return l
}

// says sends a line, unless it is empty, and reads the lines that must come.
func says(t *testing.T, l *harness.Lines, line string, want ...string) {
	t.Helper()
	if line != "" {
		if err := l.Send(line); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range want {
		if got, err := l.Read(harness.AnswerLimit); err != nil || got != w {
			t.Fatalf("after %q: got %q, %v, want %q", line, got, err, w)
		}
	}
}

// An external plugin of somebody else serves its protocol like a built-in one: in band
// authentication, rooms, the back-end, other protocols, refusals.
func TestShout(t *testing.T) {
	b := harness.Start(t, harness.Config{File: shoutBlocks(buildShout(t))})
	ada := shouter(t, b, "ada")
	bob := shouter(t, b, "bob")
	says(t, ada, "", "HERE bob")

	says(t, bob, "SHOUT good morning", "OK", "SAID bob: GOOD MORNING")
	says(t, ada, "", "SAID bob: GOOD MORNING")
	says(t, ada, `ASK {"n":1463786910324359168}`, `ANSWER {"n":1463786910324359168}`, "OK")
	says(t, ada, "WHISPER", "ERR unknown command")
	says(t, ada, "COUNT", "OK 3")

	lines := harness.MustDialLines(t, b.URL("/lines"))
	says(t, lines, "PUB news to all of you")
	says(t, ada, "", `GOT lines/said "to all of you"`)
	says(t, bob, "", `GOT lines/said "to all of you"`)

	stranger := harness.MustDialLines(t, b.URL("/shout"))
	says(t, stranger, "HELLO eve-token")
	if code, reason, err := stranger.AwaitClose(harness.AnswerLimit); code != 1008 || reason != "not welcome" {
		t.Errorf("a wrong token: closed with %d %q, %v", code, reason, err)
	}
}

// Whoever kills the process with -9 in the middle closes no connection: every command is answered
// once and counts once, and every shout is heard once, in order.
func TestShoutKilled(t *testing.T) {
	b := harness.Start(t, harness.Config{File: shoutBlocks(buildShout(t))})
	ada := shouter(t, b, "ada")
	bob := shouter(t, b, "bob")
	says(t, ada, "", "HERE bob")

	shouts := size(200, 60)
	for i := range shouts {
		if i%20 == 10 {
			if pid := b.Plugin("shout").Pid; pid != 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
			}
		}
		if err := ada.Send(fmt.Sprintf("SHOUT line %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range shouts {
		said := fmt.Sprintf("SAID ada: LINE %d", i)
		says(t, ada, "", "OK", said)
		says(t, bob, "", said)
	}
	says(t, ada, "COUNT", fmt.Sprintf("OK %d", shouts+2))
	says(t, bob, "COUNT", "OK 2")
	if b.Plugin("shout").Restarts == 0 {
		t.Error("no process was ever replaced: the story did not take place")
	}
}

// SIGHUP puts a newly built program in the place of the one that runs, without its clients noticing.
// Where bridge.hcl has the sum of another, the old one serves on.
func TestShoutReplaced(t *testing.T) {
	p := buildShout(t)
	data, err := os.ReadFile(p.path)
	if err != nil {
		t.Fatal(err)
	}
	p.path = filepath.Join(t.TempDir(), "shout") // others still need the first
	free := program{p.path, ""}
	tests := []struct {
		name     string
		blocks   string
		replaced bool
	}{
		{"any program", strings.Replace(shoutBlocks(free), "  sha256  = \"\"\n", "", 1), true},
		{"this program", shoutBlocks(p), false},
	}
	for _, test := range tests { // not parallel: they have one file
		t.Run(test.name, func(t *testing.T) {
			install(t, p.path, data)
			b := harness.Start(t, harness.Config{File: test.blocks})
			ada := shouter(t, b, "ada")
			before := b.Plugin("shout").Pid

			install(t, p.path, append(slices.Clip(data), "another"...))
			b.Signal(syscall.SIGHUP)
			if test.replaced {
				harness.Until(t, harness.AnswerLimit, "another process serves", func() bool {
					pid := b.Plugin("shout").Pid
					return pid != before && pid != 0
				})
			} else {
				harness.Until(t, harness.AnswerLimit, "the log says that the sum is another", func() bool {
					return b.Names("shout", "checksum of "+p.path+" is "+sumOf(t, p.path))
				})
				if pid := b.Plugin("shout").Pid; pid != before {
					t.Errorf("process %d serves, want %d", pid, before)
				}
			}
			says(t, ada, "SHOUT still here", "OK", "SAID ada: STILL HERE")
			says(t, ada, "COUNT", "OK 3")
		})
	}
}

// install puts a program where a running one may be: by a new file, as a build does.
func install(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// A program whose sum is not that of bridge.hcl never runs, and who operates it reads why and what to
// do.
func TestShoutWrongSum(t *testing.T) {
	p := buildShout(t)
	wrong := program{p.path, strings.Repeat("0", len(p.sum))}
	refusal := "checksum of " + p.path + " is " + p.sum + ", bridge.hcl allows only " + wrong.sum
	const mend = "put the program that was meant in its place, or the sum of this one into the plugin's sha256"

	t.Run("validate", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "bridge.hcl")
		text := "listener \"public\" {\n  address = \"127.0.0.1:0\"\n}\n" + shoutBlocks(wrong)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(harness.Program("bridge"), "validate", "--config", file)
		out, _ := cmd.CombinedOutput() // its status is looked at
		if status := cmd.ProcessState.ExitCode(); status != 1 || !strings.Contains(string(out), refusal) {
			t.Errorf("exit status %d, want 1, and %q in\n%s", status, refusal, out)
		}
	})
	t.Run("run", func(t *testing.T) {
		b := harness.Start(t, harness.Config{File: shoutBlocks(wrong), Unready: true})
		got := b.Plugin("shout")
		if got.Pid != 0 || !strings.Contains(got.Error, refusal) || got.Mend != mend {
			t.Errorf("/api/plugins says %+v\nwant %q and %q", got, refusal, mend)
		}
		if !b.Names("shout", refusal) {
			t.Errorf("the log does not say %q", refusal)
		}
		// Its neighbours serve.
		says(t, harness.MustDialLines(t, b.URL("/lines")), "ECHO here", "here")
	})
}

// The example's own tests hold: transcripts on three rungs, its README, its seeds for fuzzing.
func TestShoutModule(t *testing.T) {
	shoutFiles(t) // as in buildShout
	for _, args := range [][]string{
		{"vet", "-C", shoutDir, "./..."},
		{"test", "-C", shoutDir, "-timeout", "120s", "-short=" + strconv.FormatBool(testing.Short()), "./..."},
	} {
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			t.Errorf("go %s: %v (when the versions in go.mod have changed: go mod tidy in %s)\n%s",
				strings.Join(args, " "), err, shoutDir, out)
		}
	}
}

var (
	hexSum = regexp.MustCompile(`"[0-9a-f]{64}"`)
	// fence is a block of code, with the file before it that it is taken from.
	fence = regexp.MustCompile("(?s)(?:<!-- (\\S+) -->\n)?```(\\w+)\n(.*?)```")
)

// Every configuration in the example's README and in the guide is valid, with this program's sum.
func TestShoutConfigurations(t *testing.T) {
	p := buildShout(t)
	for _, file := range []string{shoutDir + "/README.md", guide} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		blocks := hclBlock.FindAllStringSubmatch(string(text), -1)
		if len(blocks) == 0 {
			t.Errorf("%s shows no configuration", file)
		}
		for i, b := range blocks {
			hcl := strings.ReplaceAll(b[1], `"./shout"`, fmt.Sprintf("%q", p.path))
			hcl = hexSum.ReplaceAllString(hcl, fmt.Sprintf("%q", p.sum))
			t.Run(fmt.Sprintf("%s %d", filepath.Base(file), i+1), func(t *testing.T) { validate(t, hcl) })
		}
	}
}

// Every block of Go in the guide stands in the file of the example that is named before it, and so does
// every other block with a name.
func TestGuide(t *testing.T) {
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	files := shoutFiles(t)
	found := 0
	for _, block := range fence.FindAllStringSubmatch(string(text), -1) {
		name, language, code := block[1], block[2], block[3]
		switch {
		case name != "":
			found++
			if !strings.Contains(files[name], code) {
				t.Errorf("%s of the example does not have\n%s", name, code)
			}
		case language == "go":
			t.Errorf("no file is named before\n%s", code)
		}
	}
	if found == 0 {
		t.Error("the guide shows nothing of the example")
	}
}
