package listen

import (
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// tape is a connection from which the same bytes come again and again.
type tape struct {
	net.Conn
	bytes string
	at    int
}

func (t *tape) Read(p []byte) (int, error) {
	n := copy(p, t.bytes[t.at:])
	t.at = (t.at + n) % len(t.bytes)
	return n, nil
}

func (t *tape) SetReadDeadline(time.Time) error { return nil }
func (t *tape) Close() error                    { return nil }

// counter takes frames and lets go of them at once.
type counter struct{ frames, bytes int }

func (c *counter) Frame(s *session.Session, data []byte, _ bool) {
	c.frames++
	c.bytes += len(data)
	s.Release(len(data))
}
func (c *counter) Eof(*session.Session)                       {}
func (c *counter) Closed(*session.Session, int, string, bool) {}

// paced has a rate that is never reached.
var paced = &route.Entry{ID: "paced", Path: "/ws", WebSocket: true, Rate: route.Rate{Frames: 1e9, Per: time.Second}}

func tapeConn(tb testing.TB, payload string) (*conn, *counter) {
	tb.Helper()
	srv := New(Config{Routes: new(atomic.Pointer[route.Table])}, nil)
	c := newConn(srv, paced, &tape{bytes: clientFrame(final|opText, payload)})
	c.state = listening
	h := &counter{}
	c.sess = session.New(1, &session.Info{}, c, h, session.NewLimits(session.Limits{Budget: session.NewBudget(1 << 30)}))
	return c, h
}

func TestFramesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop things at random")
	}
	for name, size := range map[string]int{"short": 64, "just too long for the buffer": 510, "1 KiB": 1 << 10, "32 KiB": 32 << 10} {
		t.Run(name, func(t *testing.T) {
			c, h := tapeConn(t, strings.Repeat("x", size))
			if n := testing.AllocsPerRun(1000, func() {
				if !c.next() {
					t.Fatal("no frame")
				}
			}); n != 0 {
				t.Errorf("%v allocations a frame", n)
			}
			if h.frames == 0 || h.bytes != h.frames*size {
				t.Errorf("%d frames, %d bytes", h.frames, h.bytes)
			}
		})
	}
}

func BenchmarkFrame(b *testing.B) {
	for name, size := range map[string]int{"64": 64, "1024": 1 << 10, "32768": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			c, _ := tapeConn(b, strings.Repeat("x", size))
			b.SetBytes(int64(size))
			for b.Loop() {
				c.next()
			}
		})
	}
}
