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

// Target is what a call does: [Ask], [Authenticate], [Counted], [Act], [Select], [Nodes] or [Flush].
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
	// Push asks the route's `push` upstream instead.
	Push bool
	// Together, with Raw: elements that came at once come in one Answer, with a comma between two, and
	// the final ones with Last where the end is known by then.
	Together bool
	// Version is that of the Logux back-end protocol in which an upstream of kind logux_server is asked;
	// 0: the one that bridge.hcl has for it.
	Version int
	// UserID is who asks, where the session is a server's that asks for one of its own clients; empty: the
	// session's identity.
	UserID string
}

// Authenticate asks the route's auth backend who the session's client is.
type Authenticate struct {
	Token       string
	HasToken    bool
	UserID      string // whom the client claims to be; empty: nobody in particular
	Payload     JSON   // what the client sent with it
	Subprotocol string
	Headers     []Header // of the protocol, not of HTTP
	// HeadersJSON is an object of the same headers, where values of them are no texts: for backends that
	// ask in JSON; nil: Headers say it all.
	HeadersJSON JSON
	// HasUserID, with an empty UserID: the client claims to be the user whose id is empty, which is another
	// thing than nobody only to backends of a protocol that has such.
	HasUserID bool
	// OnBehalf says that the session is a server's that asks for one of its own clients: the identity is
	// the answer's alone. The session does not get it, nor the route's channels, and does not end with
	// it; attempts are counted by UserID, not by the session's address; the cookies and the bearer token
	// of the session's own request are not used.
	OnBehalf bool
	// Cookies stand for those of the session's HTTP request, where there are any or OnBehalf is set.
	Cookies []Header
}

// Counted publishes; the answer's Count says how many of this plugin's sessions took it, Failed how many
// did not.
type Counted Publication

// Act does something to one session of this plugin, wherever it is, but to no plain request. The answer's
// Count is 1, or 0 when there is no such session, when it is being closed, or when it failed: Failed is 1
// then. Where one of the joins or the context cannot be, nothing is done. OutcomeUnavailable: the session is
// on another node, and this one is cut off from the cluster.
type Act struct {
	Session uint64
	Action  Action
	Role    string // only a session on a route of that role; empty: of any
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

// Flush is answered OK when the session's client has taken what was sent to it, but for the last 64 KiB, and
// denied when it has gone. It is for what is too much to be sent at once.
type Flush struct{}

// Nodes asks which nodes there are: Answer.Nodes. OutcomeUnavailable: this one is cut off from the cluster.
// It needs the capability "nodes".
type Nodes struct{}

// Action is what Act and Select do: everything that is set, the context first, then in this order.
type Action struct {
	Join    []string
	Leave   []string
	Context map[string][]byte // an empty value deletes the key; the session gets a [ContextChanged]
	// ReplaceContext says that Context is all there is of the context then.
	ReplaceContext bool
	Frames         []OutFrame // what the client gets: one frame, in a form for each variant
	Close          *CloseCode
	// Told, if it has a key, says that the session's client knows what the publishes of that key say up to
	// its number, as [Conn.SendTold] does, with or without frames.
	Told Order
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

// Detach takes running calls with that tag out of their order: each gives its place among those that
// run at a time to the next call of its key, while its own answers go on coming. Until the last of
// these it counts in the session's window as before. A call that was not started yet is not affected.
func (c *Conn) Detach(tag string) {
	c.needs("detach")
	c.connectionOrActor(wire.Command{Kind: wire.Detach, Key: tag})
}

func (Ask) target()          {}
func (Authenticate) target() {}
func (Counted) target()      {}
func (Act) target()          {}
func (Select) target()       {}
func (Flush) target()        {}
func (Nodes) target()        {}

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
	c.ask.Push, c.ask.Together, c.ask.Version, c.ask.UserId = a.Push, a.Together, uint32(a.Version), a.UserID
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
			Headers: entries(t.Headers), HeadersJson: t.HeadersJSON, HasUserId: t.HasUserID,
			OnBehalf: t.OnBehalf, Cookies: entries(t.Cookies),
		}
		pb.Target = &pluginv1.Call_Authenticate{Authenticate: auth}
	case Counted:
		pb.Target = &pluginv1.Call_Publish{Publish: c.publish((*Publication)(&t))}
	case Act:
		pb.Target = &pluginv1.Call_Act{Act: &pluginv1.Act{Session: t.Session, Action: c.action(&t.Action), Role: t.Role}}
	case Select:
		if err := CheckWhere(t.Where); err != nil {
			c.t().err = fmt.Errorf("select: %w", err)
			break
		}
		pb.Target = &pluginv1.Call_Select{Select: &pluginv1.Select{
			UserIds: t.UserIDs, Channel: t.Channel, Authenticated: t.Authenticated,
			Where: whereOf(t.Where), Action: c.action(&t.Action),
		}}
	case Flush:
		c.needs("flush")
		pb.Target = &pluginv1.Call_Flush{Flush: &pluginv1.Flush{}}
	case Nodes:
		c.needs("nodes")
		pb.Target = &pluginv1.Call_Nodes{Nodes: &pluginv1.Nodes{}}
	default:
		panic("a call needs a target")
	}
	return pb
}

func entries(list []Header) []*pluginv1.Entry {
	if len(list) == 0 {
		return nil
	}
	out := make([]*pluginv1.Entry, len(list))
	for i, h := range list {
		out[i] = &pluginv1.Entry{Key: h.Name, Value: []byte(h.Value)}
	}
	return out
}

func (c *Conn) action(a *Action) *pluginv1.Action {
	pb := &pluginv1.Action{Join: a.Join, Leave: a.Leave, Frames: variantsOf(a.Frames), ReplaceContext: a.ReplaceContext}
	if a.Told.Key != "" {
		c.needs("order")
		pb.WatermarkKey, pb.WatermarkNumber = a.Told.Key, a.Told.Number
	}
	for key, value := range a.Context {
		pb.Context = append(pb.Context, &pluginv1.Entry{Key: key, Value: value})
	}
	if a.Close != nil {
		pb.Close = &pluginv1.Close{Code: uint32(a.Close.Code), Reason: a.Close.Reason}
	}
	return pb
}
