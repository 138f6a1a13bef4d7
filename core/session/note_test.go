package session

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
)

// told keeps what notes said, in order.
type told struct {
	mu   sync.Mutex
	list []string
}

func (l *told) of(name string) func(bool) {
	return func(written bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.list = append(l.list, fmt.Sprint(name, " ", written))
	}
}

func (l *told) want(t *testing.T, want ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Equal(l.list, want) {
		t.Errorf("notes %q, want %q", l.list, want)
	}
}

// A note says that its frame is written when the socket has taken its last byte, and not before.
func TestNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l told
		s, p, _ := open(len("plain(false)a(false"), Limits{})
		_ = s.Send([]byte("plain"), false)
		_ = s.SendNoted([]byte("a"), false, l.of("a"))
		s.Flush()
		synctest.Wait()
		_ = s.SendNoted([]byte("b"), false, l.of("b"))
		s.Flush()
		synctest.Wait()
		l.want(t)
		p.give(1)
		synctest.Wait()
		l.want(t, "a true")
		p.give(1000)
		synctest.Wait()
		l.want(t, "a true", "b true")
		_ = s.SendNoted([]byte("c"), false, l.of("c"))
		s.Flush()
		l.want(t, "a true", "b true", "c true")
		s.Close(1000, "")
		if err := s.SendNoted([]byte("d"), false, l.of("d")); !errors.Is(err, ErrClosed) {
			t.Errorf("after the close: %v", err)
		}
		s.Ended(1000, "", true)
		l.want(t, "a true", "b true", "c true", "d false")
	})
}

// When the end comes before, the note says that the frame is not written, once.
func TestNotesOfWhatIsLost(t *testing.T) {
	for name, end := range map[string]func(*Session, *pipe){
		"ended":         func(s *Session, _ *pipe) { s.Ended(CloseLost.Code, "", true) },
		"broken":        func(_ *Session, p *pipe) { p.breakWith(errors.New("broken")) },
		"slow consumer": func(s *Session, _ *pipe) { _ = s.Offer(make([]byte, 100), false) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var l told
				s, p, _ := open(3, Limits{OutboxBytes: 50})
				_ = s.SendNoted([]byte("a"), false, l.of("a"))
				s.Flush()
				synctest.Wait()
				_ = s.SendNoted([]byte("b"), false, l.of("b"))
				end(s, p)
				synctest.Wait()
				l.want(t, "a false", "b false")
				p.give(1000)
				s.Ended(CloseLost.Code, "", true)
				synctest.Wait()
				l.want(t, "a false", "b false")
			})
		})
	}
}
