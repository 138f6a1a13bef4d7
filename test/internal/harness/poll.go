//go:build linux

package harness

import (
	"testing"
	"time"
)

// pollEvery is how often a condition is looked at.
const pollEvery = 10 * time.Millisecond

// Eventually waits until the condition holds, and reports whether it did within the limit.
func Eventually(limit time.Duration, holds func() bool) bool {
	if holds() {
		return true
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-tick.C {
		if holds() {
			return true
		}
	}
	return holds()
}

// Until fails the test when the condition does not hold within the limit; what says in words what
// was waited for.
func Until(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	if !Eventually(limit, holds) {
		t.Fatalf("not within %v: %s", limit, what)
	}
}

// Pause lets so much time go by: for what happens beside the test, never instead of waiting for it.
func Pause(d time.Duration) { <-time.After(d) }
