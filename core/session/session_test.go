package session

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pipe is a transport whose socket takes as much as a test allows.
type pipe struct {
	mu         sync.Mutex
	changed    chan struct{}
	room       int // bytes the socket takes; negative: any number
	written    bytes.Buffer
	writes     []int // sizes of what was written at once
	closed     bool
	closeWrite int
	deadline   time.Time
	fail       error
}

func newPipe(room int) *pipe { return &pipe{room: room, changed: make(chan struct{})} }

// give lets the socket take n bytes more.
func (p *pipe) give(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.room += n
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) breakWith(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fail = err
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *pipe) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.written.String()
}

func (p *pipe) take(b []byte) int {
	n := len(b)
	if p.room >= 0 {
		n = min(n, p.room)
		p.room -= n
	}
	p.written.Write(b[:n])
	if n > 0 {
		p.writes = append(p.writes, n)
	}
	return n
}

func (p *pipe) AppendFrame(dst, data []byte, binary bool) []byte {
	return fmt.Appendf(dst, "%s(%v)", data, binary)
}

func (p *pipe) AppendClose(dst []byte, code int, reason string) []byte {
	return fmt.Appendf(dst, "close %d %s", code, reason)
}

func (p *pipe) TryWrite(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		return 0, net.ErrClosed
	case p.fail != nil:
		return 0, p.fail
	}
	return p.take(b), nil
}

func (p *pipe) Write(b []byte) (int, error) {
	done := 0
	for {
		p.mu.Lock()
		done += p.take(b[done:])
		changed, closed, fail := p.changed, p.closed, p.fail
		wait := time.Until(p.deadline)
		p.mu.Unlock()
		switch {
		case closed:
			return done, net.ErrClosed
		case fail != nil:
			return done, fail
		case done == len(b):
			return done, nil
		case wait <= 0:
			return done, os.ErrDeadlineExceeded
		}
		select {
		case <-changed:
		case <-time.After(wait):
		}
	}
}

func (p *pipe) SetWriteDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deadline = t
	return nil
}

func (p *pipe) CloseWrite() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closeWrite++
	return nil
}

func (p *pipe) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		close(p.changed)
		p.changed = make(chan struct{})
	}
	return nil
}

// record is a handler that keeps what it is called with.
type record struct {
	mu     sync.Mutex
	frames []string
	eofs   int
	closes []string
}

func (r *record) Frame(_ *Session, data []byte, binary bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.frames = append(r.frames, fmt.Sprintf("%s(%v)", data, binary))
}

func (r *record) Eof(*Session) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.eofs++
}

func (r *record) Closed(_ *Session, code int, reason string, byClient bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closes = append(r.closes, fmt.Sprintf("%d %s %v", code, reason, byClient))
}

func (r *record) ends() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.closes)
}

func (r *record) want(t *testing.T, want ...string) {
	t.Helper()
	if got := r.ends(); !slices.Equal(got, want) {
		t.Errorf("closed %q, want %q", got, want)
	}
}

func open(room int, l Limits) (*Session, *pipe, *record) {
	p, h := newPipe(room), &record{}
	return New(1, &Info{}, p, h, NewLimits(l)), p, h
}

func TestFrameAndEof(t *testing.T) {
	s, _, h := open(-1, Limits{})
	s.Frame([]byte("a"), true)
	s.Frame([]byte("bc"), false)
	s.Eof()
	if !slices.Equal(h.frames, []string{"a(true)", "bc(false)"}) || h.eofs != 1 || s.InFlight() != 2 {
		t.Errorf("got %q, %d ends, %d in flight", h.frames, h.eofs, s.InFlight())
	}
	s.Ended(1000, "", true)
}

func TestContext(t *testing.T) {
	s, _, _ := open(-1, Limits{})
	s.PutContext("a", []byte("1"))
	s.PutContext("b", []byte("2"))
	s.PutContext("a", nil)
	s.PutContext("c", nil)
	got := map[string]string{}
	s.RangeContext(func(k string, v []byte) { got[k] = string(v) })
	if len(got) != 1 || got["b"] != "2" {
		t.Errorf("got %v", got)
	}
	if s.Identity() != nil || s.Tuning() != nil {
		t.Error("a session begins with an identity")
	}
	s.SetIdentity(&Identity{UserID: "38"})
	s.SetTuning(&Tuning{Variant: "v"})
	if s.Identity().UserID != "38" || s.Tuning().Variant != "v" {
		t.Error("not kept")
	}
}
