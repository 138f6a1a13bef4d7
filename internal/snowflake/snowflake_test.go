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
