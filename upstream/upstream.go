// Package upstream holds what the codecs of back-end protocols share: the neutral form of a
// question to a back-end and of what it answers. The codecs are pure: no I/O, no clock. Package
// core/upstream does the calling.
//
// A back-end's answer may be streamed. A codec's Exchange is fed bytes as they arrive and yields
// Answers; the last of them has Last set and says how it ended.
package upstream

// Request is one question to a back-end.
type Request struct {
	// ID is unique for the question and the same if it is ever asked again: the idempotency key.
	ID string
	// Time is when the client's frame was taken, in ms since 1970.
	Time int64
	// Number tells apart questions of one session, rising; with Session, User and Time it makes the
	// id of a Logux action.
	Number uint64

	Protocol string // name of the plugin
	Route    string // path of the route
	Session  string // id of the session, a decimal string
	// UserID is empty before authentication.
	UserID string
	// Claims is a JSON object, or nil.
	Claims        []byte
	RemoteAddress string

	// Purpose is "message", "subscribe" or "closed".
	Purpose   string
	MessageID string // the protocol's own
	Channel   string
	Type      string
	// Payload is JSON, passed on byte for byte.
	Payload []byte
	// Version is that of the Logux back-end protocol in which a Logux server is asked; 0: its own.
	Version int
	// Raw is one command in the upstream's own form, which replaces Type and Payload; elements of
	// the answer are then yielded one by one in Answer.Raw.
	Raw []byte
	// RawID is the id that answers to Raw repeat, and RawArray says that it is an array, where whoever
	// checked it has noted so; nil: it is to be read again.
	RawID    []byte
	RawArray bool
	// Together, with Raw, yields elements that came in one piece in one Answer, with a comma between two.
	Together bool
}

// Outcome says how a question ended.
type Outcome uint8

// Outcomes have the numbers of the plugin contract.
const (
	OK          Outcome = 1 // the back-end did it
	Denied      Outcome = 2 // it refused
	UnknownType Outcome = 3 // it knows no such type or channel
	Error       Outcome = 4 // it answered, but failed
	Unavailable Outcome = 5 // no answer, or one that makes no sense; whether it was applied is unknown
	Cancelled   Outcome = 6 // never asked
	Other       Outcome = 7 // a protocol's own, as a wrong subprotocol
)

// String is the outcome's name in logs and metrics.
func (o Outcome) String() string {
	switch o {
	case OK:
		return "ok"
	case Denied:
		return "denied"
	case UnknownType:
		return "unknown_type"
	case Error:
		return "error"
	case Unavailable:
		return "unavailable"
	case Cancelled:
		return "cancelled"
	case Other:
		return "other"
	}
	return "unspecified"
}

// Answer is one element of what a back-end answers. The receiver owns its slices.
type Answer struct {
	Last    bool
	Outcome Outcome // meaningful when Last
	Reason  string  // of a refusal: text meant for the client

	// Payload is the reply as JSON, byte for byte as the back-end wrote it; nil means none.
	Payload []byte
	// Items are to be delivered to clients, in order.
	Items []Item
	// Joins and Leaves are channels that the session that asked is to join and to leave.
	Joins, Leaves []string
	// Raw is one element in the back-end's own form, where Request.Raw asked for that, or several of one
	// piece, with Request.Together.
	Raw []byte

	// Detail is for the log and never for a client: a stack, a status, a parser's complaint.
	Detail string
}

// Item is a message that a back-end wants delivered. With no addressees at all it is for the
// session that asked.
type Item struct {
	Channels []string
	Users    []string
	Clients  []string
	Nodes    []string
	Type     string
	Payload  []byte // JSON
}
