package auth

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	// attemptLasts is for how long a wrong attempt counts.
	attemptLasts = 3 * time.Second
	// maxAttempts bounds what is remembered of all names together; the oldest are forgotten first.
	maxAttempts = 100_000
)

// Attempts counts wrong attempts of the last 3 seconds under names, as that of an address. It remembers
// 100,000 of them, whatever their names are. It is safe for concurrent use.
type Attempts struct {
	now  func() time.Time
	seed maphash.Seed

	mu     sync.Mutex // guards what follows
	counts map[uint64]int
	recent []attempt // the oldest first
}

type attempt struct {
	name uint64 // a hash: names are as long as strangers like
	at   time.Time
}

// NewAttempts returns an empty count; with now nil it goes by time.Now.
func NewAttempts(now func() time.Time) *Attempts {
	if now == nil {
		now = time.Now
	}
	return &Attempts{now: now, seed: maphash.MakeSeed(), counts: make(map[uint64]int)}
}

// Add counts an attempt under the name.
func (a *Attempts) Add(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.forget(now)
	if len(a.recent) == maxAttempts {
		a.drop()
	}
	hash := maphash.String(a.seed, name)
	a.recent = append(a.recent, attempt{hash, now})
	a.counts[hash]++
}

// Count returns how many attempts there were under the name.
func (a *Attempts) Count(name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.forget(a.now())
	return a.counts[maphash.String(a.seed, name)]
}

// forget needs the lock, as drop does.
func (a *Attempts) forget(now time.Time) {
	for len(a.recent) > 0 && now.Sub(a.recent[0].at) >= attemptLasts {
		a.drop()
	}
	if len(a.recent) == 0 {
		a.recent = nil // a quiet server keeps nothing of a flood
	}
}

func (a *Attempts) drop() {
	hash := a.recent[0].name
	a.recent = a.recent[1:]
	if a.counts[hash]--; a.counts[hash] == 0 {
		delete(a.counts, hash)
	}
}
