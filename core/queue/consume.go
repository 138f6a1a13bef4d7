package queue

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Consumption is one consumer's part of a topic. It is safe for concurrent use.
//
// It asks the server for as many entries as there is room for, once what it asked for last has come or
// the server says that it does not: never more than the window are asked for or had.
type Consumption struct {
	store     *Store
	topic     *topic
	deliver   func(*Entry)
	inbox     string
	allowance *allowance

	mu      sync.Mutex
	window  int
	sub     *nats.Subscription // nil until the server knows the consumer
	asked   int                // entries asked for that did not come yet
	askedAt time.Time
	number  uint64 // of the last question
	share   int    // bytes of the allowance that the question has still
	bytes   int    // that may still come of the question, as the server counts them; 0: any number of them
	large   bool   // the question is for one large entry
	waits   bool   // for its turn to ask for a large entry
	none    bool   // nothing came yet of what was asked for
	held    map[*Entry]struct{}
	acked   map[uint64]*Entry // of held, by their place in the topic: settled, and not yet confirmed
	soon    *time.Timer
	stopped bool
	ended   bool     // stopped, and nothing more comes
	back    []*Entry // what goes back when it has ended
	last    *Entry   // of those whose ack was not confirmed when it was stopped
}

const (
	// askFor is how long the server keeps a question.
	askFor = 20 * time.Second
	// askForLarge is how long it keeps one for a large entry, which another may have taken meanwhile.
	askForLarge = time.Second
	// gather is how long a consumption with little room waits for more of it.
	gather = 2 * time.Millisecond
	// retry is how long it waits when the server does not know it.
	retry = 250 * time.Millisecond
)

// Consume has deliver called with entries of a topic that is open, by one goroutine, at most window at a
// time that are not settled. by names the consumer: what it has of all its topics is at most 1 MiB, 4 KiB
// of each topic, and one entry. It does not block.
func (v *View) Consume(by uint64, name string, window int, deliver func(*Entry)) *Consumption {
	s := v.store
	s.mu.Lock()
	t := s.topics[name]
	if t == nil { // it was taken away just then, and is made again
		t = newTopic(s, name)
		s.topics[name] = t
	}
	s.mu.Unlock()
	c := &Consumption{
		store: s, topic: t, deliver: deliver, inbox: nats.NewInbox(), window: window, allowance: s.allowanceOf(by),
		held: make(map[*Entry]struct{}), acked: make(map[uint64]*Entry),
	}
	t.mu.Lock()
	t.consumptions[c] = struct{}{}
	t.mu.Unlock()
	s.wg.Go(func() { c.begin(v.options) })
	return c
}

// begin makes the consumer and subscribes, trying until it is done or stopped.
func (c *Consumption) begin(o Options) {
	for !c.isStopped() {
		err := c.subscribe(o)
		if err == nil {
			return
		}
		c.store.log.Warn("a topic cannot be consumed, it is tried again", "topic", c.topic.name, "err", err)
		select {
		case <-c.store.done:
			return
		case <-time.After(retry):
		}
	}
}

func (c *Consumption) isStopped() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stopped
}

func (c *Consumption) subscribe(o Options) error {
	if err := c.ensure(o); err != nil {
		return err
	}
	sub, err := c.store.nc.Subscribe(c.inbox+".*", c.receive)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return sub.Unsubscribe() // nothing was asked for
	}
	c.sub = sub
	c.refillLocked()
	return nil
}

// ensure makes the consumer that all share, and before it the topic where that is gone.
func (c *Consumption) ensure(o Options) error {
	opened := make(chan error, 1)
	c.topic.open(o, func(_ *topic, err error) { opened <- err })
	if err := <-opened; err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), makeTimeout)
	defer cancel()
	_, err := c.store.js.CreateOrUpdateConsumer(ctx, c.topic.stream, jetstream.ConsumerConfig{
		Durable: consumerName, AckPolicy: jetstream.AckExplicitPolicy, AckWait: c.store.cfg.AckWait, MaxAckPending: -1, MaxDeliver: -1,
	})
	return err
}

// SetWindow changes how many entries it may have.
func (c *Consumption) SetWindow(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.window = n
	c.refillLocked()
}

// refillLocked asks for entries where there is room and nothing is asked for.
func (c *Consumption) refillLocked() {
	if !c.mayAskLocked() {
		return
	}
	if room := c.window - len(c.held); 2*room >= c.window {
		c.askLocked()
	} else if c.soon == nil {
		c.soon = time.AfterFunc(gather, func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.soon = nil
			c.askLocked()
		})
	}
}

func (c *Consumption) mayAskLocked() bool {
	return c.sub != nil && !c.stopped && !c.waits && c.asked == 0 && len(c.held) < c.window && !c.topic.isDraining()
}

func (c *Consumption) askLocked() {
	if !c.mayAskLocked() {
		return
	}
	if c.share = c.allowance.take(len(c.held) == 0); c.share > 0 {
		c.questionLocked(c.window-len(c.held), c.share, askFor)
	}
}

// askLarge asks for one entry of any size. It is the consumption's turn to do so.
func (c *Consumption) askLarge() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waits = false
	if !c.mayAskLocked() {
		c.allowance.giveTurn(c)
		return
	}
	c.large = true
	c.questionLocked(1, 0, askForLarge)
}

func (c *Consumption) questionLocked(entries, bytes int, keep time.Duration) {
	c.number++
	c.asked, c.askedAt, c.none, c.bytes = entries, time.Now(), true, bytes
	question, _ := json.Marshal(struct {
		Batch    int   `json:"batch"`
		Expires  int64 `json:"expires"`
		MaxBytes int   `json:"max_bytes,omitempty"`
	}{entries, int64(keep), bytes})
	// What does not get there is asked again.
	_ = c.store.nc.PublishRequest("$JS.API.CONSUMER.MSG.NEXT."+c.topic.stream+"."+consumerName, fmt.Sprintf("%s.%d", c.inbox, c.number), question)
}

// answeredLocked ends the question.
func (c *Consumption) answeredLocked() {
	c.asked = 0
	c.allowance.give(c.share)
	c.share = 0
	if c.large {
		c.large = false
		c.allowance.giveTurn(c)
	}
}

// confirmed is the token of subjects on which the server confirms acks.
const confirmed = "+"

// receive takes what the server sends: an entry, that it sends no more, or that an ack was taken.
func (c *Consumption) receive(m *nats.Msg) {
	token := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
	if text, ok := strings.CutPrefix(token, confirmed); ok {
		seq, _ := strconv.ParseUint(text, 10, 64)
		c.settled(seq)
		return
	}
	if status := m.Header.Get("Status"); status != "" && len(m.Data) == 0 && m.Reply == "" {
		number, _ := strconv.ParseUint(token, 10, 64)
		c.told(number, status, m.Header.Get("Description"))
		return
	}
	meta, err := m.Metadata()
	if err != nil {
		return
	}
	e := &Entry{Data: m.Data, Attempt: uint32(meta.NumDelivered), by: c, reply: m.Reply, seq: meta.Sequence.Stream}
	if !c.take(e, m.Size()) {
		return
	}
	c.topic.delivered.Add(1)
	if e.Attempt > 1 {
		c.topic.redelivered.Add(1)
	}
	c.deliver(e)
	c.mu.Lock()
	c.refillLocked()
	c.mu.Unlock()
}

// take has an entry as the consumption's, unless it has ended, or has settled it: an ack was lost then.
// What comes is of the question that is open, but for what comes of one that was taken for lost. size is as the
// server counts it.
func (c *Consumption) take(e *Entry, size int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.asked > 0
	settled := c.acked[e.seq]
	switch {
	case c.stopped:
		c.back = append(c.back, e)
		return false
	case settled != nil:
		settled.reply = e.reply
		c.ackLocked(settled)
	default:
		c.held[e] = struct{}{}
		switch {
		case asked && c.large:
			e.large, c.large = true, false // it keeps the turn
		case asked:
			e.bytes = len(e.Data)
			c.share -= e.bytes
		default:
			e.bytes = len(e.Data)
			c.allowance.give(-e.bytes)
		}
	}
	if asked {
		c.none = false
		c.asked--
		// Of a question whose bytes are used up, to the last, the server says nothing.
		usedUp := c.bytes > 0 && c.bytes <= size
		c.bytes -= size
		if c.asked == 0 || usedUp {
			c.answeredLocked()
		}
	}
	return settled == nil
}

// told takes word that a question is over.
func (c *Consumption) told(number uint64, status, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if number != c.number || c.stopped || c.asked == 0 {
		return
	}
	tooLarge := strings.Contains(text, "MaxBytes")
	none := c.none
	c.answeredLocked()
	switch {
	case tooLarge && none:
		c.waits = true
		if c.allowance.takeTurn(c) {
			c.store.wg.Go(c.askLarge)
		}
	case status == "404", status == "408", tooLarge, strings.Contains(text, "Batch Completed"):
		c.refillLocked()
	default:
		c.againLocked()
	}
}

// againLocked makes the consumer again, as the server does not know it, and goes on.
func (c *Consumption) againLocked() {
	sub := c.sub
	if sub == nil {
		return
	}
	c.sub = nil
	c.topic.unmade()
	c.store.wg.Go(func() {
		for !c.isStopped() {
			select {
			case <-c.store.done:
				return
			case <-time.After(retry):
			}
			if c.ensure(c.topic.options()) == nil {
				break
			}
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.stopped {
			_ = sub.Unsubscribe()
			return
		}
		c.sub = sub
		c.refillLocked()
	})
}

// keep tells the server of what the consumption still has, gives back what nobody settled in time, and
// says and asks again where an answer was lost.
func (c *Consumption) keep() {
	now := time.Now()
	var late, keep []*Entry
	c.mu.Lock()
	for e := range c.held {
		switch {
		case e.acked.IsZero() && !e.sending && !e.until.IsZero() && !now.Before(e.until):
			late = append(late, e)
		case e.acked.IsZero():
			keep = append(keep, e)
		case now.Sub(e.acked) > c.store.cfg.AckWait:
			c.removeLocked(e) // nobody will say any more
		default:
			c.ackLocked(e)
		}
	}
	if c.asked > 0 && now.Sub(c.askedAt) > askFor+askFor/4 {
		c.answeredLocked()
	}
	c.refillLocked()
	c.mu.Unlock()
	for _, e := range keep {
		c.say(e, progress)
	}
	sortEntries(late)
	for _, e := range late {
		e.late()
		e.end(nak, false)
	}
}
