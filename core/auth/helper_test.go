package auth

import (
	"io"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
)

// clock is a time that tests set.
type clock struct{ at chan time.Time }

// newClock returns a clock that stands at a whole second of the present.
func newClock() *clock {
	c := &clock{make(chan time.Time, 1)}
	c.at <- time.Now().Truncate(time.Second)
	return c
}

func (c *clock) now() time.Time {
	t := <-c.at
	c.at <- t
	return t
}

func (c *clock) advance(d time.Duration) { c.at <- (<-c.at).Add(d) }

func closeAtEnd(t testing.TB, b Backend) {
	t.Helper()
	t.Cleanup(func() {
		if err := b.(io.Closer).Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
}

// wantOutcome fails unless the answer is of this kind, and holds what such answers hold and no more.
func wantOutcome(t testing.TB, what string, got Answer, want upstream.Outcome) {
	t.Helper()
	if got.Outcome != want {
		t.Errorf("%s: %v (reason %q, detail %q), want %v", what, got.Outcome, got.Reason, got.Detail, want)
		return
	}
	if (got.UserID != "") != (want == upstream.OK) || (got.Reason != "") != (want == upstream.Denied) ||
		(got.Detail != "") == (want == upstream.OK) || want != upstream.OK && got.Claims != nil {
		t.Errorf("%s: %+v is no answer of outcome %v", what, got, want)
	}
}
