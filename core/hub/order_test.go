package hub

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/protocol-bridge/bridge/core/session"
)

// say publishes a frame at its place, as the core does.
func (g *Group) sayIn(at session.Order, then ...string) {
	var dirty session.Dirty
	frames := [][]Variant{text(at.Key + strconv.FormatUint(at.Number, 10))}
	for _, s := range then {
		frames = append(frames, text(s))
	}
	g.InOrder(at, 100, &dirty, func(d *session.Dirty) { g.PublishAll(at, []string{"x"}, Except{}, frames, d) }, func() {})
	dirty.Flush()
}

func listener(g *Group) *person {
	p := g.person(1)
	g.Join(p.Session, "x")
	return p
}

func (p *person) expect(t *testing.T, want ...string) {
	t.Helper()
	if got := p.take(); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestOrder(t *testing.T) {
	a := func(n uint64) session.Order { return session.Order{Key: "a", Number: n} }
	t.Run("as they come", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New().Group("a", Options{})
			p := listener(g)
			for n := range uint64(4) {
				g.sayIn(a(n+1), "and")
			}
			p.expect(t, "a1", "and", "a2", "and", "a3", "and", "a4", "and")
		})
	})
	t.Run("one is missing for a while", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New().Group("a", Options{})
			p := listener(g)
			g.sayIn(a(1))
			g.sayIn(a(4))
			g.sayIn(a(3))
			g.sayIn(session.Order{Key: "b", Number: 1})
			time.Sleep(gapWait - time.Millisecond)
			synctest.Wait()
			p.expect(t, "a1", "b1")
			g.sayIn(a(2))
			p.expect(t, "a2", "a3", "a4")
		})
	})
	t.Run("one is missing for too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New().Group("a", Options{})
			p := listener(g)
			g.sayIn(a(1))
			g.sayIn(a(3))
			time.Sleep(gapWait / 2)
			g.sayIn(a(5))
			time.Sleep(gapWait / 2)
			synctest.Wait()
			p.expect(t, "a1", "a3")
			g.sayIn(a(2)) // behind what was delivered
			p.expect(t, "a2")
			g.sayIn(a(2)) // twice
			g.sayIn(a(3))
			p.expect(t)
			time.Sleep(gapWait / 2)
			synctest.Wait()
			p.expect(t, "a5")
			if n := g.Counts().Late; n != 3 {
				t.Errorf("%d were late, want 3", n)
			}
		})
	})
	t.Run("nobody publishes while one is missing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var since time.Time
			g := New().Group("a", Options{Serving: func() time.Time { return since }})
			p := listener(g)
			g.sayIn(a(1))
			g.sayIn(a(3))
			time.Sleep(5 * gapWait)
			synctest.Wait()
			p.expect(t, "a1")
			since = time.Now()
			time.Sleep(gapWait / 2)
			synctest.Wait()
			g.sayIn(a(2))
			p.expect(t, "a2", "a3")
			g.sayIn(a(5))
			time.Sleep(gapWait)
			synctest.Wait()
			p.expect(t, "a5")
		})
	})
	t.Run("many are missing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New().Group("a", Options{})
			p := listener(g)
			g.sayIn(a(1))
			g.sayIn(a(5 * mostSkipped))
			time.Sleep(gapWait)
			synctest.Wait()
			g.sayIn(a(2))
			g.sayIn(a(5*mostSkipped - 1))
			p.expect(t, "a1", fmt.Sprint("a", 5*mostSkipped), fmt.Sprint("a", 5*mostSkipped-1))
			if n := len(g.orders.keys["a"].skipped); n >= mostSkipped {
				t.Errorf("%d numbers are remembered", n)
			}
		})
	})
	t.Run("the first that is seen is not the first", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New().Group("a", Options{})
			p := listener(g)
			g.sayIn(a(58))
			time.Sleep(firstWait / 2)
			g.sayIn(a(57))
			g.sayIn(a(60))
			p.expect(t)
			time.Sleep(firstWait / 2) // since the first came
			synctest.Wait()
			p.expect(t, "a57", "a58")
			g.sayIn(a(59)) // of a key that is known by now
			p.expect(t, "a59", "a60")
		})
	})
	t.Run("the first is known not to be", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New().Group("a", Options{})
			p := listener(g)
			g.Reached(a(4))
			g.sayIn(a(6))
			p.expect(t)
			g.sayIn(a(5))
			p.expect(t, "a5", "a6")
		})
	})
	t.Run("too many wait", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New().Group("a", Options{})
			var dirty session.Dirty
			got := make(chan uint64, 3)
			say := func(n uint64, size int) {
				g.InOrder(a(n), size, &dirty, func(*session.Dirty) { got <- n }, func() {})
			}
			say(1, 10)
			say(3, mostInOrder)
			say(5, 10)
			if n := len(got); n != 2 {
				t.Errorf("%d were delivered, want 2", n)
			}
			time.Sleep(2 * gapWait)
			synctest.Wait()
			if n := len(got); n != 3 {
				t.Errorf("%d were delivered in the end, want 3", n)
			}
		})
	})
	t.Run("keys are forgotten", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			g := New().Group("a", Options{})
			for n := range uint64(1000) {
				g.sayIn(session.Order{Key: fmt.Sprint(n), Number: 1})
			}
			for range 2 {
				time.Sleep(orderKept + time.Second)
				g.sayIn(a(1))
			}
			if n := len(g.orders.keys) + len(g.orders.old); n != 1 {
				t.Errorf("%d keys are kept", n)
			}
		})
	})
}

// TestMarks: what a client was told passes it by, and nobody else.
func TestMarks(t *testing.T) {
	g := New().Group("a", Options{})
	p, other := listener(g), g.person(2)
	g.Join(other.Session, "x")
	at := func(n uint64) session.Order { return session.Order{Key: "a", Number: n} }
	p.Mark(at(2))
	g.sayIn(at(1))
	g.sayIn(at(2))
	g.sayIn(session.Order{Key: "b", Number: 1})
	p.expect(t, "b1")
	g.sayIn(at(3), "then")
	p.expect(t, "a3", "then")
	p.Mark(at(1<<64 - 1))
	g.sayIn(at(4))
	p.expect(t)
	p.Mark(at(4)) // what is set last counts
	g.sayIn(at(5))
	p.expect(t, "a5")
	other.expect(t, "a1", "a2", "b1", "a3", "then", "a4", "a5")
}

// TestOrderOfMany: whatever order publishes of many goroutines come in, nobody sees one go back, and
// without a gap that lasts nothing is lost.
func TestOrderOfMany(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := New().Group("a", Options{})
		p := listener(g)
		numbers := make([]uint64, rapid.IntRange(1, 60).Draw(t, "publishes"))
		for i := range numbers {
			numbers[i] = uint64(i + 1)
		}
		first, rest := numbers[:1], rapid.Permutation(numbers[1:]).Draw(t, "order")
		g.sayIn(session.Order{Key: "a", Number: first[0]})
		var wg sync.WaitGroup
		for part := range slices.Chunk(rest, 1+len(rest)/4) {
			wg.Go(func() {
				for _, n := range part {
					g.sayIn(session.Order{Key: "a", Number: n})
				}
			})
		}
		wg.Wait()
		var want []string
		for _, n := range numbers {
			want = append(want, fmt.Sprintf("a%d", n))
		}
		if got := p.take(); !slices.Equal(got, want) {
			t.Fatalf("got %q", got)
		}
	})
}
