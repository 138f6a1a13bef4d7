//go:build linux

package listen

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

// resting is how many connections nobody reads at the moment, or a goroutine that waits because they have
// no poller.
func (f *fixture) resting() (n int) {
	var some []*conn
	for from := 0; ; {
		if some, from = f.roster.some(some[:0], from); from < 0 {
			return n
		}
		for _, c := range some {
			if c.poller == nil || c.turn.Load() == atRest {
				n++
			}
		}
	}
}

// settled waits until as many connections rest.
func (f *fixture) settled(t *testing.T, n int) {
	t.Helper()
	poll(t, fmt.Sprintf("%d are at rest", n), func() bool { return f.resting() == n })
}

// pingText is the ping that the server sends.
const pingText = "\x89\x00"

// socketOf is a client's connection under whatever there is.
func socketOf(c *raw) *net.TCPConn {
	if s, ok := c.Conn.(interface{ NetConn() net.Conn }); ok {
		return s.NetConn().(*net.TCPConn)
	}
	return c.Conn.(*net.TCPConn)
}

// TestAtRest: what may happen to a connection at rest happens as to any other.
func TestAtRest(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	const asked = "are you there?"
	lost := event{kind: "closed", code: session.CloseLost.Code, byClient: true}
	tests := map[string]func(t *testing.T, f *fixture, c *raw, s *session.Session){
		"a frame": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			for _, text := range []string{"one", "two", strings.Repeat("three", 1000)} {
				c.send(t, clientFrame(final|opText, text))
				f.peer.want(t, event{kind: "frame", data: text})
				want := served(final|opText, text)
				if got := c.read(t, len(want)); got != want {
					t.Fatalf("got %.80q", got)
				}
				f.settled(t, 1)
			}
		},
		"many frames at once": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			text := strings.Repeat("x", 700)
			for range 3 {
				c.send(t, strings.Repeat(clientFrame(final|opText, text), 100))
				for range 100 {
					f.peer.want(t, event{kind: "frame", data: text})
				}
				c.read(t, 100*len(served(final|opText, text)))
				f.settled(t, 1)
			}
		},
		"half a frame": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			for _, text := range []string{"some text", strings.Repeat("y", 2000)} {
				frame := clientFrame(final|opText, text)
				for _, cut := range []int{1, 4, 8, len(frame) - 1} {
					c.send(t, frame[:cut])
					f.settled(t, 1)
					c.send(t, frame[cut:])
					f.peer.want(t, event{kind: "frame", data: text})
					c.read(t, len(served(final|opText, text)))
					f.settled(t, 1)
				}
			}
		},
		"a message in parts": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			c.send(t, clientFrame(opText, "Hel"))
			f.settled(t, 1)
			c.send(t, clientFrame(final|opPing, "")+clientFrame(final, "lo"))
			f.peer.want(t, event{kind: "frame", data: "Hello"})
			want := served(final|opPong, "") + served(final|opText, "Hello")
			if got := c.read(t, len(want)); got != want {
				t.Fatalf("got %q", got)
			}
			f.settled(t, 1)
		},
		"a ping": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			for range 3 {
				c.send(t, clientFrame(final|opPing, asked))
				if got, want := c.read(t, 2+len(asked)), served(final|opPong, asked); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
				f.settled(t, 1)
			}
		},
		"what breaks the protocol": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			c.send(t, "\x81\x01x")
			c.wantEnd(t, string(new(conn).AppendClose(nil, 1002, "protocol error")))
			_ = c.Close()
			f.peer.want(t, event{kind: "closed", code: 1002, reason: "protocol error"})
		},
		"the client closes": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			c.send(t, clientFrame(final|opClose, "\x0f\xa1bye"))
			c.wantEnd(t, string(new(conn).AppendClose(nil, 4001, "")))
			f.peer.want(t, event{kind: "closed", code: 4001, reason: "bye", byClient: true})
		},
		"the client ends the connection": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			_ = c.Close()
			f.peer.want(t, lost)
		},
		"the client ends what it sends": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			_ = socketOf(c).CloseWrite()
			f.peer.want(t, lost)
		},
		"the client resets": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			_ = socketOf(c).SetLinger(0)
			_ = socketOf(c).Close()
			f.peer.want(t, lost)
		},
		"the core closes, the client answers": func(t *testing.T, f *fixture, c *raw, s *session.Session) {
			s.Close(4002, "enough")
			want := string(new(conn).AppendClose(nil, 4002, "enough"))
			if got := c.read(t, len(want)); got != want {
				t.Fatalf("got %q", got)
			}
			f.settled(t, 1) // it waits for the answer there as well
			c.send(t, clientFrame(final|opClose, "\x0f\xa2"))
			f.peer.want(t, event{kind: "closed", code: 4002, reason: "enough"})
			c.wantEnd(t, "")
		},
		"the core closes, the client does not answer": func(t *testing.T, f *fixture, c *raw, s *session.Session) {
			s.Close(4002, "enough")
			f.peer.want(t, event{kind: "closed", code: 4002, reason: "enough"})
			c.wantEnd(t, string(new(conn).AppendClose(nil, 4002, "enough")))
		},
		"the session ends": func(t *testing.T, f *fixture, c *raw, s *session.Session) {
			s.Ended(session.CloseGoingAway.Code, "", false)
			f.peer.want(t, event{kind: "closed", code: session.CloseGoingAway.Code})
			c.wantEnd(t, "")
		},
		"it is written to": func(t *testing.T, f *fixture, c *raw, s *session.Session) {
			for range 100 {
				if err := s.Offer([]byte("news"), false); err != nil {
					t.Fatal(err)
				}
				s.Flush()
				if got, want := c.read(t, 6), served(final|opText, "news"); got != want {
					t.Fatalf("got %q, want %q", got, want)
				}
				if n := f.resting(); n != 1 {
					t.Fatal("writing disturbed it")
				}
			}
		},
		"it is written to and does not read": func(t *testing.T, f *fixture, c *raw, s *session.Session) {
			for s.Offer(make([]byte, 64<<10), true) == nil {
				s.Flush()
			}
			f.peer.want(t, event{kind: "closed", code: session.CloseSlowConsumer.Code, reason: session.CloseSlowConsumer.Reason})
			_ = c.Close()
		},
		"the server stops": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			f.Stop()
			c.send(t, clientFrame(final|opText, "still here"))
			f.peer.want(t, event{kind: "frame", data: "still here"})
			c.read(t, len(served(final|opText, "still here")))
			f.settled(t, 1)
		},
		"the end and more before it": func(t *testing.T, f *fixture, c *raw, _ *session.Session) {
			c.send(t, clientFrame(final|opText, "last words"))
			_ = socketOf(c).CloseWrite()
			f.peer.want(t, event{kind: "frame", data: "last words"}, lost)
		},
	}
	for _, how := range []string{"plain", "TLS"} {
		for name, run := range tests {
			t.Run(how+"/"+name, func(t *testing.T) {
				t.Parallel()
				p := newPeer()
				p.limits.CloseTimeout = time.Second
				f, c := startOver(t, how, p, Config{})
				s := p.session1(t)
				f.settled(t, 1)
				run(t, f, c, s)
				s.Ended(session.CloseGoingAway.Code, "", false)
				f.settled(t, 0)
				poll(t, "nothing is left of it", func() bool {
					f.roster.mu.Lock()
					defer f.roster.mu.Unlock()
					return len(f.roster.free) == len(f.roster.slots)
				})
			})
		}
	}
}

// TestEarlyFrames: what came together with the handshake is read at once, and half of a frame is kept.
func TestEarlyFrames(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{})
	f.rawSocket(t, "")
	f.settled(t, 1)
	f.rawSocket(t, clientFrame(final|opText, "first"))
	p.want(t, event{kind: "frame", data: "first"})
	f.settled(t, 2)
	half := clientFrame(final|opText, "half")
	c := f.rawSocket(t, half[:5])
	f.settled(t, 3)
	c.send(t, half[5:])
	p.want(t, event{kind: "frame", data: "half"})
}

// TestEventOfAnother: an event that the kernel told of a connection which was closed meanwhile is not
// taken for one of whoever has its place by now.
func TestEventOfAnother(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{})
	only := func() place {
		all, _ := f.roster.some(nil, 0)
		if len(all) != 1 {
			t.Fatalf("%d connections", len(all))
		}
		return all[0].place
	}
	first := f.rawSocket(t, "")
	s := p.session1(t)
	f.settled(t, 1)
	old := only()
	s.Ended(session.CloseGoingAway.Code, "", false)
	first.wantEnd(t, "")
	if found := f.roster.find(nil, []place{old}); len(found) != 0 {
		t.Error("a connection that has gone is found")
	}
	f.rawSocket(t, "")
	f.settled(t, 1)
	now := only()
	if now.slot != old.slot || now.generation == old.generation {
		t.Fatalf("place %+v, before it was %+v", now, old)
	}
	if found := f.roster.find(nil, []place{old, now}); len(found) != 1 || found[0].place != now {
		t.Errorf("found %d, of the places %+v and %+v", len(found), old, now)
	}
}

// startOver starts a server and opens a WebSocket, plain or over TLS.
func startOver(t *testing.T, how string, p *peer, cfg Config) (*fixture, *raw) {
	t.Helper()
	if how == "plain" {
		f := start(t, p, cfg)
		return f, f.rawSocket(t, "")
	}
	cfg.Certificate = newCertificate(t, 1)
	f := start(t, p, cfg)
	c, _ := f.dialTLS(t, clientTLS())
	c.send(t, handshakeText)
	c.head(t)
	return f, c
}

// TestPingsAtRest: a client that is silent is sent pings, and is closed
// when it does not.
func TestPingsAtRest(t *testing.T) {
	for _, how := range []string{"plain", "TLS"} {
		t.Run(how, func(t *testing.T) {
			p := newPeer()
			f, c := startOver(t, how, p, Config{PingInterval: 50 * time.Millisecond, PongTimeout: time.Second})
			f.settled(t, 1)
			for range 5 {
				if got := c.read(t, 2); got != pingText {
					t.Fatalf("got %q, want a ping", got)
				}
				c.send(t, clientFrame(final|opPong, ""))
				f.settled(t, 1)
			}
			// It says nothing any more.
			want := pingText + string(new(conn).AppendClose(nil, session.CloseIdle.Code, session.CloseIdle.Reason))
			if got := c.read(t, len(want)); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			c.send(t, clientFrame(final|opClose, "\x03\xe9"))
			p.want(t, event{kind: "closed", code: session.CloseIdle.Code, reason: session.CloseIdle.Reason})
			c.wantEnd(t, "")
		})
	}
}

// TestWritingAllocatesNothing: fan-out to those that wait leaves nothing behind.
func TestWritingAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("pools drop things at random")
	}
	p := newPeer()
	f := start(t, p, Config{PingInterval: time.Hour})
	c := f.rawSocket(t, "")
	s := p.session1(t)
	f.settled(t, 1)
	text := []byte(strings.Repeat("x", 100))
	if n := testing.AllocsPerRun(1000, func() {
		_ = s.Offer(text, false)
		s.Flush()
	}); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	c.read(t, 1000*len(served(final|opText, string(text))))
	if f.resting() != 1 {
		t.Error("it was disturbed")
	}
}
