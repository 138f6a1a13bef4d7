package core

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/session"
)

// claimer is what has a name held by one node at a time.
type claimer interface {
	Claim(ctx context.Context, key string, takeOver *cluster.Eviction) (revision uint64, granted bool, err error)
	Unclaim(ctx context.Context, key string, revision uint64) error
}

// names are those that sessions hold in the cluster: the cluster says which node holds one, and claims which
// of this node's sessions.
type names struct {
	cluster claimer
	claims  *claims

	mu       sync.Mutex // guards what follows
	m        map[string]*name
	released []claimKey            // by sessions, and not yet by this node
	workers  int                   // that let go of them
	idle     sync.Cond             // on mu: there is none
	failed   map[claimKey]struct{} // that could not be let go of
	retry    *time.Timer           // for those; nil: there are none
	ended    bool                  // there is no retry any more
}

const (
	// mostWorkers is how many names are let go of at a time.
	mostWorkers = 16
	// retryAfter is how long names that could not be let go of stay so.
	retryAfter = 3 * time.Second
)

// name is one that this node holds, or that somebody is at.
type name struct {
	users int // guarded by the mu of names

	mu       sync.Mutex // held while the cluster is asked; guards what follows
	key      claimKey   // of this node's claims, once there was one
	revision uint64     // since when this node holds it; 0: it does not
	unsure   bool       // with a revision of 0: it may, as nobody confirmed or refused a claim
}

func newNames(c claimer, local *claims) *names {
	n := &names{cluster: c, claims: local, m: make(map[string]*name)}
	n.idle.L = &n.mu
	return n
}

func (k claimKey) shared() string { return cluster.NameKey(k.plugin.Label(), k.name) }

// enter locks a name; leave is to be called.
func (n *names) enter(key string) (x *name, leave func()) {
	n.mu.Lock()
	x = n.m[key]
	if x == nil {
		x = new(name)
		n.m[key] = x
	}
	x.users++
	n.mu.Unlock()
	x.mu.Lock()
	return x, func() {
		x.mu.Unlock()
		n.mu.Lock()
		defer n.mu.Unlock()
		x.users--
		if x.users == 0 && x.revision == 0 && !x.unsure { // nobody is at it
			delete(n.m, key)
		}
	}
}

// claim has a session hold a name, if no other does in the cluster, or takeOver says that it is to give it
// up. An error means that nobody knows.
func (n *names) claim(ctx context.Context, k claimKey, s *session.Session, takeOver *cluster.Eviction) (granted bool, evicted *session.Session, err error) {
	x, leave := n.enter(k.shared())
	defer leave()
	if x.revision == 0 {
		if granted, err := n.ask(ctx, k, x, takeOver); err != nil || !granted {
			return false, nil, err
		}
	}
	granted, evicted = n.claims.take(k, s, takeOver != nil)
	if !granted && n.claims.of(k) == nil {
		n.drop(ctx, k, x)
	}
	return granted, evicted, nil
}

// ask claims a name for this node. The caller has entered it.
func (n *names) ask(ctx context.Context, k claimKey, x *name, takeOver *cluster.Eviction) (granted bool, err error) {
	revision, granted, err := n.cluster.Claim(ctx, k.shared(), takeOver)
	x.unsure = err != nil
	if x.unsure {
		n.later(k)
	}
	if granted {
		x.key, x.revision = k, revision
	}
	return granted, err
}

// drop lets go of a name that no session holds. The caller has entered it.
func (n *names) drop(ctx context.Context, k claimKey, x *name) {
	if x.unsure { // what this finds out is behind whatever was not confirmed
		if granted, err := n.ask(ctx, k, x, nil); err != nil || !granted {
			return
		}
	}
	if x.revision == 0 {
		return
	}
	if n.cluster.Unclaim(ctx, k.shared(), x.revision) != nil {
		n.later(k)
		return
	}
	x.revision = 0
}

// later has a name let go of that could not be: others would think that it is held as long as this node lives.
func (n *names) later(k claimKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return
	}
	if n.failed == nil {
		n.failed = make(map[claimKey]struct{})
	}
	n.failed[k] = struct{}{}
	if n.retry == nil {
		n.retry = time.AfterFunc(retryAfter, n.again)
	}
}

func (n *names) again() {
	n.mu.Lock()
	list := slices.Collect(maps.Keys(n.failed))
	clear(n.failed)
	n.retry = nil
	n.mu.Unlock()
	n.release(list...)
}

// release lets go of names that sessions have given up. It does not block.
func (n *names) release(list ...claimKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ended {
		return
	}
	n.released = append(n.released, list...)
	for range min(len(list), mostWorkers-n.workers) {
		n.workers++
		go n.work()
	}
}

func (n *names) work() {
	for {
		n.mu.Lock()
		if len(n.released) == 0 {
			if n.workers--; n.workers == 0 {
				n.idle.Broadcast()
			}
			n.mu.Unlock()
			return
		}
		last := len(n.released) - 1
		k := n.released[last]
		n.released = n.released[:last]
		n.mu.Unlock()
		x, leave := n.enter(k.shared())
		if n.claims.of(k) == nil {
			n.drop(context.Background(), k, x)
		}
		leave()
	}
}

// end waits until all that was released is let go of, as long as ctx lasts. What could not be is free when
// this node is gone.
func (n *names) end(ctx context.Context) {
	stop := context.AfterFunc(ctx, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		n.released = nil
	})
	defer stop()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ended = true
	if n.retry != nil {
		n.retry.Stop()
	}
	for n.workers > 0 {
		n.idle.Wait()
	}
}

// evict takes a name from this node's session: at that revision it became another node's. It does not
// block.
func (n *names) evict(key string, revision uint64, end func(*session.Session)) {
	n.mu.Lock()
	known := n.m[key] != nil
	n.mu.Unlock()
	if !known {
		return
	}
	go func() {
		x, leave := n.enter(key)
		defer leave()
		if x.revision == 0 || revision <= x.revision {
			return
		}
		x.revision = 0
		if s := n.claims.lose(x.key); s != nil {
			end(s)
		}
	}()
}
