package pluginhost

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Queues are the durable queues as one instance of a plugin wants them. The methods do not block, and what
// they call is called without a lock of theirs; they may be called by many goroutines.
type Queues interface {
	// Push appends to a topic. id names the push: repeated within a while it is stored once. Pushes to a
	// topic are stored in the order of the calls. done is called once, with what Push of the contract says.
	// data is kept.
	Push(topic, id string, data []byte, done func(pluginv1.Outcome, string))
	// Open makes the topics that are not there, all or none. done is called once, as that of Push.
	Open(topics []string, done func(pluginv1.Outcome, string))
	// Consume has deliver called with entries of an open topic, one after another, at most window at a
	// time that are not settled. by names the consumer, which has a bounded number of bytes of all its
	// topics at a time.
	Consume(by uint64, topic string, window int, deliver func(Entry)) Consumption
}

// Consumption is one actor's consuming of one topic.
type Consumption interface {
	SetWindow(n int)
	// Stop gives back what is not settled nor being sent, in order. Deliver may still be called once by
	// another goroutine; what it is given goes back.
	Stop()
}

// Entry is one of a topic's while a consumption has it. Only the first of its methods counts that says what
// becomes of it.
type Entry interface {
	Data() []byte
	Attempt() uint32
	// Sending says that its writing decides, which Settle or GiveBack tells. It returns false when the
	// entry is not the consumption's any more.
	Sending() bool
	Settle()
	GiveBack()
	// LetGo says that nobody is at it: it is given back after half a minute, unless something else became
	// of it by then. late is called before.
	LetGo(late func())
}

// maxWindow is how many deliveries an actor may have of a topic.
const maxWindow = 256

func (p *Plugin) openQueues(ctx context.Context, said *pluginv1.Queues) (Queues, error) {
	switch {
	case said == nil:
		return nil, nil
	case p.cfg.Queues == nil:
		return nil, fmt.Errorf("%w: it uses queues, and there are none", ErrConfig)
	}
	q, err := p.cfg.Queues(ctx, said)
	if err != nil {
		return nil, fmt.Errorf("queues: %w", err)
	}
	return q, nil
}

// consuming is what an actor consumes; guarded by the actor's mu. nil is nothing.
type consuming struct {
	topics  map[string]*consumer
	entries map[uint64]lentEntry // by the id of the delivery
}

type consumer struct {
	Consumption     // nil until its topic is open
	window      int // with which it begins
}

type lentEntry struct {
	entry Entry
	by    *consumer
}

func (c *consuming) any() bool { return c != nil && len(c.topics) > 0 }

func (in *Instance) newCall(a *Actor, s *session.Session, head *actor.Event, index int, tag string) *call {
	c := &call{actor: a, msg: &pluginv1.Call{Tag: tag}, info: CallInfo{
		Actor: a.id, Seq: head.Seq, Index: index, Time: head.Time, Route: a.route(), Session: s,
	}}
	if s != nil {
		c.info.Route = s.Info.Route
		s.Hold(0)
	}
	a.mu.Lock()
	a.running++
	a.mu.Unlock()
	return c
}

func answered(outcome pluginv1.Outcome, reason string) *pluginv1.Answer {
	return &pluginv1.Answer{Last: true, Outcome: outcome, Reason: reason}
}

// push appends to a queue and answers when that is known.
func (in *Instance) push(a *Actor, s *session.Session, head *actor.Event, index int, push *pluginv1.Push) {
	c := in.newCall(a, s, head, index, push.GetTag())
	id := fmt.Sprintf("%d-%d-%d", a.id, head.Seq, index)
	in.queues.Push(push.GetTopic(), id, push.GetData(), func(outcome pluginv1.Outcome, reason string) {
		c.finish(answered(outcome, reason))
	})
}

// consume begins, changes or ends the actor's consuming of topics.
func (in *Instance) consume(a *Actor, s *session.Session, head *actor.Event, index int, req *pluginv1.Consume) {
	answer := func(pluginv1.Outcome, string) {}
	if tag := req.GetTag(); tag != "" {
		c := in.newCall(a, s, head, index, tag)
		answer = func(outcome pluginv1.Outcome, reason string) { c.finish(answered(outcome, reason)) }
	}
	window := int(min(req.GetWindow(), maxWindow))
	begun := make(map[string]*consumer)
	a.mu.Lock()
	if window > 0 && (a.gone || a.closed || a.dismissed.Load()) {
		a.mu.Unlock()
		answer(pluginv1.Outcome_OUTCOME_DENIED, "the session has ended")
		return
	}
	if a.queues == nil {
		a.queues = &consuming{topics: make(map[string]*consumer), entries: make(map[uint64]lentEntry)}
	}
	for _, topic := range append([]string{req.GetTopic()}, req.GetAlso()...) {
		have := a.queues.topics[topic]
		switch {
		case have != nil && window == 0:
			a.stopConsumer(topic, have)
		case have != nil:
			have.window = window
			if have.Consumption != nil {
				have.SetWindow(window)
			}
		case window > 0:
			c := &consumer{window: window}
			a.queues.topics[topic], begun[topic] = c, c
		}
	}
	a.mu.Unlock()
	if len(begun) == 0 {
		answer(pluginv1.Outcome_OUTCOME_OK, "")
		return
	}
	in.queues.Open(slices.Sorted(maps.Keys(begun)), func(outcome pluginv1.Outcome, reason string) {
		answer(outcome, reason)
		a.mu.Lock()
		defer a.mu.Unlock()
		for topic, c := range begun {
			switch {
			case a.queues.topics[topic] != c: // stopped meanwhile
			case outcome == pluginv1.Outcome_OUTCOME_OK:
				c.Consumption = in.queues.Consume(a.id, topic, c.window, func(e Entry) { a.deliver(topic, c, e) })
			default:
				a.stopConsumer(topic, c)
			}
		}
	})
}

// deliver posts an entry that the consumption was given.
func (a *Actor) deliver(topic string, c *consumer, entry Entry) {
	id := a.plugin.entries.Add(1)
	a.mu.Lock()
	if a.queues.topics[topic] != c {
		a.mu.Unlock()
		entry.GiveBack()
		return
	}
	a.queues.entries[id] = lentEntry{entry, c}
	a.mu.Unlock()
	e := actor.NewEvent(wire.Delivery)
	e.Cold = &pluginv1.Delivery{Topic: topic, Id: id, Data: entry.Data(), Attempt: entry.Attempt()}
	e.Done = func() { entry.LetGo(func() { a.takeEntry(id) }) }
	a.post(e)
}

// takeEntry returns the entry of a delivery that is the actor's, and takes it from it; nil when there is none.
func (a *Actor) takeEntry(id uint64) Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queues == nil {
		return nil
	}
	h, ok := a.queues.entries[id]
	if !ok {
		return nil
	}
	delete(a.queues.entries, id)
	return h.entry
}

// sendSettling sends a frame whose writing settles a delivery. s is nil when the session has gone.
func (in *Instance) sendSettling(a *Actor, s *session.Session, c *wire.Command) {
	entry := a.takeEntry(uint64(c.Number))
	switch {
	case entry == nil || !entry.Sending():
	case s == nil:
		entry.GiveBack()
	case s.SendNoted(c.Data, c.Binary, func(written bool) {
		if written {
			entry.Settle()
			return
		}
		if a.session != nil { // it is ending, and would be given the same again
			a.mu.Lock()
			a.stopConsuming()
			a.mu.Unlock()
		}
		entry.GiveBack()
	}) == nil:
		in.dirty.Add(s)
	}
}

// stopConsuming ends all that the actor consumes. The caller holds mu.
func (a *Actor) stopConsuming() {
	if a.queues == nil {
		return
	}
	for topic, c := range a.queues.topics {
		a.stopConsumer(topic, c)
	}
}

// stopConsumer ends one. The caller holds mu.
func (a *Actor) stopConsumer(topic string, c *consumer) {
	delete(a.queues.topics, topic)
	for id, h := range a.queues.entries {
		if h.by == c {
			delete(a.queues.entries, id)
		}
	}
	if c.Consumption != nil {
		c.Stop()
	}
}
