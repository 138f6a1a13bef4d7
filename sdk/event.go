package sdk

import (
	"unsafe"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Event is something that happened to an actor: one of the structs of this file. The set grows; an
// event that this SDK does not know is acked without a Step, and one that a plugin does not know is
// best ignored.
type Event interface{ event() }

// Opened is the first event of a session.
type Opened struct {
	// Channels are those that the core made the session a member of, where clients authenticate at
	// the handshake.
	Channels []string
}

// Frame is one WebSocket message, one line of a line listener, or one chunk of raw bytes or of a
// streamed request body. A line comes without its end and is text, raw bytes are binary, at most 64 KiB.
// Data is the plugin's until Step returns; copy what is kept.
type Frame struct {
	Data   []byte
	Binary bool
}

// Eof says that the client will send nothing more, while it may still be written to. A TCP session is
// to be closed by the plugin then, once everything was answered.
type Eof struct{}

// Closed is the last event of a session.
type Closed struct {
	Code     int // WebSocket close code; 1006 when the connection was lost
	Reason   string
	ByClient bool
}

// Request is an HTTP request, the first event of its session; method, path and headers are in
// [Conn.Info]. Answer it with [Conn.Respond].
type Request struct {
	Body []byte
	// Streamed says that the body follows as Frames, then Eof.
	Streamed bool
}

// Timer says that a timer set with [Conn.Timer] ran out.
type Timer struct{ Name string }

// Answer is one element of a call's answer.
type Answer struct {
	Tag  string // the call's
	Call CallID // what [Conn.Call] returned
	Last bool   // nothing more comes for this call
	// Outcome is meaningful when Last.
	Outcome Outcome
	Reason  string // of a refusal: text for the client
	// Payload is the back-end's reply; nil when there is none.
	Payload JSON
	// Items are to be published besides, in order.
	Items []Item
	// Identity is who the client is, after [Authenticate]; nil otherwise. The session has it from
	// now on, unless that was asked OnBehalf of another.
	Identity *Identity
	// Channels are those that the auth backend and the route give this user.
	Channels  []string
	Join      []string // channels that the back-end wants the session to join; the plugin does it
	Leave     []string // and to leave
	Count     int      // receivers of a counted publish, sessions matched by a selection
	Failed    int      // receivers of a counted publish that did not take it; 1 of an Act that could not be done
	Raw       []byte   // one element in the back-end's own form, after Ask.Raw; several with Ask.Together
	Supported string   // with OutcomeOther, what the client could have used
	// Nodes are those that live, this one first, after [Nodes].
	Nodes []Node
	// Subprotocol is the version of the protocol that the back-end says it speaks, with OutcomeOK of
	// [Authenticate]; empty when it says none.
	Subprotocol string
}

// Node is a node of the cluster.
type Node struct {
	Number int // 0 to 1023
	// About is what the instance of the same block there says of itself, see [Info]; nil: nothing.
	About []byte
}

// OK says that the call is over and was done.
func (a Answer) OK() bool { return a.Last && a.Outcome == OutcomeOK }

// TextOr returns the payload's JSON as text, or fallback when there is none.
func (a Answer) TextOr(fallback string) string {
	if a.Payload == nil {
		return fallback
	}
	return string(a.Payload)
}

// Outcome says how a call ended.
type Outcome uint8

// Outcomes.
const (
	OutcomeOK          Outcome = 1
	OutcomeDenied      Outcome = 2 // refused for good
	OutcomeUnknownType Outcome = 3 // the back-end knows no such type or channel
	OutcomeError       Outcome = 4 // the back-end failed at it
	OutcomeUnavailable Outcome = 5 // no answer; whether it was applied is unknown
	OutcomeCancelled   Outcome = 6 // by [Conn.Cancel], before it was asked
	OutcomeOther       Outcome = 7 // a protocol's own, see Answer.Supported
)

// Item is something a back-end wants delivered to clients. Without any addressee it is for the
// session that asked.
type Item struct {
	Channels []string
	Users    []string
	Clients  []string
	Nodes    []string
	Type     string
	Payload  JSON
}

// Bound is the first event of a session at the named actor it was bound to.
type Bound struct{ cells map[string][]byte }

// Cell returns a cell of the state that the session had before it was bound; nil when there was
// none.
func (b Bound) Cell(key string) []byte { return b.cells[key] }

// Told is what an actor of the plugin said to this one with [Conn.Tell]. It comes from no session:
// [Conn.ID] is 0. Data is the plugin's until Step returns; copy what is kept.
type Told struct{ Data []byte }

// Delivery is an entry of a queue that the actor consumes. It is the actor's until it is settled, by
// [Conn.SendSettling] in this step or a later one, or goes back: when that fails, when the session ends or
// consumes no more, and half a minute after a step that did not settle it.
type Delivery struct {
	Topic   string
	ID      uint64 // another one when the entry is delivered again after it went back
	Data    []byte
	Attempt int // 1 for the first
}

// ContextChanged says that [Act] or [Select] changed the session's context, which is as [Conn.Context] has
// it now.
type ContextChanged struct{ Keys []string } // that were set or deleted by name, in no order

func (Opened) event()   {}
func (Frame) event()    {}
func (Eof) event()      {}
func (Closed) event()   {}
func (Request) event()  {}
func (Timer) event()    {}
func (Answer) event()   {}
func (Bound) event()    {}
func (Delivery) event() {}
func (Message) event()  {}
func (Told) event()     {}

func (ContextChanged) event() {}

func answerOf(a *pluginv1.Answer) Answer {
	ev := Answer{
		Tag:       a.GetTag(),
		Call:      CallID{a.GetCallSeq(), a.GetCallIndex()},
		Last:      a.GetLast(),
		Outcome:   Outcome(a.GetOutcome()),
		Reason:    a.GetReason(),
		Identity:  identityOf(a.GetIdentity()),
		Channels:  a.GetChannels(),
		Join:      a.GetJoin(),
		Leave:     a.GetLeave(),
		Count:     int(a.GetCount()),
		Failed:    int(a.GetFailed()),
		Raw:       a.GetRaw(),
		Supported: a.GetSupported(),
	}
	ev.Subprotocol = a.GetSubprotocol()
	for _, n := range a.GetNodes() {
		ev.Nodes = append(ev.Nodes, Node{int(n.GetNumber()), n.GetAbout()})
	}
	if a.GetHasPayload() {
		if ev.Payload = a.GetPayload(); ev.Payload == nil {
			ev.Payload = JSON("null")
		}
	}
	if items := a.GetItems(); len(items) > 0 {
		ev.Items = make([]Item, len(items))
		for i, it := range items {
			ev.Items[i] = Item{
				it.GetChannels(), it.GetUsers(), it.GetClients(), it.GetNodes(),
				it.GetType(), it.GetPayload(),
			}
		}
	}
	return ev
}

// boxed returns the event that value points to, of template's type. It changes with *value: putting a
// struct into an interface would allocate for each event, so those that come once a frame are held by
// the turn, one after another.
func boxed(template Event, value unsafe.Pointer) Event {
	// An interface is a word for the type and one for the address of the value.
	(*[2]unsafe.Pointer)(unsafe.Pointer(&template))[1] = value
	return template
}
