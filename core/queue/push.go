package queue

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// push is one push on its way.
type push struct {
	topic *topic
	id    string
	data  []byte
	done  func(error)
	sent  time.Time
}

// publisher sends pushes in their order, without waiting for one before the next, and tells each how it
// ended.
type publisher struct {
	nc     *nats.Conn
	prefix string // of the subjects on which the server answers
	sub    *nats.Subscription

	mu      sync.Mutex
	queue   []*push
	pending map[uint64]*push
	number  uint64
	closed  bool
	wake    chan struct{}
}

// confirmTimeout is how long the server may take to confirm a push.
const confirmTimeout = 10 * time.Second

func newPublisher(nc *nats.Conn) (*publisher, error) {
	p := &publisher{nc: nc, prefix: nats.NewInbox() + ".", pending: make(map[uint64]*push), wake: make(chan struct{}, 1)}
	var err error
	if p.sub, err = nc.Subscribe(p.prefix+"*", p.answered); err != nil {
		return nil, err
	}
	return p, p.sub.SetPendingLimits(-1, -1)
}

// add takes a push into the queue.
func (p *publisher) add(one *push) {
	p.mu.Lock()
	closed := p.closed
	if !closed {
		p.queue = append(p.queue, one)
	}
	p.mu.Unlock()
	if closed {
		one.done(errClosed)
		return
	}
	p.rouse()
}

func (p *publisher) rouse() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

var errClosed = unavailable(errors.New("it is being closed"))

// run sends what is queued until close.
func (p *publisher) run() {
	late := time.NewTicker(confirmTimeout / 10)
	defer late.Stop()
	for {
		select {
		case <-p.wake:
		case now := <-late.C:
			p.expire(now)
		}
		p.mu.Lock()
		batch, closed := p.queue, p.closed
		p.queue = nil
		p.mu.Unlock()
		now := time.Now()
		for _, one := range batch {
			p.send(one, now)
		}
		if closed {
			return
		}
	}
}

func (p *publisher) send(one *push, now time.Time) {
	one.sent = now
	p.mu.Lock()
	p.number++
	n := p.number
	p.pending[n] = one
	p.mu.Unlock()
	msg := &nats.Msg{
		Subject: one.topic.subject, Reply: p.prefix + strconv.FormatUint(n, 36), Data: one.data,
		Header: nats.Header{nats.MsgIdHdr: {one.id}},
	}
	if err := p.nc.PublishMsg(msg); err != nil && p.take(n) != nil {
		one.done(unavailable(err))
	}
	one.data = nil
}

func (p *publisher) take(n uint64) *push {
	p.mu.Lock()
	defer p.mu.Unlock()
	one := p.pending[n]
	delete(p.pending, n)
	return one
}

// answered takes the server's answer to a push.
func (p *publisher) answered(m *nats.Msg) {
	n, err := strconv.ParseUint(strings.TrimPrefix(m.Subject, p.prefix), 36, 64)
	if err != nil {
		return
	}
	if one := p.take(n); one != nil {
		one.done(confirmation(m))
	}
}

// Codes of errors of JetStream.
const (
	codeStoreFailed   = 10077 // with the reason as text
	codeTooLarge      = 10054
	codeNoResources   = 10023 // of the server
	codeNoStorage     = 10047 // of its part of the disk
	textFull          = "maximum messages exceeded"
	statusNoResponder = "503"
)

var errNoStream = unavailable(errors.New("nobody stores the topic"))

// confirmation is what the server says of a push.
func confirmation(m *nats.Msg) error {
	if m.Header.Get("Status") == statusNoResponder {
		return errNoStream
	}
	var ack struct {
		Stream string
		Error  *struct {
			Code        int `json:"err_code"`
			Description string
		}
	}
	if err := json.Unmarshal(m.Data, &ack); err != nil {
		return unavailable(fmt.Errorf("answer to a push: %w", err))
	}
	switch e := ack.Error; {
	case e == nil && ack.Stream != "":
		return nil
	case e == nil:
		return unavailable(errors.New("answer to a push without a stream"))
	case e.Code == codeStoreFailed && strings.Contains(e.Description, textFull):
		return ErrFull
	case e.Code == codeTooLarge:
		return ErrTooLarge
	case e.Code == codeNoResources, e.Code == codeNoStorage:
		return unavailable(fmt.Errorf("the disk is full, as far as it is for queues: %s", e.Description))
	default:
		return unavailable(errors.New(e.Description))
	}
}

// expire ends pushes that the server does not answer.
func (p *publisher) expire(now time.Time) {
	var late []*push
	p.mu.Lock()
	for n, one := range p.pending {
		if now.Sub(one.sent) > confirmTimeout {
			delete(p.pending, n)
			late = append(late, one)
		}
	}
	p.mu.Unlock()
	for _, one := range late {
		one.done(unavailable(errors.New("a push is not confirmed in time")))
	}
}

// close sends what is queued, waits a moment for confirmations, and then ends what is left.
func (p *publisher) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.rouse()
	for end := time.Now().Add(closeTimeout); time.Now().Before(end) && !p.idle(); {
		time.Sleep(time.Millisecond)
	}
	_ = p.sub.Unsubscribe() // the connection may be closed
	p.mu.Lock()
	left := append([]*push(nil), p.queue...)
	for _, one := range p.pending {
		left = append(left, one)
	}
	p.queue = nil
	clear(p.pending)
	p.mu.Unlock()
	for _, one := range left {
		one.done(errClosed)
	}
}

// closeTimeout is how long the last pushes may take.
const closeTimeout = 2 * time.Second

func (p *publisher) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queue)+len(p.pending) == 0
}
