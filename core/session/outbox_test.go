package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestFramesLeaveInOrderAndTogether(t *testing.T) {
	s, p, _ := open(-1, Limits{})
	s.Flush() // of nothing
	for _, text := range []string{"a", "b", "c"} {
		if err := s.Send([]byte(text), text == "b"); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.text(); got != "" || s.Queued() != len("a(false)b(true)c(false)") {
		t.Errorf("before the flush: %q, %d queued", got, s.Queued())
	}
	s.Flush()
	if got := p.text(); got != "a(false)b(true)c(false)" || len(p.writes) != 1 || s.Queued() != 0 {
		t.Errorf("got %q in %d writes, %d queued", got, len(p.writes), s.Queued())
	}
	_ = s.Offer([]byte("d"), false)
	s.Control([]byte("pong"))
	if got := p.text(); !strings.HasSuffix(got, "d(false)pong") {
		t.Errorf("got %q", got)
	}
	s.Ended(1000, "", true)
}

func TestNothingIsKept(t *testing.T) {
	s, p, _ := open(-1, Limits{})
	data := []byte("abc")
	_ = s.Send(data, false)
	copy(data, "xyz")
	s.Flush()
	if got := p.text(); got != "abc(false)" {
		t.Errorf("got %q", got)
	}
	s.Ended(1000, "", true)
}

func TestStuckSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, h := open(5, Limits{})
		_ = s.Send([]byte("one"), false)
		s.Flush()
		synctest.Wait()
		_ = s.Send([]byte("two"), true)
		s.Flush()
		_ = s.Send([]byte("three"), false)
		s.Flush()
		synctest.Wait()
		if got := p.text(); got != "one(f" {
			t.Fatalf("got %q", got)
		}
		p.give(1)
		synctest.Wait()
		p.give(1000)
		synctest.Wait()
		if got := p.text(); got != "one(false)two(true)three(false)" || s.Queued() != 0 {
			t.Errorf("got %q, %d queued", got, s.Queued())
		}
		// And without waiting again.
		_ = s.Send([]byte("four"), false)
		s.Flush()
		if got := p.text(); !strings.HasSuffix(got, "four(false)") {
			t.Errorf("got %q", got)
		}
		h.want(t)
		s.Ended(1000, "", true)
	})
}

func TestWriteTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, h := open(0, Limits{WriteTimeout: time.Minute})
		start := time.Now()
		_ = s.Send([]byte("one"), false)
		s.Flush()
		time.Sleep(59 * time.Second)
		h.want(t)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		h.want(t, "1013 write timeout false")
		if !p.closed {
			t.Error("the connection is open")
		}
		if d := time.Since(start); d != 61*time.Second {
			t.Errorf("after %v", d)
		}
	})
}

func TestSlowlyReadingIsNoTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, h := open(0, Limits{WriteTimeout: time.Minute})
		_ = s.Send(make([]byte, 10*drainChunk), false)
		s.Flush()
		for range 11 {
			time.Sleep(50 * time.Second)
			p.give(drainChunk)
		}
		synctest.Wait()
		h.want(t)
		if s.Queued() != 0 {
			t.Errorf("%d queued", s.Queued())
		}
		s.Ended(1000, "", true)
	})
}

func TestWriteFails(t *testing.T) {
	for name, stuck := range map[string]bool{"at once": false, "while it waits": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p, h := open(0, Limits{})
				if !stuck {
					p.breakWith(errors.New("reset"))
				}
				_ = s.Send([]byte("one"), false)
				s.Flush()
				synctest.Wait()
				if stuck {
					p.breakWith(errors.New("reset"))
				}
				synctest.Wait()
				h.want(t, "1006  false")
				if err := s.Send([]byte("two"), false); !errors.Is(err, ErrClosed) {
					t.Errorf("send: %v", err)
				}
			})
		})
	}
}

func TestOfferOverflows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, h := open(0, Limits{OutboxBytes: 100})
		big := []byte(strings.Repeat("x", 200))
		if err := s.Offer(big, false); err != nil {
			t.Fatalf("a frame alone is taken, however large: %v", err)
		}
		s.Flush()
		synctest.Wait()
		if err := s.Offer([]byte("y"), false); !errors.Is(err, ErrSlowConsumer) {
			t.Fatalf("got %v", err)
		}
		if !s.IsClosing() {
			t.Error("not closing")
		}
		if err := s.Offer([]byte("z"), false); !errors.Is(err, ErrClosed) {
			t.Fatalf("got %v", err)
		}
		// What was begun is finished, then comes the close frame.
		p.give(1000)
		synctest.Wait()
		if want := string(big) + "(false)close 1013 slow consumer"; p.text() != want {
			t.Errorf("got %q", p.text())
		}
		time.Sleep(abortTimeout)
		synctest.Wait()
		h.want(t, "1013 slow consumer false")
	})
}

func TestSendIsTakenWhenOfferIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, h := open(0, Limits{OutboxBytes: 100})
		piece := []byte(strings.Repeat("x", 90))
		n := 0
		var err error
		for ; err == nil; n++ {
			err = s.Send(piece, false)
			s.Flush()
			synctest.Wait()
		}
		if !errors.Is(err, ErrSlowConsumer) || n < 7 || n > 9 {
			t.Errorf("%v behind %d frames", err, n)
		}
		time.Sleep(2 * abortTimeout)
		synctest.Wait()
		h.want(t, "1013 slow consumer false")
	})
}

func TestControlIsDroppedWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := open(0, Limits{OutboxBytes: 20})
		_ = s.Send([]byte("0123456789"), false)
		s.Flush()
		synctest.Wait()
		s.Control([]byte("pong"))
		p.give(1000)
		synctest.Wait()
		if got := p.text(); got != "0123456789(false)" {
			t.Errorf("got %q", got)
		}
		s.Ended(1000, "", true)
		s.Control([]byte("pong"))
	})
}

func TestDirtyFlushesOnce(t *testing.T) {
	s, p, _ := open(-1, Limits{})
	var d Dirty
	for _, text := range []string{"a", "b"} {
		_ = s.Send([]byte(text), false)
		d.Add(s)
	}
	d.Flush()
	d.Flush()
	_ = s.Send([]byte("c"), false)
	d.Add(s)
	d.Flush()
	if got := p.text(); got != "a(false)b(false)c(false)" || len(p.writes) != 2 {
		t.Errorf("got %q in %d writes", got, len(p.writes))
	}
	s.Ended(1000, "", true)
}

func TestManyWriters(t *testing.T) {
	s, p, _ := open(-1, Limits{})
	var wg sync.WaitGroup
	const writers, frames = 8, 200
	for w := range writers {
		wg.Go(func() {
			for i := range frames {
				_ = s.Send(fmt.Appendf(nil, "%d:%d;", w, i), false)
				s.Flush()
			}
		})
	}
	wg.Wait()
	s.Ended(1000, "", true)
	next := make([]int, writers)
	for part := range strings.SplitSeq(strings.TrimSuffix(p.text(), ";(false)"), ";(false)") {
		var w, i int
		if _, err := fmt.Sscanf(part, "%d:%d", &w, &i); err != nil || i != next[w] {
			t.Fatalf("frame %q of writer %d out of order, want %d (%v)", part, w, next[w], err)
		}
		next[w]++
	}
	if slices.Min(next) != frames {
		t.Errorf("frames per writer %v", next)
	}
}

func TestSendDoesNotAllocate(t *testing.T) {
	s := New(1, &Info{}, discard{newPipe(-1)}, &record{}, NewLimits(Limits{}))
	data := make([]byte, 64)
	if n := testing.AllocsPerRun(1000, func() {
		for range 16 {
			_ = s.Send(data, false)
		}
		s.Flush()
	}); n > 0.1 { // a pool may lose a buffer to the garbage collector
		t.Errorf("%v allocations for 16 frames", n)
	}
	s.Ended(1000, "", true)
}

// discard is a socket that takes everything.
type discard struct{ *pipe }

func (discard) AppendFrame(dst, data []byte, _ bool) []byte { return append(dst, data...) }
func (discard) TryWrite(b []byte) (int, error)              { return len(b), nil }
