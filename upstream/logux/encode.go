package logux

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Versions of the protocol that a [Codec] speaks.
const (
	MinVersion = 1
	MaxVersion = 4
)

// Codec writes requests in one version of the protocol. It is immutable and safe for concurrent use.
type Codec struct {
	version int
	head    string // of the body, up to and with the bracket of commands
}

// NewCodec returns the codec of a version, with the secret it puts into each request. Version 4
// writes commands as objects, the others as arrays. Versions 1 and 2 get the secret under the name
// password as well: that is what their products read.
func NewCodec(version int, secret string) (*Codec, error) {
	if version < MinVersion || version > MaxVersion {
		return nil, fmt.Errorf("version %d of the Logux back-end protocol is not known, only %d to %d",
			version, MinVersion, MaxVersion)
	}
	head := append([]byte(`{"version":`), strconv.Itoa(version)...)
	if version <= 2 {
		head = rawjson.AppendString(append(head, `,"password":`...), secret)
	}
	head = rawjson.AppendString(append(head, `,"secret":`...), secret)
	return &Codec{version: version, head: string(head) + `,"commands":[`}, nil
}

// Version is the version it writes.
func (c *Codec) Version() int { return c.version }

// Begin appends the beginning of a body. Commands follow, with commas between them, then End.
func (c *Codec) Begin(dst []byte) []byte { return append(dst, c.head...) }

// End appends the end of a body.
func (c *Codec) End(dst []byte) []byte { return append(dst, "]}"...) }

// AppendBody appends the whole body that asks some questions; [Check] must have accepted each.
func (c *Codec) AppendBody(dst []byte, reqs ...*upstream.Request) []byte {
	dst = c.Begin(dst)
	for i, req := range reqs {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.AppendRequest(dst, req)
	}
	return c.End(dst)
}

// AppendAction appends an action command. action and meta are JSON objects, written as they are;
// headers, an object too, is for version 4, where nil means {}.
func (c *Codec) AppendAction(dst, action, meta, headers []byte) []byte {
	if c.version < 4 {
		dst = append(append(dst, `["action",`...), action...)
		return append(append(append(dst, ','), meta...), ']')
	}
	dst = append(append(dst, `{"command":"action","action":`...), action...)
	dst = append(append(dst, `,"meta":`...), meta...)
	return appendHeaders(dst, headers)
}

func appendHeaders(dst, headers []byte) []byte {
	dst = append(dst, `,"headers":`...)
	if headers == nil {
		headers = []byte("{}")
	}
	return append(append(dst, headers...), '}')
}

// Auth is what an auth command says.
type Auth struct {
	// ID is unique for the question, by custom 21 characters of A-Za-z0-9_-; the answer repeats it.
	ID string
	// UserID and Token are left out when the client gave none: nil. Token is JSON, by custom a
	// string, which it must be from version 3 on.
	UserID *string
	Token  []byte
	// Subprotocol is SemVer; empty means "0.0.0". It, Cookie and Headers are for version 4. The two
	// are JSON objects; nil means {}.
	Subprotocol     string
	Cookie, Headers []byte
}

// AppendAuth appends an auth command.
func (c *Codec) AppendAuth(dst []byte, a *Auth) []byte {
	if c.version < 4 {
		dst = append(dst, `["auth",`...)
		if a.UserID != nil {
			dst = rawjson.AppendString(dst, *a.UserID)
		} else {
			dst = append(dst, "null"...)
		}
		dst = append(dst, ',')
		if a.Token != nil {
			dst = append(dst, a.Token...)
		} else {
			dst = append(dst, "null"...)
		}
		return append(rawjson.AppendString(append(dst, ','), a.ID), ']')
	}
	dst = rawjson.AppendString(append(dst, `{"command":"auth","authId":`...), a.ID)
	if a.UserID != nil {
		dst = rawjson.AppendString(append(dst, `,"userId":`...), *a.UserID)
	}
	if a.Token != nil {
		dst = append(append(dst, `,"token":`...), a.Token...)
	}
	subprotocol := a.Subprotocol
	if subprotocol == "" {
		subprotocol = "0.0.0"
	}
	dst = rawjson.AppendString(append(dst, `,"subprotocol":`...), subprotocol)
	dst = append(dst, `,"cookie":`...)
	if a.Cookie == nil {
		dst = append(dst, "{}"...)
	} else {
		dst = append(dst, a.Cookie...)
	}
	return appendHeaders(dst, a.Headers)
}

// Errors of [Check].
var (
	ErrUser    = errors.New("a Logux back-end cannot tell this user: the id is \"server\" or holds a colon, white space or a control character")
	ErrType    = errors.New("types that begin with logux/ are Logux' own")
	ErrPayload = errors.New("the payload is not JSON")
	ErrCommand = errors.New("the raw command is neither an action nor an auth command with an id")
)

// Check reports whether a Logux back-end can be asked a question, so that nothing in it passes for
// something else there. The error is ErrUser, ErrType, ErrPayload or ErrCommand. Of a raw command it notes in
// req what need not be read again.
func Check(req *upstream.Request) error {
	if req.Raw != nil {
		if !rawjson.Valid(req.Raw) {
			return ErrCommand
		}
		c := DecodeCommand(req.Raw)
		if req.RawID, req.RawArray = c.ID(), c.Array; req.RawID == nil {
			return ErrCommand
		}
		return nil
	}
	if err := CheckUser(req.UserID); err != nil {
		return err
	}
	if req.Purpose != "subscribe" && strings.HasPrefix(req.Type, "logux/") {
		return ErrType
	}
	if req.Payload != nil && !rawjson.Valid(req.Payload) {
		return ErrPayload
	}
	return nil
}

// CheckUser reports whether a Logux back-end can tell a user by an id; an empty one is nobody, whom it
// can tell. The error is ErrUser.
func CheckUser(id string) error {
	// The back-end takes what stands before the first colon of a node id for the user.
	if id == "server" || strings.ContainsFunc(id, unfitForID) {
		return ErrUser
	}
	return nil
}

func unfitForID(r rune) bool {
	return r == ':' || r == utf8.RuneError || unicode.IsSpace(r) || unicode.IsControl(r)
}

// AppendRequest appends the command that asks a question. A message becomes the action
// {"type","payload"}, a subscription logux/subscribe with the channel; the action's id is
// "<Time> <UserID>:<Session>:bridge <Number>". A raw command is passed on, in the codec's version.
func (c *Codec) AppendRequest(dst []byte, req *upstream.Request) []byte {
	if req.Raw != nil {
		if req.RawID != nil && req.RawArray == (c.version < 4) {
			return append(dst, req.Raw...)
		}
		return c.appendRaw(dst, req.Raw)
	}
	if c.version < 4 {
		dst = append(dst, `["action",{"type":`...)
	} else {
		dst = append(dst, `{"command":"action","action":{"type":`...)
	}
	if req.Purpose == "subscribe" {
		dst = append(dst, `"logux/subscribe","channel":`...)
		dst = rawjson.AppendString(dst, req.Channel)
	} else {
		dst = rawjson.AppendString(dst, req.Type)
		if req.Payload != nil {
			dst = append(append(dst, `,"payload":`...), req.Payload...)
		}
	}
	if c.version < 4 {
		dst = append(dst, `},{"id":"`...)
	} else {
		dst = append(dst, `},"meta":{"id":"`...)
	}
	from := len(dst)
	dst = appendID(dst, req)
	// A user id may hold what JSON must escape; that is rare enough to look for afterwards.
	for _, c := range dst[from:] {
		if c == '"' || c == '\\' || c >= 0x80 {
			id := string(dst[from:])
			dst = rawjson.AppendString(dst[:from-1], id)
			dst = dst[:len(dst)-1]
			break
		}
	}
	dst = append(dst, `","time":`...)
	dst = strconv.AppendInt(dst, req.Time, 10)
	if c.version < 4 {
		return append(dst, "}]"...)
	}
	return append(dst, `},"headers":{}}`...)
}

// appendID appends the id of the action that asks a question, unescaped.
func appendID(dst []byte, req *upstream.Request) []byte {
	dst = append(strconv.AppendInt(dst, req.Time, 10), ' ')
	dst = append(append(dst, req.UserID...), ':')
	dst = append(append(dst, req.Session...), ":bridge "...)
	return strconv.AppendUint(dst, req.Number, 10)
}

// appendRaw appends a command in the codec's form, whatever form it has.
func (c *Codec) appendRaw(dst, raw []byte) []byte {
	r := DecodeCommand(raw)
	if r.Array == (c.version < 4) {
		return append(dst, raw...)
	}
	if string(r.Name) == "action" {
		return c.AppendAction(dst, r.Action, r.Meta, r.Headers)
	}
	a := r.Auth()
	return c.AppendAuth(dst, &a)
}
