package logux

import (
	"errors"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Kind is what an answer says.
type Kind uint8

// The kinds of answers. None is a null in the place of an answer, which means nothing.
const (
	None Kind = iota
	Unknown
	Authenticated
	WrongSubprotocol
	Denied // for an action the same as Forbidden
	Error
	Resend
	Approved
	Forbidden
	Action
	Processed
	UnknownAction
	UnknownChannel
)

var names = [...]string{
	Authenticated: "authenticated", WrongSubprotocol: "wrongSubprotocol", Denied: "denied", Error: "error",
	Resend: "resend", Approved: "approved", Forbidden: "forbidden", Action: "action", Processed: "processed",
	UnknownAction: "unknownAction", UnknownChannel: "unknownChannel",
}

// String is the answer's name on the wire, or "" for None and Unknown.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return ""
}

func kindOf(name []byte) Kind {
	for k := Authenticated; int(k) < len(names); k++ {
		if string(name) == names[k] {
			return k
		}
	}
	return Unknown
}

// Addressees are whom something is for.
type Addressees struct {
	Channels, Users, Clients, Nodes []string
}

// Empty reports whether they name nobody.
func (a *Addressees) Empty() bool {
	return len(a.Channels)+len(a.Users)+len(a.Clients)+len(a.Nodes) == 0
}

func (a *Addressees) add(b Addressees) {
	a.Channels = union(a.Channels, b.Channels)
	a.Users = union(a.Users, b.Users)
	a.Clients = union(a.Clients, b.Clients)
	a.Nodes = union(a.Nodes, b.Nodes)
}

func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	return append(a, b...)
}

// Answer is one answer of a back-end, of any version. Its byte slices may point into what it was
// decoded from; its strings do not.
type Answer struct {
	Kind Kind
	Name []byte // as the back-end wrote it
	// ID is the id of the action or the authentication that is answered; nil means that none was
	// given, and the answer is for everything that was asked.
	ID []byte
	// To is whom Resend names, and whom the meta of Action names.
	To Addressees
	// Action and Meta are the objects of an Action answer; Meta may be nil.
	Action, Meta []byte
	// Subprotocol comes with Authenticated, Supported with WrongSubprotocol; "" when not given.
	Subprotocol, Supported string
	// Details is the text of an Error: for the log, never for a client.
	Details []byte
}

// Errors of [DecodeAnswer].
var (
	ErrNotAnswer   = errors.New("an answer is neither an array nor an object")
	ErrNoName      = errors.New("an answer has no name")
	ErrWrongAction = errors.New("an action answer has no action with a type")
)

// DecodeAnswer reads one valid element of a back-end's response, in array or object form. Names
// that are not known are no error but of the kind Unknown. With an error, ID may be there and says
// whose answer is wrong.
func DecodeAnswer(element []byte) (Answer, error) { return decodeAnswer(element, true) }

// decodeAnswer is DecodeAnswer, which may leave out whom an answer names.
func decodeAnswer(element []byte, names bool) (Answer, error) {
	var a Answer
	var err error
	switch rawjson.KindOf(element) {
	case rawjson.Null:
		return Answer{}, nil
	case rawjson.Object:
		err = a.fromObject(element, names)
	case rawjson.Array:
		err = a.fromArray(element, names)
	default:
		return Answer{Kind: Unknown}, ErrNotAnswer
	}
	if err == nil && a.Kind == Action {
		if typ, _, _ := ActionParts(a.Action); typ == nil {
			err = ErrWrongAction
		}
		if names {
			a.To = addressees(a.Meta)
		}
	}
	return a, err
}

func (a *Answer) fromObject(element []byte, names bool) error {
	a.Kind = Unknown
	var authID []byte
	for key, value := range rawjson.Members(element) {
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "answer":
			a.Name, _ = rawjson.Text(value)
		case "id":
			a.ID, _ = rawjson.Text(value)
		case "authId":
			authID, _ = rawjson.Text(value)
		case "action":
			a.Action = value
		case "meta":
			a.Meta = value
		case "details":
			a.Details = detailsOf(value)
		case "subprotocol":
			a.Subprotocol = textOf(value)
		case "supported":
			a.Supported = textOf(value)
		}
	}
	if a.ID == nil {
		a.ID = authID
	}
	if a.Name == nil {
		return ErrNoName
	}
	a.Kind = kindOf(a.Name)
	if a.Kind == Resend && names {
		a.To = addressees(element)
	}
	return nil
}

func (a *Answer) fromArray(element []byte, names bool) error {
	a.Kind = Unknown
	var parts [4][]byte
	n := 0
	for part := range rawjson.Elements(element) {
		if n == len(parts) {
			break
		}
		parts[n] = part
		n++
	}
	a.Name, _ = rawjson.Text(parts[0])
	a.ID, _ = rawjson.Text(parts[1])
	if a.Name == nil {
		return ErrNoName
	}
	a.Kind = kindOf(a.Name)
	switch a.Kind {
	case Error:
		// ["error", text], ["error", id, text], or with something that is no id in its place.
		a.Details = detailsOf(parts[2])
		if n < 3 {
			a.ID, a.Details = nil, detailsOf(parts[1])
		}
	case Resend:
		if names {
			a.To = addressees(parts[2])
		}
	case Action:
		a.Action, a.Meta = parts[2], parts[3]
	case WrongSubprotocol:
		a.Supported = textOf(parts[2])
	}
	return nil
}

// addressees reads the lists channels, users, clients and nodes of an object and their singular
// forms. A lone string is a list of one; numbers are taken for what they say, as ids of users often
// are numbers to a back-end.
func addressees(object []byte) Addressees {
	var to Addressees
	for key, value := range rawjson.Members(object) {
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "channels", "channel":
			to.Channels = appendNames(to.Channels, value)
		case "users", "user":
			to.Users = appendNames(to.Users, value)
		case "clients", "client":
			to.Clients = appendNames(to.Clients, value)
		case "nodes", "node":
			to.Nodes = appendNames(to.Nodes, value)
		}
	}
	return to
}

func appendNames(list []string, value []byte) []string {
	switch rawjson.KindOf(value) {
	case rawjson.String:
		return append(list, textOf(value))
	case rawjson.Number:
		return append(list, string(value))
	}
	for element := range rawjson.Elements(value) {
		switch rawjson.KindOf(element) {
		case rawjson.String:
			list = append(list, textOf(element))
		case rawjson.Number:
			list = append(list, string(element))
		}
	}
	return list
}

func textOf(value []byte) string {
	text, _ := rawjson.Text(value)
	return string(text)
}

func detailsOf(value []byte) []byte {
	if text, ok := rawjson.Text(value); ok {
		return text
	}
	return value
}

// ActionParts returns an action's type as it is written, nil when it has none, its last payload, and
// whether it has fields besides these. Both point into action.
func ActionParts(action []byte) (typ, payload []byte, more bool) {
	for key, value := range rawjson.Members(action) {
		switch name, _ := rawjson.Text(key); string(name) {
		case "type":
			if typ = nil; rawjson.KindOf(value) == rawjson.String {
				typ = value
			}
		case "payload":
			payload = value
		default:
			more = true
		}
	}
	return typ, payload, more
}

// WithoutType returns an object of an action's fields but its type, in their order and as they are
// written, in memory of its own.
func WithoutType(action []byte) []byte {
	fields := append(make([]byte, 0, len(action)), '{')
	for key, value := range rawjson.Members(action) {
		if rawjson.Equal(key, "type") {
			continue
		}
		if len(fields) > 1 {
			fields = append(fields, ',')
		}
		fields = append(append(append(fields, key...), ':'), value...)
	}
	return append(fields, '}')
}
