package pluginhost

import (
	"github.com/protocol-bridge/bridge/core/actor"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// bindLocked hands the session a, and the events it still has, to the actor of that key. The events
// that the instance has already are dropped there and come again at the named actor.
func (in *Instance) bindLocked(a *Actor, key string) {
	p := in.plugin
	bound := actor.NewEvent(wire.Bound)
	bound.Cold = &pluginv1.Bound{Snapshot: a.snapshotLocked()}
	bound.From, bound.Time = a.id, p.cfg.Clock.Now().UnixMilli()
	if a.session.Info.TCP { // as with Opened
		bound.Source = a.session
		a.session.Hold(0)
	}

	p.namedMu.Lock()
	home := p.named[key]
	if home == nil {
		home = &Actor{
			id: p.cfg.NewID(), kind: pluginv1.ActorKind_ACTOR_KIND_NAMED, plugin: p,
			named: &named{key: key, route: a.route(), sessions: make(map[uint64]*Actor)},
		}
		p.named[key] = home
		p.actors.put(home)
	}
	home.mu.Lock() // before namedMu goes, so that it is not dropped as idle
	p.namedMu.Unlock()

	in.inflight.Add(-int64(a.box.InFlight()))
	a.box.Rewind(func(*actor.Event) {})
	a.home, a.inst = home, nil
	a.stopConsuming()
	a.timers.StopAll()
	a.cells = actor.Cells{}
	home.named.sessions[a.id] = a
	home.pushLocked(bound)
	for a.box.Head() != nil {
		old := a.box.DropHead()
		if old.Kind == wire.Timer {
			old.Finish()
			continue
		}
		// A copy, for the instance's sender may still be at the old one.
		home.pushLocked(moved(old, a.id))
	}
	home.mu.Unlock()
}

func moved(old *actor.Event, from uint64) *actor.Event {
	e := actor.NewEvent(old.Kind)
	if old.Data != nil {
		e.SetData(old.Data)
	}
	e.From, e.Time, e.Source, e.Size, e.Binary = from, old.Time, old.Source, old.Size, old.Binary
	e.Name, e.Cold, e.Done = old.Name, old.Cold, old.Done
	return e
}

// idleLocked says whether an actor is a named one that has nothing that would keep it.
func (a *Actor) idleLocked() bool {
	return a.named != nil && !a.gone && len(a.named.sessions) == 0 && a.box.Len() == 0 && a.cells.Len() == 0 && a.timers.Len() == 0 && a.running == 0 && !a.queues.any()
}

func (p *Plugin) dropNamed(a *Actor) {
	p.namedMu.Lock()
	defer p.namedMu.Unlock()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.idleLocked() {
		return
	}
	delete(p.named, a.named.key)
	if a.inst != nil {
		a.inst.enqueue(a, actor.NewEvent(wire.Forget))
	}
	a.removeLocked()
}
