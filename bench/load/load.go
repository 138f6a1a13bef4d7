//go:build linux

// Package load is the clients of the measurements: one thread that keeps many WebSocket connections
// busy, so cheaply that servers are what is measured, and that knows of every frame whether it came
// back, once, and in order.
//
// A closed loop keeps a number of requests in flight on each connection; it says what a server can
// take. An open loop sends at a rate whatever comes back; it says how long answers take.
package load

import (
	"fmt"
	"time"

	"github.com/protocol-bridge/bridge/bench/process"
)

// Kinds of load.
const (
	Echo    = "echo"    // frames come back as they are, in order
	CTProto = "ctproto" // requests of an authorized session get the dev upstream's answer, in any order
	Fanout  = "fanout"  // one connection publishes, all others get it
)

// Spec says what to do.
type Spec struct {
	Kind        string
	Address     string // host:port
	Path        string
	Connections int
	Authorize   bool // of Open: each connection is an authorized CTProto session

	InFlight int     // on each connection; of a Fanout, publications
	Rate     float64 // an open loop: messages a second over all connections; 0: closed
	Size     int     // bytes of an Echo's or Fanout's payload
	Template bool    // Fanout: each receiver gets an id of its own

	Warmup, Measure time.Duration

	// Watch are the processes of whom it is told what they used.
	Watch []int
	// KillChildOf is a process of which the one child is killed Kills times, evenly over Measure.
	KillChildOf, Kills int
}

// Result is what came of it.
type Result struct {
	Messages uint64 // came back while it was measured; of a Fanout, deliveries
	Elapsed  time.Duration
	Used     []Usage // of each in Spec.Watch
	OwnCPU   time.Duration

	P50, P99, Max time.Duration // from request, or from when it was due, to answer

	Lost, Doubled, Reordered uint64
	// Pauses are, for each kill, the longest time that a client waited for the next answer.
	Pauses []time.Duration
	// Sent is how many requests were made in all, warm-up included.
	Sent uint64
	Peak time.Duration // longest such time before the first kill
}

// Usage is what a process used while it was measured.
type Usage struct {
	CPU           time.Duration
	Reads, Writes uint64 // system calls
}

// Rate is messages a second.
func (r *Result) Rate() float64 { return float64(r.Messages) / r.Elapsed.Seconds() }

// Idler holds connections open.
type Idler struct{ loop *loop }

// Close closes them.
func (i *Idler) Close() { i.loop.close() }

// Open opens the connections of a spec and does nothing with them. It returns once all are served.
func Open(s Spec) (*Idler, error) {
	l, err := dialAll(&s)
	if err != nil {
		return nil, err
	}
	if s.Authorize {
		if err := greet(l, l.conns, ctproto{}); err != nil {
			l.close()
			return nil, err
		}
	}
	return &Idler{l}, nil
}

// Run does what a spec says. Its error is of the connections; what came back wrong is in the Result.
func Run(s Spec) (*Result, error) {
	l, err := dialAll(&s)
	if err != nil {
		return nil, err
	}
	defer l.close()
	switch s.Kind {
	case Echo, CTProto:
		x := newExchange(&s, l)
		return x.run()
	case Fanout:
		return newFanout(&s, l).run()
	}
	return nil, fmt.Errorf("no load of kind %q", s.Kind)
}

// clock is when the measured part of a run begins and ends, and what was used by then.
type clock struct {
	spec       *Spec
	start, end int64 // in ns of now
	measuring  bool
	over       bool
	began      int64
	used       []Usage
	own        time.Duration
}

func newClock(s *Spec) *clock {
	start := now() + int64(s.Warmup)
	return &clock{spec: s, start: start, end: start + int64(s.Measure)}
}

// tick looks at the time; r gets the figures once the measured part is over.
func (k *clock) tick(at int64, r *Result) (err error) {
	switch {
	case !k.measuring && !k.over && at >= k.start:
		k.measuring, k.began = true, at
		k.used, k.own, err = sample(k.spec.Watch)
	case k.measuring && at >= k.end:
		k.measuring, k.over = false, true
		r.Elapsed = time.Duration(at - k.began)
		r.Used, r.OwnCPU, err = sample(k.spec.Watch)
		for i := range r.Used {
			r.Used[i].CPU -= k.used[i].CPU
			r.Used[i].Reads -= k.used[i].Reads
			r.Used[i].Writes -= k.used[i].Writes
		}
		r.OwnCPU -= k.own
	}
	return err
}

// sample is what processes, and this one, used so far.
func sample(pids []int) (used []Usage, own time.Duration, err error) {
	used = make([]Usage, len(pids))
	for i, pid := range pids {
		u := &used[i]
		if u.CPU, err = process.CPU(pid); err != nil {
			return nil, 0, err
		}
		if u.Reads, u.Writes, err = process.Calls(pid); err != nil {
			return nil, 0, err
		}
	}
	own, err = process.CPU(0)
	return used, own, err
}
