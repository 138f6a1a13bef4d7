package logux

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// What became of a client's actions is kept for a while: for a client that was not there when it was
// known, and for one that sends an action again. Each outcome has a number, `added`, which grows for the
// life of the client and beyond, as it is made of the time: thousandths of a millisecond. The number is
// also the id of the action that tells the client: ms and counter.

// Bounds of what is kept.
const (
	maxOutcomes    = 1000
	keepOutcomes   = 10 * time.Minute
	maxUndone      = 512 << 10 // bytes of undone actions
	chunkOutcomes  = 32        // outcomes of a cell
	mostPerMessage = 256 << 10 // bytes of outcomes in a sync
)

// result is what became of an action.
type result uint8

const (
	processed result = iota
	denied
	unknownType
	wrongChannel
	failed
	other // undone by the back-end, for a reason of its own
)

var reasons = [...]string{denied: "denied", unknownType: "unknownType", wrongChannel: "wrongChannel", failed: "error"}

type outcome struct {
	result result
	reason string // of other
	told   bool   // the client is told by somebody else
}

func (o outcome) text() string {
	if o.result == other {
		return o.reason
	}
	return reasons[o.result]
}

// recorded is an outcome that is kept.
type recorded struct {
	outcome

	added int64
	id    actionID
	text  string // of the id, where it is in no short form; else empty
}

func (r *recorded) idText() string {
	if r.text != "" {
		return r.text
	}
	return r.id.String()
}

// recent are the outcomes that are kept, in cells of some each.
type recent struct {
	first, last uint64 // numbers of cells; last < first: there are none
	count       int    // outcomes in the last one
	node        string // of the last one
	added       int64  // the last outcome's
}

// read takes note of the cells, whose numbers are in order.
func (r *recent) read(s *session, numbers []uint64) {
	if len(numbers) == 0 {
		r.first = 1
		return
	}
	r.first, r.last = numbers[0], numbers[len(numbers)-1]
	c := chunkOf(s, r.last)
	r.node = c.node
	for c.next() {
		r.count++
		r.added = c.at.added
	}
}

// Bits of an outcome's first byte; the others are its result.
const (
	bitTold = 0x40
	bitText = 0x80
)

// chunk reads the outcomes of a cell.
type chunk struct {
	reader

	node string
	at   recorded
}

func chunkOf(s *session, number uint64) chunk {
	c := chunk{reader: reader{s.Get(numbered36(recentCells, number)), true}}
	c.at.added = c.number()
	c.node = c.text()
	return c
}

func (c *chunk) next() bool {
	if len(c.b) == 0 {
		return false
	}
	bits := c.byte()
	added := c.at.added + c.number()
	c.at = recorded{added: added, outcome: outcome{result: result(bits &^ (bitTold | bitText)), told: bits&bitTold != 0}}
	if c.at.result == other {
		c.at.reason = c.text()
	}
	if bits&bitText != 0 {
		c.at.text = c.text()
		c.at.id, _ = parseID(c.at.text)
	} else {
		c.at.id = actionID{millis(added/perMilli + c.number()), c.node, ""}
		c.at.id.counter = counterText(c.count())
	}
	return c.ok
}

func counterText(n uint64) string {
	if n == 0 {
		return "0" // without memory
	}
	return strconv.FormatUint(n, 10)
}

// append adds an outcome to what is kept. id is the one that text says.
func (r *recent) append(s *session, id actionID, text string, o outcome, added int64) {
	var b []byte
	if r.last < r.first || r.count >= chunkOutcomes {
		r.last++
		r.count, r.node, r.added = 0, id.node, added
		b = appendText(binary.AppendVarint(nil, added), r.node)
		r.forget(s, added)
	} else {
		old := s.Get(numbered36(recentCells, r.last))
		b = append(make([]byte, 0, len(old)+len(text)+len(o.reason)+16), old...)
	}
	bits := byte(o.result)
	if o.told {
		bits |= bitTold
	}
	ms, whole := id.ms.whole()
	counter, err := strconv.ParseUint(id.counter, 10, 63)
	short := whole && err == nil && id.node == r.node && strconv.FormatUint(counter, 10) == id.counter
	if !short {
		bits |= bitText
	}
	b = binary.AppendVarint(append(b, bits), added-r.added)
	if o.result == other {
		b = appendText(b, o.reason)
	}
	if short {
		b = binary.AppendUvarint(binary.AppendVarint(b, ms-added/perMilli), counter)
	} else {
		b = appendText(b, text)
	}
	s.Put(numbered36(recentCells, r.last), b)
	r.count++
	r.added = added
}

// forget drops cells that are too many or too old.
func (r *recent) forget(s *session, now int64) {
	const most = (maxOutcomes + chunkOutcomes - 1) / chunkOutcomes
	for r.first < r.last {
		old := r.last-r.first > most
		if !old {
			// All of a cell's are older than the first of the next.
			c := chunkOf(s, r.first+1)
			old = r.first+1 < r.last && c.at.added < now-keepOutcomes.Microseconds()
		}
		if !old {
			return
		}
		s.Delete(numbered36(recentCells, r.first))
		r.first++
	}
}

// each calls do for the outcomes from the oldest on until it returns false.
func (r *recent) each(s *session, do func(*recorded) bool) {
	for number := r.first; number <= r.last; number++ {
		c := chunkOf(s, number)
		for c.next() {
			if !do(&c.at) {
				return
			}
		}
	}
}

// find looks for what became of an action.
func (r *recent) find(s *session, id actionID, text string) (o outcome, ok bool) {
	oldest := nowMillis(s)*perMilli - keepOutcomes.Microseconds()
	r.each(s, func(x *recorded) bool {
		if x.id.ms == id.ms && x.added >= oldest && x.idText() == text {
			o, ok = x.outcome, true
		}
		return !ok
	})
	return o, ok
}

// undone is an action that was, which is kept until the client has been told.
type undone struct {
	added int64
	bytes int
}

// record notes what became of an action, and has the client told if it is there.
func (p *Plugin) record(s *session, e *entry, o outcome) {
	mem := s.State.mem
	added := p.nextAdded(s)
	mem.recent.append(s, e.id, e.text, o, added)
	if o.told {
		return
	}
	if o.result != processed {
		mem.keepUndone(s, added, e.action)
	}
	p.say(s, e.text, e.action, o, added)
}

func (m *memory) keepUndone(s *session, added int64, action []byte) {
	bytes := len(action)
	for _, u := range m.undone {
		bytes += u.bytes
	}
	if bytes <= maxUndone && len(m.undone) < maxOutcomes {
		s.Put(numbered36(undoneCells, uint64(added)), action)
		m.undone = append(m.undone, undone{added, len(action)})
	}
}

// nextAdded is a number beyond all that the client was ever given.
func (p *Plugin) nextAdded(s *session) int64 {
	return max(p.lastAdded(s)+1, nowMillis(s)*perMilli)
}

func (p *Plugin) lastAdded(s *session) int64 {
	return max(s.State.mem.recent.added, s.State.mem.synced, s.State.Added, s.State.Conn.Given)
}

// repeat tells the client again what became of an action that it sent again.
func (p *Plugin) repeat(s *session, e *entry, o outcome) {
	added := p.nextAdded(s)
	s.State.Added = added
	p.say(s, e.text, e.action, o, added)
}

// say adds an outcome to what the client is sent at the end of the step. action may be nil where it is not
// known any more.
func (p *Plugin) say(s *session, id string, action []byte, o outcome, added int64) {
	if s.State.Session == 0 {
		return
	}
	mem := s.State.mem
	if len(mem.out) > mostPerMessage {
		p.flush(s)
	}
	b := mem.out
	b = append(b, ',')
	if o.result == processed {
		b = rawjson.AppendString(append(b, `{"id":`...), id)
		b = append(b, `,"type":"`+processedType+`"}`...)
	} else {
		b = appendUndo(b, action, id, o.text())
	}
	conn := &s.State.Conn
	b = appendShort(append(b, `,{"id":`...), added/perMilli, conn.Base, int(added%perMilli))
	b = strconv.AppendInt(append(b, `,"time":`...), added/perMilli-conn.Base, 10)
	if raw := conn.subprotocol(conn.Server); raw != nil {
		b = append(append(b, `,"subprotocol":`...), raw...)
	}
	b = append(b, '}')
	mem.out, mem.added = b, added
}

func appendUndo(b, action []byte, id, reason string) []byte {
	b = append(b, '{')
	if action != nil {
		b = append(append(append(b, `"action":`...), action...), ',')
	}
	b = rawjson.AppendString(append(b, `"id":`...), id)
	b = rawjson.AppendString(append(b, `,"reason":`...), reason)
	return append(b, `,"type":"`+undoType+`"}`...)
}

// flush sends what is to be told.
func (p *Plugin) flush(s *session) {
	mem := s.State.mem
	if len(mem.out) == 0 {
		return
	}
	if c := current(s); c != nil {
		c.SendAppend(func(dst []byte) []byte {
			dst = strconv.AppendInt(append(dst, `["sync",`...), mem.added, 10)
			return append(append(dst, mem.out...), ']')
		})
	}
	if mem.out = mem.out[:0]; cap(mem.out) > 4<<10 {
		mem.out = nil
	}
}

// resume tells a client that came back what it has not been told.
func (p *Plugin) resume(s *session) {
	mem := s.State.mem
	oldest := nowMillis(s)*perMilli - keepOutcomes.Microseconds()
	mem.recent.each(s, func(r *recorded) bool {
		if r.added > mem.synced && r.added >= oldest && !r.told {
			p.say(s, r.idText(), s.Get(numbered36(undoneCells, uint64(r.added))), r.outcome, r.added)
		}
		return true
	})
	p.flush(s)
}

// confirmed notes up to which number the client has what it was sent.
func (p *Plugin) confirmed(s *session, added int64) {
	mem := s.State.mem
	if added <= mem.synced || added > p.lastAdded(s) {
		return
	}
	mem.synced = added
	for len(mem.undone) > 0 && mem.undone[0].added <= added {
		s.Delete(numbered36(undoneCells, uint64(mem.undone[0].added)))
		mem.undone = mem.undone[1:]
	}
}

// debug tells a client in development what was wrong.
func (p *Plugin) debug(s *session, format string, args ...any) {
	c := current(s)
	if c == nil || !sdk.RouteConfig[RouteConfig](c).development() {
		return
	}
	p.flush(s)
	c.SendAppend(func(dst []byte) []byte {
		dst = rawjson.AppendString(append(dst, `["debug","error",`...), fmt.Sprintf(format, args...))
		return append(dst, ']')
	})
}
