package session

import (
	"fmt"
	"sync"
	"testing"
)

// TestTraffic: each frame is told of once, however many ask.
func TestTraffic(t *testing.T) {
	s, _, _ := open(-1, Limits{})
	s.Frame([]byte("four"), false)
	s.Frame(nil, false)
	for range 3 {
		if err := s.Send([]byte("seven77"), true); err != nil {
			t.Fatal(err)
		}
	}
	want := Traffic{FramesIn: 2, BytesIn: 4, FramesOut: 3, BytesOut: 21}
	if got := s.Traffic(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := s.Traffic(); got != (Traffic{}) {
		t.Errorf("told again: %+v", got)
	}

	const frames = 1000
	var sum Traffic
	var writer, reader sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		for range frames {
			s.Frame([]byte("x"), false)
			_ = s.Send([]byte("yy"), false)
		}
	})
	reader.Go(func() {
		add := func() {
			n := s.Traffic()
			sum.FramesIn += n.FramesIn
			sum.BytesOut += n.BytesOut
		}
		for {
			select {
			case <-done:
				add()
				return
			default:
				add()
			}
		}
	})
	writer.Wait()
	close(done)
	reader.Wait()
	if sum.FramesIn != frames || sum.BytesOut != 2*frames {
		t.Errorf("got %+v of %d frames", sum, frames)
	}
}

func TestWatch(t *testing.T) {
	s, _, _ := open(-1, Limits{})
	var seen []string
	see := func(who string) Watcher {
		return func(what, kind string, bytes int) { seen = append(seen, fmt.Sprint(who, what, kind, bytes)) }
	}
	check := func(want ...string) {
		t.Helper()
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
		seen = nil
	}
	send := func() {
		if err := s.Send([]byte("abc"), false); err != nil {
			t.Fatal(err)
		}
	}
	send()
	check()
	stopFirst := s.Watch(see("a "))
	send()
	s.Note("event", "timer", 0)
	check("a commandsend3", "a eventtimer0")
	stopSecond := s.Watch(see("b "))
	stopFirst() // is not the second's end
	send()
	check("b commandsend3")
	stopSecond()
	send()
	if check(); s.Watched() {
		t.Error("still watched")
	}
}
