package upstream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/protocol-bridge/bridge/core/upstream/internal/http1"
	"github.com/protocol-bridge/bridge/upstream"
)

const (
	// A back-end that restarts refuses connections for a moment.
	connectAttempts = 3
	connectPause    = 50 * time.Millisecond // before the second attempt, twice that before the third
	maxConnectPause = time.Second
	// What a back-end that says 429 without saying when to come back is given. It doubles, up to the
	// time for which a Logux server counts wrong secrets.
	busyPause    = time.Second
	maxBusyPause = 3 * time.Second
	statusBusy   = 429
)

// sink takes a response as it arrives; the codecs' exchanges are sinks.
type sink interface {
	// Begin takes the status of a response and reports whether its body is to be fed; else the sink
	// fails, with the status. A status 429 does not come to it.
	Begin(status int) bool
	Feed(piece []byte)
	End()
	Fail(outcome upstream.Outcome, detail string)
	// Done reports whether the outcome is known.
	Done() bool
	// Release is for the caller of post; see there.
	Release()
}

// limits are what a caller keeps to.
type limits struct {
	timeout   time.Duration // until the first byte of the body
	idle      time.Duration // what a response gets to end after its outcome
	maxAnswer int64
	connects  int           // attempts to connect; 0: as many as fit into timeout
	busy      time.Duration // before the second attempt behind a 429
}

// caller puts requests to one URL: it knows what may be tried again, and when to stop waiting.
type caller struct {
	limits
	http  *http1.Client
	meter *meter

	mu      sync.Mutex // guards what follows
	over    bool
	running sync.WaitGroup // what close waits for
	closing chan struct{}
}

func newCaller(h *http1.Client, l limits, m *meter) *caller {
	return &caller{limits: l, http: h, meter: m, closing: make(chan struct{})}
}

func (c *caller) close() {
	c.mu.Lock()
	if !c.over {
		c.over = true
		close(c.closing)
	}
	c.mu.Unlock()
	c.http.Close()
	c.running.Wait()
}

// post puts a request and feeds the response to a sink, which has its outcome when post returns. The
// request then no longer runs, and Release is due; or it is draining: post has seen to it that
// Release is called when it ends.
func (c *caller) post(ctx context.Context, header string, body []byte, to sink) (draining bool) {
	until := time.Now().Add(c.timeout)
	for attempt := 0; ; attempt++ {
		r, err := c.http.Post(ctx, until, header, body)
		switch {
		case err == nil && r.Status() == statusBusy:
			wait, said := r.RetryAfter(time.Now())
			if !said {
				wait = min(c.busy<<min(attempt, 10), maxBusyPause)
			}
			text := discard(r)
			if !c.pause(ctx, until, max(wait, backOff(attempt))) { // it may say 0 for ever
				if w, ok := to.(*whole); ok {
					w.busy(text)
				}
				to.Fail(upstream.Unavailable, fmt.Sprintf("the back-end answered with status 429: %q", text))
				return false
			}
		case err == nil && !to.Begin(r.Status()):
			status := r.Status()
			to.Fail(upstream.Unavailable, fmt.Sprintf("the back-end answered with status %d: %q", status, discard(r)))
			return false
		case err == nil:
			return c.read(r, to)
		case errors.Is(err, syscall.ECONNREFUSED) && (c.connects == 0 || attempt < c.connects-1) &&
			c.pause(ctx, until, backOff(attempt)):
		default:
			to.Fail(upstream.Unavailable, err.Error())
			return false
		}
	}
}

// backOff is what a back-end is given in any case.
func backOff(attempt int) time.Duration {
	return min(connectPause<<min(attempt, 10), maxConnectPause)
}

// pause waits before another attempt, and reports whether there may be one.
func (c *caller) pause(ctx context.Context, until time.Time, wait time.Duration) bool {
	if time.Until(until) <= wait {
		return false
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		c.meter.retried()
		return true
	case <-ctx.Done():
	case <-c.closing:
	}
	return false
}

// discard ends a response of which only what is there already matters, and returns the beginning of
// that. If it is all there is, the connection lives on.
func discard(r *http1.Response) string {
	piece, _ := r.Buffered()
	text := string(piece[:min(len(piece), 80)])
	r.Close()
	return text
}

func (c *caller) read(r *http1.Response, to sink) (draining bool) {
	// Also when a sink panics: its session is lost then, but not the connection's place.
	defer func() {
		if !draining {
			r.Close()
		}
	}()
	room := c.maxAnswer
	for !to.Done() {
		piece, err := r.Next()
		room -= int64(len(piece))
		switch {
		case errors.Is(err, io.EOF):
			to.End()
		case err != nil:
			to.Fail(upstream.Unavailable, err.Error())
			return false
		case room < 0:
			to.Fail(upstream.Unavailable, "the answer is too large")
			return false
		default:
			to.Feed(piece)
		}
	}
	if _, complete := r.Buffered(); complete {
		return false
	}
	return c.drain(r, room, to)
}

// drain lets a back-end finish that still writes behind the outcome: if the connection were closed,
// that could end its work. So it keeps its place among the requests that run.
func (c *caller) drain(r *http1.Response, room int64, to sink) bool {
	return c.background(func() {
		defer to.Release()
		defer r.Close()
		for end := time.Now().Add(c.idle); room >= 0 && time.Now().Before(end); {
			piece, err := r.Next()
			if err != nil {
				return
			}
			room -= int64(len(piece))
		}
	})
}

// background runs a function that close waits for; not when it is closed already.
func (c *caller) background(run func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over {
		return false
	}
	c.running.Go(run)
	return true
}

func isSuccess(status int) bool { return status >= 200 && status <= 299 }
