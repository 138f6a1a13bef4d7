package session

import (
	"testing"
	"testing/synctest"
)

// framed is a transport that is told how to cut.
type framed struct {
	*pipe
	raw   bool
	bytes uint64
}

func (f *framed) SetFraming(raw bool, bytes uint64) { f.raw, f.bytes = raw, bytes }

func TestSetFraming(t *testing.T) {
	f := &framed{pipe: newPipe(-1)}
	s := New(1, &Info{TCP: true}, f, &record{}, NewLimits(Limits{}))
	s.SetFraming(true, 5)
	if !f.raw || f.bytes != 5 {
		t.Errorf("got %v, %d, want raw and 5", f.raw, f.bytes)
	}
	s.Ended(1000, "", true)
	other, _, _ := open(-1, Limits{})
	other.SetFraming(true, 5) // there is nothing to be cut
	other.Ended(1000, "", true)
}

// A reader waits until all is settled, whatever room the window has.
func TestWaitSettled(t *testing.T) {
	for name, tt := range map[string]struct {
		settle func(*Session)
		want   bool
	}{
		"everything is handled":     {func(s *Session) { s.Release(0); s.Release(1) }, true},
		"with the session's end":    {func(s *Session) { s.Ended(1006, "", true) }, false},
		"with a close, to be seen":  {func(s *Session) { s.Close(1000, "") }, true},
		"one call less, and a call": {func(s *Session) { s.Release(1); s.Hold(0); s.Release(0); s.Release(0) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, _ := open(-1, Limits{})
				if !s.Settled() || !s.WaitSettled() {
					t.Fatal("not settled at first")
				}
				s.Frame([]byte("a"), false)
				s.Hold(0) // a call of it
				read := make(chan bool, 1)
				go func() { read <- s.WaitSettled() }()
				synctest.Wait()
				if len(read) > 0 || s.Settled() {
					t.Fatal("did not wait")
				}
				tt.settle(s)
				if got := <-read; got != tt.want {
					t.Errorf("got %v, want %v", got, tt.want)
				}
				s.Ended(1000, "", true)
			})
		})
	}
}
