package pluginhost

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Actor is what has a mailbox, state and timers: a session, an actor that the plugin named, or the
// plugin's own for messages of other protocols.
//
// Locks: an actor's mu may be held when taking a Plugin's or an Instance's mu, or that of the named
// actor a session is bound to; never the other way round. No mu is held while anything is written to
// a session.
type Actor struct {
	id      uint64
	kind    pluginv1.ActorKind
	plugin  *Plugin
	session *session.Session // of a session
	named   *named           // of a named actor

	mu       sync.Mutex
	box      actor.Mailbox
	cells    actor.Cells
	timers   actor.Timers
	calls    map[string]*callQueue // waiting and running calls by order key; nil when there are none
	running  int                   // calls not yet answered
	callSeq  uint64                // numbers calls of this actor
	home     *Actor                // the named actor this session is bound to
	inst     *Instance             // has the events in flight, and the actor's snapshot
	listed   *Instance             // in whose busy list it is
	parked   bool                  // in plugin.waiting
	suspect  bool                  // waits for, or is with, the quarantine instance
	written  uint32                // version of the state in cells
	poisoned bool                  // takes nothing but Closed any more
	closed   bool                  // the Closed event was posted
	gone     bool                  // removed
	queues   *consuming            // what it consumes; nil: it never did

	// dismissed says that the plugin closed the session: what its client still sends is nobody's
	// business any more, also not that of an instance that does not know of the close.
	dismissed atomic.Bool
}

// named is what only an actor has that a plugin named.
type named struct {
	key, route string
	sessions   map[uint64]*Actor // bound to it; guarded by the actor's mu
	told       atomic.Int64      // bytes of Told events that wait; rises under the actor's mu only
}

var _ session.Handler = (*Actor)(nil)

// key is that of a named actor; "" for others.
func (a *Actor) key() string {
	if a.named == nil {
		return ""
	}
	return a.named.key
}

// route is the session's, or that of the session for which a named actor was made; "" for others.
func (a *Actor) route() string {
	switch {
	case a.session != nil:
		return a.session.Info.Route
	case a.named != nil:
		return a.named.route
	}
	return ""
}

// boundLocked is a session that is bound to this actor; nil when it is not.
func (a *Actor) boundLocked(id uint64) *Actor {
	if a.named == nil {
		return nil
	}
	return a.named.sessions[id]
}

// Frame posts a frame of the session; nothing of data is kept.
func (a *Actor) Frame(s *session.Session, data []byte, binary bool) {
	if a.dismissed.Load() {
		s.Release(len(data))
		return
	}
	e := actor.NewEvent(wire.Frame)
	e.SetData(data)
	e.Binary = binary
	e.Source, e.Size, e.Accepted = s, len(data), s.Came()
	a.post(e)
}

// Eof posts that the client will send nothing more.
func (a *Actor) Eof(*session.Session) { a.post(actor.NewEvent(wire.Eof)) }

// Closed posts the session's last event.
func (a *Actor) Closed(s *session.Session, code int, reason string, byClient bool) {
	a.plugin.cfg.Host.Gone(s, code)
	a.mu.Lock()
	a.stopConsuming()
	a.mu.Unlock()
	e := actor.NewEvent(wire.Closed)
	e.Cold = &pluginv1.Closed{Code: uint32(code), Reason: reason, ByClient: byClient}
	a.post(e)
}

// post puts an event into the mailbox of the actor, or of the named actor it is bound to, and sends
// it if it may go.
func (a *Actor) post(e *actor.Event) {
	if e.Accepted == 0 {
		e.Accepted = a.plugin.cfg.Clock.Now().UnixNano()
	}
	if e.Time == 0 {
		e.Time = e.Accepted / int64(time.Millisecond)
	}
	a.noteEvent(e)
	a.mu.Lock()
	if a.gone || a.closed || a.poisoned && e.Kind != wire.Closed {
		a.mu.Unlock()
		e.Finish()
		return
	}
	if e.Kind == wire.Closed {
		a.closed = true
	}
	if home := a.home; home != nil {
		e.From = a.id
		home.mu.Lock() // held together so that the session's order is kept
		a.mu.Unlock()
		home.pushLocked(e)
		home.mu.Unlock()
		return
	}
	a.pushLocked(e)
	a.mu.Unlock()
}

func (a *Actor) pushLocked(e *actor.Event) {
	if a.gone {
		e.Finish()
		return
	}
	a.box.Push(e)
	a.dispatchLocked()
}

// dispatchLocked gives what may go to the plugin's current instance. Events wait here while those
// before them are with another instance, while the actor is under suspicion, behind a timer that
// fired before they came, and while there is no instance.
func (a *Actor) dispatchLocked() {
	for !a.suspect {
		e := a.box.Unsent()
		if e == nil {
			return
		}
		inst := a.inst
		if cur := a.plugin.current.Load(); inst != cur || inst == nil {
			if a.box.InFlight() > 0 {
				return
			}
			if cur == nil {
				if a.plugin.park(a) {
					return
				}
				continue
			}
			a.inst, inst = cur, cur
			if e.Kind != wire.Opened && e.Kind != wire.Request {
				if !inst.enqueue(a, a.resumedLocked()) {
					a.inst = nil
					a.plugin.retired(inst)
					continue
				}
			}
		}
		if e.Kind == wire.Timer {
			// A timer goes alone, so that what came before it can still stop or move it.
			if a.box.InFlight() > 0 {
				return
			}
			if e.Armed != timerChecked && !a.timers.Fired(e.Name, e.Armed) {
				a.box.DropHead().Finish()
				continue
			}
			e.Armed = timerChecked
		}
		if !a.sendLocked(inst, e) {
			if a.box.InFlight() > 0 {
				return // the instance's end will bring them back
			}
			a.inst = nil
			a.plugin.retired(inst)
		}
	}
}

// timerChecked marks a Timer event whose arming was valid when it was first sent: a redelivery does
// not ask again.
const timerChecked = 0 // armings are numbered from 1

func (a *Actor) sendLocked(inst *Instance, e *actor.Event) bool {
	e.SentAt = a.plugin.tick.Load()
	if !inst.enqueue(a, e) {
		return false
	}
	a.box.Sent()
	return true
}

// resumedLocked makes the event that tells an instance what the core keeps of the actor.
func (a *Actor) resumedLocked() *actor.Event {
	e := actor.NewEvent(wire.Resumed)
	e.Cold = &pluginv1.Resumed{Snapshot: a.snapshotLocked()}
	return e
}

func (a *Actor) snapshotLocked() *pluginv1.Snapshot {
	sn := &pluginv1.Snapshot{ActorKind: a.kind, Key: a.key(), Route: a.route()}
	if a.cells.Len() > 0 {
		sn.StateVersion = a.written
		a.cells.Range(func(k string, v []byte) {
			sn.State = append(sn.State, &pluginv1.Entry{Key: k, Value: append([]byte(nil), v...)})
		})
	}
	if a.session != nil {
		describeSession(sn, a.session)
	}
	if a.named != nil {
		for id, b := range a.named.sessions {
			bs := &pluginv1.Snapshot{ActorKind: b.kind, Route: b.route()}
			describeSession(bs, b.session)
			sn.Bound = append(sn.Bound, &pluginv1.BoundSession{Id: id, Snapshot: bs})
		}
	}
	return sn
}

func describeSession(sn *pluginv1.Snapshot, s *session.Session) {
	sn.Session = sessionInfo(s.Info)
	sn.Identity = IdentityProto(s.Identity())
	s.RangeContext(func(k string, v []byte) {
		sn.Context = append(sn.Context, &pluginv1.Entry{Key: k, Value: v})
	})
}

func sessionInfo(info *session.Info) *pluginv1.SessionInfo {
	p := &pluginv1.SessionInfo{
		RemoteAddress: info.RemoteAddress, Method: info.Method, Path: info.Path, Query: info.Query,
		Host: info.Host, Tls: info.TLS, Local: info.Local, Transport: pluginv1.Transport_TRANSPORT_WEBSOCKET,
	}
	switch {
	case info.HTTP:
		p.Transport = pluginv1.Transport_TRANSPORT_HTTP
	case info.TCP:
		p.Transport = pluginv1.Transport_TRANSPORT_TCP
	}
	for _, h := range info.Headers {
		p.Headers = append(p.Headers, &pluginv1.Entry{Key: h.Name, Value: []byte(h.Value)})
	}
	return p
}

// IdentityProto is an identity in the contract's form; nil for nil.
func IdentityProto(id *session.Identity) *pluginv1.Identity {
	if id == nil {
		return nil
	}
	return &pluginv1.Identity{Realm: id.Realm, UserId: id.UserID, Claims: id.Claims}
}

// fire posts a timer that ran out.
func (a *Actor) fire(name string, armed uint64) {
	e := actor.NewEvent(wire.Timer)
	e.Name, e.Armed = name, armed
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.plugin.cfg.Clock.Now()
	e.Time, e.Accepted = now.UnixMilli(), now.UnixNano()
	a.noteEvent(e)
	a.pushLocked(e)
}

func (a *Actor) setTimerLocked(name string, afterMS int64) {
	if afterMS <= 0 {
		a.timers.Stop(name)
		return
	}
	a.timers.Set(a.plugin.cfg.Clock, name, time.Duration(afterMS)*time.Millisecond, a.fire)
}

// memberLocked is the session of that id at this actor: the actor itself, or one bound to it; nil when
// there is none.
func (a *Actor) memberLocked(id uint64) *Actor {
	if a.session != nil && (id == 0 || id == a.id) {
		return a
	}
	return a.boundLocked(id)
}

// dismissedLocked says whether an event is a client's whose session the plugin closed.
func (a *Actor) dismissedLocked(e *actor.Event) bool {
	if e.Kind != wire.Frame && e.Kind != wire.Eof {
		return false
	}
	m := a.memberLocked(e.From)
	return m != nil && m.dismissed.Load()
}

// removeLocked takes the actor out of the world. Events still waiting are dropped.
func (a *Actor) removeLocked() {
	a.gone = true
	a.stopConsuming()
	a.timers.StopAll()
	a.cells = actor.Cells{}
	for a.box.InFlight() == 0 && a.box.Head() != nil {
		a.box.DropHead().Finish()
	}
	a.plugin.actors.delete(a.id)
}
