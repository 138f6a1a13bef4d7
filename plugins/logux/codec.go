package logux

import (
	"strconv"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Versions of the WebSocket protocol that clients may speak.
const (
	minVersion     = 3
	headersVersion = 4 // the first that knows headers
	numberVersion  = 5 // the first in which a subprotocol is a number
	maxVersion     = 5
)

// kind is what a message of a client is.
type kind uint8

const (
	kindUnknown kind = iota
	kindConnect
	kindConnected
	kindHeaders
	kindPing
	kindPong
	kindSync
	kindSynced
	kindError
	kindDebug
	kindDuilian
)

var kinds = map[string]kind{
	"connect": kindConnect, "connected": kindConnected, "headers": kindHeaders, "ping": kindPing, "pong": kindPong,
	"sync": kindSync, "synced": kindSynced, "error": kindError, "debug": kindDebug, "duilian": kindDuilian,
}

// message is a client's message. Its slices point into the frame.
type message struct {
	kind kind
	// added is what stands behind the name of ping, pong, sync and synced, as a number is written.
	added []byte
	// pairs are the actions and metas of a sync, up to the end of the frame.
	pairs []byte
	// object are the headers.
	object []byte
	// text is what stands in an error or a debug.
	text    []byte
	connect connectMessage
}

// connectMessage is what a connect says.
type connectMessage struct {
	version     []byte // a number
	node        string
	synced      []byte // a number
	token       []byte // a text; nil: none
	subprotocol []byte // a string or a number; nil: none
}

// protocolError is an error that a client is told of, and that ends its connection.
type protocolError struct {
	typ     string
	options []byte // JSON; nil: none
}

func (e *protocolError) Error() string { return e.typ }

// append appends the message.
func (e *protocolError) append(dst []byte) []byte {
	dst = rawjson.AppendString(append(dst, `["error",`...), e.typ)
	if e.options != nil {
		dst = append(append(dst, ','), e.options...)
	}
	return append(dst, ']')
}

// maxQuoted is how much of a wrong message a client is shown.
const maxQuoted = 1 << 10

func quoted(text []byte) []byte {
	if len(text) > maxQuoted {
		n := maxQuoted
		for n > 0 && !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	return rawjson.AppendString(nil, string(text))
}

func wrongMessage(frame []byte) *protocolError { return &protocolError{"wrong-format", quoted(frame)} }

// decode reads a frame. The error is a *protocolError. Metas of a sync are checked for everything that
// does not depend on the connection.
func decode(frame []byte) (m message, fault *protocolError) {
	if !utf8.Valid(frame) || !rawjson.Valid(frame) || rawjson.KindOf(frame) != rawjson.Array {
		return m, wrongMessage(frame)
	}
	// The first few elements; a sync has any number of them.
	var parts [5][]byte
	n := 0
	rest := body(frame)
	first, rest := rawjson.CutElement(rest)
	name, ok := rawjson.Text(first)
	if !ok {
		return m, wrongMessage(frame)
	}
	if m.kind = kinds[string(name)]; m.kind == kindUnknown {
		return m, &protocolError{"unknown-message", quoted(name)}
	}
	if m.kind == kindSync {
		m.added, m.pairs = rawjson.CutElement(rest)
		ok = isNumber(m.added) && validPairs(m.pairs)
	} else {
		for element := range rawjson.Elements(frame) {
			if n == len(parts) {
				return m, wrongMessage(frame)
			}
			parts[n] = element
			n++
		}
		ok = m.take(parts[1:n])
	}
	if !ok {
		return m, wrongMessage(frame)
	}
	return m, nil
}

// body is a valid array behind its bracket.
func body(array []byte) []byte {
	for i, c := range array {
		if c == '[' {
			return array[i+1:]
		}
	}
	return nil
}

// take reads what follows the name of any message but a sync.
func (m *message) take(parts [][]byte) bool {
	switch m.kind {
	case kindConnect:
		return m.connect.take(parts)
	case kindConnected:
		return len(parts) == 3 || len(parts) == 4 // it is wrong in any form
	case kindHeaders:
		if len(parts) != 1 || rawjson.KindOf(parts[0]) != rawjson.Object {
			return false
		}
		m.object = parts[0]
	case kindPing, kindPong, kindSynced:
		if len(parts) != 1 || !isNumber(parts[0]) {
			return false
		}
		m.added = parts[0]
	case kindError:
		if len(parts) != 1 && len(parts) != 2 {
			return false
		}
		var ok bool
		m.text, ok = rawjson.Text(parts[0])
		return ok
	case kindDebug:
		if len(parts) != 2 || !rawjson.Equal(parts[0], "error") {
			return false
		}
		var ok bool
		m.text, ok = rawjson.Text(parts[1])
		return ok
	case kindDuilian:
		return len(parts) == 1 && rawjson.KindOf(parts[0]) == rawjson.String
	case kindUnknown, kindSync:
	}
	return true
}

func (c *connectMessage) take(parts [][]byte) bool {
	if len(parts) != 3 && len(parts) != 4 {
		return false
	}
	node, ok := rawjson.Text(parts[1])
	if !ok || !isNumber(parts[0]) || !isNumber(parts[2]) || !validNode(string(node)) {
		return false
	}
	c.version, c.node, c.synced = parts[0], string(node), parts[2]
	if len(parts) == 3 {
		return true
	}
	if rawjson.KindOf(parts[3]) != rawjson.Object {
		return false
	}
	for key, value := range rawjson.Members(parts[3]) {
		switch name, _ := rawjson.Text(key); string(name) {
		case "token":
			if c.token, ok = rawjson.Text(value); !ok {
				return false
			}
		case "subprotocol":
			if _, ok := semverOf(value); !ok {
				return false
			}
			c.subprotocol = value
		}
	}
	return true
}

func isNumber(raw []byte) bool { return rawjson.KindOf(raw) == rawjson.Number }

// validPairs says whether what follows the number of a sync is actions and metas in turn.
func validPairs(rest []byte) bool {
	for {
		action, meta, next := cutPair(rest)
		if action == nil {
			return meta == nil
		}
		if typ, _, _ := logux.ActionParts(action); typ == nil || !validMeta(meta) {
			return false
		}
		rest = next
	}
}

// cutPair cuts an action and its meta off; action is nil behind the last. A lone element is a meta.
func cutPair(pairs []byte) (action, meta, rest []byte) {
	action, rest = rawjson.CutElement(pairs)
	if len(action) == 0 {
		return nil, nil, rest
	}
	meta, rest = rawjson.CutElement(rest)
	if len(meta) == 0 {
		return nil, action, rest
	}
	return action, meta, rest
}

func validMeta(raw []byte) bool {
	_, ok := readMeta(raw, connection{})
	return ok
}

// connection is what the ids and times of a connection's messages are relative to.
type connection struct {
	base int64  // ms
	node string // id of the client's node
}

// clientMeta is the meta of an action as a client sends it.
type clientMeta struct {
	id          actionID
	time        moment
	subprotocol []byte // JSON: a string or a number; nil: none
	illegal     bool   // it has a key that a client may not send
}

// readMeta reads a valid JSON value; ok is false when it is none for a meta.
func readMeta(raw []byte, conn connection) (m clientMeta, ok bool) {
	if rawjson.KindOf(raw) != rawjson.Object {
		return m, false
	}
	hasID, hasTime := false, false
	for key, value := range rawjson.Members(raw) {
		switch name, _ := rawjson.Text(key); string(name) {
		case "id":
			if m.id, ok = expandID(value, conn); !ok {
				return m, false
			}
			hasID = true
		case "time":
			if m.time, ok = shifted(value, conn.base); !ok {
				return m, false
			}
			hasTime = true
		case "subprotocol":
			if _, ok := semverOf(value); !ok {
				return m, false
			}
			m.subprotocol = value
		default:
			m.illegal = true
		}
	}
	return m, hasID && hasTime
}

// shifted is a number of a message as a time.
func shifted(raw []byte, base int64) (moment, bool) {
	m, ok := parseMoment(raw)
	if !ok {
		return 0, false
	}
	m += millis(base)
	return m, m >= -millis(mostMillis) && m <= millis(mostMillis)
}

// expandID reads one of the three short forms of an id.
func expandID(raw []byte, conn connection) (id actionID, ok bool) {
	if rawjson.KindOf(raw) == rawjson.Number {
		id.ms, ok = shifted(raw, conn.base)
		id.node, id.counter = conn.node, "0"
		return id, ok
	}
	if rawjson.KindOf(raw) != rawjson.Array {
		return id, false
	}
	var parts [3][]byte
	n := 0
	for part := range rawjson.Elements(raw) {
		if n == len(parts) {
			return id, false
		}
		parts[n] = part
		n++
	}
	if n < 2 || !isNumber(parts[0]) {
		return id, false
	}
	if id.ms, ok = shifted(parts[0], conn.base); !ok {
		return id, false
	}
	id.node = conn.node
	if n == 3 {
		node, ok := rawjson.Text(parts[1])
		if !ok || !validNode(string(node)) {
			return id, false
		}
		id.node = string(node)
	}
	id.counter, ok = plainNumber(parts[n-1])
	return id, ok
}

// appendShort appends the shortest form of an id of this server.
func appendShort(dst []byte, ms, base int64, counter int) []byte {
	if counter == 0 {
		return strconv.AppendInt(dst, ms-base, 10)
	}
	dst = strconv.AppendInt(append(dst, '['), ms-base, 10)
	dst = strconv.AppendInt(append(dst, ','), int64(counter), 10)
	return append(dst, ']')
}
