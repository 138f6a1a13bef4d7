package cluster

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"google.golang.org/protobuf/proto"

	clusterv1 "github.com/protocol-bridge/bridge/proto/bridge/cluster/v1"
)

// version is that of the envelope.
const version = 1

// answerWithin is how long nodes are given to answer.
const answerWithin = time.Second

// ErrTooLarge is returned for a message that NATS does not take.
var ErrTooLarge = errors.New("message is too large for NATS")

// Send sends a message to all other nodes. It does not block.
func (c *Cluster) Send(m *clusterv1.Envelope) error { return c.send("all", "", m) }

// Ask sends a message to one node and returns its answer; false: there is none within a second, or no
// such node.
func (c *Cluster) Ask(ctx context.Context, node uint16, m *clusterv1.Envelope) (*clusterv1.Answer, bool) {
	other, ok := c.Other(node)
	if !ok {
		return nil, false
	}
	answers, _ := c.ask(ctx, "node."+strconv.Itoa(int(node)), []Member{other}, m)
	for _, a := range answers {
		return a, true
	}
	return nil, false
}

// AskAll sends a message to all other nodes and returns the answers, by node, of those that gave one
// within a second, and who did not, though it lives.
func (c *Cluster) AskAll(ctx context.Context, m *clusterv1.Envelope) (answers map[uint16]*clusterv1.Answer, silent []Member) {
	others := c.Others()
	if len(others) == 0 {
		return nil, nil
	}
	return c.ask(ctx, "all", others, m)
}

func (c *Cluster) send(to, reply string, m *clusterv1.Envelope) error {
	m.Version, m.Node, m.Run = version, uint32(c.Node()), c.run
	data, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("message to other nodes: %w", err)
	}
	if int64(len(data)) > c.conn.MaxPayload() {
		c.counts.tooLarge.Add(1)
		return fmt.Errorf("%w: %d bytes, %d are allowed", ErrTooLarge, len(data), c.conn.MaxPayload())
	}
	if to != "beat" {
		c.counts.sent.Add(1)
	}
	if reply == "" {
		return c.conn.Publish(c.subject(to), data)
	}
	return c.conn.PublishRequest(c.subject(to), reply, data)
}

// asks are messages that wait for answers.
type asks struct {
	mu      sync.Mutex
	next    uint64
	waiting map[uint64]*asking
}

type asking struct {
	expected map[string]Member // runs that did not answer yet
	answers  map[uint16]*clusterv1.Answer
	done     chan struct{} // closed when nobody is expected any more
}

// settle takes a run off those that are waited for. The caller holds the lock.
func (a *asking) settle(run string) (Member, bool) {
	m, ok := a.expected[run]
	if !ok {
		return m, false
	}
	delete(a.expected, run)
	if len(a.expected) == 0 {
		close(a.done)
	}
	return m, true
}

func (c *Cluster) ask(ctx context.Context, to string, who []Member, m *clusterv1.Envelope) (map[uint16]*clusterv1.Answer, []Member) {
	a := &asking{expected: make(map[string]Member, len(who)), answers: make(map[uint16]*clusterv1.Answer, len(who)), done: make(chan struct{})}
	for _, other := range who {
		a.expected[other.Run] = other
	}
	q := &c.asks
	q.mu.Lock()
	if q.waiting == nil {
		q.waiting = make(map[uint64]*asking)
	}
	q.next++
	id := q.next
	q.waiting[id] = a
	q.mu.Unlock()
	if err := c.send(to, c.subject("answer."+c.run+"."+strconv.FormatUint(id, 10)), m); err != nil {
		c.warn("message is not sent", err)
	} else {
		late := time.NewTimer(answerWithin)
		defer late.Stop()
		select {
		case <-a.done:
		case <-late.C:
		case <-ctx.Done():
		case <-c.ctx.Done():
		}
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.waiting, id)
	var silent []Member
	for _, other := range a.expected {
		silent = append(silent, other)
	}
	c.counts.silent.Add(uint64(len(silent)))
	return a.answers, silent
}

// gone ends the wait for the answers of a process.
func (q *asks) gone(run string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, a := range q.waiting {
		a.settle(run)
	}
}

// answersTo has the answers to this node's questions taken.
func (c *Cluster) answersTo() error {
	return c.subscribe(c.subject("answer."+c.run+".*"), func(m *nats.Msg) {
		e, ok := c.open(m)
		if !ok {
			return
		}
		id, _ := strconv.ParseUint(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:], 10, 64) // no question has 0
		c.asks.mu.Lock()
		defer c.asks.mu.Unlock()
		if a := c.asks.waiting[id]; a != nil {
			if other, ok := a.settle(e.GetRun()); ok {
				a.answers[other.Node] = e.GetAnswer()
			}
		}
	})
}

// open reads an envelope that another node sent.
func (c *Cluster) open(m *nats.Msg) (*clusterv1.Envelope, bool) {
	if m.Header.Get("Status") != "" { // of NATS itself: that nobody listens there
		return nil, false
	}
	e := new(clusterv1.Envelope)
	err := proto.Unmarshal(m.Data, e)
	if err == nil && e.GetVersion() != version {
		err = fmt.Errorf("its version is %d, not %d", e.GetVersion(), version)
	}
	if err != nil {
		c.counts.foreign.Add(1)
		c.warn("message of another node is not understood", err)
		return nil, false
	}
	return e, e.GetRun() != c.run
}

func (c *Cluster) warn(text string, err error) {
	if dropped, ok := c.quiet.Allow(time.Now()); ok {
		c.log.Warn("trouble between nodes", "what", text, "err", err, "dropped", dropped)
	}
}

// received does what another node asks for.
func (c *Cluster) received(m *nats.Msg) {
	e, ok := c.open(m)
	if !ok {
		return
	}
	c.counts.received.Add(1)
	answer := c.handler.Take(uint16(e.GetNode()), e)
	if m.Reply == "" {
		return
	}
	if answer == nil {
		answer = new(clusterv1.Answer)
	}
	reply := &clusterv1.Envelope{Version: version, Node: uint32(c.Node()), Run: c.run, Body: &clusterv1.Envelope_Answer{Answer: answer}}
	data, err := proto.Marshal(reply)
	if err == nil {
		err = m.Respond(data)
	}
	if err != nil {
		c.warn("answer is not sent", err)
	}
}
