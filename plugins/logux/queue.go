package logux

import (
	"encoding/binary"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// The actions of a client are asked of the back-end one after another. A sync waits in a cell as it came,
// with what its ids are relative to, since it may outlive its connection.

// Bounds of what waits, in bytes.
const (
	pauseAbove  = 256 << 10 // then the connection is not read
	resumeBelow = 64 << 10
	maxQueue    = 2 << 20 // then it is closed
)

// Types that the plugin has something of its own to do with.
const (
	subscribeType   = "logux/subscribe"
	unsubscribeType = "logux/unsubscribe"
	processedType   = "logux/processed"
	undoType        = "logux/undo"
)

// entry is an action of a frame that waits. Its action points into the frame's cell.
type entry struct {
	text        string // its id
	id          actionID
	time        moment
	subprotocol string // SemVer
	action      []byte
	illegal     bool // its meta has a key that clients may not send
	next        int  // where the one behind it begins

	read                 bool // what follows is known; see parts
	typ, channel, filter string
}

// parts is actionOf its action.
func (e *entry) parts() (typ, channel, filter string) {
	if !e.read {
		e.typ, e.channel, e.filter = actionOf(e.action)
		e.read = true
	}
	return e.typ, e.channel, e.filter
}

// waiting is a sync that waits, taken apart.
type waiting struct {
	conn        connection
	subprotocol string // SemVer, for actions that do not say
	picky       bool   // not every action is to be asked
	pairs       []byte
}

func (f *waiting) append(b []byte) []byte {
	b = binary.AppendVarint(b, f.conn.base)
	b = appendText(appendText(b, f.conn.node), f.subprotocol)
	return append(append(b, flag(f.picky)), f.pairs...)
}

func frameOf(s *session, number uint64) waiting {
	r := reader{s.Get(numbered36(frameCells, number)), true}
	f := waiting{conn: connection{r.number(), r.text()}, subprotocol: r.text()}
	f.picky = r.byte() != 0
	f.pairs = r.b
	return f
}

// first is the frame that waits for longest.
func (m *memory) first(s *session) *waiting {
	if m.front == nil {
		f := frameOf(s, m.frames[0])
		m.front = &f
	}
	return m.front
}

// entry reads the action that begins at a place; nil: none does.
func (f *waiting) entry(at int) *entry {
	action, raw, rest := cutPair(f.pairs[min(at, len(f.pairs)):])
	if action == nil {
		return nil
	}
	m, ok := readMeta(raw, f.conn)
	if !ok {
		return nil
	}
	e := &entry{id: m.id, time: m.time, action: action, illegal: m.illegal, subprotocol: f.subprotocol, next: len(f.pairs) - len(rest)}
	e.text = e.id.String()
	if m.subprotocol != nil {
		e.subprotocol, _ = semverOf(m.subprotocol)
	}
	return e
}

// each calls do for the actions from a place on until it returns false.
func (f *waiting) each(at int, do func(*entry) bool) {
	for e := f.entry(at); e != nil && do(e); e = f.entry(e.next) {
		continue
	}
}

func readPlace(value []byte) uint64 {
	n, _ := binary.Uvarint(value)
	return n
}

// receive takes a sync: it is confirmed at once, whatever becomes of its actions.
// false: there is too much, and the connection ends.
func (p *Plugin) receive(s *session, m *message) bool {
	mem := s.State.mem
	if mem.bytes+len(m.pairs) > maxQueue {
		p.flush(s)
		s.Close(closeTooMuch)
		return false
	}
	s.SendLate(func(dst []byte) []byte { return append(append(append(dst, `["synced",`...), m.added...), ']') })
	f := waiting{conn: s.State.Conn.relation(), subprotocol: s.State.Conn.Subprotocol, pairs: m.pairs}
	// In the memory that the queue holds on to, so that nothing is read twice.
	cell := f.append(make([]byte, 0, 24+len(f.conn.node)+len(f.subprotocol)+len(m.pairs)))
	f.pairs = cell[len(cell)-len(m.pairs):]
	waits := false
	var first *entry
	f.each(0, func(e *entry) bool {
		if first == nil {
			first = e
		}
		if p.admit(s, &f, e) {
			waits = true
		} else {
			f.picky = true
		}
		return true
	})
	if !waits {
		if len(mem.frames) == 0 {
			mem.queued = nil
		}
		return true
	}
	number := s.Seq() << 10
	if n := len(mem.frames); n > 0 && mem.frames[n-1] >= number {
		number = mem.frames[n-1] + 1 // several in one event: those that were held
	}
	cell[len(cell)-len(m.pairs)-1] = flag(f.picky)
	s.Put(numbered36(frameCells, number), cell)
	if len(mem.frames) == 0 {
		mem.front, mem.ahead = &f, first
	}
	mem.frames = append(mem.frames, number)
	mem.bytes += len(cell)
	p.advance(s)
	return true
}

// admit says whether an action is to wait for its turn. One that is refused, or whose outcome is known, is
// answered.
func (p *Plugin) admit(s *session, f *waiting, e *entry) bool {
	mem := s.State.mem
	if !mem.newest.beyond(e.id) {
		if mem.waits(s, f, e) {
			return false
		}
		if known, ok := mem.recent.find(s, e.id, e.text); ok {
			p.repeat(s, e, known)
			return false
		}
	}
	if !p.legal(s, e) {
		p.debug(s, "Action %q was denied", e.text)
		p.record(s, e, outcome{result: denied})
		return false
	}
	mem.newest.note(e.id)
	if mem.queued != nil {
		mem.queued[e.text] = struct{}{}
	}
	return true
}

// legal says whether the client may send the action: another's it may not, nor say whom it is for.
func (p *Plugin) legal(s *session, e *entry) bool {
	return !e.illegal && parseNode(e.id.node).client == clientOf(s)
}

// waits says whether an action of a frame that is being taken is in the queue already, or stood in front of
// it.
func (m *memory) waits(s *session, taken *waiting, e *entry) bool {
	if m.queued == nil {
		m.queued = make(map[string]struct{})
		taken.each(0, func(before *entry) bool {
			if before.next < e.next {
				m.queued[before.text] = struct{}{}
			}
			return before.next < e.next
		})
		for i, number := range m.frames {
			at := 0
			if i == 0 {
				at = m.at
			}
			f := frameOf(s, number)
			f.each(at, func(e *entry) bool { m.queued[e.text] = struct{}{}; return true })
		}
	}
	_, ok := m.queued[e.text]
	return ok
}

// advance begins with the next action, unless one runs.
func (p *Plugin) advance(s *session) {
	mem := s.State.mem
	for mem.running == nil && len(mem.frames) > 0 {
		f, e := mem.first(s), mem.ahead
		if mem.ahead = nil; e == nil {
			e = f.entry(mem.at)
		}
		switch {
		case e == nil:
			mem.drop(s)
		case f.picky && p.settled(s, e):
			mem.at = e.next
		default:
			mem.running = e
			p.begin(s, e)
		}
	}
	if len(mem.frames) == 0 {
		mem.queued = nil
	}
}

// drop takes the first frame away.
func (m *memory) drop(s *session) {
	key := numbered36(frameCells, m.frames[0])
	m.bytes -= len(s.Get(key))
	s.Delete(key)
	if len(m.frames) == 1 {
		m.frames = m.frames[:0] // most wait alone
	} else {
		m.frames = m.frames[1:]
	}
	m.at, m.front, m.ahead = 0, nil, nil
}

// settled says whether an action of a frame with some such was answered already, or stood in it twice.
func (p *Plugin) settled(s *session, e *entry) bool {
	_, known := s.State.mem.recent.find(s, e.id, e.text)
	return known || !p.legal(s, e)
}

// begin has an action done whose turn it is.
func (p *Plugin) begin(s *session, e *entry) {
	typ, channel, filter := e.parts()
	switch typ {
	case unsubscribeType, subscribeType:
		switch {
		case sdk.CheckChannel(channel) != nil:
			p.debug(s, "Wrong channel name %s", channel)
			p.undo(s, e, wrongChannel)
			return
		case typ == unsubscribeType:
			p.unsubscribe(s, channel, e.id.node, filter)
			p.finish(s, e, outcome{result: processed})
			return
		case !p.mayHold(s, channel, e.id.node, filter):
			p.undo(s, e, failed)
			return
		}
	}
	if isNeutral(s) {
		p.askNeutral(s, e)
		return
	}
	s.Call(sdk.Call{Tag: e.text, Target: sdk.Ask{Raw: e.command(s.Get(headersCell)), Together: true}})
}

// command is the question for the back-end.
func (e *entry) command(headers []byte) []byte {
	const around = len(`{"command":"action","action":,"meta":{"id":"","time":,"subprotocol":""},"headers":}`) + 32
	b := make([]byte, 0, around+len(e.action)+len(e.text)+len(e.subprotocol)+len(headers))
	b = append(append(b, `{"command":"action","action":`...), e.action...)
	b = rawjson.AppendString(append(b, `,"meta":{"id":`...), e.text)
	b = e.time.append(append(b, `,"time":`...))
	b = rawjson.AppendString(append(b, `,"subprotocol":`...), e.subprotocol)
	b = append(b, `},"headers":`...)
	if headers == nil {
		headers = []byte("{}")
	}
	return append(append(b, headers...), '}')
}

// actionOf reads of an action what concerns the plugin. channel is empty where it is no string; filter is
// the text of the filter.
func actionOf(action []byte) (typ, channel, filter string) {
	filter = "{}"
	for key, value := range rawjson.Members(action) {
		switch name, _ := rawjson.Text(key); string(name) {
		case "type":
			text, _ := rawjson.Text(value)
			typ = string(text)
		case "channel":
			text, _ := rawjson.Text(value)
			channel = string(text)
		case "filter":
			filter = string(value)
		}
	}
	return typ, channel, filter
}

// finish notes what became of the running action and goes on with the next. If it was undone, so is what
// waits behind it.
func (p *Plugin) finish(s *session, e *entry, o outcome) {
	mem := s.State.mem
	mem.running, mem.at = nil, e.next
	mem.said.end(s)
	p.record(s, e, o)
	if o.result != processed {
		p.undoRest(s)
	}
	p.advance(s)
}

// undoRest undoes everything that waits.
func (p *Plugin) undoRest(s *session) {
	mem := s.State.mem
	for len(mem.frames) > 0 {
		f := mem.first(s)
		f.each(mem.at, func(e *entry) bool {
			if !f.picky || !p.settled(s, e) {
				p.record(s, e, outcome{result: failed})
			}
			return true
		})
		mem.drop(s)
	}
}

// settle writes what a step has to write once: what the client is to be sent, and where the queue stands.
func (p *Plugin) settle(s *session) {
	mem := s.State.mem
	if mem == nil {
		return
	}
	p.flush(s)
	mem.made = 0
	if len(mem.frames) == 0 {
		mem.at = 0
	}
	if mem.at != mem.saved {
		if mem.saved = mem.at; mem.at == 0 {
			s.Delete(placeCell)
		} else {
			s.Put(placeCell, binary.AppendUvarint(nil, uint64(mem.at)))
		}
	}
	p.pace(s)
}

// pace stops and goes on reading the connection by what waits.
func (p *Plugin) pace(s *session) {
	paused, bytes := s.State.Paused, s.State.mem.bytes
	if c := current(s); c != nil && (!paused && bytes > pauseAbove || paused && bytes < resumeBelow) {
		s.State.Paused = !paused
		c.Pause(!paused)
	}
}
