//go:build linux

package load

import (
	"errors"
	"fmt"
	"time"
)

// Times are how long something took, from request, or from when it was due, to answer.
type Times struct{ P50, P99, Max time.Duration }

func (h *histogram) times() Times { return Times{h.at(0.5), h.at(0.99), h.max} }

// turns is a run in which one connection more reads what it is sent for a while, and then another one does not,
// again and again, and the times of the others are told apart by it. Whatever else the machine does is the same
// for both, as is all that one process or connection has of its own.
type turns struct {
	spec  *Spec
	hists [2]histogram // while it reads, and while it does not
	other histogram    // what belongs to neither
	into  *histogram   // one of these

	begun   int   // how many
	next    int64 // when what is now is over
	over    bool
	opening chan opened // nil: it is there
	beside  *beside
}

type opened struct {
	beside *beside
	err    error
}

const (
	// turnSettle is from the beginning of a turn to when it is measured, at the least: the connection asks for a
	// lot, and what is in flight belongs to the turn before.
	turnSettle = time.Second
	turnTime   = time.Second
)

// turnsOf returns nil for a run without.
func turnsOf(s *Spec) *turns {
	if s.Turns == 0 {
		return nil
	}
	t := &turns{spec: s}
	t.into = &t.other
	return t
}

// kind is what the connection of a turn does: of each two turns another one is first.
func (t *turns) kind() string {
	if t.begun/2%2 == 1 {
		return Stalls
	}
	return Reads
}

// tick looks whether a turn, or the time before it is measured, is over.
func (t *turns) tick(at int64) error {
	switch {
	case at < t.next:
		return nil
	case t.into == &t.other && t.begun > 0:
		return t.measure(at)
	case t.begun == 2*t.spec.Turns:
		t.over = true
		return t.end()
	default:
		return t.begin(at)
	}
}

// measure begins the part of a turn that is measured, if its connection is there.
func (t *turns) measure(at int64) error {
	select {
	case o := <-t.opening:
		if o.err != nil {
			return o.err
		}
		t.beside, t.opening = o.beside, nil
	default:
		return nil
	}
	t.into = &t.hists[0]
	if t.kind() == Stalls {
		t.into = &t.hists[1]
	}
	t.next = at + int64(turnTime)
	return nil
}

func (t *turns) begin(at int64) error {
	if err := t.end(); err != nil {
		return err
	}
	t.begun++
	t.into, t.next = &t.other, at+int64(turnSettle)
	t.opening = make(chan opened, 1)
	go func(kind string, c chan<- opened) {
		b, err := openBeside(t.spec, kind)
		c <- opened{b, err}
	}(t.kind(), t.opening)
	return nil
}

// end closes the connection of a turn, which must have done what it was to do.
func (t *turns) end() error {
	if t.beside == nil { // before the first
		return nil
	}
	b, kind := t.beside, t.kind()
	t.beside = nil
	stalled, err := b.stalled()
	b.close()
	if err == nil && stalled != (kind == Stalls) {
		err = errors.New("it does the other")
	}
	if err != nil {
		return fmt.Errorf("the connection beside the others is to be one that %s: %w", kind, err)
	}
	return nil
}
