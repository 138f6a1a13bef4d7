//go:build linux

package test

import (
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// newcomerLimit is how long a session that is opened while the plugin hangs may take to authorize.
// That is the event timeout, two seconds here, and what a busy machine needs to start an instance.
const newcomerLimit = 15 * time.Second

// A plugin that stops is replaced after event_timeout: no connection is closed, every request is
// answered once and asked once, and who connects meanwhile gets authorized.
func TestHungPlugin(t *testing.T) {
	backend := harness.StartBackend(t)
	b := harness.Start(t, harness.Config{File: ctproto(backend, `  event_timeout = "2s"`)})
	load := startLoad(t, b.URL("/client"), backend)

	worst := time.Duration(0)
	for range size(3, 1) {
		harness.Pause(size(time.Second, 200*time.Millisecond))
		hung := b.Plugin("ctproto").Pid
		if err := syscall.Kill(hung, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		worst = max(worst, authorizeMeanwhile(t, b, hung))
		if alive := syscall.Kill(hung, 0); alive == nil {
			t.Errorf("process %d hangs and was not ended", hung)
		}
	}
	report := load.Finish(t)
	t.Logf("newcomers were authorized after at most %v; %v", worst.Round(time.Millisecond), report)
}

// authorizeMeanwhile opens sessions until the process hangs no more. It returns the longest that one
// took to be authorized.
func authorizeMeanwhile(t *testing.T, b *harness.Bridge, hung int) time.Duration {
	t.Helper()
	type result struct {
		took time.Duration
		err  error
	}
	results := make(chan result)
	opened := 0
	every := time.NewTicker(100 * time.Millisecond)
	defer every.Stop()
	for opened < 5 || b.Plugin("ctproto").Pid == hung {
		if opened++; opened > 100 {
			t.Fatalf("process %d hangs and is not replaced", hung)
		}
		go func() {
			start := time.Now()
			ws, err := harness.DialCTProto(b.URL("/client"))
			if err == nil {
				harness.Close(ws)
			}
			results <- result{time.Since(start), err}
		}()
		<-every.C
	}
	worst := time.Duration(0)
	for range opened {
		r := <-results
		if r.err != nil {
			t.Errorf("a session opened while the plugin hung: %v", r.err)
		}
		worst = max(worst, r.took)
	}
	if worst > newcomerLimit {
		t.Errorf("a session was authorized after %v, want at most %v", worst, newcomerLimit)
	}
	return worst
}
