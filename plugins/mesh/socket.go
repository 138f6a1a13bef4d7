package mesh

import (
	"bytes"

	"github.com/protocol-bridge/bridge/sdk"
)

// requestOrder is the order of a connection's calls: one after another, as they came. Whatever they touch,
// a back-end sees what it asked for first to be done first.
const requestOrder = "requests"

// mostBinary is how many binary frames a connection may send before it is closed.
const mostBinary = 10

var (
	closeUnsupported = sdk.CloseCode{Code: 1003, Reason: "Unsupported data"}
	closeNoSocket    = sdk.CloseCode{Code: 1008, Reason: "not found"}
)

// socket handles the events of a back-end's WebSocket.
func (p *Plugin) socket(s *session, ev sdk.Event) {
	switch e := ev.(type) {
	case sdk.Frame:
		p.request(s, &e)
	case sdk.Answer:
		if e.Last {
			p.answer(s, &e)
		}
	case sdk.Delivery:
		p.delivery(s, &e)
	case sdk.Opened:
		if endpoint(s) != wsPath {
			s.Close(closeNoSocket)
		}
	}
}

// request does what a frame asks for, or says why not.
func (p *Plugin) request(s *session, e *sdk.Frame) {
	if e.Binary {
		s.Send(faultOf(invalid("a request is a text frame"), noID))
		if s.State.Binary++; s.State.Binary >= mostBinary {
			s.Close(closeUnsupported)
		}
		return
	}
	if string(bytes.TrimSpace(e.Data)) == "ping" {
		s.Text("pong")
		return
	}
	r, f := readRequest(e.Data)
	if f == nil {
		f = p.perform(s, &r)
	}
	if f != nil {
		s.Send(faultOf(f, r.id))
	}
}

// perform makes the call for a request, or answers it at once.
func (p *Plugin) perform(s *session, r *request) *fault {
	var tag string
	var read func([]byte) (sdk.Target, *fault)
	switch r.method {
	case "server.ping": // of an older version
		s.Send(resultOf(pong, r.id))
		return nil
	case "mesh.send":
		tag, read = sendTag, p.readSend
	case "mesh.publish":
		tag, read = publishTag, p.readPublish
	case "conn.call":
		tag, read = callTag, readCall
	case "queue.pop", "queue.unpop":
	default:
		return invalid("unknown method")
	}
	if !mayWrite(s.Identity()) {
		return forbidden
	}
	if read == nil {
		if r.method == "queue.pop" {
			return p.pop(s, r)
		}
		return p.unpop(s, r)
	}
	target, f := read(r.params)
	if f == nil {
		s.Call(sdk.Call{Tag: tag + string(r.id), Order: requestOrder, Target: target})
	}
	return f
}

// answer answers a request whose call is over.
func (p *Plugin) answer(s *session, a *sdk.Answer) {
	if a.Tag == "" {
		return
	}
	if a.Tag[:1] == popTag {
		p.popped(s, a)
		return
	}
	id := []byte(a.Tag[1:])
	result, f := p.outcome(a)
	if f != nil {
		s.Send(faultOf(f, id))
		return
	}
	s.Send(resultOf(result, id))
}
