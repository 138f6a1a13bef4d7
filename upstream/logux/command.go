package logux

import "github.com/protocol-bridge/bridge/upstream/rawjson"

// Names of commands.
const (
	commandAuth   = "auth"
	commandAction = "action"
)

// Command is one command of a request taken apart. What it holds points into the text that it was
// decoded from; nothing is checked but where it stands.
type Command struct {
	// Name is "auth", "action", or another that the command has; nil when it has none.
	Name []byte
	// Array tells the form of versions 1 to 3 from that of version 4.
	Array bool

	// AuthID is the text of an auth command's id; nil when there is none. The others are JSON, nil when
	// absent: UserID and Token also when they are null.
	AuthID              []byte
	UserID, Token       []byte
	Subprotocol, Cookie []byte

	// Action and Meta are JSON of an action command; nil when absent.
	Action, Meta []byte
	// Headers is JSON of either; nil when absent.
	Headers []byte
}

// DecodeCommand takes a command apart: valid JSON in array or object form, told apart by its look.
func DecodeCommand(raw []byte) Command {
	if rawjson.KindOf(raw) == rawjson.Array {
		return commandOfArray(raw)
	}
	var c Command
	for key, value := range rawjson.Members(raw) {
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "command":
			c.Name, _ = rawjson.Text(value)
		case "authId":
			c.AuthID, _ = rawjson.Text(value)
		case "userId":
			c.UserID = present(value)
		case "token":
			c.Token = present(value)
		case "action":
			c.Action = value
		case "meta":
			c.Meta = value
		case "headers":
			c.Headers = value
		case "subprotocol":
			c.Subprotocol = value
		case "cookie":
			c.Cookie = value
		}
	}
	return c
}

func commandOfArray(raw []byte) Command {
	c := Command{Array: true}
	var parts [4][]byte
	n := 0
	for part := range rawjson.Elements(raw) {
		if n == len(parts) {
			break
		}
		parts[n] = part
		n++
	}
	switch c.Name, _ = rawjson.Text(parts[0]); string(c.Name) {
	case commandAction:
		c.Action, c.Meta = parts[1], parts[2]
	case commandAuth:
		c.UserID, c.Token = present(parts[1]), present(parts[2])
		c.AuthID, _ = rawjson.Text(parts[3])
	}
	return c
}

func present(value []byte) []byte {
	if rawjson.KindOf(value) == rawjson.Null {
		return nil
	}
	return value
}

// IsAuth reports whether it is an auth command.
func (c *Command) IsAuth() bool { return string(c.Name) == commandAuth }

// IsAction reports whether it is an action command.
func (c *Command) IsAction() bool { return string(c.Name) == commandAction }

// ID returns what answers to the command repeat, as text; nil when it is no complete command.
func (c *Command) ID() []byte {
	switch {
	case c.IsAuth():
		return c.AuthID
	case c.IsAction() && rawjson.KindOf(c.Action) == rawjson.Object:
		var id []byte
		for key, value := range rawjson.Members(c.Meta) {
			if rawjson.Equal(key, "id") {
				id, _ = rawjson.Text(value)
			}
		}
		return id
	}
	return nil
}

// commandID is the ID of a raw command.
func commandID(raw []byte) []byte {
	c := DecodeCommand(raw)
	return c.ID()
}

// Auth returns what an auth command says. A user id that is no string is none: servers of some versions
// send false. A subprotocol that is a number, as clients of version 5 have it, is made SemVer.
func (c *Command) Auth() Auth {
	a := Auth{ID: string(c.AuthID), Token: c.Token, Subprotocol: subprotocolOf(c.Subprotocol)}
	if rawjson.KindOf(c.Cookie) == rawjson.Object {
		a.Cookie = c.Cookie
	}
	if rawjson.KindOf(c.Headers) == rawjson.Object {
		a.Headers = c.Headers
	}
	if user, ok := rawjson.Text(c.UserID); ok {
		text := string(user)
		a.UserID = &text
	}
	return a
}

func subprotocolOf(value []byte) string {
	if rawjson.KindOf(value) != rawjson.Number {
		return textOf(value)
	}
	for _, c := range value {
		if c < '0' || c > '9' { // a fraction or an exponent: there is no such version
			return ""
		}
	}
	return string(value) + ".0.0"
}
