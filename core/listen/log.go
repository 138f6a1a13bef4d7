package listen

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// logAdapter passes on what fasthttp has to say. All of it is about single connections, and with
// SecureErrorLogMessage none of it holds what a client sent.
type logAdapter struct{ log *slog.Logger }

// Printf implements fasthttp.Logger.
func (a logAdapter) Printf(format string, args ...any) {
	a.log.Debug("http connection", "text", fmt.Sprintf(format, args...))
}

// limiter lets one event a second through: strangers must not fill the log.
type limiter struct {
	last    atomic.Int64 // in ns
	dropped atomic.Int64
}

// allow returns whether to log now, and how many events were kept quiet before.
func (l *limiter) allow(now time.Time) (dropped int64, ok bool) {
	last := l.last.Load()
	if now.UnixNano()-last < int64(time.Second) || !l.last.CompareAndSwap(last, now.UnixNano()) {
		l.dropped.Add(1)
		return 0, false
	}
	return l.dropped.Swap(0), true
}
