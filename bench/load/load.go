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
	Logux   = "logux"   // actions of connected clients are said to be processed
	Fanout  = "fanout"  // one connection publishes, all others get it
	// LoguxFanout is a Fanout of actions that the back-end resends to LoguxChannel.
	LoguxFanout = "logux-fanout"
	MeshHTTP    = "mesh-http" // back-ends send to single end users, by plain requests
	MeshSocket  = "mesh-ws"   // the same over their WebSockets
	// MeshFanout is a Fanout in which a back-end publishes to MeshChannel over its WebSocket.
	MeshFanout = "mesh-fanout"
)

// Spec says what to do.
type Spec struct {
	Kind        string
	Address     string // host:port
	Path        string
	Connections int    // of MeshHTTP and MeshSocket: of end users
	Askers      int    // of these: connections of back-ends
	From        string // of a MeshFanout: host:port of the node of the publisher; empty: Address
	Source      string // address that connections come from; empty: the system's choice
	TLS         bool   // of Open, and of no other
	Token       string // of CTProto; empty: one that the row's configuration knows

	InFlight int     // on each connection; of a Fanout, publications
	Rate     float64 // an open loop: messages a second over all connections, of a Fanout deliveries; 0: closed
	Size     int     // bytes of an Echo's or Fanout's payload
	Template bool    // Fanout: each receiver gets an id of its own
	// Turns, of Echo and Fanout, is how often one connection more, of which nothing is counted, reads what it
	// is sent, and how often it does not; each a second long, after one that is not measured. 0: there is none.
	Turns int

	Warmup, Measure time.Duration // Turns take what they take

	// Watch are the processes of whom it is told what they used.
	Watch []int
	// KillChildOf is a process of which the one child is killed Kills times, evenly over Measure; with
	// Spare there may be two, of which the older one is.
	KillChildOf, Kills int
	Spare              bool
}

// Result is what came of it.
type Result struct {
	Messages uint64 // came back while it was measured; of a Fanout, deliveries
	Elapsed  time.Duration
	Used     []Usage // of each in Spec.Watch
	OwnCPU   time.Duration

	Times
	// Reads and Stalls are the times beside a connection that does so, of a run of Turns.
	Reads, Stalls Times

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

// Run does what a spec says. Its error is of the connections; what came back wrong is in the Result.
func Run(s Spec) (*Result, error) {
	l, err := dialAll(&s)
	if err != nil {
		return nil, err
	}
	defer l.close()
	return run(&s, l)
}

func run(s *Spec, l *loop) (*Result, error) {
	switch s.Kind {
	case Echo, CTProto, Logux:
		return newExchange(s, l).run()
	case Fanout, LoguxFanout, MeshFanout:
		return newFanout(s, l).run()
	case MeshHTTP, MeshSocket:
		return runMeshSend(s, l)
	}
	return nil, fmt.Errorf("no load of kind %q", s.Kind)
}

// clock is when the measured part of a run begins and ends, what was used by then, and how long answers took.
type clock struct {
	spec       *Spec
	hist       histogram
	turns      *turns // nil: there are none
	start, end int64  // in ns of now
	measuring  bool
	over       bool
	began      int64
	used       []Usage
	own        time.Duration
}

func newClock(s *Spec) *clock {
	start := now() + int64(s.Warmup)
	return &clock{spec: s, turns: turnsOf(s), start: start, end: start + int64(s.Measure)}
}

// tick looks at the time; r gets the figures once the measured part is over.
func (k *clock) tick(at int64, r *Result) (err error) {
	switch {
	case !k.measuring && !k.over && at >= k.start:
		k.measuring, k.began = true, at
		k.used, k.own, err = sample(k.spec.Watch)
	case k.measuring && k.turns != nil && !k.turns.over:
		err = k.turns.tick(at)
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

// took counts how long an answer took, while it is measured.
func (k *clock) took(d time.Duration) {
	k.hist.add(d)
	if k.turns != nil {
		k.turns.into.add(d)
	}
}

// times tells how long answers took.
func (k *clock) times(r *Result) {
	r.Times = k.hist.times()
	if k.turns != nil {
		r.Reads, r.Stalls = k.turns.hists[0].times(), k.turns.hists[1].times()
	}
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
