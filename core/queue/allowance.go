package queue

import (
	"slices"
	"sync"
)

// allowance bounds the bytes that one consumer has of all its topics, and has asked for. Each question is given
// a share of what is left, and a small one where nothing is, so that a topic that is empty does not keep the
// others waiting. An entry that is larger than its share is asked for alone, one at a time.
type allowance struct {
	store *Store
	by    uint64
	users int // guarded by the store's mu

	mu   sync.Mutex
	left int
	turn *Consumption // has a large entry, or has asked for one
	line []*Consumption
}

const (
	allowed    = 1 << 20 // bytes
	smallShare = 4 << 10 // for a consumption that has nothing
)

// allowanceOf returns that of a consumer; it is let go of as often as it is asked for.
func (s *Store) allowanceOf(by uint64) *allowance {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.allowances[by]
	if a == nil {
		a = &allowance{store: s, by: by, left: allowed}
		s.allowances[by] = a
	}
	a.users++
	return a
}

func (a *allowance) letGo() {
	a.store.mu.Lock()
	defer a.store.mu.Unlock()
	if a.users--; a.users == 0 {
		delete(a.store.allowances, a.by)
	}
}

// take returns how many bytes may be asked for; 0: none, until something is settled. empty says that the
// consumption has nothing.
func (a *allowance) take(empty bool) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	share := a.left / 4
	if share < smallShare {
		if !empty {
			return 0
		}
		share = smallShare
	}
	a.left -= share
	return share
}

func (a *allowance) give(bytes int) {
	a.mu.Lock()
	a.left += bytes
	a.mu.Unlock()
}

// takeTurn says whether the consumption may ask for a large entry; else askLarge is called when it may.
func (a *allowance) takeTurn(c *Consumption) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.turn == nil {
		a.turn = c
		return true
	}
	a.line = append(a.line, c)
	return false
}

// giveTurn lets the next one ask, where it was the consumption's turn.
func (a *allowance) giveTurn(c *Consumption) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.turn != c {
		return
	}
	a.turn = nil
	if len(a.line) > 0 {
		a.turn, a.line = a.line[0], a.line[1:]
		a.store.wg.Go(a.turn.askLarge)
	}
}

// leave is for a consumption that asks no more.
func (a *allowance) leave(c *Consumption) {
	a.mu.Lock()
	a.line = slices.DeleteFunc(a.line, func(o *Consumption) bool { return o == c })
	a.mu.Unlock()
	a.giveTurn(c)
}
