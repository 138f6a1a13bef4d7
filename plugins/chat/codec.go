package chat

import (
	"bytes"
	"iter"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// field is a key of a request.
type field int

// Keys of requests.
const (
	fType field = iota
	fSecondType
	fRoomType
	fLogin
	fPass
	fName
	fDesc
	fToken
	fRoomID
	fUserID
	fMessage
	fMsg
	fMsgID
	fMsgType
	fDate
	fCount
	fRoomName
	fSize
	fields
)

var fieldNames = [fields]string{
	fType: "type", fRoomType: "room_type", fLogin: "login", fPass: "pass", fName: "name", fDesc: "desc",
	fToken: "token", fRoomID: "room_id", fUserID: "user_id", fMessage: "message", fMsg: "msg", fMsgID: "msg_id",
	fMsgType: "msg_type", fDate: "date", fCount: "count", fRoomName: "room_name", fSize: "size",
}

var fieldOf = func() map[string]field {
	m := make(map[string]field, fields)
	for f, name := range fieldNames {
		if name != "" {
			m[name] = field(f)
		}
	}
	return m
}()

// request is what a client asks. Values point into its frame.
type request struct {
	kind  kind
	named bool // constants are names, as in the string form
	size  int  // bytes, with the line feed that it would have on a line
	lines bool // it came over TCP, where there are no names
	at    [fields][]byte
}

// requests yields the objects of a text frame: the frame itself, or each line of one that has several.
func requests(frame []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		if bytes.IndexByte(frame, '\n') < 0 || rawjson.Valid(frame) {
			yield(frame)
			return
		}
		for line := range bytes.SplitSeq(frame, []byte{'\n'}) {
			if len(bytes.TrimSpace(line)) > 0 && !yield(line) {
				return
			}
		}
	}
}

// parse reads a request. ok is false where there is none: no JSON object, or no type that could be one. Of
// a line (TCP) what follows the object is left alone.
func parse(text []byte, lines bool) (r request, ok bool) {
	r.size, r.lines = len(text)+1, lines
	if lines {
		text, _ = rawjson.Cut(text)
	}
	if !rawjson.Valid(text) || rawjson.KindOf(text) != rawjson.Object {
		return r, false
	}
	for key, value := range rawjson.Members(text) {
		name, ok := rawjson.Text(key)
		if !ok {
			continue
		}
		f, ok := fieldOf[string(name)]
		switch {
		case !ok:
		case r.at[f] == nil:
			r.at[f] = value
		case f == fType && r.at[fSecondType] == nil:
			r.at[fSecondType] = value
		}
	}
	return r, r.readType()
}

// readType finds out what is asked. A request for a new room may be written in three ways: with a second
// type, with room_type, or, since objects of most languages have a key once, with the room's type alone.
func (r *request) readType() bool {
	n, ok := r.constant(fType, kindEnum)
	if name, isText := r.text(fType); isText && !r.lines {
		r.named = true
		switch _, isRoom := roomTypes.number(name); {
		case isRoom:
			r.at[fSecondType] = r.at[fType]
			n, ok = int(rqNewRoom), true
		case name == searchMsg:
			n, ok = int(rqSearchMsgs), true
		}
	}
	r.kind = kind(n)
	return ok && n >= 0 && n < int(kinds)
}

// asNewRoom makes a request of type 0, 1 or 2 one for a new room of that type, where it can be nothing else
// of somebody who is logged in.
func (r *request) asNewRoom() {
	if r.kind > rqToken || r.at[fLogin] != nil || r.at[fPass] != nil || r.at[fToken] != nil {
		return
	}
	_, name := r.text(fName)
	_, desc := r.text(fDesc)
	if !name || !desc {
		return
	}
	if r.at[fSecondType] == nil {
		r.at[fSecondType] = strconv.AppendInt(nil, int64(r.kind), 10)
	}
	r.kind = rqNewRoom
}

// roomType is that of a new room.
func (r *request) roomType() (int, error) {
	f := fRoomType
	if r.at[f] == nil {
		f = fSecondType
	}
	if r.at[f] == nil {
		return globalRoom, nil
	}
	n, ok := r.constant(f, roomTypes)
	if name, isText := r.text(f); isText && name == kindNames[rqNewRoom] && !r.lines {
		n, ok = oldRoom, true
	}
	if n == oldRoom {
		n = globalRoom
	}
	if !ok || n < 0 || n >= len(roomTypes) {
		return 0, bad("The type of a room is 0, 1 or 2")
	}
	return n, nil
}

// constant reads a number or, but for TCP, the name of one.
func (r *request) constant(f field, of enum) (n int, ok bool) {
	if name, ok := r.text(f); ok && !r.lines {
		return of.number(name)
	}
	long, ok := r.integer(f)
	return int(long), ok
}

// text reads a string.
func (r *request) text(f field) (string, bool) {
	if r.at[f] == nil {
		return "", false
	}
	text, ok := rawjson.Text(r.at[f])
	return string(text), ok
}

// integer reads a number without a fraction.
func (r *request) integer(f field) (int64, bool) {
	raw := string(r.at[f])
	whole, fraction, _ := strings.Cut(raw, ".")
	if strings.Trim(fraction, "0") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	return n, err == nil
}

// string reads a string of so many bytes.
func (r *request) string(f field, least, most int) (string, error) {
	s, ok := r.text(f)
	switch {
	case !ok:
		return "", bad(fieldNames[f] + " is not a string")
	case strings.IndexByte(s, 0) >= 0:
		return "", bad(fieldNames[f] + " has a zero byte")
	case len(s) < least || r.length(s) > most:
		return "", bad(fieldNames[f] + " needs " + strconv.Itoa(least) + " to " + strconv.Itoa(most) + " bytes")
	}
	return s, nil
}

// length is how many bytes the client sent. The original's client cuts a long text at a byte, which may be
// in the middle of a character: the core wrote U+FFFD, which is longer, for what is left of that.
func (r *request) length(s string) int {
	if r.lines && strings.HasSuffix(s, "\uFFFD") {
		return len(s) - len("\uFFFD") + 1
	}
	return len(s)
}

// optional is string for a key that may be absent; then it is empty.
func (r *request) optional(f field, most int) (string, error) {
	if r.at[f] == nil {
		return "", nil
	}
	return r.string(f, 0, most)
}

// stripped reads a message's text: what is left of it without white space around.
func (r *request) stripped(f field) (string, error) {
	s, ok := r.text(f)
	if !ok {
		return "", bad(fieldNames[f] + " is not a string")
	}
	s = strings.Trim(s, " \t\n\v\f\r")
	if len(s) > maxText && r.length(s) <= maxText { // what is left of a character that was cut
		s = strings.TrimSuffix(s, "\uFFFD")
	}
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return "", bad(fieldNames[f] + " has a zero byte")
	case s == "" || r.length(s) > maxText:
		return "", bad(fieldNames[f] + " needs 1 to " + strconv.Itoa(maxText) + " bytes that are not white space")
	}
	return s, nil
}

// id reads the id of a room, message or user.
func (r *request) id(f field) (int64, error) {
	n, ok := r.integer(f)
	if !ok || n <= 0 || n > maxID {
		return 0, bad(fieldNames[f] + " is not an id")
	}
	return n, nil
}

// int reads an integer.
func (r *request) int(f field) (int64, error) {
	n, ok := r.integer(f)
	if !ok {
		return 0, bad(fieldNames[f] + " is not an integer")
	}
	return n, nil
}
