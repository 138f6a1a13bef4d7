package queue

import (
	"strconv"
	"time"
)

// Entry is an entry of a topic that a consumption has. Only the first counts of what is said to become of it.
type Entry struct {
	Data    []byte
	Attempt uint32 // 1 for the first

	by    *Consumption
	reply string
	seq   uint64

	bytes   int       // of the allowance
	large   bool      // it has the turn of large ones
	sending bool      // its writing decides
	acked   time.Time // when it was settled; zero: it is not
	until   time.Time // when it goes back; zero: nobody has let go of it
	late    func()
}

// What is said of an entry.
const (
	ack      = "+ACK"
	nak      = "-NAK"
	progress = "+WPI"
)

// say tells the server what becomes of an entry. What does not get there ends with the entry going back.
func (c *Consumption) say(e *Entry, what string) { _ = c.store.nc.Publish(e.reply, []byte(what)) }

// ackLocked has the server take the entry out of the topic, and say so. Until it does, the entry counts in the
// window: what is with the server and not yet done is bounded by that, also when the process is killed.
func (c *Consumption) ackLocked(e *Entry) {
	_ = c.store.nc.PublishRequest(e.reply, c.inbox+"."+confirmed+strconv.FormatUint(e.seq, 10), []byte(ack))
}

// settled takes word that the server has taken an entry out of the topic.
func (c *Consumption) settled(seq uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.acked[seq]; e != nil {
		c.removeLocked(e)
		c.refillLocked()
	}
}

// Sending says that from now on the entry's writing decides: Settle or GiveBack follows. It returns false
// when the entry is not the consumption's any more.
func (e *Entry) Sending() bool {
	c := e.by
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.held[e]
	e.sending = ok && e.acked.IsZero()
	return e.sending
}

// Settle takes the entry out of the topic.
func (e *Entry) Settle() { e.end(ack, true) }

// GiveBack gives the entry to the next consumer.
func (e *Entry) GiveBack() { e.end(nak, true) }

func (e *Entry) end(what string, sent bool) {
	c := e.by
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.held[e]; !ok || !e.acked.IsZero() || e.sending && !sent {
		return
	}
	if what == ack && !c.stopped {
		e.acked = time.Now()
		c.acked[e.seq] = e
		c.ackLocked(e)
		return
	}
	c.removeLocked(e)
	if what == nak && c.stopped && !c.ended {
		c.back = append(c.back, e)
		return
	}
	c.say(e, what)
	c.refillLocked()
}

// LetGo says that nobody is at the entry: it is given back after Config.AckWait, unless something else
// became of it by then. late is called before.
func (e *Entry) LetGo(late func()) {
	c := e.by
	c.mu.Lock()
	defer c.mu.Unlock()
	e.until, e.late = time.Now().Add(c.store.cfg.AckWait), late
}
