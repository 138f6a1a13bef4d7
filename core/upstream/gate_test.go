package upstream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(2, 3, nil)
		for range 2 {
			if err := g.enter(t.Context(), time.Second); err != nil {
				t.Fatalf("there is room: %v", err)
			}
		}
		var mu sync.Mutex
		var order []int
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				if err := g.enter(t.Context(), time.Minute); err != nil {
					t.Errorf("number %d: %v", i, err)
				}
				mu.Lock()
				order = append(order, i)
				mu.Unlock()
			})
			synctest.Wait()
		}
		if err := g.enter(t.Context(), time.Minute); !errors.Is(err, errQueueFull) {
			t.Errorf("a full queue says %v", err)
		}
		for range 3 {
			g.leave()
			synctest.Wait()
		}
		wg.Wait()
		if want := []int{0, 1, 2}; !slices.Equal(order, want) {
			t.Errorf("the order is %v, want %v", order, want)
		}
		g.leave()
		g.leave()
		if g.free != 2 || g.room != 3 {
			t.Errorf("at the end %d are free and %d may wait, want 2 and 3", g.free, g.room)
		}
	})
}

func TestGateGivesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate(1, 10, nil)
		if err := g.enter(t.Context(), time.Second); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := g.enter(t.Context(), time.Second); !errors.Is(err, errQueueTime) || time.Since(begin) != time.Second {
			t.Errorf("it gives up after %v: %v", time.Since(begin), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := g.enter(ctx, time.Minute); !errors.Is(err, context.Canceled) {
			t.Errorf("the context ended: %v", err)
		}
		if g.waiting.Len() != 0 || g.room != 10 {
			t.Errorf("%d wait, %d more may", g.waiting.Len(), g.room)
		}
		g.leave()
		if err := g.enter(t.Context(), time.Second); err != nil {
			t.Errorf("behind those who gave up: %v", err)
		}

		time.AfterFunc(time.Second, g.close)
		if err := g.enter(t.Context(), time.Minute); !errors.Is(err, errClosed) {
			t.Errorf("it is closed while one waits: %v", err)
		}
		if err := g.enter(t.Context(), time.Minute); !errors.Is(err, errClosed) {
			t.Errorf("it is closed: %v", err)
		}
		g.leave()
	})
}

// A place is given at the moment at which the one who waits gives up: it must not be lost.
func TestGateRace(t *testing.T) {
	t.Parallel()
	g := newGate(3, 1000, nil)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			for range 200 {
				if g.enter(t.Context(), time.Duration(i)*time.Microsecond) == nil {
					g.leave()
				}
			}
		})
	}
	wg.Wait()
	if g.free != 3 || g.room != 1000 || g.waiting.Len() != 0 {
		t.Errorf("at the end %d are free, %d may wait, %d wait", g.free, g.room, g.waiting.Len())
	}
}
