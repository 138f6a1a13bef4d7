package upstream

import (
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
)

// quiet is the least time between two complaints about one upstream: what fails with each question
// would else be logged as often as strangers ask.
const quiet = 10 * time.Second

// epoch is when times begin that go on evenly, whatever becomes of the clock.
var epoch = time.Now()

// health logs when an upstream stops to answer and when it answers again.
type health struct {
	log  *slog.Logger
	over atomic.Bool  // the pool is being closed: what fails now is no news
	last atomic.Int64 // when it was logged that it does not answer, in ns since epoch; 0: never
	down atomic.Bool  // that was the last thing logged
}

// note takes how a question ended.
func (h *health) note(outcome upstream.Outcome, detail string) {
	if outcome != upstream.Unavailable {
		if h.down.Load() && h.down.CompareAndSwap(true, false) {
			h.log.Info("upstream answers again")
		}
		return
	}
	now, last := int64(time.Since(epoch))+1, h.last.Load()
	if h.over.Load() || last > 0 && now-last < int64(quiet) || !h.last.CompareAndSwap(last, now) {
		return
	}
	h.down.Store(true)
	h.log.Warn("upstream unavailable", "err", detail)
}
