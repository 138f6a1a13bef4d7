package sdk

import (
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"unsafe"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// turn is one step in the making. Each lane has one and uses it again and again.
type turn struct {
	link  *link
	node  *node
	step  wire.Step
	frame Frame      // the event
	reply Answer     // likewise
	asks  []*askCall // of which the first asked are in use
	asked int
	pubs  []*pubCall // likewise
	spoke int
	arena []byte // bytes that commands point to
	state []byte // the state cell's new value, in arena; nil when unchanged
	err   error  // of a command

	closed []*peer // closed by the step
	bound  bool    // the session was bound elsewhere by it
	undo   []change
	size   int // of the actor's state before the step
	own    int // of State
}

// change is what a map held before the step.
type change struct {
	in  map[string][]byte
	key string
	old []byte
	had bool
}

func (t *turn) add(c wire.Command) { t.step.Commands = append(t.step.Commands, c) }

// put adds a command about a cell on behalf of the SDK. A Bind stays the last command, as the contract has
// it.
func (t *turn) put(c wire.Command) {
	t.add(c)
	if n := len(t.step.Commands); n > 1 && t.step.Commands[n-2].Kind == wire.Bind {
		t.step.Commands[n-1], t.step.Commands[n-2] = t.step.Commands[n-2], t.step.Commands[n-1]
	}
}

func (t *turn) remember(in map[string][]byte, key string) (old []byte, had bool) {
	old, had = in[key]
	t.undo = append(t.undo, change{in, key, old, had})
	return old, had
}

func (t *turn) reset(a *actor, n *node) {
	t.node = n
	clear(t.step.Commands)
	t.step = wire.Step{Actor: a.id, Seq: n.ev.Seq, Commands: t.step.Commands[:0]}
	if cap(t.arena) > wire.MaxBatch {
		t.arena = nil
	}
	t.arena, t.state, t.err = t.arena[:0], nil, nil
	t.closed, t.bound, t.undo, t.asked = t.closed[:0], false, t.undo[:0], 0
	for _, p := range t.pubs[:t.spoke] {
		p.forget()
	}
	t.spoke = 0
	t.size, t.own = a.size, a.own
}

// handle handles one event of an actor from beginning to end.
func (t *turn) handle(a *actor, n *node) {
	if a.gone {
		return
	}
	t.reset(a, n)
	ev, p, skip, err := t.event(a, &n.ev)
	switch {
	case err != nil:
		a.fault = err
	case skip:
	case a.fault != nil:
		err = a.fault
	default:
		err = t.call(a, p, ev)
	}
	if err != nil {
		t.fail(a, p, ev, err)
	}
	if n.ev.Seq != 0 {
		t.ack(a, p, ev)
	}
	t.after(a, p, n.ev.Kind)
}

// event makes the plugin's event of the contract's, and takes note of what it says about the actor.
// skip means that the plugin is not to see it.
func (t *turn) event(a *actor, e *wire.Event) (ev Event, p *peer, skip bool, err error) {
	switch cold := e.Cold.(type) {
	case *pluginv1.Opened:
		err = t.link.open(a, e.Actor, cold.GetSnapshot())
		return Opened{Channels: cold.GetChannels()}, a.self, false, err
	case *pluginv1.Request:
		err = t.link.open(a, e.Actor, cold.GetSnapshot())
		return Request{Body: cold.GetBody(), Streamed: cold.GetStreamed()}, a.self, false, err
	case *pluginv1.Resumed:
		return nil, nil, true, t.link.open(a, e.Actor, cold.GetSnapshot())
	case *pluginv1.Bound:
		a.named = true
		t.link.bind(a, e.Session, cold.GetSnapshot())
		return Bound{entriesOf(cold.GetSnapshot().GetState())}, a.bound[e.Session], false, nil
	}
	p = t.peerOf(a, e.Session)
	// What a named actor asked for goes on after the session that it asked for.
	skip = p != nil && p.closing && (!a.named || e.Kind != wire.Answer)
	switch cold := e.Cold.(type) {
	case *pluginv1.Closed:
		ev, skip = Closed{int(cold.GetCode()), cold.GetReason(), cold.GetByClient()}, false
	case *pluginv1.Answer:
		t.reply = answerOf(cold)
		if t.reply.Identity != nil && p != nil && !cold.GetOnBehalf() {
			p.identity = t.reply.Identity
		}
		ev = boxed(Answer{}, unsafe.Pointer(&t.reply))
	case *pluginv1.ContextChanged:
		ev = p.changed(cold)
	case *pluginv1.Message:
		ev = messageOf(cold)
	case *pluginv1.Delivery:
		ev = Delivery{cold.GetTopic(), cold.GetId(), cold.GetData(), int(cold.GetAttempt())}
	default:
		switch e.Kind {
		case wire.Frame:
			t.frame = Frame{e.Data, e.Binary}
			ev = boxed(Frame{}, unsafe.Pointer(&t.frame))
		case wire.Timer:
			ev = Timer{strings.Clone(e.Name)}
		case wire.Eof:
			ev = Eof{}
		case wire.Told:
			ev = Told{e.Data}
		default: // Forget, and kinds that came with a later contract
			skip = true
		}
	}
	return ev, p, skip, nil
}

// call calls the plugin.
func (t *turn) call(a *actor, p *peer, ev Event) (err error) {
	a.turn = t
	defer func() {
		a.turn = nil
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, r, debug.Stack())
		}
	}()
	if m, ok := ev.(Message); ok && t.link.srv.encode != nil {
		return t.encode(m)
	}
	if err = a.sess.step(t, p, ev); err == nil {
		err = t.err
	}
	if most := t.link.srv.maxState; err == nil && a.size > most && a.size > t.size {
		err = fmt.Errorf("state would have %d bytes, %d are allowed (Limits.StateBytes)", a.size, most)
	}
	return err
}

func (t *turn) encode(m Message) error {
	frames, err := t.link.srv.encode(m)
	if err != nil {
		return fmt.Errorf("encode a message of type %q: %w", m.Type, err)
	}
	t.add(wire.Command{Kind: wire.Encode, Cold: &pluginv1.Encode{Variants: variantsOf(frames)}})
	return nil
}

// fail makes the step what a failed one is: nothing of what it asked for, and what the error means
// for the client.
func (t *turn) fail(a *actor, p *peer, ev Event, err error) {
	t.revert(a)
	if r, ok := errors.AsType[*rejection](err); ok {
		t.reject(a, p, ev, r)
		return
	}
	log := t.link.srv.log
	if p != nil {
		log = log.With("session", idText(p.id))
	}
	log.Error("step failed", "event", fmt.Sprintf("%T", ev), "actor", idText(a.id), "seq", t.node.ev.Seq, "err", err)
	t.reject(a, p, ev, &rejection{code: CloseInternal})
}

// revert takes back what the step did to the SDK's own picture of the actor.
func (t *turn) revert(a *actor) {
	for _, c := range slices.Backward(t.undo) {
		if c.had {
			c.in[c.key] = c.old
		} else {
			delete(c.in, c.key)
		}
	}
	a.sess.undo()
	a.size, a.own = t.size, t.own
	clear(t.step.Commands)
	t.step.Commands = t.step.Commands[:0]
	t.closed, t.bound, t.undo, t.state, t.err = t.closed[:0], false, t.undo[:0], nil, nil
}

// reject answers the client whose event was refused.
func (t *turn) reject(a *actor, p *peer, ev Event, r *rejection) {
	switch ev.(type) {
	case Message: // delivered to nobody
		t.add(wire.Command{Kind: wire.Encode, Cold: &pluginv1.Encode{}})
		return
	case Closed:
		return
	}
	if p == nil {
		return
	}
	a.turn = t
	defer func() { a.turn = nil }()
	c := Conn{a, p}
	_, request := ev.(Request)
	switch {
	case request && r.code == CloseInternal:
		c.Respond(Response{Status: 500})
	case request:
		c.Respond(Response{Status: 400, Body: []byte(r.text)})
	case r.open:
		f := t.link.srv.rejection(r.text)
		c.connection(wire.Command{Kind: wire.Send, Data: f.Data, Binary: f.Binary})
	default:
		c.Close(r.code)
	}
}

// ack sends the step.
func (t *turn) ack(a *actor, p *peer, ev Event) {
	err := t.link.out.add(&t.step)
	if err == nil {
		a.sess.commit(t)
		return
	}
	// Text of a command is not UTF-8: the plugin's fault, as any other.
	t.fail(a, p, ev, fmt.Errorf("encode step: %w", err))
	if err := t.link.out.add(&t.step); err != nil {
		t.link.srv.log.Error("step cannot be encoded", "actor", idText(a.id), "err", err)
	}
}

// after takes note of what the step did to the actor itself.
func (t *turn) after(a *actor, p *peer, kind wire.Kind) {
	for _, closed := range t.closed {
		closed.closing = true
	}
	switch {
	case t.bound:
		a.gone = true
		t.link.forget(a)
	case kind == wire.Forget, kind == wire.Closed && !a.named:
		a.gone = true // the reader has forgotten it already
	case kind == wire.Closed && p != nil:
		delete(a.bound, p.id)
	}
}
