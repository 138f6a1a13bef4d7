//go:build linux

package listen

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/core/session"
)

// TestManyAtRest: ten thousand connections wait with a few goroutines between them. Each is answered
// when all speak at once, and again later; what all are sent disturbs none; and none
// leaves anything behind, whoever ends it.
func TestManyAtRest(t *testing.T) {
	n := connectionsWithin(t, 10_000)
	p := newPeer()
	p.opened = make(chan *session.Session, n)
	p.events = make(chan event, n)
	p.onFrame = func(s *session.Session, data []byte, binary bool) { echoing{}.Frame(s, data, binary) }
	// Pings would come between what is counted.
	f := start(t, p, Config{PingInterval: time.Hour})
	before, goroutines := descriptors(t), runtime.NumGoroutine()
	clients := hold(t, f.addr, n, false)
	f.settled(t, n)
	few := func() {
		t.Helper()
		poll(t, "they wait without goroutines", func() bool { return runtime.NumGoroutine() < goroutines+20 })
	}
	few()
	for range 3 {
		clients.do("wake")
		f.settled(t, n)
		few()
	}

	all := make([]*session.Session, n)
	for i := range all {
		all[i] = p.session1(t)
		_ = all[i].Offer([]byte(idleText), false)
		all[i].Flush()
	}
	if m := f.resting(); m != n {
		t.Errorf("%d of %d are at rest once they were sent something", m, n)
	}
	clients.do("read")

	for _, s := range all[:n/2] {
		s.Ended(session.CloseGoingAway.Code, "", false)
	}
	f.settled(t, n-n/2)
	clients.close()
	f.settled(t, 0)
	for range n {
		if e := p.next(t); e.kind != "closed" {
			t.Fatalf("got event %+v", e)
		}
	}
	poll(t, "all descriptors are closed", func() bool { return descriptors(t) <= before+8 })
}

// connectionsWithin is n, or what the limit of descriptors leaves of it.
func connectionsWithin(t *testing.T, n int) int {
	t.Helper()
	if testing.Short() {
		n /= 10
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = limit.Max
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	// A listener takes nine tenths.
	if most := int(min(limit.Max, 1<<20))/10*9 - 100; most < n {
		t.Logf("%d descriptors are allowed: %d connections instead of %d", limit.Max, most, n)
		return most
	}
	return n
}
