package plugintest

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/internal/channel"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// queues are the queues of a transcript: in memory, but for that as the core's.
type queues struct {
	changed func()

	mu     sync.Mutex
	limits *pluginv1.Queues
	away   bool // as if there were no store
	topics map[string]*queueTopic
}

type queueTopic struct {
	queues    *queues
	waiting   []*queueEntry // in order
	consumers []*queueConsumer
	size      int // entries that wait or are a consumer's
	next      uint64
	turn      int  // of the consumer that is served next
	pumping   bool // somebody delivers
}

type queueConsumer struct {
	topic   *queueTopic
	window  int
	held    map[*queueEntry]bool
	deliver func(pluginhost.Entry)
}

// queueEntry is an entry that waits, or as one consumer was given it.
type queueEntry struct {
	by      *queueConsumer
	number  uint64
	data    []byte
	attempt uint32
	sending bool
}

func newQueues(changed func()) *queues {
	return &queues{changed: changed, topics: make(map[string]*queueTopic)}
}

// use is pluginhost.Config.Queues.
func (q *queues) use(_ context.Context, said *pluginv1.Queues) (pluginhost.Queues, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits = said
	return q, nil
}

// setAway has the store go, or come back.
func (q *queues) setAway(away bool) {
	q.mu.Lock()
	q.away = away
	q.mu.Unlock()
}

// topicLocked returns the topic; else why there is none.
func (q *queues) topicLocked(name string) (*queueTopic, string) {
	t := q.topics[name]
	switch {
	case t != nil:
		return t, ""
	case channel.Check(name) != nil:
		return nil, "not a topic"
	case len(q.topics) >= int(cmp.Or(q.limits.GetMaxTopics(), 100)):
		return nil, "too many topics"
	}
	t = &queueTopic{queues: q}
	q.topics[name] = t
	return t, ""
}

func (q *queues) Push(topic, _ string, data []byte, done func(pluginv1.Outcome, string)) {
	q.mu.Lock()
	if q.away {
		q.mu.Unlock()
		done(pluginv1.Outcome_OUTCOME_UNAVAILABLE, "")
		return
	}
	t, refusal := q.topicLocked(topic)
	if t != nil && t.size >= int(cmp.Or(q.limits.GetTopicSize(), 2000)) {
		refusal = "full"
	}
	if refusal == "" {
		t.size++
		t.next++
		t.waiting = append(t.waiting, &queueEntry{number: t.next, data: data})
		t.pumpLocked()
	}
	q.mu.Unlock()
	if refusal != "" {
		done(pluginv1.Outcome_OUTCOME_DENIED, refusal)
		return
	}
	done(pluginv1.Outcome_OUTCOME_OK, "")
}

func (q *queues) Open(topics []string, done func(pluginv1.Outcome, string)) {
	var made []string
	q.mu.Lock()
	if q.away {
		q.mu.Unlock()
		done(pluginv1.Outcome_OUTCOME_UNAVAILABLE, "")
		return
	}
	for _, name := range topics {
		known := q.topics[name] != nil
		_, refusal := q.topicLocked(name)
		if refusal != "" {
			for _, name := range made {
				delete(q.topics, name)
			}
			q.mu.Unlock()
			done(pluginv1.Outcome_OUTCOME_DENIED, refusal)
			return
		}
		if !known {
			made = append(made, name)
		}
	}
	q.mu.Unlock()
	done(pluginv1.Outcome_OUTCOME_OK, "")
}

func (q *queues) Consume(_ uint64, topic string, window int, deliver func(pluginhost.Entry)) pluginhost.Consumption {
	q.mu.Lock()
	defer q.mu.Unlock()
	t, _ := q.topicLocked(topic) // it is open
	c := &queueConsumer{topic: t, window: window, deliver: deliver, held: make(map[*queueEntry]bool)}
	t.consumers = append(t.consumers, c)
	t.pumpLocked()
	return c
}

// pumpLocked has entries delivered that wait, by a goroutine that holds no lock meanwhile.
func (t *queueTopic) pumpLocked() {
	if !t.pumping {
		t.pumping = true
		go t.pump()
	}
}

func (t *queueTopic) pump() {
	q := t.queues
	for {
		q.mu.Lock()
		c := t.readyLocked()
		if c == nil || len(t.waiting) == 0 {
			t.pumping = false
			q.mu.Unlock()
			q.changed()
			return
		}
		e := &queueEntry{by: c, number: t.waiting[0].number, data: t.waiting[0].data, attempt: t.waiting[0].attempt + 1}
		t.waiting = t.waiting[1:]
		c.held[e] = true
		q.mu.Unlock()
		c.deliver(e)
	}
}

// readyLocked is the consumer whose turn it is; nil when none has room.
func (t *queueTopic) readyLocked() *queueConsumer {
	for i := range t.consumers {
		at := (t.turn + i) % len(t.consumers)
		if c := t.consumers[at]; len(c.held) < c.window {
			t.turn = at + 1
			return c
		}
	}
	return nil
}

// SetWindow implements pluginhost.Consumption.
func (c *queueConsumer) SetWindow(n int) {
	c.topic.queues.mu.Lock()
	defer c.topic.queues.mu.Unlock()
	c.window = n
	c.topic.pumpLocked()
}

// Stop implements pluginhost.Consumption.
func (c *queueConsumer) Stop() {
	t := c.topic
	t.queues.mu.Lock()
	defer t.queues.mu.Unlock()
	t.consumers = slices.DeleteFunc(t.consumers, func(o *queueConsumer) bool { return o == c })
	for e := range c.held {
		if !e.sending {
			e.backLocked()
		}
	}
	t.pumpLocked()
}

// backLocked puts the entry to its place among those that wait.
func (e *queueEntry) backLocked() {
	t := e.by.topic
	delete(e.by.held, e)
	at, _ := slices.BinarySearchFunc(t.waiting, e.number, func(o *queueEntry, n uint64) int { return cmp.Compare(o.number, n) })
	t.waiting = slices.Insert(t.waiting, at, e)
}

func (e *queueEntry) Data() []byte    { return e.data }
func (e *queueEntry) Attempt() uint32 { return e.attempt }

func (e *queueEntry) Sending() bool {
	e.by.topic.queues.mu.Lock()
	defer e.by.topic.queues.mu.Unlock()
	e.sending = e.by.held[e]
	return e.sending
}

func (e *queueEntry) Settle() {
	t := e.by.topic
	t.queues.mu.Lock()
	defer t.queues.mu.Unlock()
	if e.by.held[e] {
		delete(e.by.held, e)
		t.size--
		t.pumpLocked()
	}
}

func (e *queueEntry) GiveBack() {
	t := e.by.topic
	t.queues.mu.Lock()
	defer t.queues.mu.Unlock()
	if e.by.held[e] {
		e.backLocked()
		t.pumpLocked()
	}
}

// LetGo does nothing: no transcript is as long as it would take.
func (e *queueEntry) LetGo(func()) {}
