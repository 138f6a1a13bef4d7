package logux

import (
	"errors"
	"strings"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// ErrControl is the error of [CheckControl] for a raw command.
var ErrControl = errors.New("a Logux server takes action commands alone, each with an action that has a type and a meta")

// CheckControl reports whether a question can be put to the control endpoint of a Logux server. Raw
// is one command, or a JSON array of commands, which the server takes or refuses as one. Unlike those
// for a back-end they need no id. The error is ErrType, ErrPayload or ErrControl.
func CheckControl(req *upstream.Request) error {
	if req.Raw == nil {
		return CheckMessage(req.Type, req.Payload)
	}
	if !rawjson.Valid(req.Raw) {
		return ErrControl
	}
	if !isList(req.Raw) {
		return checkCommand(req.Raw)
	}
	for raw := range rawjson.Elements(req.Raw) {
		if err := checkCommand(raw); err != nil {
			return err
		}
	}
	return nil
}

// CheckMessage reports whether a message can be handed to Logux clients: payload is JSON or nil. The
// error is ErrType or ErrPayload.
func CheckMessage(typ string, payload []byte) error {
	if strings.HasPrefix(typ, "logux/") {
		return ErrType
	}
	if payload != nil && !rawjson.Valid(payload) {
		return ErrPayload
	}
	return nil
}

func checkCommand(raw []byte) error {
	r := DecodeCommand(raw)
	if typ, _, _ := ActionParts(r.Action); string(r.Name) != "action" || typ == nil || rawjson.KindOf(r.Meta) != rawjson.Object {
		return ErrControl
	}
	return nil
}

// isList tells a list of commands from one command in the form of an array, which begins with its
// name.
func isList(raw []byte) bool {
	if rawjson.KindOf(raw) != rawjson.Array {
		return false
	}
	for first := range rawjson.Elements(raw) {
		return rawjson.KindOf(first) != rawjson.String
	}
	return true
}

// AppendControl appends the commands of a question to a Logux server; [CheckControl] must have
// accepted it. A message becomes the action {"type","payload"} for the clients on its channel, or for
// nobody where it has none. Raw commands are passed on, in the codec's version.
func (c *Codec) AppendControl(dst []byte, req *upstream.Request) []byte {
	switch {
	case req.Raw == nil && req.Channel == "":
		return c.AppendMessage(dst, nil, req.Type, req.Payload)
	case req.Raw == nil:
		return c.AppendMessage(dst, []string{req.Channel}, req.Type, req.Payload)
	case !isList(req.Raw):
		return c.appendCommand(dst, req.Raw)
	}
	from := len(dst)
	for raw := range rawjson.Elements(req.Raw) {
		if len(dst) > from {
			dst = append(dst, ',')
		}
		dst = c.appendCommand(dst, raw)
	}
	return dst
}

// AppendMessage appends the command that has a Logux server hand the action {"type","payload"} to the
// clients on some channels. payload is JSON that [CheckMessage] accepted; nil means none.
func (c *Codec) AppendMessage(dst []byte, channels []string, typ string, payload []byte) []byte {
	if c.version < 4 {
		dst = append(dst, `["action",{"type":`...)
	} else {
		dst = append(dst, `{"command":"action","action":{"type":`...)
	}
	dst = rawjson.AppendString(dst, typ)
	if payload != nil {
		dst = append(append(dst, `,"payload":`...), payload...)
	}
	if c.version < 4 {
		dst = append(dst, "},{"...)
	} else {
		dst = append(dst, `},"meta":{`...)
	}
	for i, channel := range channels {
		if i == 0 {
			dst = append(dst, `"channels":[`...)
		} else {
			dst = append(dst, ',')
		}
		dst = rawjson.AppendString(dst, channel)
	}
	if len(channels) > 0 {
		dst = append(dst, ']')
	}
	if c.version < 4 {
		return append(dst, "}]"...)
	}
	return append(dst, "}}"...)
}

// appendCommand appends an action command in the codec's form, whatever form it has.
func (c *Codec) appendCommand(dst, raw []byte) []byte {
	r := DecodeCommand(raw)
	meta, changed := plainMeta(r.Meta)
	switch {
	case r.Array == (c.version < 4) && !changed:
		return append(dst, raw...)
	case c.version < 4:
		return c.AppendAction(dst, r.Action, meta, nil)
	}
	dst = append(append(dst, `{"command":"action","action":`...), r.Action...)
	return append(append(append(dst, `,"meta":`...), meta...), '}')
}

// plainMeta is a meta as servers of all versions read it: with lists of strings, where it has a name alone
// or a number, and with a time that is a number. One that is so is not changed.
func plainMeta(meta []byte) (_ []byte, changed bool) {
	plain := true
	for key, value := range rawjson.Members(meta) {
		name, _ := rawjson.Text(key)
		plain = plain && isPlainMember(string(name), value)
	}
	if plain {
		return meta, false
	}
	out := []byte{'{'}
	for key, value := range rawjson.Members(meta) {
		name, _ := rawjson.Text(key)
		if isAddressee(string(name)) {
			continue
		}
		if text, ok := rawjson.Text(value); ok && string(name) == "time" && rawjson.KindOf(text) == rawjson.Number && rawjson.Valid(text) {
			value = text
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(out, key...), ':'), value...)
	}
	if to := addressees(meta); !to.Empty() {
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = to.appendMembers(out)
	}
	return append(out, '}'), true
}

func isPlainMember(name string, value []byte) bool {
	switch name {
	case "channel", "user", "client", "node":
		return false
	case "channels", "users", "clients", "nodes":
		for element := range rawjson.Elements(value) {
			if rawjson.KindOf(element) != rawjson.String {
				return false
			}
		}
		return rawjson.KindOf(value) == rawjson.Array
	case "time":
		return rawjson.KindOf(value) != rawjson.String
	}
	return true
}

func isAddressee(name string) bool {
	switch name {
	case "channel", "user", "client", "node", "channels", "users", "clients", "nodes":
		return true
	}
	return false
}
