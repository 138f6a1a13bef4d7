//go:build linux

package test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const replaceEvery = 500 * time.Millisecond

// round is part of a plugin's block that differs from time to time, so that a reload replaces its
// process.
func round(n int) string { return fmt.Sprintf("  env = { ROUND = %d }", n) }

// A reload puts a new process in the place of the plugin's, again and again: no connection is closed,
// every request is answered once, and the back-end is asked each once.
func TestReplaceUnderLoad(t *testing.T) {
	backend := harness.StartBackend(t)
	b := harness.Start(t, harness.Config{File: ctproto(backend, "")})
	load := startLoad(t, b.URL("/client"), backend)

	replaced := 0
	every := time.NewTicker(replaceEvery)
	defer every.Stop()
	for end := time.Now().Add(size(10*time.Second, time.Second)); time.Now().Before(end); replaced++ {
		<-every.C
		old := b.Plugin("ctproto").Pid
		b.Reload(ctproto(backend, round(replaced)))
		harness.Until(t, harness.AnswerLimit, "another process serves", func() bool {
			pid := b.Plugin("ctproto").Pid
			return pid != old && pid != 0
		})
	}
	report := load.Finish(t)
	p := b.Plugin("ctproto")
	t.Logf("%d times replaced: %v", replaced, report)
	if p.Restarts != 0 {
		t.Errorf("%d processes ended rather than being replaced", p.Restarts)
	}
	harness.Until(t, harness.AnswerLimit, "only the last process is left", func() bool {
		children := b.Children()
		return len(children) == 1 && children[0] == p.Pid
	})
}

// And it holds when another program lies where the plugin's was, which then serves.
func TestSwapUnderLoad(t *testing.T) {
	data, err := os.ReadFile(harness.Program("bridge"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ctproto")
	install(t, path, data)
	backend := harness.StartBackend(t)
	file := ctproto(backend, fmt.Sprintf("  command = [%q, \"plugin\", \"ctproto\"]", path))
	b := harness.Start(t, harness.Config{File: file})
	load := startLoad(t, b.URL("/client"), backend)
	swaps := size(5, 2)
	for i := range swaps {
		harness.Pause(replaceEvery / 2)
		install(t, path, fmt.Appendf(slices.Clip(data), "version %d", i)) // what stands behind a program is not run
		old := b.Plugin("ctproto").Pid
		if lines, ok := b.Reload(file); !ok || !slices.Equal(lines, []string{"~ plugin ctproto: program; new process, all sessions stay"}) {
			t.Errorf("reload: %q", lines)
		}
		if p := b.Plugin("ctproto"); p.Pid == old || p.Pid == 0 {
			t.Errorf("process %d serves, want another than %d", p.Pid, old)
		}
	}
	t.Logf("%d times swapped: %v", swaps, load.Finish(t))
}

// The same holds when processes are killed while they are being replaced.
func TestReplaceAndKillUnderLoad(t *testing.T) {
	backend := harness.StartBackend(t)
	b := harness.Start(t, harness.Config{File: ctproto(backend, "  standby = true")})
	load := startLoad(t, b.URL("/client"), backend)

	kills := 0
	every := time.NewTicker(replaceEvery / 5)
	defer every.Stop()
	for end, i := time.Now().Add(size(6*time.Second, time.Second)), 0; time.Now().Before(end); i++ {
		<-every.C
		if i%5 == 0 {
			b.Write(ctproto(backend, "  standby = true\n"+round(i)))
			b.Signal(syscall.SIGHUP)
		}
		if i%4 != 0 {
			continue
		}
		for _, pid := range b.Children() {
			if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
				kills++
			}
		}
	}
	t.Logf("%d kills: %v", kills, load.Finish(t))
}

// A node inside this process shows that replacing and ending leave nothing running.
func TestReplaceLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	dir := t.TempDir()
	const head = "data_dir = \"data\"\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n}\n"
	file := filepath.Join(dir, "bridge.hcl")
	write := func(n int) {
		text := head + harness.AuthBlock + "upstream \"dev\" \"echo\" {}\nplugin \"ctproto\" {\n" + round(n) +
			"\n  route \"/client\" {\n    auth     = auth.static.dev\n    upstream = upstream.dev.echo\n  }\n}\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(0)
	cfg, diags := config.Load(file)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	reload, at, ended := make(chan struct{}), make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- core.Run(ctx, cfg, core.Options{
			Logger: slog.New(slog.DiscardHandler), Reload: reload,
			Builtin: func(typ string) ([]string, bool) {
				return []string{harness.Program("bridge"), "plugin", typ}, true
			},
			Started: func(addresses map[string]string) { at <- addresses["public"] },
		})
	}()
	sessions := make([]*harness.Raw, 20)
	address := <-at
	for i := range sessions {
		r, err := harness.DialRaw(address, "/client")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		if err := r.Authorize(); err != nil {
			t.Fatal(err)
		}
		sessions[i] = r
	}
	for i := range size(10, 3) {
		write(i + 1)
		reload <- struct{}{} // taken once the one before is done
		askAll(t, sessions, func(payload string) string { return payload })
	}
	stop()
	for i, r := range sessions {
		if frame, err := r.Read(harness.AnswerLimit); err == nil {
			t.Errorf("session %d got %q, want a close", i, frame)
		}
		r.Close()
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
