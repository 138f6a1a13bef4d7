package session

import (
	"testing"
	"testing/synctest"
)

func TestWindow(t *testing.T) {
	tests := map[string]struct {
		limits Limits
		frames []int // sizes; the last fills the window
	}{
		"events": {Limits{WindowEvents: 2}, []int{1, 1}},
		"bytes":  {Limits{WindowBytes: 100}, []int{60, 60}},
		"large":  {Limits{WindowBytes: 100}, []int{1000}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, _ := open(-1, tt.limits)
				for _, n := range tt.frames {
					if !s.Readable() || !s.WaitReadable() {
						t.Fatal("not readable")
					}
					s.Frame(make([]byte, n), false)
				}
				if s.Readable() {
					t.Fatal("readable with a full window")
				}
				read := make(chan bool, 1)
				go func() { read <- s.WaitReadable() }()
				synctest.Wait()
				select {
				case <-read:
					t.Fatal("did not wait")
				default:
				}
				s.Release(tt.frames[0])
				if !<-read || !s.Readable() {
					t.Error("not readable behind a release")
				}
				s.Ended(1000, "", true)
			})
		})
	}
}

// A session that the plugin paused is not read, however empty its window is, until it goes on or is closed.
func TestPaused(t *testing.T) {
	for name, end := range map[string]func(*Session){
		"until it goes on":   func(s *Session) { s.SetPaused(false) },
		"until it is closed": func(s *Session) { s.Close(1000, "") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, _ := open(-1, Limits{})
				s.SetPaused(true)
				if s.Readable() {
					t.Fatal("a paused session is readable")
				}
				read := make(chan bool, 1)
				go func() { read <- s.WaitReadable() }()
				synctest.Wait()
				if len(read) > 0 {
					t.Fatal("the reader did not wait")
				}
				end(s)
				if !<-read || !s.Readable() {
					t.Error("it is not read any more")
				}
				s.Ended(1000, "", true)
			})
		})
	}
}

func TestFullWindowEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*Session)
		want bool
	}{
		"with the session":          {func(s *Session) { s.Ended(1006, "", true) }, false},
		"with a close, to read on":  {func(s *Session) { s.Close(1000, "") }, true},
		"with an abort, to read on": {func(s *Session) { s.abort(CloseSlowConsumer) }, true},
		"with a slow consumer's":    {func(s *Session) { _ = s.Offer(make([]byte, 9), false) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _, _ := open(0, Limits{WindowEvents: 1, OutboxBytes: 10})
				s.Frame(nil, false)
				_ = s.Send([]byte("x"), false)
				read := make(chan bool, 1)
				go func() { read <- s.WaitReadable() }()
				synctest.Wait()
				tt.end(s)
				if got := <-read; got != tt.want {
					t.Errorf("got %v", got)
				}
				s.Ended(1006, "", true)
				synctest.Wait()
			})
		})
	}
}

func TestStuckClientIsNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, _ := open(0, Limits{})
		_ = s.Send(make([]byte, 2*pressure), false)
		if !s.Readable() {
			t.Error("not readable before anything is stuck")
		}
		s.Flush()
		synctest.Wait()
		read := make(chan bool, 1)
		go func() { read <- s.WaitReadable() }()
		synctest.Wait()
		if s.Readable() || len(read) != 0 {
			t.Fatal("readable while the client does not read")
		}
		p.give(2 * pressure)
		if !<-read {
			t.Error("not readable behind that")
		}
		p.give(10 * pressure)
		synctest.Wait()
		s.Ended(1000, "", true)
	})
}

// A session that is stopped is read no more, and once it closes for the client's answer alone.
func TestStopReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, wait := range map[string]func(*Session) bool{"frames": (*Session).WaitReadable, "lines": (*Session).WaitSettled} {
			s, _, _ := open(-1, Limits{})
			if !wait(s) {
				t.Fatalf("%s: an open session is not read", name)
			}
			s.StopReading()
			read := make(chan bool, 1)
			go func() { read <- wait(s) }()
			synctest.Wait()
			if len(read) > 0 {
				t.Errorf("%s: it is read", name)
			}
			s.Close(1001, "")
			synctest.Wait()
			if len(read) != 1 || !<-read {
				t.Errorf("%s: its close is not waited for", name)
			}
			s.ClosedByClient(1001, "")
		}
	})
}
