//go:build linux

package test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// badPlugin is one that breaks the contract: how, and what the operator is told of it.
type badPlugin struct {
	name    string
	command []string // badplugin NAME when it is empty
	extra   string   // further attributes of the plugin block
	frames  int      // to be sent before it does; 0: it does not even start
	says    string   // in the log and in /api/plugins
	mend    string   // in /api/plugins
}

// bystanderBound is how long a session of another plugin may wait while others go wrong.
const bystanderBound = 5 * time.Second

// faultLimit is how long a fault may take to be seen.
const faultLimit = 10 * time.Second

// Whatever a plugin does that it must not do, it is named in the log and in /api/plugins, with what to
// do about it, and the sessions of another plugin never notice.
func TestBadPlugins(t *testing.T) {
	notExecutable := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(notExecutable, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	plugins := []badPlugin{
		{name: "foreign-actor", frames: 1, says: "does not exist", mend: "ack only events"},
		{name: "foreign-session", frames: 1, says: "is not of actor", mend: "only for the actor itself"},
		{name: "unknown-command", frames: 1, says: "unknown command", mend: "commands of the contract"},
		{name: "acks-twice", frames: 1, says: "step for event", mend: "once"},
		{name: "acks-in-disorder", frames: 2, says: "is next", mend: "in their order"},
		{name: "never-acks", frames: 1, extra: `event_timeout = "300ms"`, says: "hangs", mend: "event_timeout"},
		{name: "large-batch", frames: 1, says: "too large", mend: "smaller"},
		{name: "large-state", frames: 1, says: "bytes", mend: "max_state_bytes"},
		{name: "garbage", frames: 1, says: "malformed", mend: "LinkResponse"},
		{name: "ends-link", frames: 1, says: "ended its link", mend: "Link"},
		{name: "stdout", says: "remote plugin message", mend: "stdout"},
		{name: "no-grpc", says: "describe", mend: "Describe"},
		{name: "describe-dies", says: "exit status 4", mend: "Describe"},
		{name: "describe-garbage", says: "describe", mend: "Describe"},
		{name: "no-such-file", command: []string{"/no/such/plugin"}, says: "no such file", mend: "path"},
		{name: "not-executable", command: []string{notExecutable}, says: "permission denied", mend: "executable"},
		{name: "wrong-sum", extra: "sha256 = \"" + strings.Repeat("0", 64) + "\"", says: "checksum", mend: "sha256"},
	}
	testBadPlugins(t, plugins)
}

// The same holds for those that keep the core waiting at the start.
func TestPluginsThatDoNotStart(t *testing.T) { //nolint:tparallel // they share one bridge
	t.Parallel() // it is waiting, mostly
	testBadPlugins(t, []badPlugin{
		{name: "mute", says: "plugin", mend: "handshake"},
		{name: "describe-hangs", says: "describe", mend: "Describe"},
	})
}

// testBadPlugins runs the plugins beside a good one, in one bridge.
func testBadPlugins(t *testing.T, plugins []badPlugin) {
	t.Helper()
	file := harness.LinesPlugin("")
	for _, p := range plugins {
		file += p.block()
	}
	b := harness.Start(t, harness.Config{File: file, Unready: true})
	good := b.Plugin("lines").Pid
	others := harness.StartNeighbours(t, b.URL("/lines"), neighbours)
	for _, p := range plugins {
		t.Run(p.name, func(t *testing.T) { p.test(t, b) })
	}
	worst := others.Finish(t, bystanderBound)
	t.Logf("the other plugin's sessions waited at most %v", worst)
	if p := b.Plugin("lines"); p.Pid != good || p.Restarts != 0 {
		t.Errorf("the other plugin was process %d and is %d, with %d restarts", good, p.Pid, p.Restarts)
	}
}

func (p badPlugin) block() string {
	command := p.command
	if command == nil {
		command = []string{harness.Program("badplugin"), p.name}
	}
	return fmt.Sprintf("plugin %q {\n  command = [\"%s\"]\n  %s\n  route \"/%s\" {\n    auth = auth.none\n  }\n}\n",
		p.name, strings.Join(command, `", "`), p.extra, p.name)
}

func (p badPlugin) test(t *testing.T, b *harness.Bridge) {
	if p.frames == 0 {
		if ws, err := harness.Dial(b.URL("/" + p.name)); err == nil {
			harness.Close(ws)
			t.Error("a connection to a plugin that cannot start, want status 503")
		} else if !strings.HasSuffix(err.Error(), "status 503") {
			t.Error(err)
		}
	} else {
		p.provoke(t, b)
	}
	var got harness.Plugin
	if !harness.Eventually(faultLimit, func() bool {
		got = b.Plugin(p.name)
		return strings.Contains(got.Error, p.says) && strings.Contains(got.Mend, p.mend)
	}) {
		t.Errorf("/api/plugins has the error %q and the mend %q, want %q and %q", got.Error, got.Mend, p.says, p.mend)
	}
	if !harness.Eventually(faultLimit, func() bool { return b.Names(p.name, p.says) }) {
		t.Errorf("no line of the log names %q and says %q", p.name, p.says)
	}
	want := "running"
	if p.frames == 0 {
		want = "failing"
	}
	if !harness.Eventually(faultLimit, func() bool { return b.Plugin(p.name).State == want }) {
		t.Errorf("state %q, want %q", b.Plugin(p.name).State, want)
	}
}

// provoke sends the frames that the plugin does not take well, with another session beside.
func (p badPlugin) provoke(t *testing.T, b *harness.Bridge) {
	t.Helper()
	for range 2 {
		ws, err := harness.Dial(b.URL("/" + p.name))
		if err != nil {
			t.Fatal(err)
		}
		defer harness.Close(ws)
		for i := range p.frames {
			if err := harness.Send(ws, fmt.Sprintf("frame %d", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A plugin that fills stdout and stderr while it serves still serves.
func TestNoisyPlugin(t *testing.T) {
	b := harness.Start(t, harness.Config{File: badPlugin{name: "noisy"}.block()})
	l, err := harness.Dial(b.URL("/noisy"))
	if err != nil {
		t.Fatal(err)
	}
	defer harness.Close(l)
	for i := range 5 {
		got, err := harness.Ask(l, "make noise")
		if got != "done" || err != nil {
			t.Fatalf("answer %d: %q, error %v, want %q", i, got, err, "done")
		}
	}
	if p := b.Plugin("noisy"); p.Restarts != 0 || p.Error != "" {
		t.Errorf("%d restarts, error %q, want none", p.Restarts, p.Error)
	}
}
