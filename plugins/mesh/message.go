package mesh

import (
	"encoding/base64"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// meshType is that of a message whose data says no other.
const meshType = "mesh"

// base64Encoding says in such a message that its data was binary.
const base64Encoding = "base64"

// messageOf is what other protocols get of a publish.
func messageOf(d data) *sdk.Message {
	if d.binary {
		text := base64.StdEncoding.EncodeToString(d.bytes)
		return &sdk.Message{Type: meshType, Payload: []byte(`{"data":"` + text + `","encoding":"` + base64Encoding + `"}`)}
	}
	if m := readMessage(d.bytes); m != nil {
		return m
	}
	payload := rawjson.AppendString([]byte(`{"data":`), string(d.bytes))
	return &sdk.Message{Type: meshType, Payload: append(payload, '}')}
}

// readMessage reads data that is a message itself: an object with a type, a string, and a payload, an
// object; nil for any other.
func readMessage(text []byte) *sdk.Message {
	if rawjson.KindOf(text) != rawjson.Object || !rawjson.Valid(text) {
		return nil
	}
	var typ, payload []byte
	for key, value := range rawjson.Members(text) {
		switch {
		case rawjson.Equal(key, "type"):
			typ = value
		case rawjson.Equal(key, "payload"):
			payload = value
		}
	}
	name, ok := rawjson.Text(typ)
	if !ok || len(name) == 0 || rawjson.KindOf(payload) != rawjson.Object {
		return nil
	}
	return &sdk.Message{Type: string(name), Payload: payload}
}

// Encode implements sdk.Encoder: the data itself of what was published through a mesh API, else the JSON
// of the type and the payload.
func (p *Plugin) Encode(m sdk.Message) (sdk.OutFrame, error) {
	if d, ok := publishedData(&m); ok {
		return d.frames()[0], nil
	}
	payload := m.Payload
	if len(payload) == 0 {
		payload = []byte("null")
	}
	out := rawjson.AppendString([]byte(`{"type":`), m.Type)
	out = append(append(out, `,"payload":`...), payload...)
	return sdk.OutFrame{Data: append(out, '}')}, nil
}

// publishedData is the data that messageOf made a message of.
func publishedData(m *sdk.Message) (d data, ok bool) {
	if m.Type != meshType {
		return d, false
	}
	o, f := paramsOf(m.Payload)
	if f != nil {
		return d, false
	}
	text, ok := rawjson.Text(o["data"])
	switch {
	case !ok:
		return d, false
	case rawjson.Equal(o["encoding"], base64Encoding):
		d.binary = true
		d.bytes, ok = fromBase64(text)
	default:
		d.bytes = text
	}
	return d, ok
}
