package listen

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/core/session"
)

func TestKeepAlive(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{PingInterval: 20 * time.Millisecond, PongTimeout: patience})
	ws := f.dial(t, "/ws")
	pings := make(chan string, 100)
	answer := ws.PingHandler()
	ws.SetPingHandler(func(data string) error {
		pings <- data
		return answer(data)
	})
	read := make(chan error, 1)
	go func() {
		_, _, err := ws.ReadMessage()
		read <- err
	}()
	for range 3 {
		<-pings
	}
	s := p.session1(t)
	if s.HasEnded() {
		t.Error("an answering client was closed")
	}
	s.Close(1000, "")
	if err := <-read; !websocket.IsCloseError(err, 1000) {
		t.Errorf("got %v", err)
	}
}

func TestIdle(t *testing.T) {
	p := newPeer()
	p.limits.CloseTimeout = 20 * time.Millisecond
	f := start(t, p, Config{PingInterval: 10 * time.Millisecond, PongTimeout: 10 * time.Millisecond})
	c := f.rawSocket(t, clientFrame(final|opText, "alive")[:7])
	c.wantEnd(t, "\x89\x00\x88\x06\x03\xe9idle")
	p.want(t, event{kind: "closed", code: 1001, reason: "idle"})
}

func TestFullWindowIsNotIdle(t *testing.T) {
	p := newPeer()
	p.limits.WindowEvents = 1
	frames := make(chan *session.Session, 10)
	p.onFrame = func(s *session.Session, _ []byte, _ bool) { frames <- s }
	f := start(t, p, Config{PingInterval: 10 * time.Millisecond, PongTimeout: 10 * time.Millisecond})
	c := f.rawSocket(t, clientFrame(final|opText, "one")+clientFrame(final|opText, "two"))
	s := <-frames
	// Nothing is read for as long as several pings would take.
	timer := time.NewTimer(100 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-frames:
		t.Fatal("a frame was read while the window was full")
	case e := <-p.events:
		t.Fatalf("got %+v", e)
	case <-timer.C:
	}
	s.Release(3)
	<-frames
	s.Release(3)
	// Now it is idle again.
	if got := c.read(t, 2); got != "\x89\x00" {
		t.Errorf("got %q, want a ping", got)
	}
}

func TestSlowConsumer(t *testing.T) {
	p := newPeer()
	p.limits = session.Limits{OutboxBytes: 64 << 10, CloseTimeout: 50 * time.Millisecond}
	f := start(t, p, Config{})
	slow := f.rawSocket(t, "")
	victim := p.session1(t)
	other := f.dial(t, "/ws")
	neighbour := p.session1(t)

	data := []byte(strings.Repeat("x", 16<<10))
	poll(t, "the outbox overflows", func() bool {
		err := victim.Offer(data, false)
		victim.Flush()
		_ = neighbour.Offer([]byte("on"), false)
		neighbour.Flush()
		if _, got, err := other.ReadMessage(); err != nil || string(got) != "on" {
			t.Fatalf("the neighbour got %q, %v", got, err)
		}
		return errors.Is(err, session.ErrSlowConsumer)
	})
	p.want(t, event{kind: "closed", code: 1013, reason: "slow consumer"})
	if err := victim.Offer(data, false); !errors.Is(err, session.ErrClosed) {
		t.Errorf("offer to an ended session: %v", err)
	}
	if n, err := io.Copy(io.Discard, slow.r); err == nil && n == 0 {
		t.Error("nothing came at all")
	}
	echo(t, other, websocket.TextMessage, "still here")
}

func TestSlowReaderGetsAll(t *testing.T) {
	p := newPeer()
	p.limits = session.Limits{OutboxBytes: 64 << 20}
	f := start(t, p, Config{})
	c := f.rawSocket(t, "")
	s := p.session1(t)
	const frames, size = 200, 50_000
	for i := range frames {
		if err := s.Send([]byte(strings.Repeat(string(rune('a'+i%26)), size)), false); err != nil {
			t.Fatal(err)
		}
		s.Flush()
	}
	for i := range frames {
		head := c.read(t, 4)
		if want := "\x81\x7e\xc3\x50"; head != want {
			t.Fatalf("frame %d: head %q", i, head)
		}
		if got := c.read(t, size); strings.Trim(got, string(rune('a'+i%26))) != "" {
			t.Fatalf("frame %d is mixed up", i)
		}
	}
	// The deadline of the blocked write must not outlive it.
	c.send(t, clientFrame(final|opText, "hello"))
	if got := c.read(t, 7); got != "\x81\x05hello" {
		t.Fatalf("got %q", got)
	}
}
