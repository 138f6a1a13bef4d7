package logux

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// maxCommands is how many commands a request of an asking server may have.
const maxCommands = 1000

// stepBackend answers an existing Logux server as its back-end. A request is a session; what is known of
// its commands is an [exchange], and each command goes with the call that asks for it, in the call's tag.
func (p *Plugin) stepBackend(s *session, ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Request:
		if r := p.questions(s, e); r != nil {
			refuse(s, r)
		}
	case sdk.Answer:
		p.replied(s, &e)
	}
	return nil
}

// questions asks for all commands of a request, or says why not. From here on the answer is a list with the
// status 200, whatever becomes of them.
func (p *Plugin) questions(s *session, e sdk.Request) *refusal {
	switch {
	case endpoint(s) != "/":
		return wrongPath
	case s.Info().Method != http.MethodPost:
		return wrongMethod
	}
	env, r := p.envelope(s, e, config(s).Secret, wrongBody)
	switch {
	case r != nil:
		return r
	case len(env.Commands) > maxCommands:
		return tooMuch
	}
	x := &exchange{p: p, s: s, fresh: true, version: env.Version, commands: make([]progressOf, len(env.Commands))}
	for i, raw := range env.Commands {
		x.ask(newQuestion(i, raw))
	}
	x.commit()
	return nil
}

// question is one command of a request.
type question struct {
	logux.Command

	index int
	raw   []byte
	id    []byte // what answers repeat, as text; nil: it has none
	whole bool   // it can be asked
}

func newQuestion(index int, raw []byte) *question {
	q := &question{Command: logux.DecodeCommand(raw), index: index, raw: raw}
	q.id = q.ID()
	if q.whole = q.id != nil; !q.whole {
		q.id = q.anyID()
	}
	return q
}

// anyID is what stands for an id in a command that is none; nil: nothing does.
func (q *question) anyID() []byte {
	if q.AuthID != nil {
		return q.AuthID
	}
	for key, value := range rawjson.Members(q.Meta) {
		if rawjson.Equal(key, "id") {
			id, _ := rawjson.Text(value)
			return id
		}
	}
	return nil
}

// isAuth says whether answers are to an authentication.
func (q *question) isAuth() bool { return q.IsAuth() || !q.whole && q.AuthID != nil }

// action returns the type of an action, and the channel where it is to subscribe to one.
func (q *question) action() (typ, channel string) {
	typ, channel, _ = actionOf(q.Action)
	return typ, channel
}

func (q *question) subscribes() bool {
	typ, _ := q.action()
	return typ == subscribeType
}

// author is the client that the action comes from.
func (q *question) author() string {
	_, rest, _ := strings.Cut(string(q.id), " ")
	node, _, _ := strings.Cut(rest, " ")
	return parseNode(node).client
}

// What a call was for: the first letter of its tag. The command's index and the command follow, or the
// command's id where that is enough.
const (
	tagRaw     = 'c' // a command in the back-end's own form
	tagNeutral = 'n' // an action as any upstream has it
	tagAuth    = 'a' // a client of the asking server
	tagPush    = 'p' // an action for a client of the asking server
)

func tagOf(kind byte, index int, rest []byte) string {
	b := strconv.AppendInt(append(make([]byte, 0, len(rest)+8), kind), int64(index), 10)
	return string(append(append(b, ' '), rest...))
}

func cutTag(tag string) (kind byte, index int, rest []byte) {
	head, text, _ := strings.Cut(tag, " ")
	if head == "" {
		return 0, 0, nil
	}
	index, _ = strconv.Atoi(head[1:])
	return head[0], index, []byte(text)
}

// ask makes the call for a command, or answers it where nobody need be asked.
func (x *exchange) ask(q *question) {
	typ, _, _ := logux.ActionParts(q.Action)
	route := x.s.Route()
	switch {
	case !q.whole:
		x.fail(q, "the command is neither an action nor an auth command with an id")
	case q.IsAction() && typ == nil:
		x.fail(q, "the action has no type")
	case q.IsAuth() && q.Subprotocol != nil && !config(x.s).supported(q.Auth().Subprotocol):
		x.end(q, &logux.Answer{Kind: logux.WrongSubprotocol, Supported: config(x.s).Supports})
	case q.IsAuth() && route.Auth:
		x.call(tagOf(tagAuth, q.index, q.raw), "", authenticate(q))
	case route.Upstream == kindLogux:
		x.call(tagOf(tagRaw, q.index, q.raw), x.order(q), sdk.Ask{Raw: plainCommand(q), Together: true})
	case q.IsAuth():
		x.fail(q, "nobody can say who a client is") // see Configure
	default:
		x.neutral(q)
	}
}

// order is what the commands of one client have in common, which are asked one after another.
func (x *exchange) order(q *question) string {
	if q.IsAuth() {
		return ""
	}
	return "client " + q.author()
}

// codec4 writes commands in the form that says all there is to say.
var codec4, _ = logux.NewCodec(logux.MaxVersion, "")

// plainCommand is a command as back-ends of all versions read it. An auth command of an old server may have
// the user false, and one of a client of version 5 a number for a subprotocol.
func plainCommand(q *question) []byte {
	if q.IsAction() || (q.UserID == nil || rawjson.KindOf(q.UserID) == rawjson.String) &&
		(q.Subprotocol == nil || rawjson.KindOf(q.Subprotocol) == rawjson.String) {
		return q.raw
	}
	a := q.Auth()
	return codec4.AppendAuth(nil, &a)
}

// authenticate asks the route's auth backend for a client of the asking server.
func authenticate(q *question) sdk.Authenticate {
	a := q.Auth()
	ask := sdk.Authenticate{
		HasToken: a.Token != nil, Subprotocol: a.Subprotocol, OnBehalf: true,
	}
	ask.Headers, ask.HeadersJSON = headersOf(a.Headers)
	ask.Cookies, _ = headersOf(a.Cookie)
	if a.UserID != nil {
		ask.UserID, ask.HasUserID = *a.UserID, true
	}
	if text, ok := rawjson.Text(a.Token); ok {
		ask.Token = string(text)
	} else {
		ask.Token = string(a.Token) // in versions 1 and 2 it may be anything
	}
	return ask
}

// replied takes what came of a call.
func (p *Plugin) replied(s *session, a *sdk.Answer) {
	kind, index, rest := cutTag(a.Tag)
	x := p.exchangeOf(s)
	if x == nil || index >= len(x.commands) {
		return
	}
	switch kind {
	case tagPush:
		x.pushed(&question{index: index, id: rest}, a.OK())
	case tagAuth:
		x.authenticated(newQuestion(index, rest), a)
	case tagRaw:
		x.elements(newQuestion(index, rest), a.Raw, a.Last, a.Outcome)
	case tagNeutral:
		q := newQuestion(index, rest)
		if x.version < logux.MaxVersion && s.Route().Push == "" {
			a.Payload = nil // there is nowhere to send a reply
		}
		x.elements(q, neutralElements(q.id, q.Action, a), a.Last, a.Outcome)
	}
	x.commit()
}

// authenticated is what the auth backend said.
func (x *exchange) authenticated(q *question, a *sdk.Answer) {
	switch {
	case !a.Last:
	case a.Outcome == sdk.OutcomeOK:
		x.end(q, &logux.Answer{Kind: logux.Authenticated, Subprotocol: a.Subprotocol})
	case a.Outcome == sdk.OutcomeDenied:
		x.end(q, &logux.Answer{Kind: logux.Denied})
	case a.Outcome == sdk.OutcomeOther:
		x.end(q, &logux.Answer{Kind: logux.WrongSubprotocol, Supported: a.Supported})
	default:
		x.fail(q, unanswered(a.Outcome))
	}
}

// unanswered says for the asking server's log why there is no answer.
func unanswered(o sdk.Outcome) string {
	switch o {
	case sdk.OutcomeUnavailable, sdk.OutcomeCancelled:
		return "the back-end cannot be reached, or its answer makes no sense"
	case sdk.OutcomeOK, sdk.OutcomeDenied, sdk.OutcomeUnknownType, sdk.OutcomeError, sdk.OutcomeOther:
	}
	return "the back-end failed"
}
