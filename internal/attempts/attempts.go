// Package attempts counts wrong guesses at secrets under names, as that of an address, for the brakes
// on guessing. It owns no policy: how many are too many, and what follows, is its users' business.
package attempts

import (
	"cmp"
	"hash/maphash"
	"net/netip"
	"sync"
	"time"
)

const (
	// usual is for how long a wrong attempt counts where its user does not say.
	usual = 3 * time.Second
	// most bounds what is remembered of all names together; the oldest are forgotten first.
	most = 100_000
)

// Counter counts wrong attempts of the last seconds or minutes. It remembers 100,000 of them, whatever their names
// are. It is safe for concurrent use. Make it with [New].
type Counter struct {
	seed  maphash.Seed
	lasts time.Duration // for so long an attempt counts

	mu     sync.Mutex // guards what follows
	counts map[uint64]int
	recent []attempt // the oldest first
}

type attempt struct {
	name uint64 // a hash: names are as long as strangers like
	at   time.Time
}

// New returns an empty count, in which an attempt counts for so long; 0 means 3 seconds.
func New(lasts time.Duration) *Counter {
	return &Counter{seed: maphash.MakeSeed(), lasts: cmp.Or(lasts, usual), counts: make(map[uint64]int)}
}

// Add counts an attempt under the name.
func (c *Counter) Add(now time.Time, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	if len(c.recent) == most {
		c.drop()
	}
	hash := maphash.String(c.seed, name)
	c.recent = append(c.recent, attempt{hash, now})
	c.counts[hash]++
}

// Count returns how many attempts there were under the name.
func (c *Counter) Count(now time.Time, name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(now)
	return c.counts[maphash.String(c.seed, name)]
}

// forget needs the lock, as drop does.
func (c *Counter) forget(now time.Time) {
	for len(c.recent) > 0 && now.Sub(c.recent[0].at) >= c.lasts {
		c.drop()
	}
	if len(c.recent) == 0 {
		c.recent = nil // a quiet server keeps nothing of a flood
	}
}

func (c *Counter) drop() {
	hash := c.recent[0].name
	c.recent = c.recent[1:]
	if c.counts[hash]--; c.counts[hash] == 0 {
		delete(c.counts, hash)
	}
}

// AddressName returns under what name attempts from a client's host:port count: an IPv6 address stands
// for its /64, an IPv4-mapped one is IPv4, and what is no address stands for itself. It also reports
// whether that is this machine.
func AddressName(hostport string) (name string, loopback bool) {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return hostport, false
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		return netip.PrefixFrom(a, 64).Masked().String(), false
	}
	return a.String(), a.IsLoopback()
}
