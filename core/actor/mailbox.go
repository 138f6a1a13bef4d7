// Package actor holds what an actor is made of: a mailbox of events, cells of state, and timers. A
// session is an actor, and a plugin can name its own. The parts here are plain data without locks;
// package pluginhost joins them, under the actor's lock, to the instances that handle the events.
package actor

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Event is one event of an actor, kept from the moment it is accepted until an instance acked it.
// Once it is in flight only the fields under "delivery" change.
type Event struct {
	Seq  uint64
	Kind wire.Kind
	Time int64 // ms since 1970
	// Accepted is when it came, in ns since 1970; 0: not known.
	Accepted int64
	// From is the session it came from when that is bound to a named actor; else 0.
	From uint64
	// Source is the session in whose window it is counted; nil for none.
	Source *session.Session
	Size   int // bytes counted there

	Binary bool
	Data   []byte        // of a Frame; points into the event's own buffer
	Name   string        // of a Timer
	Armed  uint64        // of a Timer: which arming of it fired
	Cold   proto.Message // of any other kind
	// Done, when set, is called once, when the event was acked or dropped.
	Done func()

	// Delivery.
	Redelivered bool
	SentAt      uint32 // tick of the plugin's watch at which it was given to the link
	Deaths      uint8  // instances that died while it was in flight
	Hangs       uint8  // instances that it held up alone
	Kills       uint8  // instances that were killed from outside while they had it alone

	next *Event
	buf  []byte
}

// Buffers above this are not kept for other events.
const keepBuffer = 16 << 10

var events = sync.Pool{New: func() any { return new(Event) }}

// NewEvent returns an empty event.
func NewEvent(k wire.Kind) *Event {
	e := events.Get().(*Event)
	e.Kind = k
	return e
}

// SetData copies data into the event.
func (e *Event) SetData(data []byte) {
	e.buf = append(e.buf[:0], data...)
	e.Data = e.buf
}

// Finish gives back what the event holds: its place in the window, and itself. It must not be used
// any more, nor wait in any queue.
func (e *Event) Finish() {
	if e.Source != nil {
		e.Source.Release(e.Size)
	}
	if e.Done != nil {
		e.Done()
	}
	buf := e.buf
	if cap(buf) > keepBuffer {
		buf = nil
	}
	*e = Event{buf: buf}
	events.Put(e)
}

// Mailbox is an actor's events in order: those in flight first, then those not sent yet. The zero
// value is empty.
type Mailbox struct {
	head, tail *Event
	unsent     *Event // the first one not in flight; nil when all are
	inflight   int
	len        int
	seq        uint64
}

// Push appends an event and numbers it.
func (m *Mailbox) Push(e *Event) {
	m.seq++
	e.Seq = m.seq
	m.link(e)
}

func (m *Mailbox) link(e *Event) {
	e.next = nil
	if m.tail == nil {
		m.head = e
	} else {
		m.tail.next = e
	}
	m.tail = e
	if m.unsent == nil {
		m.unsent = e
	}
	m.len++
}

// Head is the oldest event, nil when there is none.
func (m *Mailbox) Head() *Event { return m.head }

// Unsent is the oldest event not in flight, nil when there is none.
func (m *Mailbox) Unsent() *Event { return m.unsent }

// InFlight is how many events were sent and not acked.
func (m *Mailbox) InFlight() int { return m.inflight }

// Len is how many events there are.
func (m *Mailbox) Len() int { return m.len }

// Sent counts the oldest unsent event as in flight.
func (m *Mailbox) Sent() {
	m.unsent = m.unsent.next
	m.inflight++
}

// Pop removes the head, which must be in flight.
func (m *Mailbox) Pop() *Event {
	e := m.head
	m.inflight--
	m.remove(e)
	return e
}

// DropHead removes the head, which must not be in flight.
func (m *Mailbox) DropHead() *Event {
	e := m.head
	m.unsent = e.next
	m.remove(e)
	return e
}

func (m *Mailbox) remove(e *Event) {
	m.head = e.next
	if m.head == nil {
		m.tail = nil
	}
	m.len--
	e.next = nil
}

// Discard removes all events for which drop says so. None may be in flight.
func (m *Mailbox) Discard(drop func(*Event) bool) {
	e := m.head
	m.head, m.tail, m.unsent, m.len = nil, nil, nil, 0
	for e != nil {
		next := e.next
		if drop(e) {
			e.Finish()
		} else {
			m.link(e)
		}
		e = next
	}
}

// Rewind makes all events unsent again and calls each for those that were in flight, in order.
func (m *Mailbox) Rewind(each func(*Event)) {
	e := m.head
	for range m.inflight {
		each(e)
		e = e.next
	}
	m.inflight, m.unsent = 0, m.head
}
