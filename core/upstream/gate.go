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
)

// gate lets so many through at a time; the others wait in the order in which they came.
type gate struct {
	mu      sync.Mutex // guards all below
	free    int
	room    int       // how many more may wait
	waiting list.List // of chan error, with room for one: nil means go
	closed  bool
}

func newGate(width, queue int) *gate {
	return &gate{free: width, room: queue}
}

// enter waits for its turn, at most for limit. After nil, leave is due.
func (g *gate) enter(ctx context.Context, limit time.Duration) error {
	g.mu.Lock()
	switch {
	case g.closed:
		g.mu.Unlock()
		return errClosed
	case g.free > 0:
		g.free--
		g.mu.Unlock()
		return nil
	case g.room == 0:
		g.mu.Unlock()
		return errQueueFull
	}
	g.room--
	turn := make(chan error, 1)
	place := g.waiting.PushBack(turn)
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
	g.waiting.Remove(place)
	g.room++
	return err
}

// leave lets the next one through.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	first := g.waiting.Front()
	if first == nil {
		g.free++
		return
	}
	g.waiting.Remove(first)
	g.room++
	first.Value.(chan error) <- nil //nolint:forcetypeassert // nothing else is put in
}

// close turns away all who wait and all who come.
func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	for e := g.waiting.Front(); e != nil; e = g.waiting.Front() {
		g.waiting.Remove(e)
		e.Value.(chan error) <- errClosed //nolint:forcetypeassert // nothing else is put in
	}
}
