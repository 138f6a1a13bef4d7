package sdk

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"
	"unsafe"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Commands take effect together with the event's ack, in order. Slices and strings given to them
// must stay as they are until Step returns; nothing of them is kept after that.

// Send sends a text frame.
func (c *Conn) Send(data []byte) { c.connection(wire.Command{Kind: wire.Send, Data: data}) }

// Text sends a text frame.
func (c *Conn) Text(text string) { c.Send(bytesOf(text)) }

// Textf sends a text frame formatted as fmt does.
func (c *Conn) Textf(format string, args ...any) {
	t := c.t()
	from := len(t.arena)
	t.arena = fmt.Appendf(t.arena, format, args...)
	c.Send(t.arena[from:])
}

// SendAppend sends the text frame that appendTo appends to dst. It saves an allocation a frame.
func (c *Conn) SendAppend(appendTo func(dst []byte) []byte) {
	t := c.t()
	from := len(t.arena)
	t.arena = appendTo(t.arena)
	c.Send(t.arena[from:])
}

// SendLate is SendAppend of a frame that need not leave at once: it leaves with what the session is sent
// next, in one write, and 20 ms later at the latest. It is for a confirmation that nobody waits for, behind
// which an answer is to be expected.
func (c *Conn) SendLate(appendTo func(dst []byte) []byte) {
	t := c.t()
	from := len(t.arena)
	t.arena = appendTo(t.arena)
	c.connection(wire.Command{Kind: wire.Send, Data: t.arena[from:], Late: true})
}

// Binary sends a binary frame.
func (c *Conn) Binary(data []byte) {
	c.connection(wire.Command{Kind: wire.Send, Data: data, Binary: true})
}

// SendSettling sends a frame, and settles the delivery once it is written to the socket. Where the delivery
// has gone back meanwhile, nothing is sent.
func (c *Conn) SendSettling(data []byte, binary bool, delivery uint64) {
	c.needs("queue")
	c.connection(wire.Command{Kind: wire.Send, Data: data, Binary: binary, Number: int64(delivery)})
}

// SendTold sends a text frame that tells the client what the publishes of an order's key say up to its
// number: those pass the session by from here on. What is told last of a key counts.
func (c *Conn) SendTold(data []byte, what Order) {
	c.needs("order")
	c.connection(wire.Command{Kind: wire.Send, Data: data, Key: what.Key, Mark: what.Number})
}

// Close closes the session once what was sent before is written. Of its later events only Closed goes
// to Step, and the answers to what a named actor asked for it. Those that come behind Closed are of no
// session any more: [Conn.ID] is 0.
func (c *Conn) Close(code CloseCode) {
	c.connection(wire.Command{Kind: wire.Close, Number: int64(code.Code), Key: code.Reason})
	c.t().closed = append(c.t().closed, c.p)
}

// Join makes the session a member of a channel. A name that begins with "$" is a private one, here and
// wherever a plugin names a channel: of this plugin alone, reached by nothing that comes from outside,
// and without rules of access. A name that cannot be one is refused, and logged.
func (c *Conn) Join(channel string) { c.connection(wire.Command{Kind: wire.Join, Key: channel}) }

// Leave ends the session's membership.
func (c *Conn) Leave(channel string) { c.connection(wire.Command{Kind: wire.Leave, Key: channel}) }

// PutContext sets a value of the session's context; an empty one deletes the key.
func (c *Conn) PutContext(key string, value []byte) {
	c.connection(wire.Command{Kind: wire.PutContext, Key: key, Data: value})
	if len(value) == 0 {
		c.t().remember(c.p.context, key)
		delete(c.p.context, key)
		return
	}
	if c.p.context == nil {
		c.p.context = make(map[string][]byte)
	}
	c.t().remember(c.p.context, key)
	c.p.context[key] = append([]byte(nil), value...)
}

// Response answers a Request: whole as it is, or with More for the head and each part of the body
// but the last.
type Response struct {
	Status  int // 0 means 200; read from the first
	Headers []Header
	Body    []byte
	More    bool
}

// Respond answers the HTTP request that opened the session.
func (c *Conn) Respond(r Response) {
	pb := &pluginv1.Respond{Status: uint32(r.Status), Headers: entries(r.Headers), Body: r.Body, Last: !r.More}
	c.connection(wire.Command{Kind: wire.Respond, Cold: pb})
}

// Tune sets what fan-out looks at when it writes to this session: which variant of a frame it gets,
// and the variables that a [Slot] may take off its number. It replaces what was set before.
func (c *Conn) Tune(variant string, variables map[string]int64) {
	pb := &pluginv1.Tune{Variant: variant}
	for name, value := range variables {
		pb.Variables = append(pb.Variables, &pluginv1.Variable{Name: name, Value: value})
	}
	c.connection(wire.Command{Kind: wire.Tune, Cold: pb})
}

// Lines sets that what a TCP session has not been given yet is cut into lines, as it is at first.
func (c *Conn) Lines() {
	c.needs("tcp")
	c.connection(wire.Command{Kind: wire.Framing, Cold: &pluginv1.Framing{}})
}

// Raw sets that what a TCP session has not been given yet comes in binary chunks as it is read; after
// so many bytes there are lines again, 0 means never. It counts right behind the frame that led to it:
// the next one is cut only when this step is applied and the calls that it makes are answered. On
// other sessions it does nothing, as Lines.
func (c *Conn) Raw(bytes uint64) {
	c.needs("tcp")
	c.connection(wire.Command{Kind: wire.Framing, Cold: &pluginv1.Framing{Raw: true, RawBytes: bytes}})
}

// Pause stops the core from reading the session's client, or lets it go on. It is for a plugin that keeps
// what waits in its state; what waits in events and calls is bounded by itself. What was read before still
// comes, and how long the client is silent does not count meanwhile.
func (c *Conn) Pause(on bool) {
	c.needs("pause")
	c.connection(wire.Command{Kind: wire.Pause, Cold: &pluginv1.Pause{On: on}})
}

// Claim asks for a name that one session in the cluster holds at a time; an [Answer] with the tag
// says OutcomeOK or OutcomeDenied. takeOver, if not nil, closes the holder with that code instead.
func (c *Conn) Claim(tag, name string, takeOver *CloseCode) {
	pb := &pluginv1.Claim{Tag: tag, Name: name}
	if takeOver != nil {
		pb.TakeOver, pb.CloseCode, pb.CloseReason = true, uint32(takeOver.Code), takeOver.Reason
	}
	c.connection(wire.Command{Kind: wire.Claim, Cold: pb})
}

// Release gives a claimed name up.
func (c *Conn) Release(name string) { c.connection(wire.Command{Kind: wire.Release, Key: name}) }

// Tell brings a [Told] event to this plugin's named actor of that key, on whichever node it lives,
// behind what waits there already. Where there is none, nothing happens. At most 1 MiB of told data
// waits at an actor; what is beyond is dropped.
func (c *Conn) Tell(key string, data []byte) {
	c.needs("tell")
	c.actor(wire.Command{Kind: wire.Tell, Key: key, Data: data})
}

// Bind hands the session, and the events it still has, to the actor of that key, which begins with a
// [Bound] event. It must be the last that a step asks for, and a session is bound once.
func (c *Conn) Bind(key string) {
	if c.p == nil || c.p != c.a.self {
		panic("only a session that is not bound can be bound")
	}
	c.connection(wire.Command{Kind: wire.Bind, Key: key})
	c.t().bound = true
}

// Consume asks for [Delivery] events of a queue at this actor, at most window of them unsettled, and 256; 0
// stops it, and what was not written goes back. It ends with the session.
func (c *Conn) Consume(topic string, window int) { c.ConsumeAll("", window, topic) }

// ConsumeAll is Consume of several topics, all or none. An [Answer] with the tag says OutcomeOK before the
// first Delivery, OutcomeDenied with the reason "too many topics" or "not a topic", or OutcomeUnavailable;
// after that of a window of 0 nothing more is written that settles one. Without a tag there is no answer.
func (c *Conn) ConsumeAll(tag string, window int, topics ...string) {
	c.needsQueues()
	if len(topics) == 0 {
		panic("no topic to consume")
	}
	c.actor(wire.Command{Kind: wire.Consume, Cold: &pluginv1.Consume{Topic: topics[0], Also: topics[1:], Window: uint32(max(window, 0)), Tag: tag}})
}

// Push appends to a queue; an [Answer] with the tag says OutcomeOK when it is stored, OutcomeDenied when it is
// not (the reason is "full", "too many topics", "too large" or "not a topic"), OutcomeUnavailable when that is
// not known. Pushes of an actor to a topic are stored in order.
func (c *Conn) Push(tag, topic string, data []byte) {
	c.needsQueues()
	c.connectionOrActor(wire.Command{Kind: wire.Push, Cold: &pluginv1.Push{Tag: tag, Topic: topic, Data: data}})
}

// Timer sets or moves the actor's timer of that name. It is the core's, so it survives the plugin,
// and it falls behind frames that came before it ran out.
func (c *Conn) Timer(name string, after time.Duration) {
	ms := int64((after + time.Millisecond - 1) / time.Millisecond)
	c.actor(wire.Command{Kind: wire.SetTimer, Key: name, Number: max(ms, 1)})
}

// StopTimer stops a timer.
func (c *Conn) StopTimer(name string) { c.actor(wire.Command{Kind: wire.SetTimer, Key: name}) }

// Get returns a cell of the actor's state, nil when there is none. It is not to be changed.
func (c *Conn) Get(key string) []byte { return c.a.cells[key] }

// Cells yields the keys and values of the cells of the actor's state, in no order. They are not to be
// changed, nor put or deleted meanwhile.
func (c *Conn) Cells() iter.Seq2[string, []byte] { return maps.All(c.a.cells) }

// Put sets a cell of the actor's state. Keys that begin with "$" are the SDK's.
func (c *Conn) Put(key string, value []byte) {
	t := c.t()
	if c.a.cells == nil {
		c.a.cells = make(map[string][]byte)
	}
	old, had := t.remember(c.a.cells, key)
	c.a.size += len(value) - len(old)
	if !had {
		c.a.size += len(key)
	}
	c.a.cells[key] = append(make([]byte, 0, len(value)), value...)
	c.actor(wire.Command{Kind: wire.PutState, Key: key, Data: value})
}

// Delete deletes a cell of the actor's state.
func (c *Conn) Delete(key string) {
	t := c.t()
	if _, ok := c.a.cells[key]; !ok {
		return
	}
	old, _ := t.remember(c.a.cells, key)
	c.a.size -= len(key) + len(old)
	delete(c.a.cells, key)
	c.actor(wire.Command{Kind: wire.DeleteState, Key: key})
}

// Publish sends a message to all that joined one of the channels, once each: other protocols get the
// message, clients of this one what the plugin's [Encoder] makes of it, if it is one.
func (c *Conn) Publish(m Message, channels ...string) {
	t := c.t()
	m.Channels = channels
	if len(channels) > 0 {
		m.Channel = channels[0]
	}
	m = c.authored(m)
	var frames []OutFrame
	if encode := t.link.srv.encode; encode != nil {
		var err error
		if frames, err = encode(m); err != nil {
			t.err = fmt.Errorf("encode a message of type %q: %w", m.Type, err)
			return
		}
	}
	c.PublishAs(Publication{Channels: channels, Message: &m, Frames: frames})
}

// Publication is everything that a publish may say.
type Publication struct {
	Channels []string
	Except   []uint64   // sessions that do not get it
	Message  *Message   // what other protocols get; nil: it stays within this one
	Frames   []OutFrame // what clients of this one get, one for each variant; none: only others get it
	// ExceptChannels are channels whose members, among the sessions of this plugin, do not get the
	// frames. Other protocols get the message all the same.
	ExceptChannels []string
	// Order, if it has a key, is its place among the publishes of that key.
	Order Order
	// Always says that it reaches also those who are told what the publishes of its key say up to its number
	// ([Conn.SendTold]), as that tells of others than this one. It does not where the number told is the largest
	// there is.
	Always bool
	// Then are frames that follow right behind that of Frames, each with its variants.
	Then [][]OutFrame
}

// Order is a place among the publishes of one key, whose numbers rise from one to the next, from whichever
// node they come. Every node delivers them in that order; it waits at most a second for one that is missing,
// which is delivered later then, when it comes.
type Order struct {
	Key    string
	Number uint64
}

// PublishAs publishes exactly what p says.
func (c *Conn) PublishAs(p Publication) {
	c.connectionOrActor(wire.Command{Kind: wire.Publish, Cold: c.publish(&p)})
}

func (c *Conn) publish(p *Publication) *pluginv1.Publish {
	call := c.t().pub()
	pb := &call.pb
	pb.Channels, pb.Except, pb.ExceptChannels, pb.Variants = p.Channels, p.Except, p.ExceptChannels, call.frames(p.Frames)
	if p.Order.Key != "" || len(p.Then) > 0 {
		c.needs("order")
		pb.OrderKey, pb.OrderNumber, pb.Always = p.Order.Key, p.Order.Number, p.Always
		for _, f := range p.Then {
			pb.Then = append(pb.Then, &pluginv1.Frames{Variants: variantsOf(f)})
		}
	}
	if p.Message != nil {
		m := c.authored(*p.Message)
		m.into(&call.content)
		pb.Content = &call.content
	}
	return pb
}

func (c *Conn) authored(m Message) Message {
	if id := c.Identity(); id != nil && m.Author == (Author{}) {
		m.Author = Author{id.Realm, id.UserID}
	}
	return m
}

// Encode answers a [Message] event with its form in this protocol; nothing delivers nothing.
func (c *Conn) Encode(frames ...OutFrame) {
	c.actor(wire.Command{Kind: wire.Encode, Cold: &pluginv1.Encode{Variants: variantsOf(frames)}})
}

// needs fails the step where the core lacks a capability: to use it all the same would cost every
// session the process.
func (c *Conn) needs(capability string) {
	if t := c.t(); !t.link.srv.can[capability] && t.err == nil {
		t.err = fmt.Errorf("the core lacks the capability %q", capability)
	}
}

// needsQueues is needs of a plugin that says that it uses queues.
func (c *Conn) needsQueues() {
	c.needs("queue")
	if t := c.t(); t.link.srv.info.Queues == nil && t.err == nil {
		t.err = errors.New("the plugin uses queues, and Info.Queues is nil")
	}
}

// connection adds a command about the connection of the event's session.
func (c *Conn) connection(cmd wire.Command) {
	if c.p == nil {
		panic("the event came from no session")
	}
	c.connectionOrActor(cmd)
}

// connectionOrActor adds a command on behalf of the event's session where there is one.
func (c *Conn) connectionOrActor(cmd wire.Command) {
	if c.t().bound {
		panic("the step asks for something after Bind")
	}
	if c.p != nil && c.p != c.a.self {
		cmd.Session = c.p.id
	}
	c.t().add(cmd)
}

func (c *Conn) actor(cmd wire.Command) {
	if c.t().bound {
		panic("the step asks for something after Bind")
	}
	c.t().add(cmd)
}

// bytesOf is text as bytes that nobody writes to.
func bytesOf(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }
