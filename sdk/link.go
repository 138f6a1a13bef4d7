package sdk

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// link runs the events of one stream: the reader puts them into the mailboxes of their actors and
// never waits for a handler, lanes empty the mailboxes, the output's writer sends the steps.
//
// Locks: link.mu and output.mu, never held together.
type link struct {
	srv    *Server
	ctx    context.Context //nolint:containedctx // the link's life, handed on to steps
	cancel context.CancelFunc
	out    output
	spare  *node // nodes for the reader alone

	mu       sync.Mutex // guards the rest
	actors   map[uint64]*actor
	runHead  *actor // actors with mail, in the order they are to be run
	runTail  *actor
	free     *node // nodes handed back by lanes
	freeN    int
	lanes    int
	idle     *lane // those that wait, the latest first
	idleN    int
	moved    uint64    // counts actors taken off the run queue
	quiet    sync.Cond // on mu: all lanes are idle
	procs    int
	watch    *time.Timer // looks at whether the queue moves
	watching bool
	seen     uint64    // moved, when the watcher last looked
	stalled  time.Time // when it last saw the queue stand still
	stopped  bool
}

// node is an event in a mailbox.
type node struct {
	next *node
	ev   wire.Event
	from *received // what ev's bytes lie in; nil when it owns them
}

// received is a batch whose memory lives until all its events were handled.
type received struct {
	wire.Batch
	refs atomic.Int32
}

var receivedPool = sync.Pool{New: func() any { return new(received) }}

func (r *received) release() {
	if r.refs.Add(-1) == 0 {
		r.Free()
		receivedPool.Put(r)
	}
}

// keepNodes is how many nodes wait to be used again.
const keepNodes = 1 << 14

func newLink(ctx context.Context, s *Server) *link {
	l := &link{srv: s, actors: make(map[uint64]*actor), procs: runtime.GOMAXPROCS(0)}
	l.ctx, l.cancel = context.WithCancel(ctx)
	l.quiet.L = &l.mu
	l.out.init()
	return l
}

// read hands events to their actors until the stream ends.
func (l *link) read(stream Stream) error {
	for {
		b := receivedPool.Get().(*received)
		if err := stream.Recv(&b.Batch); err != nil {
			return err
		}
		b.refs.Store(1)
		first, err := l.decode(b)
		l.deliver(first)
		b.release()
		if err != nil {
			return err
		}
	}
}

// decode makes a chain of a batch's events.
func (l *link) decode(b *received) (first *node, err error) {
	var last *node
	err = wire.Events(b.B, func(e *wire.Event) error {
		n := l.node()
		n.ev = *e
		if e.Kind == wire.Frame || e.Kind == wire.Timer || e.Kind == wire.Told {
			n.from = b
			b.refs.Add(1)
		}
		if last == nil {
			first = n
		} else {
			last.next = n
		}
		last = n
		return nil
	})
	return first, err
}

func (l *link) node() *node {
	if l.spare == nil {
		l.mu.Lock()
		l.spare, l.free, l.freeN = l.free, nil, 0
		l.mu.Unlock()
		if l.spare == nil {
			return new(node)
		}
	}
	n := l.spare
	l.spare, n.next = n.next, nil
	return n
}

// deliver puts a chain of events into mailboxes and sees that somebody empties them.
func (l *link) deliver(first *node) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := first; n != nil; {
		next := n.next
		n.next = nil
		if a := l.actor(&n.ev); a != nil {
			if a.tail == nil {
				a.head = n
			} else {
				a.tail.next = n
			}
			a.tail = n
			if n.ev.Kind == wire.Forget || n.ev.Kind == wire.Closed && n.ev.Session == 0 {
				// What comes for this actor from now on belongs to another life of it.
				delete(l.actors, a.id)
			}
			if !a.queued {
				a.queued = true
				l.enqueue(a)
			}
		} else {
			n.drop()
		}
		n = next
	}
	if l.runHead != nil {
		l.rouse()
	}
}

// actor returns the actor of an event, nil when the event is to be dropped: an actor that this
// instance was not told of, or that was bound to another.
func (l *link) actor(e *wire.Event) *actor {
	a := l.actors[e.Actor]
	switch e.Kind {
	case wire.Opened, wire.Request, wire.Resumed, wire.Bound:
		if a == nil {
			a = &actor{id: e.Actor}
			a.sess = l.srv.newSession(a)
			l.actors[e.Actor] = a
		}
	}
	return a
}

// forget drops an actor whose session was bound to another.
func (l *link) forget(a *actor) {
	l.mu.Lock()
	if l.actors[a.id] == a {
		delete(l.actors, a.id)
	}
	l.mu.Unlock()
}

// drop lets go of what an event holds.
func (n *node) drop() {
	if n.from != nil {
		n.from.release()
		n.from = nil
	}
	n.ev.Cold, n.ev.Data = nil, nil
}

// open takes what the core keeps of an actor.
func (l *link) open(a *actor, sessionID uint64, s *pluginv1.Snapshot) error {
	a.cells, a.size = entriesOf(s.GetState()), 0
	for key, value := range a.cells {
		a.size += len(key) + len(value)
	}
	a.key = s.GetKey()
	a.named = s.GetActorKind() == pluginv1.ActorKind_ACTOR_KIND_NAMED
	a.self, a.bound = nil, nil
	if s.GetSession() != nil {
		a.self = l.peer(sessionID, s)
	}
	for _, b := range s.GetBound() {
		l.bind(a, b.GetId(), b.GetSnapshot())
	}
	return a.sess.load(s.GetStateVersion())
}

func (l *link) bind(a *actor, session uint64, s *pluginv1.Snapshot) {
	if a.bound == nil {
		a.bound = make(map[uint64]*peer)
	}
	a.bound[session] = l.peer(session, s)
}

func (l *link) peer(id uint64, s *pluginv1.Snapshot) *peer {
	p := &peer{
		id:       id,
		info:     infoOf(s.GetSession()),
		identity: identityOf(s.GetIdentity()),
		context:  entriesOf(s.GetContext()),
		route:    l.srv.routes[s.GetRoute()],
	}
	if p.route == nil {
		p.route = &Route{ID: s.GetRoute()}
	}
	return p
}
