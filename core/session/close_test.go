package session

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestClose(t *testing.T) {
	tests := map[string]struct {
		code   int
		reason string
		sent   string
	}{
		"plainly":              {4000, "bye", "close 4000 bye"},
		"with nothing":         {1000, "", "close 1000 "},
		"with what may not":    {1005, "x", "close 1011 x"},
		"with nonsense":        {70000, "x", "close 1011 x"},
		"with a long reason":   {1000, strings.Repeat("é", 100), "close 1000 " + strings.Repeat("é", 61)},
		"with a broken one":    {1000, "a\xffb", "close 1000 a\ufffdb"},
		"of the catalogue":     {CloseIdle.Code, CloseIdle.Reason, "close 1001 idle"},
		"with a cut at 2 of 3": {1000, strings.Repeat("x", 122) + "€", "close 1000 " + strings.Repeat("x", 122)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p, h := open(-1, Limits{CloseTimeout: time.Minute})
				_ = s.Send([]byte("last"), false)
				s.Close(tt.code, tt.reason)
				s.Close(4999, "again")
				if want := "last(false)" + tt.sent; p.text() != want || p.closeWrite != 1 {
					t.Errorf("got %q, %d half closes, want %q", p.text(), p.closeWrite, want)
				}
				if err := s.Send([]byte("more"), false); !errors.Is(err, ErrClosed) {
					t.Errorf("send: %v", err)
				}
				time.Sleep(59 * time.Second)
				h.want(t)
				time.Sleep(time.Second)
				synctest.Wait()
				code, reason, _ := strings.Cut(strings.TrimPrefix(tt.sent, "close "), " ")
				h.want(t, code+" "+reason+" false")
			})
		})
	}
}

func TestCloseIsAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, h := open(-1, Limits{})
		s.Close(4000, "bye")
		s.ClosedByClient(4000, "bye too")
		h.want(t, "4000 bye false")
		if !p.closed || !s.HasEnded() {
			t.Error("the connection is open")
		}
		time.Sleep(time.Hour) // the timer of the close finds nothing to do
		h.want(t, "4000 bye false")
	})
}

func TestClosedByClient(t *testing.T) {
	for name, room := range map[string]int{"at once": -1, "behind what waits": 3} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p, h := open(room, Limits{})
				_ = s.Send([]byte("last"), false)
				s.ClosedByClient(NoStatus, "")
				if room >= 0 {
					h.want(t)
					p.give(1000)
				}
				synctest.Wait()
				h.want(t, "1005  true")
				if got := p.text(); got != "last(false)close 1005 " || !p.closed {
					t.Errorf("got %q, closed %v", got, p.closed)
				}
				s.Close(1000, "")
				h.want(t, "1005  true")
			})
		})
	}
}

func TestClosedByClientThatReadsNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, h := open(0, Limits{CloseTimeout: time.Second})
		_ = s.Send([]byte("last"), false)
		s.ClosedByClient(1000, "bye")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		h.want(t, "1000 bye true")
	})
}

func TestCloseWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, p, h := open(4, Limits{})
		_ = s.Send([]byte("first"), false)
		s.Flush()
		synctest.Wait()
		_ = s.Send([]byte("second"), false)
		s.Close(4000, "bye")
		if p.closeWrite != 0 {
			t.Error("half closed before all was written")
		}
		p.give(1000)
		synctest.Wait()
		if want := "first(false)second(false)close 4000 bye"; p.text() != want || p.closeWrite != 1 {
			t.Errorf("got %q, %d half closes", p.text(), p.closeWrite)
		}
		s.Ended(CloseLost.Code, "", true)
		h.want(t, "4000 bye false")
	})
}

func TestEndedOnce(t *testing.T) {
	s, p, h := open(-1, Limits{})
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { s.Ended(1006, "", true) })
	}
	wg.Wait()
	h.want(t, "1006  true")
	if !p.closed || !s.HasEnded() || s.WaitReadable() {
		t.Error("it goes on")
	}
	s.Close(1000, "")
	s.Flush()
	if err := s.Offer([]byte("x"), false); !errors.Is(err, ErrClosed) {
		t.Errorf("offer: %v", err)
	}
	h.want(t, "1006  true")
}

func TestEndedWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, h := open(0, Limits{})
		_ = s.Send([]byte("x"), false)
		s.Flush()
		synctest.Wait()
		s.Ended(1006, "", true)
		synctest.Wait()
		h.want(t, "1006  true")
	})
}

func TestCloseCodes(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range CloseCodes() {
		if !ValidCode(c.Code) {
			t.Errorf("%d %s may not be sent", c.Code, c.Reason)
		}
		if CutReason(c.Reason) != c.Reason || c.When == "" || seen[c.Reason] {
			t.Errorf("bad entry %+v", c)
		}
		seen[c.Reason] = true
	}
	for code, want := range map[int]bool{
		-1: false, 0: false, 999: false, 1000: true, 1003: true, 1004: false, 1005: false, 1006: false, 1007: true,
		1014: true, 1015: false, 2999: false, 3000: true, 4999: true, 5000: false,
	} {
		if got := ValidCode(code); got != want {
			t.Errorf("ValidCode(%d) = %v", code, got)
		}
	}
}
