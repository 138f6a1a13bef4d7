//go:build linux

package load

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/protocol-bridge/bridge/bench/echoplugin"
)

// fanout is one connection, the first, that publishes to all others. A publication is in flight
// until all have it.
type fanout struct {
	spec      *Spec
	loop      *loop
	publisher *conn
	frame     template
	tail      []byte
	clock     *clock
	result    Result
	hist      histogram

	next     uint32  // number of the next publication
	missing  []int   // receivers that do not have it, by its number modulo their count
	sent     []int64 // when it was published, likewise
	inFlight int
}

func newFanout(s *Spec, l *loop) *fanout {
	verb := byte(echoplugin.Publish)
	if s.Template {
		verb = echoplugin.Template
	}
	payload := append([]byte{verb}, "00000000 "...)
	payload = appendFiller(payload, s.Size)
	return &fanout{
		spec: s, loop: l, publisher: l.conns[0], frame: newTemplate(payload), tail: payload[9:],
		missing: make([]int, s.InFlight), sent: make([]int64, s.InFlight),
	}
}

// subscriber is the greeting of a connection that receives.
type subscriber struct{}

func (subscriber) hello() []byte {
	t := newTemplate([]byte{echoplugin.Subscribe})
	return t.frame
}

func (subscriber) welcome(payload []byte) bool {
	return len(payload) == 1 && payload[0] == echoplugin.Subscribe
}

func (f *fanout) run() (*Result, error) {
	if err := greet(f.loop, f.loop.conns[1:], subscriber{}); err != nil {
		return nil, err
	}
	f.loop.frame = f.received
	f.clock = newClock(f.spec)
	for range f.spec.InFlight {
		f.publish(now())
	}
	for !f.clock.over {
		if err := f.step(); err != nil {
			return nil, err
		}
		if err := f.clock.tick(now(), &f.result); err != nil {
			return nil, err
		}
	}
	for deadline := now() + int64(lastAnswers); f.inFlight > 0 && now() < deadline; {
		if err := f.step(); err != nil {
			return nil, errors.Join(errLate, err)
		}
	}
	for _, n := range f.missing {
		f.result.Lost += uint64(n)
	}
	f.result.P50, f.result.P99, f.result.Max = f.hist.at(0.5), f.hist.at(0.99), f.hist.max
	return &f.result, nil
}

// step publishes what may be published by now, and receives.
func (f *fanout) step() error {
	if err := f.loop.flush(f.publisher); err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	return f.loop.wait()
}

func (f *fanout) publish(at int64) {
	i := f.next % uint32(f.spec.InFlight)
	f.missing[i], f.sent[i] = len(f.loop.conns)-1, at
	f.publisher.out = f.frame.append(f.publisher.out, f.next, 1)
	f.next++
	f.inFlight++
	f.result.Sent++
}

// received takes a publication at one receiver.
func (f *fanout) received(c *conn, payload []byte) error {
	if len(payload) < len(f.tail)+9 {
		return fmt.Errorf("the server sends %q", payload)
	}
	seq, ok := parseHex(payload[1:])
	if tail := payload[9:]; !ok || c == f.publisher || !bytes.HasPrefix(tail, f.tail) || len(tail) != len(f.tail)+f.idLength() {
		return fmt.Errorf("the server sends %q", payload)
	}
	s := &c.session
	if seq != s.lowest || f.next-seq > uint32(f.spec.InFlight) {
		if seq < s.lowest {
			f.result.Doubled++
		} else {
			f.result.Reordered++
		}
		return nil
	}
	s.lowest = seq + 1
	at := now()
	i := seq % uint32(f.spec.InFlight)
	if f.clock.measuring {
		f.result.Messages++
		f.hist.add(time.Duration(at - f.sent[i]))
	}
	if f.missing[i]--; f.missing[i] > 0 {
		return nil
	}
	f.inFlight--
	if !f.clock.over {
		f.publish(at)
	}
	return nil
}

func (f *fanout) idLength() int {
	if f.spec.Template {
		return echoplugin.IDLength
	}
	return 0
}
