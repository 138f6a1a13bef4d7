package auth

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"sync"
	"time"
)

const (
	goodFor      = time.Minute
	maxGoodPairs = 1000
)

// goodPairs remembers names with their passwords that were right, so that a client that shows them
// with each request does not pay for a slow hash each time. It keeps hashes under a key that only this
// process knows, and is safe for concurrent use.
type goodPairs struct {
	key [32]byte

	mu    sync.Mutex            // guards what follows
	until map[pairSum]time.Time // when a pair is forgotten
	order []pairSum             // all of them, the oldest first
}

type pairSum [sha256.Size]byte

func newGoodPairs() *goodPairs {
	g := &goodPairs{until: make(map[pairSum]time.Time)}
	_, _ = rand.Read(g.key[:]) // never fails
	return g
}

func (g *goodPairs) sum(name, password string) (sum pairSum) {
	mac := hmac.New(sha256.New, g.key[:])
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(len(name)))
	mac.Write(length[:])
	mac.Write([]byte(name))
	mac.Write([]byte(password))
	mac.Sum(sum[:0])
	return sum
}

func (g *goodPairs) has(pair pairSum) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	until, ok := g.until[pair]
	return ok && time.Now().Before(until)
}

func (g *goodPairs) add(pair pairSum) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for len(g.order) > 0 && (len(g.order) >= maxGoodPairs || !now.Before(g.until[g.order[0]])) {
		delete(g.until, g.order[0])
		g.order = g.order[1:]
	}
	if _, known := g.until[pair]; known {
		return
	}
	g.until[pair] = now.Add(goodFor)
	g.order = append(g.order, pair)
}
