package ctproto

import (
	"crypto/rand"
	"errors"
	"strconv"

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
	if !rawjson.Valid(frame) {
		return m, errNotJSON
	}
	var id, typ, payload []byte
	for key, value := range rawjson.Members(frame) {
		name, _ := rawjson.Text(key)
		switch string(name) {
		case "messageId":
			id = value
		case "type":
			typ = value
		case "payload":
			payload = value
		}
	}
	switch {
	case id == nil:
		return m, idMissed
	case typ == nil:
		return m, typeMissed
	case payload == nil:
		return m, payloadMissed
	}
	idText, ok := rawjson.Text(id)
	if !ok {
		return m, idKind
	}
	typeText, ok := rawjson.Text(typ)
	if !ok {
		return m, typeKind
	}
	switch kind := rawjson.KindOf(payload); {
	case kind == rawjson.Object:
	case !strict && (kind == rawjson.Array || kind == rawjson.Null):
	default:
		return m, payloadKind
	}
	if !validID(idText) {
		return m, idInvalid
	}
	return message{string(idText), string(typeText), payload}, nil
}

const idLength = 10

// alphabet is that of message ids; its length is a power of two.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

func validID(id []byte) bool {
	if len(id) != idLength {
		return false
	}
	for _, c := range id {
		switch {
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
	n, _ := strconv.ParseFloat(string(payload), 64) //nolint:errcheck // out of range is not nothing
	return n == 0
}
