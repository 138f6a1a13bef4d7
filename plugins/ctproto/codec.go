package ctproto

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"strconv"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// message is a client's message. Payload points into the frame.
type message struct {
	id      string
	typ     string
	payload []byte
}

// formatError is the text of an error message about a frame; it leaves the connection open.
type formatError string

func (e formatError) Error() string { return string(e) }

// errNotJSON closes the connection.
var errNotJSON = errors.New("not JSON")

// What is wrong with a frame, in the order in which it is looked at.
const (
	idMissed      formatError = "Message Format Error: 'messageId' field missed"
	typeMissed    formatError = "Message Format Error: 'type' field missed"
	payloadMissed formatError = "Message Format Error: 'payload' field missed"
	idKind        formatError = "Message Format Error: 'messageId' should be a string"
	typeKind      formatError = "Message Format Error: 'type' should be a string"
	payloadKind   formatError = "Message Format Error: 'payload' should be an object"
	idInvalid     formatError = "Message Format Error: Invalid message id"
)

// decode reads a text frame. Members are looked up by their exact names, of duplicates the last
// counts. strict refuses a payload that is null or an array. The error is errNotJSON or a
// formatError.
func decode(frame []byte, strict bool) (m message, err error) {
	f, ok := scan(frame)
	if !ok {
		return m, errNotJSON
	}
	switch {
	case f.id == nil:
		return m, idMissed
	case f.typ == nil:
		return m, typeMissed
	case f.payload == nil:
		return m, payloadMissed
	}
	id, ok := text(f.id)
	if !ok {
		return m, idKind
	}
	typ, ok := text(f.typ)
	if !ok {
		return m, typeKind
	}
	switch f.payload[0] {
	case '{':
	case '[', 'n':
		if strict {
			return m, payloadKind
		}
	default:
		return m, payloadKind
	}
	if !validID(id) {
		return m, idInvalid
	}
	return message{id, typ, f.payload}, nil
}

// text returns what a valid JSON string says, as valid UTF-8; ok is false for what is no string.
func text(raw []byte) (s string, ok bool) {
	if raw[0] != '"' {
		return "", false
	}
	for _, c := range raw {
		if c == '\\' || c >= utf8.RuneSelf {
			return unquote(raw)
		}
	}
	return string(raw[1 : len(raw)-1]), true
}

func unquote(raw []byte) (s string, ok bool) {
	err := json.Unmarshal(raw, &s) // replaces what is no character
	return s, err == nil
}

// escaped notes a member whose name is written with escapes.
func (m *members) escaped(name, value []byte) {
	if s, ok := text(name); ok {
		switch s {
		case "messageId":
			m.id = value
		case "type":
			m.typ = value
		case "payload":
			m.payload = value
		}
	}
}

const idLength = 10

// alphabet is that of message ids; its length is a power of two.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

func validID(id string) bool {
	if len(id) != idLength {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// appendFreshID appends a new message id.
func appendFreshID(dst []byte) []byte {
	var random [idLength]byte
	_, _ = rand.Read(random[:]) // it never fails
	for _, b := range random {
		dst = append(dst, alphabet[b&63])
	}
	return dst
}

// appendResponse appends the response to the message with that id.
func appendResponse(dst []byte, id string, payload []byte) []byte {
	dst = append(dst, `{"messageId":"`...)
	dst = append(dst, id...) // needs no escapes
	dst = append(dst, `","payload":`...)
	dst = append(dst, payload...)
	return append(dst, '}')
}

// appendNew appends a new message without its id, and returns where the id goes.
func appendNew(dst []byte, typ string, payload []byte) (frame []byte, idAt int) {
	dst = append(dst, `{"type":`...)
	dst = rawjson.AppendString(dst, typ)
	dst = append(dst, `,"payload":`...)
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	dst = append(dst, payload...)
	dst = append(dst, `,"messageId":"`...)
	idAt = len(dst)
	return append(dst, `"}`...), idAt
}

// appendUpdate appends a new message with a fresh id.
func appendUpdate(dst []byte, typ string, payload []byte) []byte {
	dst, _ = appendNew(dst, typ, payload)
	dst = appendFreshID(dst[:len(dst)-2])
	return append(dst, `"}`...)
}

// appendError appends an error message with a fresh id.
func appendError(dst []byte, text string) []byte {
	payload := append(rawjson.AppendString([]byte(`{"error":`), text), '}')
	return appendUpdate(dst, "error", payload)
}

// falsy says whether JavaScript takes the JSON value for false: then there is no response.
func falsy(payload []byte) bool {
	switch string(payload) {
	case "", "null", "false", `""`:
		return true
	}
	if c := payload[0]; c != '-' && (c < '0' || c > '9') {
		return false
	}
	n, _ := strconv.ParseFloat(string(payload), 64) // out of range is not nothing
	return n == 0
}
