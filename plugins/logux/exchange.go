package logux

import (
	"cmp"
	"encoding/binary"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

// exchange is a request of an asking server while it is answered. Its response is a list that is written
// as answers become known; whatever happens it gets an end, as a server would wait for it for ever.
type exchange struct {
	p *Plugin
	s *session

	version  int
	wrote    bool // an answer
	kept     int  // bytes in cells of commands
	commands []progressOf

	fresh bool   // it begins with this step
	out   []byte // answers of this step, with commas
	calls []sdk.Call
	made  int // actions of this step
}

// progressOf is how far a command is.
type progressOf struct {
	stage stage
	done  bool // the back-end processed it; it is said once nothing is being pushed
	// pushes are actions on their way to the asking server, which is to have them first.
	pushes int
}

type stage uint8

const (
	stageAsked stage = iota
	stageApproved
	stageEnded
)

// Cells of a request.
const (
	exchangeCell = "exchange"
	toCell       = "to"   // with a command's index: whom its action goes to
	heldAnswers  = "held" // likewise: actions that came before it was approved
)

// maxKept bounds the cells of a request's commands.
const maxKept = 2 << 20

func cellOf(name string, q *question) string { return tagOf(name[0], q.index, []byte(name)) }

// exchangeOf reads what is kept of a request; nil: there is none that goes on.
func (p *Plugin) exchangeOf(s *session) *exchange {
	r := reader{s.Get(exchangeCell), true}
	x := &exchange{p: p, s: s, version: int(r.number()), wrote: r.byte() != 0, kept: int(r.number())}
	for r.ok && len(r.b) > 0 {
		bits := r.byte()
		x.commands = append(x.commands, progressOf{stage(bits >> 1), bits&1 != 0, int(r.number())})
	}
	if !r.ok || len(x.commands) == 0 {
		return nil
	}
	return x
}

// commit sends the answers of this step, makes its calls behind them, and keeps what is known.
func (x *exchange) commit() {
	open := false
	for i := range x.commands {
		open = open || x.commands[i].stage != stageEnded
	}
	r := sdk.Response{Body: x.out, More: open}
	if x.fresh {
		r.Headers = []sdk.Header{{Name: "content-type", Value: "application/json"}, {Name: "x-accel-buffering", Value: "no"}}
		r.Body = append([]byte{'['}, r.Body...)
	}
	if !open {
		r.Body = append(r.Body, ']')
	}
	if len(r.Body) > 0 {
		x.s.Respond(r)
	}
	x.wrote = x.wrote || len(x.out) > 0
	for _, call := range x.calls {
		x.s.Call(call)
	}
	if !open {
		x.s.Delete(exchangeCell) // what still comes is nobody's
		return
	}
	b := append(binary.AppendVarint(nil, int64(x.version)), flag(x.wrote))
	b = binary.AppendVarint(b, int64(x.kept))
	for i := range x.commands {
		c := &x.commands[i]
		b = binary.AppendVarint(append(b, byte(c.stage)<<1|flag(c.done)), int64(c.pushes))
	}
	x.s.Put(exchangeCell, b)
}

func (x *exchange) call(tag, order string, target sdk.Target) {
	x.calls = append(x.calls, sdk.Call{Tag: tag, Order: order, Target: target})
}

// write adds an answer to a command.
func (x *exchange) write(q *question, a *logux.Answer) {
	if len(x.out) > 0 || x.wrote {
		x.out = append(x.out, ',')
	}
	a.ID = q.id
	if a.Kind == logux.Authenticated {
		a.Subprotocol = cmp.Or(a.Subprotocol, config(x.s).Subprotocol, q.Auth().Subprotocol, "0.0.0")
	}
	x.out = logux.AppendAnswer(x.out, x.version, a, q.isAuth())
}

// end adds the answer that decides about a command.
func (x *exchange) end(q *question, a *logux.Answer) {
	x.write(q, a)
	c := &x.commands[q.index]
	c.stage, c.done = stageEnded, false
	for _, name := range []string{toCell, heldAnswers} {
		x.put(q, name, nil)
	}
}

// fail answers a command at which something failed. Whoever got its action here gets it undone; for its
// own clients the asking server does that.
func (x *exchange) fail(q *question, detail string) {
	if to := x.to(q); x.commands[q.index].stage == stageApproved && !to.Empty() {
		o := outgoing{action: appendUndo(nil, q.Action, string(q.id), reasons[failed]), id: x.p.freshID(x.s, x.made)}
		o.time, o.subprotocol = o.id.ms, config(x.s).Subprotocol
		x.made++
		for _, pub := range x.p.publications(&o, &to, nil, nil) {
			x.s.PublishAs(pub)
		}
	}
	x.end(q, &logux.Answer{Kind: logux.Error, Details: []byte(detail)})
}

// put keeps something of a command; nil ends that. false: there is too much of it.
func (x *exchange) put(q *question, name string, value []byte) bool {
	key := cellOf(name, q)
	old := x.s.Get(key)
	if x.kept+len(value)-len(old) > maxKept {
		return false
	}
	x.kept += len(value) - len(old)
	if value == nil {
		x.s.Delete(key)
	} else {
		x.s.Put(key, value)
	}
	return true
}

// to is whom the action of a command goes to, as far as the back-end said so.
func (x *exchange) to(q *question) logux.Addressees {
	a, _ := logux.DecodeAnswer(x.s.Get(cellOf(toCell, q))) // as addTo writes it
	return a.To
}

// addTo adds to whom the action goes to.
func (x *exchange) addTo(q *question, to logux.Addressees) bool {
	all := x.to(q)
	all.Channels = append(all.Channels, to.Channels...)
	all.Users = append(all.Users, to.Users...)
	all.Clients = append(all.Clients, to.Clients...)
	all.Nodes = append(all.Nodes, to.Nodes...)
	return x.put(q, toCell, logux.AppendAnswer(nil, logux.MaxVersion, &logux.Answer{Kind: logux.Resend, To: all}, false))
}
