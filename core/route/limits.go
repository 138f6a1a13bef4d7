package route

import (
	"sync/atomic"
	"time"
)

// Rate is so many frames of a session in a time; the zero Rate is none. So many may come at once,
// and then one whenever its share of the time has passed.
type Rate struct {
	Frames int
	Per    time.Duration
}

// Every is the share of one frame; 0 means that there is no rate.
func (r Rate) Every() time.Duration {
	if r.Frames <= 0 {
		return 0
	}
	return max(r.Per/time.Duration(r.Frames), 1)
}

// Seats bounds the sessions of a route. Its entries share it, also with those of a table that is made
// anew. A nil *Seats has no bound. Its methods are safe for concurrent use.
type Seats struct {
	most  atomic.Int64 // 0: no bound
	taken atomic.Int64
}

// NewSeats returns so many seats; 0 is no bound.
func NewSeats(most int) *Seats {
	s := &Seats{}
	s.Set(most)
	return s
}

// Set changes how many there are; those that are taken stay so. 0 is no bound.
func (s *Seats) Set(most int) { s.most.Store(int64(most)) }

// Take takes a seat; false when there is none.
func (s *Seats) Take() bool {
	if s == nil {
		return true
	}
	for {
		n, most := s.taken.Load(), s.most.Load()
		if most > 0 && n >= most {
			return false
		}
		if s.taken.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Give gives a seat back.
func (s *Seats) Give() {
	if s != nil {
		s.taken.Add(-1)
	}
}

// Taken is how many are taken.
func (s *Seats) Taken() int {
	if s == nil {
		return 0
	}
	return int(s.taken.Load())
}
