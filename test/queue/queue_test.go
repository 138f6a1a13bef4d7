//go:build linux

package queue

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// What waits comes in order after a restart, each entry to one consumer, and in order to the next when that
// goes; what a client has no room for is refused.
func TestQueues(t *testing.T) {
	dir := dataDir(t)
	b := harness.Start(t, harness.Config{Head: headAt(dir), File: jobs("topic_size = 300\n max_topics = 2")})
	p := dial(t, b)
	push(p, "a", 0, 300)
	p.say("push a more")
	p.expect("pushed more denied full")
	push(p, "b", 0, 1)
	p.say("push c x")
	p.expect("pushed x denied too many topics")
	p.say("push $a x")
	p.expect("pushed x denied not a topic")
	p.say("pop 5 b c")
	p.expect("popped denied too many topics")
	p.nothing()
	_ = p.ws.Close()
	if status := b.Stop(); status != 0 {
		t.Fatalf("exit status %d", status)
	}

	b = harness.Start(t, harness.Config{Head: headAt(dir), File: jobs("topic_size = 300\n max_topics = 2")})
	c := dial(t, b)
	c.say("pop 256 a b")
	c.expect("popped ok")
	seen := make(map[string]bool)
	var ofA []string
	for range 301 {
		line, err := c.hear()
		if err != nil {
			t.Fatal(err)
		}
		seen[line] = true
		if field(line, 1) == "a" {
			ofA = append(ofA, line)
		}
	}
	if want := got("a", 1, 0, 300); strings.Join(ofA, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %v", ofA)
	}
	if !seen["got b 1 0"] {
		t.Error("nothing of b")
	}
	c.say("unpop a b")
	c.expect("unpopped ok")
	p = dial(t, b)
	push(p, "a", 0, 10)
	c.nothing()
	other := dial(t, b)
	other.say("keep")
	other.expect("keeping")
	other.say("pop 4 a")
	other.expect("popped ok")
	other.expect(got("a", 1, 0, 4)...) // sent, not settled
	other.nothing()
	_ = other.ws.Close()
	last := dial(t, b)
	last.say("pop 256 a")
	last.expect("popped ok")
	last.expect(got("a", 2, 0, 4)...)
	last.expect(got("a", 1, 4, 10)...)
	metrics := scrape(t, b)
	for _, want := range []string{`bridge_queue_depth{topic="b"} 0`, `bridge_mesh_topic_depth{topic="a"} `, `bridge_queue_pushes_total{topic="a"} 10`, `bridge_mesh_redelivered_total{topic="a"} 4`} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics have no %s", want)
		}
	}
}

func scrape(t *testing.T, b *harness.Bridge) string {
	t.Helper()
	resp, err := http.Get("http://" + b.AddressOf("admin") + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A consumer whose plugin dies gets what it had not settled again, on the same connection.
func TestPluginDies(t *testing.T) {
	b := harness.Start(t, harness.Config{File: jobs("")})
	c := dial(t, b)
	c.say("pop 8 a")
	c.expect("popped ok")
	p := dial(t, b)
	for i := range 50 {
		if i%10 == 5 {
			if err := syscall.Kill(b.Plugin("jobs").Pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		push(p, "a", i, i+1)
	}
	c.expect(got("a", 1, 0, 50)...)
}

// How what is stored gets to disk is one for the whole store.
func TestSyncNeedsRestart(t *testing.T) {
	b := harness.Start(t, harness.Config{File: jobs(`sync = "interval"`)})
	if said, ok := b.Reload(jobs(`sync = "always"`)); ok || !strings.Contains(strings.Join(said, " "), `queues are stored with sync = "interval"`) {
		t.Errorf("reload: %v %v", ok, said)
	}
	if said, ok := b.Reload(jobs("sync = \"interval\"\ntopic_size = 1")); !ok {
		t.Errorf("reload: %v", said)
	}
	p := dial(t, b)
	push(p, "a", 0, 1)
	p.say("push a x")
	p.expect("pushed x denied full")
}

// A bridge without queues has no store, and one that is only checked makes none.
func TestNoStoreWithoutUse(t *testing.T) {
	dir := dataDir(t)
	b := harness.Start(t, harness.Config{Head: headAt(dir)})
	b.Stop()
	file := filepath.Join(dir, "bridge.hcl")
	if err := os.WriteFile(file, []byte(headAt(dir)+jobs("")), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(harness.Program("bridge"), "validate", "--config", file).CombinedOutput(); err != nil {
		t.Errorf("%v %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, "queue")); !os.IsNotExist(err) {
		t.Errorf("there is a store: %v", err)
	}
}

// What waits is taken to another bridge by export and import; a running one is not touched.
func TestExportAndImport(t *testing.T) {
	from, to := dataDir(t), dataDir(t)
	file := filepath.Join(from, "queues.jsonl")
	command := func(verb, dir string) (int, string) {
		hcl := filepath.Join(dir, "bridge.hcl")
		if err := os.WriteFile(hcl, []byte(headAt(dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(harness.Program("bridge"), "queue", verb, "--config", hcl, file)
		out, _ := cmd.CombinedOutput() // its status is looked at
		return cmd.ProcessState.ExitCode(), string(out)
	}
	b := harness.Start(t, harness.Config{Head: headAt(from), File: jobs("")})
	p := dial(t, b)
	push(p, "a", 0, 200)
	_ = p.ws.Close()
	if status, said := command("export", from); status != 1 || !strings.Contains(said, "uses data_dir") {
		t.Errorf("of a running one: %d %s", status, said)
	}
	b.Stop()
	if status, said := command("export", from); status != 0 || said != "200 entries are in "+file+".\n" {
		t.Errorf("export: %d %s", status, said)
	}
	if status, said := command("export", from); status != 1 || !strings.Contains(said, "is there already") {
		t.Errorf("export onto it: %d %s", status, said)
	}
	if status, said := command("import", to); status != 0 || said != "200 entries of "+file+" are stored.\n" {
		t.Errorf("import: %d %s", status, said)
	}
	b = harness.Start(t, harness.Config{Head: headAt(to), File: jobs("")})
	c := dial(t, b)
	c.say("pop 256 a")
	c.expect("popped ok")
	c.expect(got("a", 1, 0, 200)...)
}
