//go:build linux

package test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const goingAway = 1001

// bothPlugins are a built-in and an external plugin.
func bothPlugins(t *testing.T) string {
	t.Helper()
	return ctproto(harness.StartBackend(t), "") + harness.LinesPlugin("")
}

// SIGTERM says good-bye to every client, ends with status 0, and leaves neither a process nor a file.
func TestTerminate(t *testing.T) {
	b := harness.Start(t, harness.Config{File: bothPlugins(t)})
	const each = 20
	ends := make(chan string, 2*each)
	for range each {
		ws, err := harness.DialCTProto(b.URL("/client"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ws.Close() })
		for _, conn := range []func(time.Duration) (int, string, error){
			func(limit time.Duration) (int, string, error) { return harness.AwaitClose(ws, limit) },
			harness.MustDialLines(t, b.URL("/lines")).AwaitClose,
		} {
			go func() {
				code, reason, err := conn(harness.AnswerLimit)
				switch {
				case err != nil:
					ends <- err.Error()
				case code != goingAway:
					ends <- reason
				default:
					ends <- ""
				}
			}()
		}
	}
	children := b.Children()
	if len(children) != 2 {
		t.Errorf("children %v, want one for each plugin", children)
	}
	start := time.Now()
	if status := b.Stop(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	t.Logf("ended after %v", time.Since(start).Round(time.Millisecond))
	if still := b.Children(); len(still) > 0 {
		t.Errorf("processes %v are there after the end", still)
	}
	if left := b.Left(); len(left) > 0 {
		t.Errorf("left in TMPDIR: %q", left)
	}
	for range 2 * each {
		if end := <-ends; end != "" {
			t.Errorf("a client was not closed with %d: %s", goingAway, end)
		}
	}
}

// When the core is killed its plugins end by themselves, and take their sockets along.
func TestCoreKilled(t *testing.T) {
	b := harness.Start(t, harness.Config{File: bothPlugins(t)})
	others := harness.MustDialLines(t, b.URL("/lines"))
	killCore(t, b)
	if _, _, err := others.AwaitClose(harness.AnswerLimit); err == nil {
		t.Error("a close frame from a core that was killed")
	}
}

// That holds for a plugin that is stopped, too: the kernel wakes it.
func TestCoreKilledWhilePluginIsStopped(t *testing.T) {
	b := harness.Start(t, harness.Config{File: bothPlugins(t)})
	for _, pid := range b.Children() {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		harness.Until(t, harness.AnswerLimit, "the plugin is stopped", func() bool { return harness.Stopped(pid) })
	}
	killCore(t, b)
}

// And for one that is at an event which never ends.
func TestCoreKilledWhilePluginHangs(t *testing.T) {
	b := harness.Start(t, harness.Config{File: bothPlugins(t)})
	for range 10 {
		l := harness.MustDialLines(t, b.URL("/lines"))
		if err := l.Send("SLEEP 60000"); err != nil {
			t.Fatal(err)
		}
	}
	l := harness.MustDialLines(t, b.URL("/lines"))
	if _, err := l.Ask("ECHO they have begun"); err != nil {
		t.Fatal(err)
	}
	killCore(t, b)
}

// And for one that is just starting, and finds nobody to read its handshake.
func TestCoreKilledWhilePluginStarts(t *testing.T) {
	file := harness.LinesPlugin("")
	for i := range size(10, 5) {
		b := harness.Start(t, harness.Config{File: file, Starting: true})
		harness.Until(t, harness.AnswerLimit, "the plugin's process is there", func() bool { return len(b.Children()) > 0 })
		harness.Pause(time.Duration(3*i) * time.Millisecond)
		b.Kill()
		b.CheckNothingLeft()
	}
}

// SIGTERM says good-bye to clients whose plugin is stopped, too, and ends all the same.
func TestTerminateWhilePluginIsStopped(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	b := harness.Start(t, harness.Config{File: bothPlugins(t)})
	l := harness.MustDialLines(t, b.URL("/lines"))
	for _, pid := range b.Children() {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() {
		code, reason, err := l.AwaitClose(harness.AnswerLimit)
		if err == nil && code != goingAway {
			err = fmt.Errorf("close %d %q, want %d", code, reason, goingAway)
		}
		ended <- err
	}()
	start := time.Now()
	if status := b.Stop(); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	t.Logf("ended after %v", time.Since(start).Round(time.Millisecond))
	b.CheckNothingLeft()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func killCore(t *testing.T, b *harness.Bridge) {
	t.Helper()
	if children := b.Children(); len(children) != 2 {
		t.Errorf("children %v, want one for each plugin", children)
	}
	b.Kill()
	b.CheckNothingLeft()
}
