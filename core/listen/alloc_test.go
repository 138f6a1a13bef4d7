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

// tape is a connection that is fed by hand.
type tape struct{ net.Conn }

func (*tape) Close() error { return nil }

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

// feedFrame feeds a connection in pieces, the first of which cuts the head.
func feedFrame(tb testing.TB, c *conn, buf []byte, frame string, pieces int) {
	copy(buf, frame)
	for rest, i := buf, 1; i <= pieces; i++ {
		n := len(rest)
		switch i {
		case pieces:
		case 1:
			n = 3
		default:
			n /= 2
		}
		if used, v := c.feed(rest[:n]); used != n || v != goOn {
			tb.Fatalf("%d of %d bytes, verdict %d", used, n, v)
		}
		rest = rest[n:]
	}
}

func tapeConn(tb testing.TB) (*conn, *counter) {
	tb.Helper()
	srv := New(Config{Routes: new(atomic.Pointer[route.Table])}, nil)
	c := newConn(srv, paced, &tape{})
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
			c, h := tapeConn(t)
			frame := clientFrame(final|opText, strings.Repeat("x", size))
			buf := make([]byte, len(frame))
			for _, pieces := range []int{1, 2, 3} {
				h.frames, h.bytes = 0, 0
				if n := testing.AllocsPerRun(1000, func() { feedFrame(t, c, buf, frame, pieces) }); n != 0 {
					t.Errorf("%v allocations a frame in %d pieces", n, pieces)
				}
				if h.frames == 0 || h.bytes != h.frames*size {
					t.Errorf("%d frames, %d bytes in %d pieces", h.frames, h.bytes, pieces)
				}
			}
		})
	}
}

func BenchmarkFrame(b *testing.B) {
	for name, size := range map[string]int{"64": 64, "1024": 1 << 10, "32768": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			c, _ := tapeConn(b)
			frame := clientFrame(final|opText, strings.Repeat("x", size))
			buf := make([]byte, len(frame))
			b.SetBytes(int64(size))
			for b.Loop() {
				feedFrame(b, c, buf, frame, 1)
			}
		})
	}
}
