//go:build linux

package test

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const (
	idleSessions = 10_000
	// Descriptors that the test and the core need besides one for each session.
	otherDescriptors = 1000
	dialers          = 32

	// The protocol's own time to authorize, and what a busy machine may add to it.
	authorizeTime  = 3 * time.Second
	authorizeSlack = 4 * time.Second
	tryAgainLater  = 1013

	// returnLimit is how much more memory the core may have, once all sessions are gone, than before
	// they came, of the 60 MiB that they took: the runtime keeps its goroutines' descriptors and the
	// heap its holes, while sessions that are held on to show as 48 MiB and more.
	returnLimit = 36 << 20
)

// Ten thousand sessions that do nothing notice nothing when the plugin is killed; timers fire all the
// same, for those that never authorized and for those that set one; and when all have gone the core
// has its memory back.
func TestIdleSessionsOutliveThePlugin(t *testing.T) {
	n := sessionsWithin(t, size(idleSessions, 1000))
	// The limit lets the core's collector run soon after the sessions are gone, as an operator would
	// have it.
	b := harness.Start(t, harness.Config{
		File: ctproto(harness.StartBackend(t), "") + harness.LinesPlugin(""),
		Env:  []string{"GOMEMLIMIT=64MiB", "GOGC=100"}, // a small heap is collected as well
	})
	visit(t, b, 500) // what is allocated once, is
	before := harness.RSS(b.Pid())

	start := time.Now()
	idle := openIdle(t, b, n)
	opened := time.Since(start)
	full := harness.RSS(b.Pid())

	var running sync.WaitGroup
	running.Go(func() { neverAuthorize(t, b) })
	running.Go(func() { setTimers(t, b) })
	for range 2 {
		harness.Pause(authorizeTime / 3)
		for _, pid := range b.Children() {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Errorf("kill %d: %v", pid, err)
			}
		}
	}
	running.Wait()
	start = time.Now()
	askAll(t, idle, func(string) string { return "{}" })
	asked := time.Since(start)

	for _, r := range idle {
		r.Close()
	}
	harness.Until(t, harness.AnswerLimit, "all sessions are gone", func() bool {
		return b.Plugin("ctproto").Sessions == 0 && b.Plugin("lines").Sessions == 0
	})
	returned := harness.Eventually(harness.AnswerLimit, func() bool {
		visit(t, b, 100) // who allocates nothing collects nothing
		return harness.RSS(b.Pid()) <= before+returnLimit
	})
	after := harness.RSS(b.Pid())
	t.Logf("%d sessions opened in %v, asked in %v; core: %s before, %s with them (%d bytes each), %s after",
		n, opened.Round(time.Millisecond), asked.Round(time.Millisecond),
		harness.MiB(before), harness.MiB(full), (full-before)/int64(n), harness.MiB(after))
	if !returned {
		t.Errorf("the core has %s more than before, want at most %s", harness.MiB(after-before), harness.MiB(returnLimit))
	}
}

// sessionsWithin is n, or what the limit of descriptors leaves of it.
func sessionsWithin(t *testing.T, n int) int {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil { // the bridge inherits it
		t.Fatal(err)
	}
	if most := int(min(limit.Max, 1<<20)) - otherDescriptors; most < n {
		t.Logf("%d descriptors are allowed: %d sessions instead of %d", limit.Max, most, n)
		return most
	}
	return n
}

// inParallel calls f for 0 to n-1, some at a time, and fails the test with the first errors.
func inParallel(t *testing.T, n int, f func(i int) error) {
	t.Helper()
	var running sync.WaitGroup
	errs := make(chan error, n)
	for d := range dialers {
		running.Go(func() {
			for i := d; i < n; i += dialers {
				if err := f(i); err != nil {
					errs <- fmt.Errorf("session %d: %w", i, err)
				}
			}
		})
	}
	running.Wait()
	close(errs)
	shown := 0
	for err := range errs {
		if shown++; shown > 5 {
			t.Fatalf("and %d errors more", len(errs)+1)
		}
		t.Error(err)
	}
}

func openIdle(t *testing.T, b *harness.Bridge, n int) []*harness.Raw {
	t.Helper()
	all := make([]*harness.Raw, n)
	t.Cleanup(func() {
		for _, r := range all {
			if r != nil {
				r.Close()
			}
		}
	})
	inParallel(t, n, func(i int) error {
		r, err := harness.DialRaw(b.Address(), "/client")
		if err != nil {
			return err
		}
		all[i] = r
		return r.Authorize()
	})
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// visit opens and closes so many sessions.
func visit(t *testing.T, b *harness.Bridge, n int) {
	t.Helper()
	inParallel(t, n, func(int) error {
		r, err := harness.DialRaw(b.Address(), "/client")
		if err != nil {
			return err
		}
		defer r.Close()
		return r.Authorize()
	})
}

// askAll has every session ask and be answered with what the back-end makes of the payload.
func askAll(t *testing.T, all []*harness.Raw, answer func(payload string) string) {
	t.Helper()
	inParallel(t, len(all), func(i int) error {
		payload := fmt.Sprintf(`{"s":%d,"silent":true}`, i)
		want := fmt.Sprintf(`{"messageId":"%010d","payload":%s}`, i, answer(payload))
		if err := all[i].Send(fmt.Sprintf(`{"messageId":"%010d","type":%q,"payload":%s}`, i, harness.QuestionType, payload)); err != nil {
			return err
		}
		got, err := all[i].Read(harness.AnswerLimit)
		if err == nil && got != want {
			err = fmt.Errorf("answer %q, want %q", got, want)
		}
		return err
	})
}

// neverAuthorize opens sessions that do not authorize, and checks how they end.
func neverAuthorize(t *testing.T, b *harness.Bridge) {
	t.Helper()
	inParallel(t, 50, func(int) error {
		start := time.Now()
		r, err := harness.DialRaw(b.Address(), "/client")
		if err != nil {
			return err
		}
		defer r.Close()
		_, err = r.Read(harness.AnswerLimit)
		took := time.Since(start)
		var closed *harness.CloseError
		if !errors.As(err, &closed) || closed.Code != tryAgainLater || closed.Reason != "Authorization required" {
			return fmt.Errorf("end %w, want close %d %q", err, tryAgainLater, "Authorization required")
		}
		if took < authorizeTime || took > authorizeTime+authorizeSlack {
			return fmt.Errorf("closed after %v, want %v", took, authorizeTime)
		}
		return nil
	})
}

// setTimers opens sessions of lines that wait for a timer of theirs.
func setTimers(t *testing.T, b *harness.Bridge) {
	t.Helper()
	inParallel(t, 50, func(int) error {
		l, err := harness.DialLines(b.URL("/lines"))
		if err != nil {
			return err
		}
		defer l.Close()
		start := time.Now()
		got, err := l.Ask(fmt.Sprintf("TIMER %d", authorizeTime.Milliseconds()))
		took := time.Since(start)
		if err != nil || got != "timer" {
			return fmt.Errorf("timer: %q, error %w", got, err)
		}
		if took < authorizeTime || took > authorizeTime+authorizeSlack {
			return fmt.Errorf("timer after %v, want %v", took, authorizeTime)
		}
		return nil
	})
}
