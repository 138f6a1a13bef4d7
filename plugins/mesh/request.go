package mesh

import (
	"strconv"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Codes of errors.
const (
	codeInvalid  = 101 // invalid argument
	codeConsume  = 201 // consumption failed
	codeRepeated = 202 // repeated consumption
	codeCancel   = 203 // failed to cancel
	codeExecute  = 301 // execution failed
	codeSend     = 401 // failed to send
)

// fault is what is wrong with a request.
type fault struct {
	code int
	text string
}

func invalid(text string) *fault { return &fault{codeInvalid, text} }

var forbidden = invalid("forbidden")

// request is one of the WebSocket API. Its slices point into the frame.
type request struct {
	method string
	params []byte // nil: none
	id     []byte // as it is written
}

var noID = []byte("null")

// readRequest reads a text frame. Of duplicate members the last counts, names are exact. The id is good
// for an answer also where there is a fault.
func readRequest(frame []byte) (r request, f *fault) {
	r.id = noID
	switch {
	case !rawjson.Valid(frame):
		return r, invalid("invalid json")
	case rawjson.KindOf(frame) != rawjson.Object:
		return r, invalid("a request is an object")
	}
	var method, i, id []byte
	for key, value := range rawjson.Members(frame) {
		switch name, _ := rawjson.Text(key); string(name) {
		case "m":
			method = value
		case "p":
			r.params = value
		case "i":
			i = value
		case "id":
			id = value
		}
	}
	if i == nil {
		i = id
	}
	if i != nil {
		switch rawjson.KindOf(i) {
		case rawjson.Object, rawjson.Array:
			return r, invalid("i is an object or an array")
		}
		r.id = i
	}
	name, ok := rawjson.Text(method)
	if !ok || len(name) == 0 {
		return r, invalid("m is no method's name")
	}
	r.method = string(name)
	return r, nil
}

// Results.
const (
	done = `{"s":true}`
	pong = `{"m":"server.pong"}`
)

// resultOf is the answer to what was done. id is nil over HTTP.
func resultOf(result string, id []byte) []byte {
	dst := append([]byte(`{"E":null,"r":`), result...)
	return appendID(dst, id)
}

// faultOf is the answer to what was not.
func faultOf(f *fault, id []byte) []byte {
	dst := strconv.AppendInt([]byte(`{"E":{"c":`), int64(f.code), 10)
	dst = rawjson.AppendString(append(dst, `,"m":`...), f.text)
	return appendID(append(dst, '}'), id)
}

func appendID(dst, id []byte) []byte {
	if id != nil {
		dst = append(append(dst, `,"i":`...), id...)
	}
	return append(dst, '}')
}

// counts is the result of a publish.
func (p *Plugin) counts(took, failed int) string {
	text := `{"s":` + strconv.Itoa(took) + `,"f":` + strconv.Itoa(failed)
	if p.config.PublishTotal {
		text += `,"t":` + strconv.Itoa(took+failed)
	}
	return text + `}`
}
