package upstream

import (
	"container/list"
	"context"
	"errors"
	"sync"
	"time"
)

// Errors of a gate.
var (
	errQueueFull = errors.New("queue full")
	errQueueTime = errors.New("waited too long for a connection")
	errClosed    = errors.New("upstream closed")
	// errShared is no fault: the question is part of another's request.
	errShared = errors.New("shares a request")
)

// gate lets so many through at a time; the others wait in the order in which they came.
type gate struct {
	meter *meter
	batch int // how many *shared may go through together; 0 is 1

	mu      sync.Mutex // guards all below
	free    int
	room    int       // how many more may wait
	waiting list.List // of chan error, with room for one: nil means go; or of *shared
	closed  bool
}

func newGate(width, queue int, m *meter) *gate {
	return &gate{free: width, room: queue, meter: m}
}

// enter waits for its turn, at most for limit. After nil, leave is due.
func (g *gate) enter(ctx context.Context, limit time.Duration) error {
	if free, err := g.pass(); free || err != nil {
		return err
	}
	turn := make(chan error, 1)
	return g.wait(ctx, limit, turn, turn)
}

// pass goes through if nobody must wait.
func (g *gate) pass() (free bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.passLocked()
}

func (g *gate) passLocked() (free bool, err error) {
	switch {
	case g.closed:
		return false, errClosed
	case g.free > 0:
		g.free--
		g.meter.runs(1)
		return true, nil
	case g.room == 0:
		return false, errQueueFull
	}
	return false, nil
}

// wait is enter for one who has not passed: turn, or a *shared with that turn. One that goes through
// with another gets errShared, and leave is not its business.
func (g *gate) wait(ctx context.Context, limit time.Duration, turn chan error, who any) error {
	g.mu.Lock()
	if free, err := g.passLocked(); free || err != nil {
		g.mu.Unlock()
		return err
	}
	g.room--
	g.meter.waits(1)
	place := g.waiting.PushBack(who)
	g.mu.Unlock()

	timer := time.NewTimer(limit)
	defer timer.Stop()
	var err error
	select {
	case err = <-turn:
		return err
	case <-timer.C:
		err = errQueueTime
	case <-ctx.Done():
		err = ctx.Err()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case given := <-turn: // it came at the same moment
		return given
	default:
	}
	g.remove(place)
	return err
}

func (g *gate) remove(place *list.Element) {
	g.waiting.Remove(place)
	g.room++
	g.meter.waits(-1)
}

// leave lets the next one through, with those right behind it that may share its request.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.waiting.Front()
	if first == nil {
		g.free++
		g.meter.runs(-1)
		return
	}
	g.remove(first)
	leader, ok := first.Value.(*shared)
	if !ok {
		turnOf(first) <- nil
		return
	}
	size := len(leader.command)
	for next := g.waiting.Front(); next != nil && len(leader.mates) < g.batch-1; next = g.waiting.Front() {
		mate, ok := next.Value.(*shared)
		if !ok || size+len(mate.command) > maxSharedBytes {
			break
		}
		size += len(mate.command)
		g.remove(next)
		leader.mates = append(leader.mates, mate)
		mate.turn <- errShared
	}
	leader.turn <- nil
}

// close turns away all who wait and all who come.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for e := g.waiting.Front(); e != nil; e = g.waiting.Front() {
		g.remove(e)
		turnOf(e) <- errClosed
	}
}

func turnOf(place *list.Element) chan error {
	if s, ok := place.Value.(*shared); ok {
		return s.turn
	}
	return place.Value.(chan error) //nolint:forcetypeassert // nothing else is put in
}
