package logux

import (
	"bytes"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// elements takes what the back-end says to a command: answers in its own form, with commas between them.
// last says that it was all.
func (x *exchange) elements(q *question, list []byte, last bool, outcome sdk.Outcome) {
	c := &x.commands[q.index]
	for c.stage != stageEnded && !c.done {
		var raw []byte
		if raw, list = rawjson.CutElement(list); len(raw) == 0 {
			break
		}
		x.element(q, raw)
	}
	if last && c.stage != stageEnded && !c.done {
		detail := unanswered(outcome)
		if outcome == sdk.OutcomeOK || outcome == sdk.OutcomeError {
			detail = "the back-end's answer ended without what is required"
		}
		x.fail(q, detail)
	}
}

// element takes one answer.
func (x *exchange) element(q *question, raw []byte) {
	stage := x.commands[q.index].stage
	a, err := logux.DecodeAnswer(raw)
	switch {
	case stage == stageEnded:
	case err != nil:
		x.fail(q, err.Error())
	case a.Kind == logux.None:
	case a.Kind == logux.Error:
		x.fail(q, string(a.Details))
	case q.IsAuth():
		switch a.Kind {
		case logux.Authenticated, logux.Denied, logux.WrongSubprotocol:
			x.end(q, &a)
		default:
			x.fail(q, "the back-end's answer is none to an authentication")
		}
	case stage == stageApproved:
		x.behindApproved(q, &a)
	default:
		x.beforeApproved(q, &a)
	}
}

func (x *exchange) beforeApproved(q *question, a *logux.Answer) {
	fits := true
	switch a.Kind {
	case logux.Resend:
		if !q.subscribes() { // which goes to nobody, and whose server would not know what it means
			fits = x.addTo(q, a.To)
		}
	case logux.Action:
		fits = x.hold(q, a)
	case logux.Approved:
		x.approve(q)
	case logux.Denied, logux.Forbidden:
		x.end(q, &logux.Answer{Kind: logux.Forbidden})
	case logux.UnknownAction, logux.UnknownChannel:
		// Servers end at an unknown action that was to subscribe.
		kind := logux.UnknownAction
		if q.subscribes() {
			kind = logux.UnknownChannel
		}
		x.end(q, &logux.Answer{Kind: kind})
	case logux.Processed:
		x.fail(q, "the back-end answered \"processed\" before \"approved\"")
	default:
		x.fail(q, "the back-end's answer is none to an action")
	}
	if !fits {
		x.fail(q, "the back-end's answers are too large")
	}
}

// hold keeps an action of the back-end until the command is approved.
func (x *exchange) hold(q *question, a *logux.Answer) bool {
	held := bytes.Clone(x.s.Get(cellOf(heldAnswers, q)))
	if held != nil {
		held = append(held, ',')
	}
	return x.put(q, heldAnswers, logux.AppendAnswer(held, logux.MaxVersion, withMeta(a), false))
}

// withMeta is an answer that has a meta.
func withMeta(a *logux.Answer) *logux.Answer {
	if rawjson.KindOf(a.Meta) != rawjson.Object {
		a.Meta = []byte("{}")
	}
	return a
}

// approve says that a command is approved, and to whom its action goes; here it goes there too.
func (x *exchange) approve(q *question) {
	to := x.to(q)
	if !to.Empty() {
		if x.version > 1 || !config(x.s).StrictV1 {
			x.write(q, &logux.Answer{Kind: logux.Resend, To: to})
		}
		m, _ := parseMeta(q.Meta) // what is wrong with it is the asking server's to say
		m.to, m.exclude = to, nil
		x.publish(q.Action, &m)
	}
	x.write(q, &logux.Answer{Kind: logux.Approved})
	x.commands[q.index].stage = stageApproved
	for rest := bytes.Clone(x.s.Get(cellOf(heldAnswers, q))); ; {
		var raw []byte
		if raw, rest = rawjson.CutElement(rest); len(raw) == 0 {
			break
		}
		x.element(q, raw)
	}
	x.put(q, heldAnswers, nil)
}

// publish sends an action to clients of this server, and to other protocols.
func (x *exchange) publish(action []byte, m *meta) {
	for _, pub := range x.p.made(x.s, action, m, x.made) {
		x.s.PublishAs(pub)
	}
	x.made++
}

func (x *exchange) behindApproved(q *question, a *logux.Answer) {
	c := &x.commands[q.index]
	switch a.Kind {
	case logux.Action:
		x.bring(q, withMeta(a))
	case logux.Processed:
		if c.pushes > 0 {
			c.done = true
			return
		}
		x.end(q, &logux.Answer{Kind: logux.Processed})
	case logux.Unknown, logux.Authenticated, logux.WrongSubprotocol:
		x.fail(q, "the back-end's answer is none to an action")
	default:
		x.s.Log().Info("answer is ignored", "answer", a.Kind.String(), "action", string(q.id))
	}
}

// bring has an action of the back-end sent by the asking server to its clients; here to others. One for
// nobody is for the author. Servers of old versions take it by a push alone.
func (x *exchange) bring(q *question, a *logux.Answer) {
	m, err := parseMeta(a.Meta)
	if err != nil {
		x.s.Log().Info("meta of an answer is wrong", "action", string(q.id), "err", err)
	}
	if m.to.Empty() {
		m.to.Clients = []string{q.author()}
		a.Meta = withClient(a.Meta, q.author())
	}
	x.publish(a.Action, &m)
	switch {
	case x.version == logux.MaxVersion:
		x.write(q, a)
	case x.s.Route().Push == "":
		x.fail(q, "there is nowhere to push to: a server of this version is sent actions by its control endpoint alone")
	default:
		command := append(append([]byte(`["action",`), a.Action...), ',')
		command = append(append(command, a.Meta...), ']')
		x.call(tagOf(tagPush, q.index, q.id), "push", sdk.Ask{Raw: command, Push: true, Version: x.version})
		x.commands[q.index].pushes++
	}
}

// withClient is a meta, which names nobody, with a client to go to.
func withClient(meta []byte, client string) []byte {
	b := []byte{'{'}
	for key, value := range rawjson.Members(meta) {
		switch name, _ := rawjson.Text(key); string(name) {
		case "channels", "users", "clients", "nodes", "channel", "user", "client", "node":
			continue
		}
		b = append(append(append(append(b, key...), ':'), value...), ',')
	}
	return append(rawjson.AppendString(append(b, `"clients":[`...), client), "]}"...)
}

// pushed takes whether the asking server took what was pushed; it has it before the outcome then.
func (x *exchange) pushed(q *question, ok bool) {
	c := &x.commands[q.index]
	c.pushes--
	switch {
	case c.stage == stageEnded:
	case !ok:
		x.fail(q, "what was pushed to the asking server was not taken")
	case c.done && c.pushes == 0:
		x.end(q, &logux.Answer{Kind: logux.Processed})
	}
}
