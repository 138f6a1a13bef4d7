package attempts

import (
	"strconv"
	"sync"
	"testing"
	"time"
)

func TestCounter(t *testing.T) {
	t.Parallel()
	c := New(0)
	begin := time.Unix(1_600_000_000, 0)
	at := func(ms int) time.Time { return begin.Add(time.Duration(ms) * time.Millisecond) }
	c.Add(at(0), "a")
	c.Add(at(1000), "a")
	c.Add(at(1000), "b")
	c.Add(at(990), "a") // of an event that was a little older
	for _, test := range []struct{ ms, a, b int }{{1000, 3, 1}, {2999, 3, 1}, {3000, 2, 1}, {3999, 2, 1}, {4000, 0, 0}, {9000, 0, 0}} {
		if a, b := c.Count(at(test.ms), "a"), c.Count(at(test.ms), "b"); a != test.a || b != test.b {
			t.Errorf("after %d ms a has %d and b %d, want %d and %d", test.ms, a, b, test.a, test.b)
		}
	}
}

func TestCounterIsBounded(t *testing.T) {
	t.Parallel()
	c := New(0)
	now := time.Unix(1_600_000_000, 0)
	c.Add(now, "first")
	c.Add(now, "first")
	for i := range most - 2 {
		c.Add(now, strconv.Itoa(i))
	}
	if n := c.Count(now, "first"); n != 2 {
		t.Errorf("at the bound: %d, want 2", n)
	}
	c.Add(now, "one more")
	if n := c.Count(now, "first"); n != 1 {
		t.Errorf("beyond the bound: %d, want 1: the oldest goes", n)
	}
	for i := range 3 * most {
		c.Add(now, "more"+strconv.Itoa(i))
	}
	if len(c.recent) != most || len(c.counts) != most {
		t.Errorf("%d attempts, %d names, want %d", len(c.recent), len(c.counts), most)
	}
	if cap(c.recent) > 3*most {
		t.Errorf("room for %d", cap(c.recent))
	}
	if n := c.Count(now.Add(usual), "more1"); n != 0 || len(c.counts) != 0 || c.recent != nil {
		t.Errorf("after all have lapsed: %d counted, %d names, room for %d", n, len(c.counts), cap(c.recent))
	}
}

func TestCounterInParallel(t *testing.T) {
	t.Parallel()
	c := New(0)
	now := time.Unix(1_600_000_000, 0)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				c.Add(now, "a")
				c.Count(now, "a")
			}
		})
	}
	wg.Wait()
	if n := c.Count(now, "a"); n != 800 {
		t.Errorf("%d are counted, want 800", n)
	}
}

func TestAddressName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		hostport, name string
		loopback       bool
	}{
		{"203.0.113.9:50000", "203.0.113.9", false},
		{"[::ffff:203.0.113.9]:1", "203.0.113.9", false},
		{"127.0.0.1:1", "127.0.0.1", true},
		{"[::ffff:127.0.0.2]:1", "127.0.0.2", true},
		{"[::1]:1", "::1", true},
		{"[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::/64", false},
		{"[2001:db8:1:2::9%eth0]:1", "2001:db8:1:2::/64", false},
		{"pipe", "pipe", false},
	} {
		if name, loopback := AddressName(test.hostport); name != test.name || loopback != test.loopback {
			t.Errorf("%s counts as %s, loopback %t, want %s, %t", test.hostport, name, loopback, test.name, test.loopback)
		}
	}
}
