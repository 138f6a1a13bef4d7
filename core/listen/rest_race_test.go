//go:build linux

package listen

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

// TestRestRaces: frames come in pieces just when connections come to rest, others are closed by either side
// at that moment, and new ones get their descriptors. Whatever is sent comes back, once and in order.
func TestRestRaces(t *testing.T) {
	p := newPeer()
	p.opened = make(chan *session.Session, 100_000)
	p.onFrame = func(s *session.Session, data []byte, binary bool) {
		_ = s.Send(data, binary)
		s.Flush()
		s.Release(len(data))
		switch string(data) {
		case "close":
			go s.Close(4000, "")
		case "end":
			go s.Ended(session.CloseGoingAway.Code, "", false)
		}
	}
	f := start(t, p, Config{PingInterval: 20 * time.Millisecond, PongTimeout: patience})
	first := f.rawSocket(t, "") // from then on the server has all descriptors of its own
	f.settled(t, 1)
	_ = first.Close()
	f.settled(t, 0)
	before := descriptors(t)
	const clients, rounds = 50, 9
	var running sync.WaitGroup
	for range clients {
		running.Go(func() {
			for round := range rounds {
				if err := converse(f.addr, round); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	f.settled(t, 0)
	poll(t, "all descriptors are closed", func() bool { return descriptors(t) <= before })
}

// converse is one connection from its beginning to its end, with pauses that end within, before
// and behind a frame. Either side ends it.
func converse(addr string, round int) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	r := bufio.NewReader(c)
	if _, err := io.WriteString(c, handshakeText); err != nil {
		return err
	}
	for line := ""; line != "\r\n"; {
		if line, err = r.ReadString('\n'); err != nil {
			return err
		}
	}
	for i := range 20 {
		text := fmt.Sprintf("%d/%d", round, i)
		if i == 19 {
			text = []string{"close", "end", "over"}[round%3]
		}
		frame := clientFrame(final|opText, text)
		<-time.After(time.Duration(rand.IntN(2500)) * time.Microsecond)
		cut := rand.IntN(len(frame))
		if _, err := io.WriteString(c, frame[:cut]); err != nil {
			return err
		}
		if rand.IntN(3) == 0 {
			<-time.After(time.Duration(rand.IntN(1500)) * time.Microsecond)
		}
		if _, err := io.WriteString(c, frame[cut:]); err != nil {
			return err
		}
		got, err := answer(c, r)
		if text == "end" {
			return nil // what was not written yet is dropped
		}
		if err != nil || got != text {
			return fmt.Errorf("message %d of round %d: got %q, want %q: %w", i, round, got, text, err)
		}
	}
	if round%3 == 0 {
		if got, err := answer(c, r); err != nil || got != "\x0f\xa0" {
			return fmt.Errorf("behind the last message: %q: %w", got, err)
		}
	}
	return nil
}

// answer reads the next short message, and answers pings before it.
func answer(w io.Writer, r *bufio.Reader) (string, error) {
	for {
		head := make([]byte, 2)
		if _, err := io.ReadFull(r, head); err != nil {
			return "", err
		}
		payload := make([]byte, head[1])
		if _, err := io.ReadFull(r, payload); err != nil {
			return "", err
		}
		if head[0] != final|opPing {
			return string(payload), nil
		}
		if _, err := io.WriteString(w, clientFrame(final|opPong, "")); err != nil {
			return "", err
		}
	}
}

// descriptors is how many files the process has open.
func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}
