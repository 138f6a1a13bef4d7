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

// talker is a protocol in which there is more than requests and answers.
type talker interface {
	// reply appends the frame that a frame is to be told, if any, and says whether it is no answer to a
	// request.
	reply(dst, payload []byte) (_ []byte, aside bool)
}

// audience is a protocol in which others hear of requests.
type audience interface {
	// heard takes a frame of a connection that asks nothing, and says whether it is one.
	heard(c *conn, payload []byte) (bool, error)
}

// greeting is what a connection begins with.
type greeting interface {
	// hello is what the connection of that index sends first; nil: nothing is sent by any.
	hello(conn int) []byte
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
	if p.hello(0) == nil {
		return nil
	}
	missing := len(conns)
	talks, _ := p.(talker)
	l.frame = func(c *conn, payload []byte) error {
		if talks != nil {
			var aside bool
			if c.out, aside = talks.reply(c.out, payload); aside {
				return nil
			}
		}
		if !p.welcome(payload) {
			return fmt.Errorf("the server greets with %q", payload)
		}
		missing--
		return nil
	}
	for _, c := range conns {
		c.out = append(c.out, p.hello(c.index)...)
		if err := l.flush(c); err != nil {
			return err
		}
	}
	if err := l.until(30*time.Second, func() bool { return missing == 0 }); err != nil {
		return fmt.Errorf("%d connections were not greeted: %w", missing, err)
	}
	return nil
}

// exchange is requests and answers on all connections.
type exchange struct {
	spec    *Spec
	loop    *loop
	conns   []*conn // those that ask
	proto   protocol
	talker  talker // nil: there is nothing but answers
	ordered bool
	clock   *clock
	result  Result

	// Of an open loop.
	first int64  // when the first request was due
	due   uint64 // requests that were

	// Of kills.
	killed  int
	longest time.Duration
}

func newExchange(s *Spec, l *loop) *exchange {
	return newExchangeOf(s, l, l.conns, protocolOf(s))
}

// newExchangeOf is one on some of the connections.
func newExchangeOf(s *Spec, l *loop, conns []*conn, p protocol) *exchange {
	x := &exchange{spec: s, loop: l, conns: conns, ordered: s.Kind == Echo, proto: p}
	x.talker, _ = x.proto.(talker)
	for _, c := range conns {
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
	if err := greet(x.loop, x.conns, x.proto); err != nil {
		return nil, err
	}
	x.loop.frame = x.answered
	if a, ok := x.proto.(audience); ok {
		x.loop.frame = func(c *conn, payload []byte) error {
			if heard, err := a.heard(c, payload); heard || err != nil {
				return err
			}
			return x.answered(c, payload)
		}
	}
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
	for _, c := range x.conns {
		c.session.heard = at
	}
	if x.spec.Rate > 0 {
		x.first = at
		return x.loop.every(openTick)
	}
	for _, c := range x.conns {
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
		c := x.conns[x.due/burst%uint64(len(x.conns))]
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
	if x.talker != nil {
		var aside bool
		if c.out, aside = x.talker.reply(c.out, payload); aside {
			return nil
		}
	}
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
		x.clock.took(time.Duration(at - *slot))
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
	children := process.Children(x.spec.KillChildOf) // the oldest first
	if n := len(children); n == 0 || n > 1 && !x.spec.Spare {
		return fmt.Errorf("there are %d plugin processes where one is to be killed", n)
	}
	return unix.Kill(children[0], unix.SIGKILL)
}

// finish waits for the answers that are due, and a moment for such as are not.
func (x *exchange) finish() (*Result, error) {
	missing := func() (n uint64) {
		for _, c := range x.conns {
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
	x.clock.times(&x.result)
	return &x.result, nil
}

var errLate = errors.New("after the measurement")
