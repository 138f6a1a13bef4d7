package pluginhost

import (
	"fmt"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// ended brings back what an instance had in flight when it died. The process is reaped, its stream
// drained and its sender has stopped: nothing of it can come any more.
func (p *Plugin) ended(in *Instance) {
	p.retired(in)
	in.sweeping.Lock()
	busy := in.takeBusy()
	in.sweeping.Unlock()
	for _, a := range busy {
		a.mu.Lock()
		if a.listed == in {
			a.listed = nil
		}
		if a.inst == in {
			p.bringBackLocked(a, in)
		}
		a.mu.Unlock()
	}
}

func (p *Plugin) bringBackLocked(a *Actor, in *Instance) {
	a.inst = nil
	inflight := a.box.InFlight()
	a.box.Rewind(func(e *actor.Event) {
		e.Redelivered = true
		p.again.Add(1)
		if in.role == roleMain && !in.stopping.Load() && e.Deaths < 255 {
			e.Deaths++
		}
	})
	a.box.Discard(a.dismissedLocked)
	if in.role == roleQuarantine {
		return // its runner decides
	}
	if inflight > 0 && a.box.Len() > 0 && a.box.Head().Deaths >= p.suspectAfter() {
		a.suspect = true
		p.quarantine.add(a)
		return
	}
	a.dispatchLocked()
}

// suspectAfter is how many deaths make an event that was in flight at each of them a suspect: two,
// or one while poison is about, so that whoever sends it again and again takes fewer with it.
func (p *Plugin) suspectAfter() uint8 {
	if last := p.culprit.Load(); last != nil && p.cfg.Clock.Now().Sub(*last) < time.Minute {
		return 1
	}
	return 2
}

// quarantine tries suspects one at a time in an instance of its own, beside the one that serves
// everybody else.
type quarantine struct {
	plugin *Plugin

	mu      sync.Mutex
	actors  []*Actor
	running bool
	wake    chan struct{}
}

// quarantineLinger is how long the instance stays when there are no suspects.
const quarantineLinger = 10 * time.Second

// add takes an actor whose head is a suspect. The caller holds the actor's lock and has set suspect.
func (q *quarantine) add(a *Actor) {
	q.mu.Lock()
	q.actors = append(q.actors, a)
	start := !q.running
	q.running = true
	q.mu.Unlock()
	if start {
		q.plugin.wg.Go(q.run)
		return
	}
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

func (q *quarantine) run() {
	p := q.plugin
	var in *Instance
	defer func() {
		if in != nil {
			p.stopInstance(in)
		}
	}()
	linger := time.NewTimer(quarantineLinger)
	defer linger.Stop()
	for {
		a := q.take(false)
		if a == nil {
			linger.Reset(quarantineLinger)
			select {
			case <-q.wake:
				continue
			case <-p.ctx.Done():
				return
			case <-linger.C:
				if a = q.take(true); a == nil {
					return
				}
			}
		}
		for a != nil {
			if in == nil {
				if in = p.launchUntil(roleQuarantine); in == nil {
					return // the plugin is being stopped
				}
			}
			var done bool
			if in, done = q.try(in, a); done {
				a = nil
			}
		}
	}
}

// take returns the next suspect, nil when there is none; then, if last, the runner must end.
func (q *quarantine) take(last bool) *Actor {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.actors) == 0 {
		q.running = !last
		return nil
	}
	a := q.actors[0]
	q.actors[0] = nil
	q.actors = q.actors[1:]
	return a
}

// try gives the actor's head to the instance, alone, and waits for what becomes of it. It returns
// the instance, nil if that has died, and whether the actor is free of suspicion or was closed.
func (q *quarantine) try(in *Instance, a *Actor) (*Instance, bool) {
	p := q.plugin
	seq, clean := q.send(in, a)
	if clean {
		return in, true
	}
	if seq == 0 {
		<-in.done
		return nil, false
	}
	hang := time.NewTimer(p.settings.Load().EventTimeout)
	defer hang.Stop()
	select {
	case <-in.settled:
		return in, q.clear(in, a)
	case <-hang.C:
		in.hung.Store(true)
		p.log.Warn("plugin hangs at a suspected event", "instance", in.number, "pid", in.process.Pid(), "session", suspectID(a, 0), "actor", a.id)
		in.process.Kill()
	case <-in.done:
	}
	<-in.done
	return nil, q.judge(in, a, seq)
}

// send returns the number of the event it sent, 0 when the instance has ended; clean says that there
// was none to send.
func (q *quarantine) send(in *Instance, a *Actor) (seq uint64, clean bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.box.Head()
	if e == nil || a.gone {
		a.suspect = false
		return 0, true
	}
	select { // an ack of before
	case <-in.settled:
	default:
	}
	a.inst = in
	if e.Kind != wire.Opened && e.Kind != wire.Request && !in.enqueue(a, a.resumedLocked()) {
		a.inst = nil
		return 0, false
	}
	seq = e.Seq
	if !a.sendLocked(in, e) {
		a.inst = nil
		return 0, false
	}
	return seq, false
}

// clear is called when the suspected event was acked: the actor goes back among the others, unless
// its next event is a suspect too.
func (q *quarantine) clear(in *Instance, a *Actor) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.inst == in && a.box.InFlight() == 0 {
		in.enqueue(a, actor.NewEvent(wire.Forget))
		a.inst = nil
	}
	if e := a.box.Head(); e != nil && !a.gone && e.Deaths >= q.plugin.suspectAfter() {
		return false
	}
	a.suspect = false
	a.dispatchLocked()
	return true
}

// Bounds on trying an event whose instance did not end by itself.
const (
	maxHangs = 2
	maxKills = 4
)

// judge decides, after an instance died with one suspect alone, whether that was the culprit.
func (q *quarantine) judge(in *Instance, a *Actor, seq uint64) bool {
	p := q.plugin
	a.mu.Lock()
	e := a.box.Head()
	if e == nil || e.Seq != seq || a.gone { // it was acked before the end
		a.mu.Unlock()
		return q.clear(in, a)
	}
	switch {
	case in.stopping.Load(): // the plugin is being stopped: that it ends is not the event's doing
		a.mu.Unlock()
		return false
	case in.hung.Load():
		e.Hangs++
	case in.faulted.Load() == nil && in.process.Exit().Killed:
		e.Kills++
	default:
		e.Hangs = maxHangs
	}
	if e.Hangs < maxHangs && e.Kills < maxKills {
		a.mu.Unlock()
		return false
	}
	now := p.cfg.Clock.Now()
	p.culprit.Store(&now)
	p.culprits.Add(1)
	how := in.process.Exit().Text
	if in.faulted.Load() == nil && !in.hung.Load() { // else that is what is known of it
		p.setFault(&Fault{
			fmt.Errorf("an event ends the plugin each time: %s", how),
			"the plugin's own log lines say where it ends; the session that the event came from is closed", now,
		})
	}
	p.log.Error("an event ends the plugin each time, its session is closed", "session", suspectID(a, e.From), "actor", a.id, "event", e.Seq, "kind", eventName(e.Kind), "how", how)
	s := a.condemnLocked(e)
	a.suspect = false
	a.dispatchLocked()
	gone := a.gone
	a.mu.Unlock()
	if s != nil {
		s.CloseWith(session.CloseInternal)
		if gone {
			p.cfg.Host.Ended(s)
		}
	}
	return true
}

// condemnLocked drops the head, and of a session everything but its end. It returns the session to
// be closed, nil if there is none.
func (a *Actor) condemnLocked(head *actor.Event) *session.Session {
	kind, from := head.Kind, head.From
	a.box.DropHead().Finish()
	if a.session == nil {
		if b := a.boundLocked(from); b != nil {
			if kind == wire.Closed {
				delete(a.named.sessions, from)
			}
			return b.session
		}
		return nil
	}
	if kind == wire.Closed {
		a.removeLocked()
		return a.session
	}
	a.poisoned = true
	var last *actor.Event
	for e := a.box.Head(); e != nil; e = a.box.Head() {
		e = a.box.DropHead()
		if e.Kind == wire.Closed {
			last = e
			continue
		}
		e.Finish()
	}
	if last != nil {
		a.box.Push(last)
	}
	return a.session
}

// retired takes the instance out of service if it is in it.
func (p *Plugin) retired(in *Instance) { p.current.CompareAndSwap(in, nil) }
