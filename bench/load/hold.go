//go:build linux

package load

import (
	"fmt"
	"time"
)

// Holder holds connections open. Its methods are for one goroutine.
type Holder interface {
	// Serve answers pings, for a moment.
	Serve() error
	// Wake has every connection send a request, and returns once each has been answered, with how long
	// that took.
	Wake() (time.Duration, error)
	// Close closes the connections.
	Close()
}

// Open opens the connections of a spec and does nothing with them; those of [CTProto] are authorized.
// It returns once all are served.
func Open(s Spec) (Holder, error) {
	if s.TLS {
		return openSealed(&s)
	}
	l, err := newLoop()
	if err != nil {
		return nil, err
	}
	h := &holder{loop: l, proto: protocolOf(&s)}
	if err := h.open(&s); err != nil {
		l.close()
		return nil, err
	}
	return h, nil
}

// holder is a loop that does nothing.
type holder struct {
	loop    *loop
	proto   protocol
	seq     uint32
	missing int // answers to the last requests
}

// atOnce is how many connections are opened before others are looked after.
const atOnce = 200

func (h *holder) open(s *Spec) error {
	for left := s.Connections; left > 0; {
		n := min(left, atOnce)
		left -= n
		if err := h.loop.dial(s, n); err != nil {
			return err
		}
		// Before their time to say who they are is over.
		if err := greet(h.loop, h.loop.conns[len(h.loop.conns)-n:], h.proto); err != nil {
			return err
		}
		if err := h.pings(0); err != nil {
			return err
		}
	}
	return nil
}

// pings answers those that come within so many ms of each other.
func (h *holder) pings(patience int) error {
	h.loop.frame = func(c *conn, payload []byte) error {
		if h.aside(c, payload) {
			return nil
		}
		return fmt.Errorf("the server sends %q", payload)
	}
	for {
		if served, err := h.loop.serve(patience); err != nil || !served {
			return err
		}
	}
}

// Serve implements [Holder].
func (h *holder) Serve() error { return h.pings(patience) }

// Wake implements [Holder].
func (h *holder) Wake() (time.Duration, error) {
	h.seq++
	h.missing = len(h.loop.conns)
	h.loop.frame = h.answered
	start := now()
	for _, c := range h.loop.conns {
		c.session.inFlight = 1
		c.out = h.proto.request(c.out, c.index, h.seq)
		if err := h.loop.flush(c); err != nil {
			return 0, err
		}
	}
	for h.missing > 0 {
		if now()-start > int64(wakeLimit) {
			return 0, fmt.Errorf("%d of %d requests were not answered", h.missing, len(h.loop.conns))
		}
		if err := h.loop.wait(); err != nil {
			return 0, err
		}
	}
	took := time.Duration(now() - start)
	return took, h.pings(patience) // an answer that came twice is seen there
}

// wakeLimit is how long all answers may take.
const wakeLimit = 30 * time.Second

// aside replies to a frame, and says whether it is no answer to a request.
func (h *holder) aside(c *conn, payload []byte) (aside bool) {
	if talks, ok := h.proto.(talker); ok {
		c.out, aside = talks.reply(c.out, payload)
	}
	return aside
}

func (h *holder) answered(c *conn, payload []byte) error {
	if h.aside(c, payload) {
		return nil
	}
	if seq, ok := h.proto.answer(payload, c.index); !ok || seq != h.seq || c.session.inFlight == 0 {
		return fmt.Errorf("the server answers %q to request %d", payload, h.seq)
	}
	c.session.inFlight--
	h.missing--
	return nil
}

// Close implements [Holder].
func (h *holder) Close() { h.loop.close() }
