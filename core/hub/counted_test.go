package hub

import (
	"testing"

	"github.com/protocol-bridge/bridge/core/session"
)

// A member that has no room, or is being closed, is counted as one that failed; one of several channels once.
func TestPublishCounted(t *testing.T) {
	g := New().Group("a", Options{})
	takes, closes, full := g.person(1), g.person(2), g.person(3)
	for _, p := range []*person{takes, closes, full} {
		g.Join(p.Session, "x")
		g.Join(p.Session, "y")
	}
	closes.Session.Close(session.CloseNormal.Code, "")
	if err := full.Offer(make([]byte, 1<<20), false); err != nil { // and it is not flushed
		t.Fatal(err)
	}
	var dirty session.Dirty
	n := g.PublishAll(session.Order{}, []string{"x", "y"}, Except{}, [][]Variant{text("hi")}, &dirty)
	if want := (session.Reached{Took: 1, Failed: 2}); n != want {
		t.Errorf("got %+v, want %+v", n, want)
	}
	dirty.Flush()
}
