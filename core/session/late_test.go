package session

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late Late
		add := func(s *Session, text string) {
			_ = s.Send([]byte(text), false)
			late.Add(s)
		}
		s, p, _ := open(-1, Limits{})
		other, q, _ := open(-1, Limits{})
		add(s, "a")
		add(other, "o")
		if p.text() != "" {
			t.Errorf("%q was written at once", p.text())
		}
		_ = s.Send([]byte("b"), false)
		s.Flush()
		if p.text() != "a(false)b(false)" || len(p.writes) != 1 {
			t.Errorf("got %q in %d writes", p.text(), len(p.writes))
		}
		// What comes later has its own time, though the session waits for its turn since before.
		time.Sleep(lateTick + lateTick/2)
		add(s, "c")
		time.Sleep(lateTick - 1)
		synctest.Wait()
		if p.text() != "a(false)b(false)" || q.text() != "o(false)" {
			t.Errorf("got %q and %q", p.text(), q.text())
		}
		time.Sleep(lateTick + 1)
		synctest.Wait()
		if p.text() != "a(false)b(false)c(false)" {
			t.Errorf("got %q", p.text())
		}
		// And again when it had nothing to do.
		time.Sleep(time.Minute)
		add(s, "d")
		time.Sleep(2 * lateTick)
		synctest.Wait()
		if p.text() != "a(false)b(false)c(false)d(false)" || s.Queued() != 0 {
			t.Errorf("got %q, %d queued", p.text(), s.Queued())
		}
		for _, s := range []*Session{s, other} {
			s.Ended(1000, "", true)
		}
	})
}

// Where much comes it waits for longer, but not for ever.
func TestLateWhereMuchComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var late Late
		s, p, _ := open(-1, Limits{})
		other, q, _ := open(-1, Limits{})
		_ = s.Send([]byte("a"), false)
		late.Add(s)
		begun := time.Now()
		waited := time.Duration(0)
		for range 20 * lateMuch {
			_ = other.Send([]byte("o"), false)
			late.Add(other)
			time.Sleep(lateTick / lateMuch)
			if synctest.Wait(); p.text() != "" && waited == 0 {
				waited = time.Since(begun)
			}
		}
		if waited <= 2*lateTick || waited > (lateMost+2)*lateTick {
			t.Errorf("it waited for %v", waited)
		}
		time.Sleep((lateMost + 2) * lateTick)
		synctest.Wait()
		if s.Queued()+other.Queued() > 0 || len(q.writes) > 20 {
			t.Errorf("%d and %d bytes wait, after %d writes", s.Queued(), other.Queued(), len(q.writes))
		}
		for _, s := range []*Session{s, other} {
			s.Ended(1000, "", true)
		}
	})
}
