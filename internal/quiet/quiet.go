// Package quiet keeps strangers from filling the log.
package quiet

import (
	"sync/atomic"
	"time"
)

// Limiter lets one event a second through. The zero Limiter is ready; it is safe for concurrent use.
type Limiter struct {
	last    atomic.Int64 // in ns since 1970
	dropped atomic.Int64
}

// Allow says whether to log at that time, and how many events were kept quiet before.
func (l *Limiter) Allow(now time.Time) (dropped int64, ok bool) {
	last := l.last.Load()
	// Less than nothing has passed where the clock went back: it may be an hour until then again.
	since := time.Duration(now.UnixNano() - last)
	if since >= 0 && since < time.Second || !l.last.CompareAndSwap(last, now.UnixNano()) {
		l.dropped.Add(1)
		return 0, false
	}
	return l.dropped.Swap(0), true
}
