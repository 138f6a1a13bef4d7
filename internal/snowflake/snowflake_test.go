package snowflake

import (
	"sync"
	"testing"
)

func TestIDs(t *testing.T) {
	now := int64(1700000000000)
	g := New(7, func() int64 { return now })
	id := g.Next()
	if Node(id) != 7 || Time(id) != now || int64(id) <= 0 {
		t.Fatalf("id %d: node %d, time %d", id, Node(id), Time(id))
	}
	now -= 5000 // the clock goes back
	last := id
	for range 10000 {
		next := g.Next()
		if next <= last {
			t.Fatalf("%d after %d", next, last)
		}
		last = next
	}
	if Node(last) != 7 {
		t.Fatalf("node %d after overflow of the sequence", Node(last))
	}
}

func TestPass(t *testing.T) {
	now := int64(1700000000000)
	clock := func() int64 { return now }
	before := New(7, clock)
	var last uint64
	for range 5000 { // more than its millisecond has
		last = before.Next()
	}
	if before.Newest() != now+1 {
		t.Errorf("newest of %d, want %d", before.Newest(), now+1)
	}
	now -= 1000
	after := New(7, clock)
	after.Pass(before.Newest())
	if id := after.Next(); id <= last || Time(id) != before.Newest()+1 {
		t.Errorf("%d of %d after %d", id, Time(id), last)
	}
	after.Pass(0)
	now += 5000
	if id := after.Next(); Time(id) != now {
		t.Errorf("an id of %d, want %d", Time(id), now)
	}
}

func TestConcurrent(t *testing.T) {
	g := New(MaxNode, nil)
	var mu sync.Mutex
	seen := map[uint64]bool{}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 2000 {
				id := g.Next()
				mu.Lock()
				if seen[id] {
					t.Errorf("%d twice", id)
				}
				seen[id] = true
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

func TestNodeOutOfRange(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("no panic for node 1024")
		}
	}()
	New(MaxNode+1, nil)
}
