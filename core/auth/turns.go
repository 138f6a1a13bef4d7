package auth

import (
	"context"
	"fmt"
	"sync"
)

// turns lets only so many at a time do something under the same name. It keeps nothing of names under
// which nobody does. It is safe for concurrent use.
type turns struct {
	most int

	mu     sync.Mutex // guards what follows
	byName map[string]*turn
}

type turn struct {
	places chan struct{} // holds one for each that has its turn
	users  int           // that have or wait for a place; guarded by turns.mu
}

func newTurns(most int) *turns { return &turns{most: most, byName: make(map[string]*turn)} }

// take waits for a turn, which ends with leave, or returns an error when ctx ends before.
func (t *turns) take(ctx context.Context, name string) (leave func(), err error) {
	t.mu.Lock()
	u := t.byName[name]
	if u == nil {
		u = &turn{places: make(chan struct{}, t.most)}
		t.byName[name] = u
	}
	u.users++
	t.mu.Unlock()
	select {
	case u.places <- struct{}{}:
		return func() {
			<-u.places
			t.forget(name, u)
		}, nil
	case <-ctx.Done():
		t.forget(name, u)
		return nil, fmt.Errorf("wait for a turn: %w", context.Cause(ctx))
	}
}

func (t *turns) forget(name string, u *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u.users--; u.users == 0 {
		delete(t.byName, name)
	}
}
