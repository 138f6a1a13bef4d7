package hub

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/protocol-bridge/bridge/core/session"
)

// TestExceptChannels compares whom a publish reaches with what was joined, for random memberships.
func TestExceptChannels(t *testing.T) {
	names := []string{"a", "b", "c", "$d", "$e", "nobody is here"}
	rapid.Check(t, func(t *rapid.T) {
		g := New().Group("a", Options{})
		joined := make(map[uint64][]string)
		people := make(map[uint64]*person)
		for id := range uint64(rapid.IntRange(1, 70).Draw(t, "sessions")) {
			people[id] = g.person(id)
			joined[id] = rapid.SliceOfDistinct(rapid.SampledFrom(names[:5]), rapid.ID).Draw(t, "joined")
			for _, c := range joined[id] {
				g.Join(people[id].Session, c)
			}
		}
		some := rapid.SliceOf(rapid.SampledFrom(names))
		channels, except := some.Draw(t, "channels"), Except{Channels: some.Draw(t, "except"), IDs: rapid.SliceOf(rapid.Uint64Range(0, 70)).Draw(t, "ids")}
		var dirty session.Dirty
		n := g.Publish(channels, except, text("hi"), &dirty)
		dirty.Flush()
		in := func(id uint64, list []string) bool {
			return slices.ContainsFunc(joined[id], func(c string) bool { return slices.Contains(list, c) })
		}
		want := 0
		for id, p := range people {
			frames := 0
			if in(id, channels) && !in(id, except.Channels) && !slices.Contains(except.IDs, id) {
				frames = 1
				want++
			}
			if got := p.take(); len(got) != frames {
				t.Fatalf("session %d on %q got %q of a publish to %q except %+v", id, joined[id], got, channels, except)
			}
		}
		if n != want {
			t.Fatalf("%d receivers, want %d", n, want)
		}
		anybody := slices.ContainsFunc(slices.Collect(maps.Keys(people)), func(id uint64) bool { return in(id, channels) })
		before := g.Counts().Publishes
		if nobody := g.ReachesNobody(channels); nobody == anybody || g.Counts().Publishes-before != map[bool]uint64{true: 1}[nobody] {
			t.Fatalf("a publish to %q reaches nobody: %v, and counts %d", channels, nobody, g.Counts().Publishes-before)
		}
	})
}

// TestExceptIsOfOneMoment: who is excluded before joining, and until after leaving, gets nothing at any
// moment between, whichever of the channels' locks is taken first.
func TestExceptIsOfOneMoment(t *testing.T) {
	g := New().Group("a", Options{})
	outs := []string{"$1", "$2", "$3", "$4", "$5"}
	var stop atomic.Bool
	var wg sync.WaitGroup
	for id := range uint64(4) {
		p := g.person(id)
		wg.Go(func() {
			for i := 0; !stop.Load(); i++ {
				out := outs[i%len(outs)]
				g.Join(p.Session, out)
				g.Join(p.Session, "x")
				g.Leave(p.Session, "x")
				g.Leave(p.Session, out)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			var dirty session.Dirty
			for range 20_000 {
				if n := g.Publish([]string{"x", "y"}, Except{Channels: outs}, text("hi"), &dirty); n != 0 {
					t.Errorf("%d who are excluded got a frame", n)
					break
				}
			}
			stop.Store(true)
		})
	}
	wg.Wait()
}
