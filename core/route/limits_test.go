package route

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestSeats(t *testing.T) {
	const most = 100
	s := NewSeats(most)
	for range 3 {
		var wg sync.WaitGroup
		var got atomic.Int64
		for range 8 {
			wg.Go(func() {
				for range most {
					if s.Take() {
						got.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if got.Load() != most || s.Taken() != most {
			t.Fatalf("%d took one of %d, %d are taken", got.Load(), most, s.Taken())
		}
		for range most {
			s.Give()
		}
	}
	var none *Seats
	if !none.Take() || none.Taken() != 0 {
		t.Error("no bound bounds")
	}
	none.Give()
}

// TestSeatsChange: what is taken stays taken when there are fewer seats than that, or no bound at all.
func TestSeatsChange(t *testing.T) {
	s := NewSeats(0)
	for range 3 {
		if !s.Take() {
			t.Fatal("no bound bounds")
		}
	}
	s.Set(2)
	if s.Take() || s.Taken() != 3 {
		t.Errorf("%d are taken of 2", s.Taken())
	}
	s.Give()
	if s.Take() {
		t.Error("a third of 2")
	}
	s.Give()
	if !s.Take() || s.Taken() != 2 {
		t.Errorf("%d are taken, want 2", s.Taken())
	}
}

// TestNewest: limits are those of the newest entry of the route.
func TestNewest(t *testing.T) {
	var newest atomic.Pointer[Entry]
	old := &Entry{MaxFrame: 1, Newest: &newest}
	if old.Now() != old || (&Entry{}).Now() == nil {
		t.Error("an entry without a newer one")
	}
	now := &Entry{MaxFrame: 2, Newest: &newest}
	newest.Store(now)
	if old.Now() != now || now.Now() != now {
		t.Error("not the newest")
	}
}

func TestRate(t *testing.T) {
	for _, tt := range []struct {
		rate Rate
		want time.Duration
	}{
		{Rate{}, 0},
		{Rate{100, time.Second}, 10 * time.Millisecond},
		{Rate{1, time.Hour}, time.Hour},
		{Rate{999_999_999, time.Millisecond}, 1},
	} {
		if got := tt.rate.Every(); got != tt.want {
			t.Errorf("%+v: every %v, want %v", tt.rate, got, tt.want)
		}
	}
}
