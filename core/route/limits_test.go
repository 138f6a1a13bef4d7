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
	if NewSeats(0) != nil || !none.Take() || none.Taken() != 0 {
		t.Error("no bound bounds")
	}
	none.Give()
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
