package sdk

import (
	"fmt"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Call is something slow that the core does for the actor. It is executed once; its outcome comes as
// [Answer] events.
type Call struct {
	Tag string // comes back in the answers; need not be unique
	// Order names a queue of the actor's calls, which run in order, Parallel at a time. Empty: at
	// once.
	Order    string
	Parallel int // 0 means 1
	Target   Target
}

// CallID names a call: the event that led to it, and the call's place among the commands of that
// step. It is the same when the event is delivered again.
type CallID struct {
	Seq   uint64
	Index uint32
}

// Target is what a call does: [Ask], [Authenticate], [Counted], [Act] or [Select].
type Target interface {
	target()
}

// Ask sends one message to the route's upstream, in the form of that upstream's kind.
type Ask struct {
	Type      string
	Payload   JSON
	MessageID string // the protocol's own
	Channel   string
	Purpose   string // "message" (also when empty), "subscribe" or "closed"
	// Raw is one command in the upstream's own form, instead of all the above; elements of the answer
	// come one by one in Answer.Raw.
	Raw []byte
}

// Authenticate asks the route's auth backend who the session's client is.
type Authenticate struct {
	Token       string
	HasToken    bool
	UserID      string // whom the client claims to be; empty: nobody in particular
	Payload     JSON   // what the client sent with it
	Subprotocol string
	Headers     []Header // of the protocol, not of HTTP
}

// Counted publishes; the answer's Count says how many received it.
type Counted Publication

// Act does something to one session of this plugin, wherever it is; the answer's Count is 0 when
// there is none.
type Act struct {
	Session uint64
	Action  Action
}

// Select does something to all sessions of this plugin that match, but plain HTTP requests, which take
// no frames; the answer has their Count.
type Select struct {
	UserIDs       []string // any of them; empty: any user
	Channel       string   // members of it; empty: all
	Authenticated bool     // only those with an identity
	// Where, if not nil, holds for their identities: for the claims, or {"userId": id} of one without
	// any. One that [CheckWhere] does not take fails the step.
	Where  *Where
	Action Action
}

// Action is what Act and Select do: everything that is set, in this order.
type Action struct {
	Join    []string
	Leave   []string
	Context map[string][]byte
	Frames  []OutFrame
	Close   *CloseCode
}

// Call makes a call on behalf of the event's session.
func (c *Conn) Call(call Call) CallID {
	t := c.t()
	var pb *pluginv1.Call
	if a, ok := call.Target.(Ask); ok {
		pb = t.ask(&call, &a)
	} else {
		pb = c.callOf(&call)
	}
	id := CallID{t.node.ev.Seq, uint32(len(t.step.Commands))}
	c.connectionOrActor(wire.Command{Kind: wire.Call, Cold: pb})
	return id
}

// Ask asks the route's upstream: a message whose type is the tag. See the type [Ask] for more.
func (c *Conn) Ask(tag string, payload JSON) CallID {
	return c.Call(Call{Tag: tag, Target: Ask{Type: tag, Payload: payload}})
}

// Cancel ends the wait of calls with that tag: those not started yet are answered OutcomeCancelled.
func (c *Conn) Cancel(tag string) { c.connectionOrActor(wire.Command{Kind: wire.Cancel, Key: tag}) }

func (Ask) target()          {}
func (Authenticate) target() {}
func (Counted) target()      {}
func (Act) target()          {}
func (Select) target()       {}

// askCall is a question in the contract's form. A turn uses them again and again: where clients ask,
// there is one in nearly every step.
type askCall struct {
	call   pluginv1.Call
	target pluginv1.Call_Ask
	ask    pluginv1.Ask
}

func (t *turn) ask(call *Call, a *Ask) *pluginv1.Call {
	if t.asked == len(t.asks) {
		t.asks = append(t.asks, new(askCall))
	}
	c := t.asks[t.asked]
	t.asked++
	c.ask.Type, c.ask.Payload, c.ask.MessageId = a.Type, a.Payload, a.MessageID
	c.ask.Channel, c.ask.Purpose, c.ask.Raw = a.Channel, a.Purpose, a.Raw
	c.target.Ask = &c.ask
	c.call.Tag, c.call.Order, c.call.Parallel, c.call.Target = call.Tag, call.Order, uint32(call.Parallel), &c.target
	return &c.call
}

func (c *Conn) callOf(call *Call) *pluginv1.Call {
	pb := &pluginv1.Call{Tag: call.Tag, Order: call.Order, Parallel: uint32(call.Parallel)}
	switch t := call.Target.(type) {
	case Authenticate:
		auth := &pluginv1.Authenticate{
			Token: t.Token, HasToken: t.HasToken, UserId: t.UserID, Payload: t.Payload, Subprotocol: t.Subprotocol,
		}
		for _, h := range t.Headers {
			auth.Headers = append(auth.Headers, &pluginv1.Entry{Key: h.Name, Value: []byte(h.Value)})
		}
		pb.Target = &pluginv1.Call_Authenticate{Authenticate: auth}
	case Counted:
		pb.Target = &pluginv1.Call_Publish{Publish: c.publish((*Publication)(&t))}
	case Act:
		pb.Target = &pluginv1.Call_Act{Act: &pluginv1.Act{Session: t.Session, Action: t.Action.wire()}}
	case Select:
		if err := CheckWhere(t.Where); err != nil {
			c.t().err = fmt.Errorf("select: %w", err)
			break
		}
		pb.Target = &pluginv1.Call_Select{Select: &pluginv1.Select{
			UserIds: t.UserIDs, Channel: t.Channel, Authenticated: t.Authenticated,
			Where: whereOf(t.Where), Action: t.Action.wire(),
		}}
	default:
		panic("a call needs a target")
	}
	return pb
}

func (a *Action) wire() *pluginv1.Action {
	pb := &pluginv1.Action{Join: a.Join, Leave: a.Leave, Frames: variantsOf(a.Frames)}
	for key, value := range a.Context {
		pb.Context = append(pb.Context, &pluginv1.Entry{Key: key, Value: value})
	}
	if a.Close != nil {
		pb.Close = &pluginv1.Close{Code: uint32(a.Close.Code), Reason: a.Close.Reason}
	}
	return pb
}
