package logux

import (
	"bytes"
	"cmp"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// progress is what the back-end said to the running action so far.
type progress struct {
	approved bool
	to       logux.Addressees // whom the action is to go to, or went to
	held     []heldAction     // what came before approved
	changed  bool             // since it was saved
	saved    bool             // there is a cell
}

// heldAction is an action of the back-end that waits for the running one to be approved.
type heldAction struct{ action, meta []byte }

// save writes the progress where the call goes on.
func (g *progress) save(s *session) {
	if !g.changed {
		return
	}
	b := []byte{flag(g.approved)}
	for _, names := range [][]string{g.to.Channels, g.to.Users, g.to.Clients, g.to.Nodes} {
		b = appendList(b, len(names), func(b []byte, i int) []byte { return appendText(b, names[i]) })
	}
	b = appendList(b, len(g.held), func(b []byte, i int) []byte {
		return appendText(appendText(b, g.held[i].action), g.held[i].meta)
	})
	s.Put(progressCell, b)
	g.changed, g.saved = false, true
}

func appendList(b []byte, n int, one func(b []byte, i int) []byte) []byte {
	b = append(b, byte(n), byte(n>>8), byte(n>>16))
	for i := range n {
		b = one(b, i)
	}
	return b
}

func (g *progress) read(value []byte) {
	r := reader{value, true}
	*g = progress{approved: r.byte() != 0, saved: true}
	for _, names := range []*[]string{&g.to.Channels, &g.to.Users, &g.to.Clients, &g.to.Nodes} {
		for range r.length() {
			*names = append(*names, r.text())
		}
	}
	for range r.length() {
		g.held = append(g.held, heldAction{r.bytes(), r.bytes()})
	}
}

// length reads the length of a list.
func (r *reader) length() int {
	n := int(r.byte()) | int(r.byte())<<8 | int(r.byte())<<16
	if !r.ok {
		return 0
	}
	return n
}

// end forgets it all: the action has its outcome.
func (g *progress) end(s *session) {
	if g.saved {
		s.Delete(progressCell)
	}
	*g = progress{}
}

// answered takes what the back-end says to an action. What comes behind the outcome is nobody's business.
func (p *Plugin) answered(s *session, a *sdk.Answer) {
	mem := s.State.mem
	e := mem.running
	if e == nil {
		return
	}
	list := a.Raw
	switch text, neutral := strings.CutPrefix(a.Tag, neutralTag); {
	case text != e.text:
		return
	case neutral:
		p.joins(s, a.Join, a.Leave)
		list = neutralElements([]byte(text), e.action, a)
	}
	for mem.running == e {
		var element []byte
		if element, list = rawjson.CutElement(list); len(element) == 0 {
			break
		}
		p.element(s, e, element)
	}
	switch {
	case mem.running != e:
	case a.Last:
		p.undo(s, e, failed)
	default:
		mem.said.save(s)
	}
}

// element takes one answer of the back-end.
func (p *Plugin) element(s *session, e *entry, raw []byte) {
	g := &s.State.mem.said
	a, err := logux.DecodeAnswer(raw)
	switch {
	case err != nil:
		p.fault(s, e, err.Error())
		return
	case a.Kind == logux.None:
		return
	case a.Kind == logux.Error:
		p.fault(s, e, string(a.Details))
		return
	case a.ID == nil:
		p.fault(s, e, "an answer has no id")
		return
	}
	switch a.Kind {
	case logux.Action:
		if g.approved {
			p.bring(s, e, a.Action, a.Meta)
			return
		}
		g.held = append(g.held, heldAction{bytes.Clone(a.Action), bytes.Clone(a.Meta)})
		g.changed = true
	case logux.Processed:
		if !g.approved {
			p.fault(s, e, "an answer \"processed\" came before \"approved\"")
			return
		}
		p.finish(s, e, outcome{result: processed})
	case logux.Approved:
		if !g.approved {
			p.approve(s, e)
		}
	case logux.Resend, logux.Denied, logux.Forbidden, logux.UnknownAction, logux.UnknownChannel:
		if g.approved || a.Kind == logux.Resend && isSubscription(e) {
			s.Log().Info("answer is ignored", "answer", a.Kind.String(), "action", e.text, "approved", g.approved)
			return
		}
		p.refused(s, e, &a)
	default:
		p.fault(s, e, "an answer is not known for an action")
	}
}

// refused takes what may come instead of approved, and whom an action would go to.
func (p *Plugin) refused(s *session, e *entry, a *logux.Answer) {
	switch a.Kind {
	case logux.Resend:
		to := &s.State.mem.said.to
		to.Channels = append(to.Channels, a.To.Channels...)
		to.Users = append(to.Users, a.To.Users...)
		to.Clients = append(to.Clients, a.To.Clients...)
		to.Nodes = append(to.Nodes, a.To.Nodes...)
		s.State.mem.said.changed = true
	case logux.Denied, logux.Forbidden:
		p.debug(s, "Action %q was denied", e.text)
		p.undo(s, e, denied)
	default:
		typ, channel, _ := e.parts()
		if typ == subscribeType {
			p.debug(s, "Wrong channel name %s", channel)
			p.undo(s, e, wrongChannel)
			return
		}
		p.debug(s, "Action with unknown type %s", typ)
		p.undo(s, e, unknownType)
	}
}

func isSubscription(e *entry) bool {
	typ, _, _ := e.parts()
	return typ == subscribeType
}

// fault undoes an action at which the back-end failed.
func (p *Plugin) fault(s *session, e *entry, detail string) {
	s.Log().Warn("back-end failed at an action", "action", e.text, "detail", detail[:min(len(detail), maxQuoted)])
	p.debug(s, "%s", detail)
	p.undo(s, e, failed)
}

// approve has the action's effects: it goes to whom the back-end named, or the subscription begins.
func (p *Plugin) approve(s *session, e *entry) {
	g := &s.State.mem.said
	g.approved, g.changed = true, true
	if typ, channel, filter := e.parts(); typ == subscribeType {
		p.subscribe(s, channel, e.id.node, filter)
	} else if !g.to.Empty() {
		o := outgoing{e.action, e.id, e.time, e.subprotocol}
		p.publish(s, &o, &g.to, nil)
	}
	for _, h := range g.held {
		p.bring(s, e, h.action, h.meta)
	}
	g.held = nil
}

// publish sends an action to whom it is addressed, and what is on channels to other protocols too.
func (p *Plugin) publish(s *session, o *outgoing, to *logux.Addressees, exclude []string) {
	var m *sdk.Message
	if len(to.Channels) > 0 {
		if m = messageOf(o.action); m != nil {
			m.Author = sdk.Author{Realm: s.State.Conn.Realm, ID: parseNode(o.id.node).user}
		}
	}
	for _, pub := range p.publications(o, to, exclude, m) {
		s.PublishAs(pub)
	}
}

// bring sends an action that the back-end answers with. One without addressees is for the author.
func (p *Plugin) bring(s *session, e *entry, action, raw []byte) {
	m, err := parseMeta(raw)
	if err != nil {
		s.Log().Info("meta of an answer is wrong", "action", e.text, "err", err)
	}
	if m.to.Empty() {
		m.to.Clients = []string{clientOf(s)}
	}
	o := outgoing{action, m.id, m.time, m.subprotocol}
	if !m.hasID {
		o.id, o.subprotocol = p.fresh(s), cmp.Or(o.subprotocol, s.State.Conn.Server)
		if !m.hasTime {
			o.time = o.id.ms
		}
	}
	p.flush(s)
	p.publish(s, &o, &m.to, m.exclude)
}

// fresh is an id for an action that is made here.
func (p *Plugin) fresh(s *session) actionID {
	s.State.mem.made++
	return p.freshID(s, s.State.mem.made)
}

// undo ends the running action: the author is told, and all who got it already.
func (p *Plugin) undo(s *session, e *entry, why result) {
	g := &s.State.mem.said
	typ, channel, filter := e.parts()
	switch {
	case !g.approved:
	case typ == subscribeType:
		p.unsubscribe(s, channel, e.id.node, filter)
	case !g.to.Empty():
		o := outgoing{action: appendUndo(nil, e.action, e.text, reasons[why]), id: p.fresh(s), subprotocol: s.State.Conn.Server}
		o.time = o.id.ms
		for _, pub := range p.publications(&o, &g.to, []string{clientOf(s)}, nil) {
			s.PublishAs(pub)
		}
	}
	p.finish(s, e, outcome{result: why})
}
