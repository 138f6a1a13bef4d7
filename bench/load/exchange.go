//go:build linux

package load

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/bench/process"
)

// protocol is how requests look and what answers them.
type protocol interface {
	greeting
	// request appends a masked frame.
	request(dst []byte, conn int, seq uint32) []byte
	// answer says to which request of the connection a frame is the answer.
	answer(payload []byte, conn int) (seq uint32, ok bool)
}

// greeting is what a connection begins with.
type greeting interface {
	// hello is sent first; nil: nothing is.
	hello() []byte
	// welcome says whether a frame is the answer to it.
	welcome(payload []byte) bool
}

// session is the requests of one connection.
type session struct {
	next     uint32  // number of the next request
	inFlight int     // requests without an answer
	sent     []int64 // when each was sent, by its number; 0: not in flight
	lowest   uint32  // the next answer where they come in order
	heard    int64   // when the last answer came
}

// ring is how many requests of a connection may be told apart.
const ring = 1 << 12

// greet sends the connections' hello and waits for all answers.
func greet(l *loop, conns []*conn, p greeting) error {
	hello := p.hello()
	if hello == nil {
		return nil
	}
	missing := len(conns)
	l.frame = func(_ *conn, payload []byte) error {
		if !p.welcome(payload) {
			return fmt.Errorf("the server greets with %q", payload)
		}
		missing--
		return nil
	}
	for _, c := range conns {
		c.out = append(c.out, hello...)
		if err := l.flush(c); err != nil {
			return err
		}
	}
	for deadline := now() + int64(30*time.Second); missing > 0; {
		if now() > deadline {
			return fmt.Errorf("%d connections were not greeted", missing)
		}
		if err := l.wait(); err != nil {
			return err
		}
	}
	return nil
}

// exchange is requests and answers on all connections.
type exchange struct {
	spec    *Spec
	loop    *loop
	proto   protocol
	ordered bool
	clock   *clock
	result  Result
	hist    histogram

	// Of an open loop.
	first int64  // when the first request was due
	due   uint64 // requests that were

	// Of kills.
	killed  int
	longest time.Duration
}

func newExchange(s *Spec, l *loop) *exchange {
	x := &exchange{spec: s, loop: l, ordered: s.Kind == Echo}
	if s.Kind == Echo {
		x.proto = newEcho(s.Size)
	} else {
		x.proto = ctproto{}
	}
	for _, c := range l.conns {
		c.session.sent = make([]int64, ring)
	}
	return x
}

// openTick is how often an open loop sends. What is due between two ticks is due at the second: bursts
// are part of the load, waiting for the next tick is not part of the latency.
const openTick = 500 * time.Microsecond

// lastAnswers is how long answers may take after the end.
const lastAnswers = 5 * time.Second

func (x *exchange) run() (*Result, error) {
	if err := greet(x.loop, x.loop.conns, x.proto); err != nil {
		return nil, err
	}
	x.loop.frame = x.answered
	x.clock = newClock(x.spec)
	if err := x.start(); err != nil {
		return nil, err
	}
	for !x.clock.over {
		if err := x.loop.wait(); err != nil {
			return nil, err
		}
		at := now()
		if err := x.clock.tick(at, &x.result); err != nil {
			return nil, err
		}
		if x.spec.Rate > 0 && !x.clock.over {
			if err := x.sendDue(at); err != nil {
				return nil, err
			}
		}
		if x.spec.Kills > 0 {
			if err := x.kill(at); err != nil {
				return nil, err
			}
		}
	}
	return x.finish()
}

func (x *exchange) start() error {
	at := now()
	for _, c := range x.loop.conns {
		c.session.heard = at
	}
	if x.spec.Rate > 0 {
		x.first = at
		return x.loop.every(openTick)
	}
	for _, c := range x.loop.conns {
		for range x.spec.InFlight {
			x.send(c, at)
		}
		if err := x.loop.flush(c); err != nil {
			return err
		}
	}
	return nil
}

func (x *exchange) send(c *conn, at int64) {
	s := &c.session
	slot := &s.sent[s.next%ring]
	if *slot != 0 { // so far behind that it cannot be told apart: what is due is not sent
		return
	}
	if s.inFlight == 0 {
		s.heard = at
	}
	*slot = at
	c.out = x.proto.request(c.out, c.index, s.next)
	s.next++
	s.inFlight++
	x.result.Sent++
}

// sendDue sends what an open loop has to by now: on one connection after the other as many requests
// at once as a closed loop has in flight, so that both are the same work.
func (x *exchange) sendDue(at int64) error {
	tick := (at - x.first) / int64(openTick)
	target := uint64(float64(tick) * openTick.Seconds() * x.spec.Rate)
	burst := uint64(x.spec.InFlight)
	for ; x.due+burst <= target; x.due += burst {
		c := x.loop.conns[x.due/burst%uint64(len(x.loop.conns))]
		for range burst {
			x.send(c, x.first+tick*int64(openTick))
		}
		if err := x.loop.flush(c); err != nil {
			return err
		}
	}
	return nil
}

// answered takes an answer, and sends the next request of a closed loop.
func (x *exchange) answered(c *conn, payload []byte) error {
	s := &c.session
	seq, ok := x.proto.answer(payload, c.index)
	if !ok {
		return fmt.Errorf("the server answers %q", payload)
	}
	slot := &s.sent[seq%ring]
	if *slot == 0 || seq >= s.next || s.next-seq > ring {
		x.result.Doubled++
		return nil
	}
	at := now()
	if x.clock.measuring {
		x.result.Messages++
		x.hist.add(time.Duration(at - *slot))
		x.longest = max(x.longest, time.Duration(at-s.heard))
	}
	s.heard = at
	*slot = 0
	s.inFlight--
	if x.ordered {
		if seq != s.lowest {
			x.result.Reordered++
		}
		s.lowest = seq + 1
	}
	if x.spec.Rate == 0 && !x.clock.over {
		x.send(c, at)
	}
	return nil
}

// kill kills the watched child when it is time to, and notes the longest pause of the time since the
// kill before.
func (x *exchange) kill(at int64) error {
	if !x.clock.measuring && !x.clock.over {
		return nil
	}
	interval := int64(x.spec.Measure) / int64(x.spec.Kills+1)
	if at < x.clock.began+int64(x.killed+1)*interval && !x.clock.over {
		return nil
	}
	if x.killed == 0 {
		x.result.Peak = x.longest
	} else {
		x.result.Pauses = append(x.result.Pauses, x.longest)
	}
	x.longest = 0
	if x.clock.over {
		return nil
	}
	x.killed++
	children := process.Children(x.spec.KillChildOf)
	if len(children) != 1 {
		return fmt.Errorf("there are %d plugin processes where one is to be killed", len(children))
	}
	return unix.Kill(children[0], unix.SIGKILL)
}

// finish waits for the answers that are due, and a moment for such as are not.
func (x *exchange) finish() (*Result, error) {
	missing := func() (n uint64) {
		for _, c := range x.loop.conns {
			n += uint64(c.session.inFlight)
		}
		return n
	}
	for deadline := now() + int64(lastAnswers); missing() > 0 && now() < deadline; {
		if err := x.loop.wait(); err != nil {
			return nil, errors.Join(errLate, err)
		}
	}
	for end := now() + int64(50*time.Millisecond); now() < end; {
		if err := x.loop.wait(); err != nil {
			return nil, errors.Join(errLate, err)
		}
	}
	x.result.Lost = missing()
	x.result.P50, x.result.P99, x.result.Max = x.hist.at(0.5), x.hist.at(0.99), x.hist.max
	return &x.result, nil
}

var errLate = errors.New("after the measurement")
