package quiet_test

import (
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/internal/quiet"
)

func TestLimiter(t *testing.T) {
	var l quiet.Limiter
	start := time.Unix(1_000_000, 0)
	for _, step := range []struct {
		after   time.Duration
		ok      bool
		dropped int64
	}{
		{0, true, 0},
		{time.Millisecond, false, 0},
		{999 * time.Millisecond, false, 0},
		{time.Second, true, 2},
		{1999 * time.Millisecond, false, 0},
		{time.Hour, true, 1},
		{time.Hour + time.Millisecond, false, 0},
		{0, true, 1}, // the clock went back
		{time.Millisecond, false, 0},
		{time.Second, true, 1},
	} {
		if dropped, ok := l.Allow(start.Add(step.after)); ok != step.ok || dropped != step.dropped {
			t.Errorf("after %s: %v, %d dropped, want %v, %d", step.after, ok, dropped, step.ok, step.dropped)
		}
	}
}
