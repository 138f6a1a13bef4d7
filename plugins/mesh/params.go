package mesh

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strconv"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// params are the members of an object as they are written, of duplicates the last.
type params map[string][]byte

func paramsOf(raw []byte) (params, *fault) {
	if rawjson.KindOf(raw) != rawjson.Object {
		return nil, invalid("the parameters are no object")
	}
	o := make(params)
	for key, value := range rawjson.Members(raw) {
		name, _ := rawjson.Text(key)
		o[string(name)] = value
	}
	return o, nil
}

// data is what goes to end users.
type data struct {
	bytes  []byte // not nil
	binary bool
}

// data reads d and t.
func (o params) data(most int) (data, *fault) {
	text, ok := rawjson.Text(o["d"])
	if !ok {
		return data{}, invalid("d is no string")
	}
	d := data{bytes: text}
	switch t := o["t"]; {
	case t == nil, rawjson.KindOf(t) == rawjson.Null, rawjson.Equal(t, frameText):
	case rawjson.Equal(t, frameBinary):
		d.binary = true
		if d.bytes, ok = fromBase64(text); !ok {
			return data{}, invalid("d is not base64")
		}
	default:
		return data{}, invalid(`t is neither "text" nor "binary"`)
	}
	if len(d.bytes) > most {
		return data{}, invalid("d is too large")
	}
	return d, nil
}

// fromBase64 reads RFC 4648, section 4, padded or not.
func fromBase64(text []byte) ([]byte, bool) {
	if bytes.ContainsAny(text, "\r\n") { // which the decoder passes over
		return nil, false
	}
	encoding := base64.RawStdEncoding
	if bytes.HasSuffix(text, []byte("=")) {
		encoding = base64.StdEncoding
	}
	out := make([]byte, encoding.DecodedLen(len(text)))
	n, err := encoding.Strict().Decode(out, text)
	return out[:n], err == nil
}

func (d data) frames() []sdk.OutFrame {
	return []sdk.OutFrame{{Data: d.bytes, Binary: d.binary}}
}

// client reads c of a send: a string or an integer, whose digits are never anything else.
func (o params) client() (uint64, *fault) {
	raw := o["c"]
	digits, isText := rawjson.Text(raw)
	if !isText {
		digits = raw
	}
	const most = 19
	if len(digits) == 0 || len(digits) > most || slices.ContainsFunc(digits, func(c byte) bool { return c < '0' || c > '9' }) {
		return 0, invalid("c is no client id")
	}
	id, err := strconv.ParseUint(string(digits), 10, 63)
	if err != nil || id == 0 {
		return 0, invalid("c is no client id")
	}
	return id, nil
}

// channel reads c of a publish.
func (o params) channel() (string, *fault) {
	name, ok := rawjson.Text(o["c"])
	if !ok || sdk.CheckChannel(string(name)) != nil {
		return "", invalid("c is no channel")
	}
	return string(name), nil
}

// names reads an array of the names of channels or topics, of which there is one at least; each comes once.
func names(raw []byte) ([]string, *fault) {
	bad := invalid("names are not empty, without white space and control characters, and have at most 255 bytes")
	if rawjson.KindOf(raw) != rawjson.Array {
		return nil, invalid("the names are no array")
	}
	var list []string
	seen := make(map[string]bool)
	for element := range rawjson.Elements(raw) {
		name, ok := rawjson.Text(element)
		if !ok || sdk.CheckChannel(string(name)) != nil {
			return nil, bad
		}
		if !seen[string(name)] {
			seen[string(name)] = true
			list = append(list, string(name))
		}
	}
	if len(list) == 0 {
		return nil, invalid("there is no name")
	}
	return list, nil
}

// send reads the parameters of mesh.send.
func (p *Plugin) readSend(raw []byte) (sdk.Target, *fault) {
	o, f := paramsOf(raw)
	if f != nil {
		return nil, f
	}
	id, f := o.client()
	if f != nil {
		return nil, f
	}
	d, f := o.data(int(p.config.MaxMessage))
	if f != nil {
		return nil, f
	}
	return sdk.Act{Session: id, Role: roleClient, Action: sdk.Action{Frames: d.frames()}}, nil
}

// readPublish reads those of mesh.publish.
func (p *Plugin) readPublish(raw []byte) (sdk.Target, *fault) {
	o, f := paramsOf(raw)
	if f != nil {
		return nil, f
	}
	channel, f := o.channel()
	if f != nil {
		return nil, f
	}
	d, f := o.data(int(p.config.MaxMessage))
	if f != nil {
		return nil, f
	}
	return sdk.Counted{Channels: []string{channel}, Message: messageOf(d), Frames: d.frames()}, nil
}

// readCall reads those of conn.call. An older form has them in an array.
func readCall(raw []byte) (sdk.Target, *fault) {
	if list := slices.Collect(rawjson.Elements(raw)); len(list) == 1 {
		raw = list[0]
	}
	o, f := paramsOf(raw)
	if f != nil {
		return nil, f
	}
	id, f := o.client()
	if f != nil {
		return nil, f
	}
	function, ok := rawjson.Text(o["f"])
	if !ok || rawjson.KindOf(o["a"]) != rawjson.Array {
		return nil, invalid("f is no string, or a no array")
	}
	action, f := readAction(string(function), o["a"])
	if f != nil {
		return nil, f
	}
	return sdk.Act{Session: id, Role: roleClient, Action: action}, nil
}

// maxKey is how long a key of the context may be.
const maxKey = 255

func readAction(function string, args []byte) (a sdk.Action, f *fault) {
	list := slices.Collect(rawjson.Elements(args))
	switch function {
	case "subscribe":
		a.Join, f = names(args)
	case "unsubscribe":
		a.Leave, f = names(args)
	case "set_context_value":
		if len(list) != 2 {
			return a, invalid("a is not [key, value]")
		}
		key, ok := rawjson.Text(list[0])
		if !ok || len(key) == 0 || len(key) > maxKey {
			return a, invalid("the key is no string of 1 to 255 bytes")
		}
		a.Context = map[string][]byte{string(key): contextValue(list[1])}
	case "set_context":
		if len(list) != 1 || rawjson.KindOf(list[0]) != rawjson.Object {
			return a, invalid("a is not [object]")
		}
		a.ReplaceContext, a.Context = true, make(map[string][]byte)
		for key, value := range rawjson.Members(list[0]) {
			name, _ := rawjson.Text(key)
			if len(name) == 0 || len(name) > maxKey {
				return a, invalid("a key is empty or longer than 255 bytes")
			}
			a.Context[string(name)] = contextValue(value)
		}
	default:
		return a, invalid("unknown function")
	}
	return a, f
}

// contextValue is a value as the context has it: null takes the key out.
func contextValue(raw []byte) []byte {
	if rawjson.KindOf(raw) == rawjson.Null {
		return nil
	}
	return raw
}
