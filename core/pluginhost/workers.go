package pluginhost

import (
	"sync"
	"time"
)

// workers are the goroutines that run calls. One that is done waits a while for the next call: a new
// goroutine grows its stack in the middle of each, which takes a tenth of all the time of a proxied
// request. Somebody else looks after those that wait: a timer for each would cost as much as the wait.
type workers struct {
	all sync.WaitGroup

	mu    sync.Mutex  // guards what follows
	idle  *worker     // those that wait, the last to come first
	sweep *time.Timer // nil: there was none yet
	ticks bool        // it runs
	over  bool        // nobody waits any more
}

type worker struct {
	next   *worker // among the idle
	rested bool    // was there at the last sweep
	call   chan *call

	gathered gathered // by the calls that it runs
}

// workerIdle is how long a worker waits at least, and half of what it waits at most.
const workerIdle = time.Second

// start runs a call, and then those of its key that waited for it.
func (p *Plugin) start(c *call) {
	ws := &p.calls
	ws.mu.Lock()
	w := ws.idle
	if w != nil {
		ws.idle, w.next = w.next, nil
	}
	ws.mu.Unlock()
	if w != nil {
		w.call <- c // it holds one
		return
	}
	ws.all.Go(func() { p.work(&worker{call: make(chan *call, 1)}, c) })
}

// work is a worker's goroutine.
func (p *Plugin) work(w *worker, c *call) {
	for c != nil {
		p.execute(p.ctx, c, &w.gathered)
		if !p.calls.rest(w) {
			return
		}
		c = <-w.call
	}
}

// rest puts a worker to the idle; false: none is to wait any more.
func (ws *workers) rest(w *worker) bool {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.over {
		return false
	}
	w.next, w.rested, ws.idle = ws.idle, false, w
	if !ws.ticks {
		ws.ticks = true
		if ws.sweep == nil {
			ws.sweep = time.AfterFunc(workerIdle, ws.dismiss)
		} else {
			ws.sweep.Reset(workerIdle)
		}
	}
	return true
}

// dismiss ends those that have waited since the last time.
func (ws *workers) dismiss() {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for at := &ws.idle; *at != nil; {
		w := *at
		if !w.rested && !ws.over {
			w.rested = true
			at = &w.next
			continue
		}
		*at = w.next
		w.call <- nil // it holds one
	}
	if ws.ticks = ws.idle != nil; ws.ticks {
		ws.sweep.Reset(workerIdle)
	}
}

// end dismisses all of them.
func (ws *workers) end() {
	ws.mu.Lock()
	ws.over = true
	if ws.sweep != nil {
		ws.sweep.Stop()
	}
	ws.mu.Unlock()
	ws.dismiss()
}
