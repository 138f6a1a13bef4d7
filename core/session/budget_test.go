package session

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

const kib = 1 << 10

func TestBudgetClosesTheHeaviest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100 * kib)
		hold := func(n int) (*Session, *pipe) {
			s, p, _ := open(0, Limits{Budget: b})
			if err := s.Offer([]byte(strings.Repeat("x", n*kib)), false); err != nil {
				t.Fatal(err)
			}
			s.Flush()
			synctest.Wait()
			return s, p
		}
		heavy, _ := hold(90)
		light, _ := hold(20)
		part, _, _ := open(-1, Limits{Budget: b})
		part.Reading(10 * kib) // not seen
		if heavy.IsClosing() || light.IsClosing() || b.Used() != 96*kib {
			t.Fatalf("%d KiB used, want 96", b.Used()/kib)
		}
		part.Reading(40 * kib)
		synctest.Wait()
		if !heavy.IsClosing() || light.IsClosing() || part.IsClosing() || b.Evicted() != 1 {
			t.Fatalf("closed: heavy %v, light %v, part %v; %d evicted", heavy.IsClosing(), light.IsClosing(), part.IsClosing(), b.Evicted())
		}
		time.Sleep(2 * abortTimeout)
		synctest.Wait()
		if !heavy.HasEnded() || b.Used() != 48*kib || b.Full() {
			t.Errorf("%d KiB used, want 48", b.Used()/kib)
		}
		// A message in part counts as much as an outbox.
		part.Reading(120 * kib)
		synctest.Wait()
		if !part.IsClosing() || light.IsClosing() || b.Evicted() != 2 {
			t.Errorf("closed: part %v, light %v; %d evicted", part.IsClosing(), light.IsClosing(), b.Evicted())
		}
		part.Reading(0)
		light.Ended(1000, "", true)
		part.Ended(1000, "", true)
		synctest.Wait()
		if n := b.Used(); n != 0 || len(b.heavy) != 0 {
			t.Errorf("%d bytes and %d sessions are left", n, len(b.heavy))
		}
	})
}

func TestBudgetIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(1 << 30)
		s, p, _ := open(0, Limits{Budget: b})
		for range 100 {
			_ = s.Send([]byte(strings.Repeat("x", 5*kib)), false)
			s.Flush()
		}
		synctest.Wait()
		if n := b.Used(); n < 480*kib || n > 520*kib {
			t.Errorf("%d KiB used of 500", n/kib)
		}
		p.give(1 << 30)
		synctest.Wait()
		if n := b.Used(); n != 0 {
			t.Errorf("%d bytes used of a written outbox", n)
		}
		for n := range 100 {
			s.Hold(n * 100)
		}
		for n := range 100 {
			s.Release(n * 100)
		}
		if n := b.Used(); n != 0 {
			t.Errorf("%d bytes used of an empty window", n)
		}
		s.Ended(1000, "", true)
	})
}

func TestFullBudgetStopsReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(8 * kib)
		busy, _, _ := open(-1, Limits{Budget: b})
		other, _, _ := open(-1, Limits{Budget: b})
		busy.Frame(make([]byte, 9*kib), false)
		if other.Readable() || !b.Full() {
			t.Fatal("another session is read")
		}
		if b.Take(1) {
			t.Error("more was taken")
		}
		read := make(chan bool, 1)
		go func() { read <- other.WaitReadable() }()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(read) != 0 {
			t.Fatal("another session is read")
		}
		busy.Release(9 * kib)
		if !<-read {
			t.Error("it ended")
		}
		if !b.Take(8*kib) || b.Used() != 8*kib {
			t.Error("nothing could be taken")
		}
		b.Give(8 * kib)
		busy.Ended(1000, "", true)
		other.Ended(1000, "", true)
	})
}

func TestPause(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*Session)
		took time.Duration
		want bool
	}{
		"to its end":          {func(*Session) {}, time.Minute, true},
		"a release":           {func(s *Session) { s.Hold(1); s.Release(1) }, time.Minute, true},
		"the session's close": {func(s *Session) { s.Close(1000, "") }, time.Second, true},
		"the session's end":   {func(s *Session) { s.Ended(1006, "", true) }, time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, _ := open(-1, Limits{CloseTimeout: time.Hour})
				for range 2 { // the second uses the timer of the first
					began := time.Now()
					time.AfterFunc(time.Second, func() { tt.end(s) })
					if got := s.Pause(time.Minute); got != tt.want || time.Since(began) > tt.took {
						t.Errorf("got %v after %v, want %v after %v", got, time.Since(began), tt.want, tt.took)
					}
				}
				s.Ended(1000, "", true)
				synctest.Wait()
			})
		})
	}
}
