package pluginhost

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Instance is one process of a plugin with its link.
//
// What is sent goes queue → batch → link; whoever adds to an empty queue wakes the sender, which
// takes all that waits by then. What comes back is applied by the receiver, step by step.
type Instance struct {
	plugin  *Plugin
	process Process
	link    Link
	number  int
	role    instanceRole

	desc         *pluginv1.DescribeResponse
	said         *pluginv1.ConfigureResponse
	stateVersion uint32 // with which it writes state
	queues       Queues // nil: it uses none

	mu    sync.Mutex
	queue []queued
	ended bool     // takes nothing more
	busy  []*Actor // those with events in flight, and some that had
	wake  chan struct{}

	sweeping sync.Mutex // before actors' locks: busy is whole when it is taken

	inflight atomic.Int64 // events sent and not acked
	acked    atomic.Uint64
	faulted  atomic.Pointer[Fault] // why the core ended it
	hung     atomic.Bool
	stopping atomic.Bool // was asked to end

	done chan struct{} // closed when it is reaped, drained and its events brought back

	settled chan struct{} // signalled at each ack, where the role is quarantine

	out wire.Batch // of the sender

	// Of the receiver.
	dirty   session.Dirty
	targets []*session.Session // of the step's commands
	timed   bool               // an event of this batch
}

type instanceRole uint8

const (
	roleMain instanceRole = iota
	roleQuarantine
)

type queued struct {
	actor uint64
	event *actor.Event
}

func newInstance(p *Plugin, proc Process, link Link, number int, role instanceRole) *Instance {
	return &Instance{
		plugin: p, process: proc, link: link, number: number, role: role,
		wake: make(chan struct{}, 1), done: make(chan struct{}), settled: make(chan struct{}, 1),
	}
}

// enqueue adds an event to what is sent next; false when the instance has ended. The caller holds
// the actor's lock.
func (in *Instance) enqueue(a *Actor, e *actor.Event) bool {
	in.mu.Lock()
	if in.ended {
		in.mu.Unlock()
		return false
	}
	first := len(in.queue) == 0
	in.queue = append(in.queue, queued{a.id, e})
	if e.Seq != 0 {
		in.inflight.Add(1)
		if a.listed != in {
			a.listed = in
			in.busy = append(in.busy, a)
		}
	}
	if first {
		select {
		case in.wake <- struct{}{}:
		default:
		}
	}
	in.mu.Unlock()
	return true
}

// run sends and receives until the instance ends, and then brings its events back.
func (in *Instance) run() {
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		in.send()
	}()
	received := make(chan struct{})
	go func() {
		defer close(received)
		in.receive()
		// A process that does not speak is of no use, however much alive it is.
		in.process.Kill()
	}()
	<-in.process.Exited()
	select {
	case <-received:
	case <-time.After(drainTimeout):
		// Something else holds the socket open; nothing it says is heard any more.
		in.link.Abort()
		<-received
	}
	in.mu.Lock()
	in.ended = true
	close(in.wake)
	in.mu.Unlock()
	<-sent
	in.plugin.ended(in)
	close(in.done)
}

// drainTimeout is how long the stream of a dead process may still deliver.
const drainTimeout = 2 * time.Second

func (in *Instance) send() {
	var spare []queued
	for range in.wake {
		runtime.Gosched() // whoever is about to add something, does
		in.mu.Lock()
		batch := in.queue
		in.queue = spare[:0]
		in.mu.Unlock()
		ok := in.sendAll(batch)
		clear(batch)
		spare = batch
		if !ok {
			in.process.Kill()
			for range in.wake {
			}
			return
		}
	}
}

func (in *Instance) sendAll(batch []queued) bool {
	buf := wire.NewBuffer()
	for _, q := range batch {
		e := q.event
		ev := wire.Event{
			Actor: q.actor, Seq: e.Seq, Session: e.From, Time: e.Time, Redelivered: e.Redelivered,
			Kind: e.Kind, Binary: e.Binary, Data: e.Data, Name: e.Name, Cold: e.Cold,
		}
		next, err := wire.AppendEvent(buf, &ev)
		if err != nil && e.Cold != nil {
			makeText(e.Cold.ProtoReflect())
			next, err = wire.AppendEvent(buf, &ev)
		}
		if err != nil {
			in.fault(fmt.Errorf("event cannot be encoded: %w", err), "this is a fault of the core")
			return false
		}
		buf = next
		if len(buf) >= wire.MaxBatch {
			if in.sendBatch(buf) != nil {
				return false
			}
			buf = wire.NewBuffer()
		}
	}
	return len(buf) == 0 || in.sendBatch(buf) == nil
}

func (in *Instance) sendBatch(buf []byte) error {
	in.out.B = buf
	return in.link.Send(&in.out)
}

func (in *Instance) receive() {
	var scratch wire.Step
	var batch wire.Batch
	apply := in.apply
	for {
		if err := in.link.Recv(&batch); err != nil {
			in.unheard(err)
			return
		}
		acked := in.acked.Load()
		in.timed = in.plugin.cfg.Handled == nil
		err := wire.Steps(batch.B, &scratch, apply)
		batch.Free()
		in.plugin.events.Add(in.acked.Load() - acked)
		in.dirty.Flush()
		if err != nil {
			f := new(faultError)
			if errors.As(err, &f) {
				in.fault(f.err, f.mend)
			} else {
				in.fault(err, "the plugin must send LinkResponse messages of bridge.plugin.v1")
			}
			return
		}
	}
}

// unheard is called with the error after which nothing more comes: a fault, unless the process has
// ended or was asked to.
func (in *Instance) unheard(err error) {
	switch {
	case in.stopping.Load(), errors.Is(err, ErrPluginGone), errors.Is(err, io.EOF):
	case errors.Is(err, ErrLinkEnded):
		in.fault(err, "a plugin keeps its Link open until the core ends it, or itself")
	case errors.Is(err, ErrTooLarge):
		in.fault(err, "send smaller batches of steps: 1 MiB of payload, or one step that is larger")
	default:
		select {
		case <-in.process.Exited(): // that explains it
		case <-time.After(lastSign):
			in.fault(err, "the plugin must send LinkResponse messages of bridge.plugin.v1")
		}
	}
}

// lastSign is how long an error of the link may be ahead of the end of the process.
const lastSign = 50 * time.Millisecond

// Fault is something a plugin did that the contract forbids, or how it failed to start.
type Fault struct {
	Err  error
	Mend string // what its author or the operator can do
	Time time.Time
}

type faultError struct {
	err  error
	mend string
}

func (f *faultError) Error() string { return f.err.Error() }

func faultf(mend, format string, args ...any) error {
	return &faultError{fmt.Errorf(format, args...), mend}
}

// fault ends the instance for what it did.
func (in *Instance) fault(err error, mend string) {
	f := &Fault{err, mend, in.plugin.cfg.Clock.Now()}
	if in.faulted.CompareAndSwap(nil, f) {
		in.plugin.setFault(f)
		in.plugin.log.Error("plugin broke the contract", "instance", in.number, "pid", in.process.Pid(), "err", err, "mend", mend)
	}
	in.process.Kill()
}

// sweep drops actors from busy that have nothing in flight, and reports whether any event has been
// in flight for more than that many ticks of the watch.
func (in *Instance) sweep(now, ticks uint32) (overdue bool) {
	in.sweeping.Lock()
	defer in.sweeping.Unlock()
	busy := in.takeBusy()
	keep := busy[:0]
	for _, a := range busy {
		a.mu.Lock()
		switch {
		case a.inst != in || a.box.InFlight() == 0:
			if a.listed == in {
				a.listed = nil
			}
		default:
			keep = append(keep, a)
			if now-a.box.Head().SentAt > ticks {
				overdue = true
			}
		}
		a.mu.Unlock()
	}
	clear(busy[len(keep):]) // or the array would hold actors that have gone
	in.mu.Lock()
	in.busy = append(keep, in.busy...)
	in.mu.Unlock()
	return overdue
}

func (in *Instance) takeBusy() []*Actor {
	in.mu.Lock()
	defer in.mu.Unlock()
	busy := in.busy
	in.busy = nil
	return busy
}
