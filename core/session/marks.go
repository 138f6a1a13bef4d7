package session

import (
	"errors"
	"math"
)

// Order is a place among the publishes of one key.
type Order struct {
	Key    string // empty: in no order
	Number uint64 // rises from one publish to the next
	Always bool   // no mark counts but one of the largest number
}

// ErrPassed is returned for what a session is not to get because it has been told what it says.
var ErrPassed = errors.New("behind the session's watermark")

// mostMarks bounds what a plugin may leave lying at one session.
const mostMarks = 4096

// Mark notes that the client is told what the publishes of a key say up to that number: what is offered
// from here on and is not above it passes the session by. A mark of the same key takes the place of the
// one before; known says that this one said as much.
func (s *Session) Mark(to Order) (known bool) {
	s.out.mu.Lock()
	defer s.out.mu.Unlock()
	mark, had := s.out.marks[to.Key]
	s.out.marks.set(to)
	return had && mark >= to.Number
}

// marks are kept until a publish is above them: those that come later are as well.
type marks map[string]uint64

func (m *marks) set(to Order) {
	if *m == nil {
		*m = make(marks)
	}
	if _, had := (*m)[to.Key]; !had && len(*m) >= mostMarks {
		for key := range *m { // any: whoever leaves so many has no use for them
			delete(*m, key)
			break
		}
	}
	(*m)[to.Key] = to.Number
}

// pass says whether what has that place is above the mark.
func (m *marks) pass(at Order) bool {
	mark, ok := (*m)[at.Key]
	if !ok || at.Always && mark != math.MaxUint64 {
		return true
	}
	if at.Number <= mark {
		return false
	}
	delete(*m, at.Key)
	return true
}
