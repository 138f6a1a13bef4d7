package chat

import (
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/store"
)

const (
	// lookAfter is when a session looks for a write that others came after and this process did not tell: one
	// on its way, here or at another node, has been told and noted by then, and the core still waits for it.
	lookAfter = 100 * time.Millisecond
	// unnoted is how old a write is of which nobody has noted that it was told, because its process died: it is
	// told at once by who comes next.
	unnoted = lookAfter
	// outboxEvery is how often one of a node's sessions asks for what nobody told, outboxApart how far apart
	// two of them do.
	outboxEvery = time.Second
	outboxApart = 50 * time.Millisecond
	// looksWait is how long a look may be due before another session is asked for it.
	looksWait = 2 * lookAfter
	// looked are so many writes that a look tells at a time.
	looked = 200
)

// Timers.
const (
	gapTimer    = "gap/" // before a room's id: a write there may not have been told
	outboxTimer = "outbox"
)

// outbox knows which writes this process told the members of rooms. What was committed and not told, since
// its process died in between, is told by another.
type outbox struct {
	mu     sync.Mutex
	rooms  map[int64]*told
	looks  map[uint64]map[int64]bool // by session, the rooms that it is to look at
	missed []int64                   // rooms in which something was not told for long
	slot   time.Time                 // of the session that asks next
}

// endOfTime is behind all that was written.
var endOfTime = time.UnixMilli(math.MaxInt64)

// told is what was told of a room.
type told struct {
	known   bool               // whether through is
	through int64              // all up to this was told, here or elsewhere
	above   map[int64]struct{} // of those behind it, what was told here
	looking time.Time          // since when a look is due; zero: none is
	ripe    int64              // what through was when marking was last thought of
	marked  int64
	idle    bool // since outbox.forget was called last
}

func newOutbox() *outbox {
	return &outbox{rooms: make(map[int64]*told), looks: make(map[uint64]map[int64]bool)}
}

func (o *outbox) room(id int64) *told {
	r := o.rooms[id]
	if r == nil {
		r = &told{above: make(map[int64]struct{})}
		o.rooms[id] = r
	}
	r.idle = false
	return r
}

// note says that a write is told here, by that session, which has to look at the room soon where it returns
// true: a write before it was perhaps not.
func (o *outbox) note(session uint64, b *store.Broadcast, now time.Time) (look bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.room(b.Room)
	if r.known && b.Seq <= r.through {
		return false
	}
	r.above[b.Seq] = struct{}{}
	r.advance()
	if r.known && len(r.above) == 0 || now.Sub(r.looking) < looksWait {
		return false
	}
	r.looking = now
	if o.looks[session] == nil {
		o.looks[session] = make(map[int64]bool)
	}
	o.looks[session][b.Room] = true
	return true
}

func (r *told) advance() {
	for r.known {
		if _, next := r.above[r.through+1]; !next {
			return
		}
		r.through++
		delete(r.above, r.through)
	}
}

// gap returns after and up to which number writes of a room may not have been told; missed asks for all of
// them. ok is false where all were.
func (o *outbox) gap(room int64, missed bool) (after, upTo int64, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.room(room)
	if missed {
		return 0, math.MaxInt64, true
	}
	upTo = math.MaxInt64
	if r.known {
		upTo = r.through
	}
	for seq := range r.above {
		if upTo == math.MaxInt64 || seq > upTo {
			upTo = seq
		}
	}
	return r.through, upTo, !r.known || upTo > r.through
}

// has says whether a write is known to be told.
func (o *outbox) has(room, seq int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.room(room)
	_, above := r.above[seq]
	return above || r.known && seq <= r.through
}

// looked says that all of a room was told up to a number.
func (o *outbox) looked(session uint64, room, upTo int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	r := o.room(room)
	r.looking = time.Time{}
	if looks := o.looks[session]; looks != nil {
		if delete(looks, room); len(looks) == 0 {
			delete(o.looks, session)
		}
	}
	if upTo == 0 || r.known && upTo <= r.through {
		return
	}
	r.known, r.through = true, upTo
	for seq := range r.above {
		if seq <= upTo {
			delete(r.above, seq)
		}
	}
	r.advance()
}

// knows says whether this process told, or looked for, anything of a room.
func (o *outbox) knows(room int64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.room(room).known
}

// due are the rooms that a session was to look at.
func (o *outbox) due(session uint64) (rooms []int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for room := range o.looks[session] {
		rooms = append(rooms, room)
	}
	return rooms
}

// take returns rooms of which something was not told for long, to one who asks.
func (o *outbox) take() []int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	missed := o.missed
	o.missed = nil
	return missed
}

func (o *outbox) miss(rooms []int64) {
	o.mu.Lock()
	o.missed = rooms
	o.mu.Unlock()
}

// next is after how long a session asks. All take turns, so that they do not ask more often the more they are.
func (o *outbox) next(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.slot = o.slot.Add(outboxApart)
	if first := now.Add(outboxEvery); o.slot.Before(first) {
		o.slot = first
	}
	return o.slot.Sub(now)
}

// ripe returns up to where rooms may be marked as told: what was told before it was called last, so that it
// has left this process since. With last, all.
func (o *outbox) ripe(last bool) map[int64]int64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	upTo := make(map[int64]int64)
	for id, r := range o.rooms {
		if last && r.known {
			r.ripe = r.through
		}
		if r.ripe > r.marked {
			upTo[id] = r.ripe
		}
		if r.known {
			r.ripe = r.through
		}
	}
	return upTo
}

func (o *outbox) mark(upTo map[int64]int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, n := range upTo {
		o.room(id).marked = n
	}
}

// forget drops rooms that nothing happened to since it was called last.
func (o *outbox) forget() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id, r := range o.rooms {
		if r.idle && r.marked == r.through && len(r.above) == 0 {
			delete(o.rooms, id)
		}
		r.idle = true
	}
}

// told notes that the members of a room are told of a write, after what was before it and is not known to be
// told: at once if it is old, else when it has had the time to be.
func (p *Plugin) told(s *session, b *store.Broadcast) {
	if !p.outbox.note(s.ID(), b, s.Time()) {
		return
	}
	before, known := time.Now().Add(-unnoted), p.outbox.knows(b.Room)
	if !known { // the process before this one may have died a moment ago
		before = endOfTime
	}
	_, more, err := p.tell(s, b.Room, 0, b.Seq-1, before)
	if !known && !more && err == nil {
		p.outbox.looked(s.ID(), b.Room, b.Seq-1)
		return
	}
	s.Timer(gapTimer+strconv.FormatInt(b.Room, 10), lookAfter)
}

// look tells what was committed in a room and is not known to be told; missed: also of what is.
func (p *Plugin) look(s *session, room int64, missed bool) {
	after, upTo, ok := p.outbox.gap(room, missed)
	if !ok {
		p.outbox.looked(s.ID(), room, 0)
		return
	}
	last, more, err := p.tell(s, room, after, upTo, endOfTime)
	switch {
	case err != nil:
		upTo = 0
	case more || upTo == math.MaxInt64:
		upTo = last
	}
	p.outbox.looked(s.ID(), room, upTo)
	if more {
		s.Timer(gapTimer+strconv.FormatInt(room, 10), soon)
	}
}

// tell tells what was committed in a room before a time, with numbers behind one and up to another, and is not
// known to be told, in its order. What others told the core does not deliver again. It returns the number of
// the last, 0 for none, and whether there is more.
func (p *Plugin) tell(s *session, room, after, upTo int64, before time.Time) (last int64, more bool, err error) {
	list, err := p.store.Unpublished(s.Ctx(), room, after, upTo, before)
	if err != nil {
		s.Log().Error("what was not told cannot be read", "room", room, "err", err)
		return 0, false, err
	}
	more = len(list) > looked
	for i := range list[:min(len(list), looked)] {
		b := &list[i]
		last = b.Seq
		if p.outbox.has(room, b.Seq) {
			continue
		}
		if b.Kind == store.Said && !b.Foreign {
			if u, err := p.store.User(s.Ctx(), b.Message.User); err == nil {
				b.User = &u // its author, for other protocols
			}
		}
		p.announce(s, b)
	}
	return last, more, nil
}

// lookAt is look of a timer.
func (p *Plugin) lookAt(s *session, name string) {
	if room, err := strconv.ParseInt(strings.TrimPrefix(name, gapTimer), 10, 64); err == nil {
		p.look(s, room, false)
	}
}

// ask has a session tell what nobody told for long, and come again.
func (p *Plugin) ask(s *session) {
	if s.State.User == 0 {
		return
	}
	for _, room := range p.outbox.take() {
		p.look(s, room, true)
	}
	s.Timer(outboxTimer, p.outbox.next(s.Time()))
}
