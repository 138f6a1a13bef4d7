package logux

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// maxDetail bounds the text that one Answer has for the log.
const maxDetail = 8 << 10

// Exchange reads the response to one HTTP request that asked one or more neutral questions, and
// makes neutral answers of it. Feed it the body as it arrives, then End it, or Fail it.
//
// For each piece fed, a question gets at most one answer, which has everything that the piece made
// known: items in order, the reply, and how it ended. A back-end that answers all at once is thus
// one answer. The reply is in the answer of the piece in which it came, which need not be the last.
// A question that was a raw command gets one answer for each element that is for it, or with Together one
// for those of a piece; the last of them has the element that decides, or none.
//
// Each question gets exactly one answer with Last, whatever comes. When all have it, Open is 0 and
// the rest of the body means nothing.
//
// The zero Exchange is to be Reset. It is not safe for concurrent use.
type Exchange struct {
	split rawjson.Splitter
	asks  []ask
	open  int
	piece int // bytes of the piece that is being fed
	raws  int // questions that are raw commands, whose answers are passed on as they are
	emit  func(i int, a *upstream.Answer)
}

// ask is one question and what is known of its answer.
type ask struct {
	req      *upstream.Request
	id       []byte
	approved bool
	ended    bool
	heard    bool // an answer came
	replied  bool
	to       Addressees // named before approved
	held     []Answer   // action answers before approved; their Action is our own copy
	note     string     // for the log, with the next answer
	out      *upstream.Answer
}

// Reset makes the Exchange ready for the response to reqs, which [Check] must have accepted and
// which must stay as they are until all is answered. maxElement bounds the bytes of one answer; 0
// means rawjson.DefaultMaxElement. emit gets the answers: i tells the question; it owns the answer.
func (x *Exchange) Reset(maxElement int, emit func(i int, a *upstream.Answer), reqs ...*upstream.Request) {
	x.split.MaxElement = maxElement
	x.split.Reset()
	x.emit = emit
	x.open, x.raws = len(reqs), 0
	x.asks = slices.Grow(x.asks[:0], len(reqs))[:len(reqs)]
	for i, req := range reqs {
		id := x.asks[i].id[:0]
		switch {
		case req.RawID != nil:
			id = append(id, req.RawID...)
		case req.Raw != nil:
			id = append(id, commandID(req.Raw)...)
		default:
			id = appendID(id, req)
		}
		if req.Raw != nil {
			x.raws++
		}
		x.asks[i] = ask{req: req, id: id}
	}
}

// Release forgets questions and answers, so that a pooled Exchange keeps nothing alive.
func (x *Exchange) Release() {
	x.emit = nil
	for i := range x.asks {
		x.asks[i] = ask{id: x.asks[i].id[:0]}
	}
}

// Open is the number of questions without outcome.
func (x *Exchange) Open() int { return x.open }

// Feed reads a piece of the body. It calls emit before it returns.
func (x *Exchange) Feed(piece []byte) {
	x.piece = len(piece)
	for x.open > 0 {
		element, rest, err := x.split.Next(piece)
		switch {
		case errors.Is(err, io.EOF):
			x.finish()
		case err != nil:
			x.endAll(upstream.Unavailable, "the answer cannot be read: "+err.Error())
		case element != nil:
			x.element(element)
			piece = rest
			continue
		}
		break
	}
	x.flush()
}

// End says that the body ended.
func (x *Exchange) End() {
	if x.open == 0 {
		return
	}
	// Feed has already taken the array's end and everything wrong.
	if err := x.split.End(); err != nil {
		x.endAll(upstream.Unavailable, "the answer cannot be read: "+err.Error())
	}
	x.flush()
}

// Fail ends every open question: the response will not come, or not go on.
func (x *Exchange) Fail(outcome upstream.Outcome, detail string) {
	x.endAll(outcome, detail)
	x.flush()
}

func (x *Exchange) endAll(outcome upstream.Outcome, detail string) {
	for i := range x.asks {
		x.end(&x.asks[i], outcome, detail)
	}
}

// finish is for the array's closing bracket.
func (x *Exchange) finish() {
	for i := range x.asks {
		if k := &x.asks[i]; k.heard {
			x.end(k, upstream.Error, "the answer ended without what is required")
		} else {
			x.end(k, upstream.Unavailable, "the answer has nothing for this question")
		}
	}
}

func (x *Exchange) flush() {
	for i := range x.asks {
		x.send(i)
	}
}

func (x *Exchange) send(i int) {
	k := &x.asks[i]
	if out := k.out; out != nil {
		k.out = nil
		x.emit(i, out)
	}
}

func (x *Exchange) end(k *ask, outcome upstream.Outcome, detail string) {
	if k.ended {
		return
	}
	k.ended = true
	k.held = nil
	x.open--
	out := k.answer()
	out.Last = true
	out.Outcome = outcome
	addDetail(out, detail)
}

// answer returns the answer that is being put together.
func (k *ask) answer() *upstream.Answer {
	if k.out == nil {
		k.out = &upstream.Answer{}
	}
	if k.note != "" {
		addDetail(k.out, k.note)
		k.note = ""
	}
	return k.out
}

func (k *ask) remark(note string) {
	if len(k.note) < maxDetail {
		if k.note != "" {
			k.note += "; "
		}
		k.note += note
	}
}

func addDetail(a *upstream.Answer, text string) {
	if text == "" {
		return
	}
	if a.Detail != "" {
		text = a.Detail + "; " + text
	}
	a.Detail = text[:min(len(text), maxDetail)]
}

// element takes one element of the response.
func (x *Exchange) element(element []byte) {
	if !utf8.Valid(element) {
		x.endAll(upstream.Unavailable, "the answer cannot be read: not UTF-8")
		return
	}
	a, err := decodeAnswer(element, x.raws < len(x.asks))
	if a.Kind == None {
		return
	}
	known := a.ID == nil
	for i := range x.asks {
		k := &x.asks[i]
		// An answer without an id is for all only when it ends them.
		if a.ID != nil && !bytes.Equal(a.ID, k.id) {
			continue
		}
		known = true
		if k.ended {
			continue
		}
		if k.req.Raw != nil {
			x.raw(i, &a, err, element)
		} else {
			x.apply(k, &a, err)
		}
	}
	if !known {
		for i := range x.asks {
			x.asks[i].remark(fmt.Sprintf("an answer %.40q to something else, %.80q", a.Name, a.ID))
		}
	}
}

// raw passes an element on.
func (x *Exchange) raw(i int, a *Answer, err error, element []byte) {
	k := &x.asks[i]
	k.heard = true
	if !k.req.Together {
		x.send(i) // one answer, one element
	}
	out := k.answer()
	switch {
	case len(out.Raw) > 0:
		out.Raw = append(out.Raw, ',')
	case k.req.Together: // what the piece has for this question, where all get as much
		out.Raw = make([]byte, 0, max(len(element), x.piece/len(x.asks)))
	}
	out.Raw = append(out.Raw, element...)
	switch a.Kind {
	case Approved:
		k.approved = true
	case Denied, Forbidden, UnknownAction, UnknownChannel:
		if !k.approved {
			x.end(k, upstream.OK, "")
		}
	case Processed, Error, Authenticated, WrongSubprotocol:
		x.end(k, upstream.OK, "")
	}
	if err != nil || a.Kind == Unknown {
		x.end(k, upstream.OK, "")
	}
}

// apply moves one question on by one answer.
func (x *Exchange) apply(k *ask, a *Answer, err error) {
	k.heard = true
	if err != nil {
		x.end(k, upstream.Error, err.Error())
		return
	}
	switch a.Kind {
	case Error:
		x.end(k, upstream.Error, string(a.Details))
	case Resend, Approved, Action, Processed, Denied, Forbidden, UnknownAction, UnknownChannel:
		if a.ID == nil {
			x.end(k, upstream.Error, fmt.Sprintf("an answer %q has no id", a.Name))
			return
		}
		x.step(k, a)
	default:
		x.end(k, upstream.Error, fmt.Sprintf("an answer %.40q is not known for an action", a.Name))
	}
}

// step is the life of an action: resend*, approved, action*, processed; or a refusal instead of
// approved.
func (x *Exchange) step(k *ask, a *Answer) {
	if k.approved {
		switch a.Kind {
		case Action:
			k.deliver(a)
		case Processed:
			if out := k.answer(); !k.replied && !subscribes(k.req) {
				out.Payload = []byte("{}")
			}
			x.end(k, upstream.OK, "")
		case Approved:
		default:
			k.remark(fmt.Sprintf("an answer %q after approved is ignored", a.Name))
		}
		return
	}
	switch a.Kind {
	case Resend:
		if subscribes(k.req) {
			k.remark("an answer \"resend\" to a subscription is ignored")
			return
		}
		k.to.add(a.To)
	case Action:
		k.held = append(k.held, Answer{Kind: Action, To: a.To, Action: bytes.Clone(a.Action)})
	case Approved:
		k.approved = true
		if !k.to.Empty() {
			payload := bytes.Clone(k.req.Payload)
			if payload == nil {
				payload = []byte("{}")
			}
			k.item(k.to, k.req.Type, payload)
			k.to = Addressees{}
		}
		for i := range k.held {
			k.deliver(&k.held[i])
		}
		k.held = nil
	case Processed:
		x.end(k, upstream.Error, "an answer \"processed\" came before approved")
	case Denied, Forbidden:
		x.end(k, upstream.Denied, "")
	case UnknownAction, UnknownChannel:
		x.end(k, upstream.UnknownType, "")
	}
}

// deliver takes an action answer: the first that is for nobody in particular is the reply.
func (k *ask) deliver(a *Answer) {
	typ, payload, more := ActionParts(a.Action)
	reply := a.To.Empty() && !k.replied && !subscribes(k.req)
	if payload != nil && (reply || !more) {
		payload = bytes.Clone(payload)
	} else {
		payload = WithoutType(a.Action)
	}
	if reply {
		k.replied = true
		k.answer().Payload = payload
		return
	}
	k.item(a.To, textOf(typ), payload)
}

func (k *ask) item(to Addressees, typ string, payload []byte) {
	out := k.answer()
	out.Items = append(out.Items, upstream.Item{
		Channels: to.Channels, Users: to.Users, Clients: to.Clients, Nodes: to.Nodes,
		Type: typ, Payload: payload,
	})
}

func subscribes(req *upstream.Request) bool { return req.Purpose == "subscribe" }
