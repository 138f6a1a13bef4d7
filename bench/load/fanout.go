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
	proto     publishing
	talker    talker    // nil: nobody says anything but publications
	answering answering // nil: publications are not answered
	clock     *clock
	result    Result

	slots    uint32  // how many publications may be in flight
	first    int64   // when the first one of an open loop was due
	due      uint64  // how many were
	next     uint32  // number of the next publication
	missing  []int   // receivers that do not have it, by its number modulo their count
	sent     []int64 // when it was published, likewise
	inFlight int
}

// publishing is how publications look. Its greetings make a connection one that receives them.
type publishing interface {
	greetings() []greeting
	// publish appends the frame of one.
	publish(dst []byte, seq uint32) []byte
	// received says which one a frame is.
	received(payload []byte) (seq uint32, ok bool)
}

// answering is publishing of which the publisher is told that all got it. A publication is in flight until then.
type answering interface {
	// gather waits until all that are to receive do.
	gather(l *loop) error
	// answer says which publication all got.
	answer(payload []byte) (seq uint32, ok bool)
}

func newFanout(s *Spec, l *loop) *fanout {
	slots := s.InFlight
	if s.Rate > 0 {
		slots = openSlots
	}
	f := &fanout{
		spec: s, loop: l, publisher: l.conns[0],
		slots: uint32(slots), missing: make([]int, slots), sent: make([]int64, slots),
	}
	switch s.Kind {
	case LoguxFanout:
		f.proto = &loguxFanout{}
	case MeshFanout:
		f.proto = newMeshFanout(s)
	default:
		f.proto = newEchoFanout(s)
	}
	f.talker, _ = f.proto.(talker)
	f.answering, _ = f.proto.(answering)
	return f
}

// openSlots is how many publications of an open loop may be in flight; what is due beyond that is late,
// and counts from when it was due.
const openSlots = 1 << 10

// echoFanout is publications of the echo plugin.
type echoFanout struct {
	frame template
	tail  []byte
	id    int // bytes of the id that each receiver has behind it
}

func newEchoFanout(s *Spec) publishing {
	f := &echoFanout{}
	verb := byte(echoplugin.Publish)
	if s.Template {
		verb, f.id = echoplugin.Template, echoplugin.IDLength
	}
	payload := append([]byte{verb}, "00000000 "...)
	payload = appendFiller(payload, s.Size)
	f.frame, f.tail = newTemplate(payload), payload[9:]
	return f
}

func (*echoFanout) greetings() []greeting { return []greeting{subscriber{}} }

func (f *echoFanout) publish(dst []byte, seq uint32) []byte { return f.frame.append(dst, seq, 1) }

func (f *echoFanout) received(payload []byte) (uint32, bool) {
	if len(payload) != 9+len(f.tail)+f.id {
		return 0, false
	}
	seq, ok := parseHex(payload[1:])
	return seq, ok && bytes.HasPrefix(payload[9:], f.tail)
}

// subscriber is the greeting of a connection that receives.
type subscriber struct{}

func (subscriber) hello(int) []byte {
	t := newTemplate([]byte{echoplugin.Subscribe})
	return t.frame
}

func (subscriber) welcome(payload []byte) bool {
	return len(payload) == 1 && payload[0] == echoplugin.Subscribe
}

func (f *fanout) run() (*Result, error) {
	greeted := f.loop.conns[1:]
	if f.talker != nil {
		greeted = f.loop.conns // who publishes is a client too
	}
	for _, g := range f.proto.greetings() {
		if err := greet(f.loop, greeted, g); err != nil {
			return nil, err
		}
	}
	if f.answering != nil {
		if err := f.answering.gather(f.loop); err != nil {
			return nil, err
		}
	}
	f.loop.frame = f.received
	f.clock = newClock(f.spec)
	if f.spec.Rate > 0 {
		f.first = now()
		if err := f.loop.every(openTick); err != nil {
			return nil, err
		}
	} else {
		for range f.spec.InFlight {
			f.publish(now())
		}
	}
	for !f.clock.over {
		if f.spec.Rate > 0 {
			f.publishDue(now())
		}
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
	f.clock.times(&f.result)
	return &f.result, nil
}

// step publishes what may be published by now, and receives.
func (f *fanout) step() error {
	if err := f.loop.flush(f.publisher); err != nil {
		return fmt.Errorf("publisher: %w", err)
	}
	return f.loop.wait()
}

// publishDue publishes what an open loop has to by now: as many at once as a closed loop has in flight.
func (f *fanout) publishDue(at int64) {
	tick := (at - f.first) / int64(openTick)
	target := uint64(float64(tick) * openTick.Seconds() * f.spec.Rate / float64(len(f.loop.conns)-1))
	for burst := uint64(f.spec.InFlight); f.due+burst <= target && f.inFlight+int(burst) <= int(f.slots); f.due += burst {
		dueAt := f.first + int64(float64(f.due+burst)/f.spec.Rate*float64(len(f.loop.conns)-1)*float64(time.Second))
		for range burst {
			f.publish(dueAt)
		}
	}
}

func (f *fanout) publish(at int64) {
	i := f.next % f.slots
	f.missing[i], f.sent[i] = len(f.loop.conns), at
	if f.answering == nil {
		f.missing[i]--
	}
	f.publisher.out = f.proto.publish(f.publisher.out, f.next)
	f.next++
	f.inFlight++
	f.result.Sent++
}

// received takes a publication at one receiver, or the answer to one.
func (f *fanout) received(c *conn, payload []byte) error {
	if f.talker != nil {
		var aside bool
		if c.out, aside = f.talker.reply(c.out, payload); aside || c == f.publisher {
			return nil
		}
	}
	read, answered := f.proto.received, c == f.publisher && f.answering != nil
	if answered {
		read = f.answering.answer
	}
	seq, ok := read(payload)
	if !ok || c == f.publisher && !answered {
		return fmt.Errorf("the server sends %q", payload)
	}
	s := &c.session
	if seq != s.lowest || f.next-seq > f.slots {
		if seq < s.lowest {
			f.result.Doubled++
		} else {
			f.result.Reordered++
		}
		return nil
	}
	s.lowest = seq + 1
	at := now()
	i := seq % f.slots
	if f.clock.measuring && !answered {
		f.result.Messages++
		f.clock.took(time.Duration(at - f.sent[i]))
	}
	if f.missing[i]--; f.missing[i] > 0 {
		return nil
	}
	f.inFlight--
	if f.spec.Rate == 0 && !f.clock.over {
		f.publish(at)
	}
	return nil
}
