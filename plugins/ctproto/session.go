package ctproto

import (
	"encoding/binary"
	"errors"
	"strconv"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Close codes of the protocol.
var (
	closeRequired     = sdk.CloseCode{Code: 1013, Reason: "Authorization required"}
	closeUnauthorized = sdk.CloseCode{Code: 1008, Reason: "Unauthorized"}
	closeUnsupported  = sdk.CloseCode{Code: 1003, Reason: "Unsupported data"}
	closeNotJSON      = sdk.CloseCode{Code: 1003, Reason: "Invalid JSON"}
)

// phase is how far a session's authorization is.
type phase uint8

const (
	phaseNew phase = iota
	phaseAuthorizing
	phaseAuthorized
)

// State is what a session is between events. Messages held until the authorization is through lie
// in cells of their own.
type State struct {
	Phase     phase
	Held      int // how many messages
	HeldBytes int
}

// AppendBinary implements encoding.BinaryAppender.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, byte(s.Phase))
	if s.Held > 0 {
		b = binary.AppendUvarint(append(b, byte(s.Held)), uint64(s.HeldBytes))
	}
	return b, nil
}

// UnmarshalBinary implements encoding.BinaryUnmarshaler.
func (s *State) UnmarshalBinary(b []byte) error {
	*s = State{}
	switch {
	case len(b) == 0:
		return errState
	case len(b) > 1:
		bytes, n := binary.Uvarint(b[2:])
		if n <= 0 {
			return errState
		}
		s.Held, s.HeldBytes = int(b[1]), int(bytes)
	}
	s.Phase = phase(b[0])
	return nil
}

var errState = errors.New("state is cut short")

// Messages that came while authorize was being answered are held up to these bounds.
const (
	maxHeld      = 16
	maxHeldBytes = 64 << 10
)

const (
	authorizeTimer = "authorize"
	authorizeType  = "authorize"
	errorType      = "error"
	messageQueue   = "messages"
	// concurrency is how many messages of a session the back-end is asked at a time. The original
	// has no bound, and clients tell responses apart by id.
	concurrency = 8
)

// Tags of calls. That of a message is its id, so the others are not as long as one.
const (
	authorizeTag = "authorize:" // before the message's id
	deliverTag   = "deliver"
	closedTag    = "closed"
)

type session = sdk.Session[State]

// Step implements sdk.Plugin.
func (p *Plugin) Step(s *session, ev sdk.Event) error {
	if s.Route().Role == roleAPI {
		p.api(s, ev)
		return nil
	}
	switch e := ev.(type) {
	case sdk.Frame:
		return p.frame(s, e)
	case sdk.Answer:
		return p.answer(s, e)
	case sdk.Opened:
		s.Timer(authorizeTimer, config(s).AuthorizeTimeout)
	case sdk.Timer:
		if s.State.Phase == phaseNew {
			s.Close(closeRequired)
		}
	case sdk.Closed:
		if s.State.Phase == phaseAuthorized && config(s).NotifyClosed {
			// Behind the session's messages that wait to be asked.
			s.Call(sdk.Call{Tag: closedTag, Order: messageQueue, Parallel: concurrency, Target: sdk.Ask{Purpose: "closed"}})
		}
	}
	return nil
}

func (p *Plugin) answer(s *session, a sdk.Answer) error {
	switch {
	case len(a.Tag) == idLength:
		p.answered(s, a)
	case len(a.Tag) > idLength:
		return p.authorized(s, a)
	case a.Tag == deliverTag && !a.OK():
		s.Log().Warn("delivery refused", "outcome", int(a.Outcome), "reason", a.Reason)
	}
	return nil
}

func config(s *session) *RouteConfig { return sdk.RouteConfig[RouteConfig](s) }

func (p *Plugin) frame(s *session, f sdk.Frame) error {
	if f.Binary {
		return sdk.CloseWith(closeUnsupported)
	}
	m, err := decode(f.Data, config(s).StrictPayload)
	var format formatError
	switch {
	case errors.As(err, &format):
		s.Send(appendError(nil, string(format)))
		return nil
	case err != nil:
		return sdk.CloseWith(closeNotJSON)
	}
	switch {
	case m.typ == authorizeType:
		if s.State.Phase != phaseNew {
			return nil
		}
		return p.authorize(s, m)
	case s.State.Phase == phaseAuthorized:
		p.ask(s, m)
		return nil
	case s.State.Phase == phaseAuthorizing && !config(s).StrictPending:
		return p.hold(s, f.Data)
	}
	return sdk.CloseWith(closeUnauthorized)
}

// authorize asks the auth backend; only a well-formed authorize stops the clock.
func (p *Plugin) authorize(s *session, m message) error {
	c, scope := config(s), sdk.Scope{"payload": sdk.JSONValue(m.payload)}
	token, hasToken, err := c.Token.Text(s.Scope(c.Token, scope))
	if err != nil {
		s.Log().Info("token cannot be evaluated", "err", err)
		return sdk.CloseWith(failed("Wrong auth payload"))
	}
	user, _, err := c.UserID.Text(s.Scope(c.UserID, scope))
	if err != nil {
		s.Log().Info("user id cannot be evaluated", "err", err)
		return sdk.CloseWith(failed("Wrong auth payload"))
	}
	s.State.Phase = phaseAuthorizing
	s.StopTimer(authorizeTimer)
	s.Call(sdk.Call{
		Tag:    authorizeTag + m.id,
		Target: sdk.Authenticate{Token: token, HasToken: hasToken, UserID: user, Payload: m.payload},
	})
	return nil
}

// authorized is the auth backend's answer.
func (p *Plugin) authorized(s *session, a sdk.Answer) error {
	if !a.Last || s.State.Phase != phaseAuthorizing {
		return nil
	}
	switch a.Outcome {
	case sdk.OutcomeOK:
	case sdk.OutcomeDenied, sdk.OutcomeOther:
		return sdk.CloseWith(failed(a.Reason))
	default:
		return sdk.CloseWith(failed("service unavailable"))
	}
	for _, channel := range a.Channels {
		s.Join(channel)
	}
	s.Send(appendResponse(nil, a.Tag[len(authorizeTag):], authData(a.Identity)))
	s.State.Phase = phaseAuthorized
	return p.release(s)
}

func failed(why string) sdk.CloseCode {
	if why == "" {
		why = "denied"
	}
	return sdk.CloseCode{Code: 1008, Reason: "Authorization failed: " + why}
}

// authData is what a client is told about itself.
func authData(id *sdk.Identity) []byte {
	switch {
	case id == nil:
		return []byte("{}")
	case len(id.Claims) > 0:
		return id.Claims
	}
	return append(rawjson.AppendString([]byte(`{"userId":`), id.UserID), '}')
}

// hold keeps a message until the authorization is through.
func (p *Plugin) hold(s *session, frame []byte) error {
	s.State.Held++
	s.State.HeldBytes += len(frame)
	if s.State.Held > maxHeld || s.State.HeldBytes > maxHeldBytes {
		return sdk.CloseWith(closeUnauthorized)
	}
	s.Put(heldCell(s.State.Held-1), frame)
	return nil
}

func heldCell(i int) string { return "held" + strconv.Itoa(i) }

// release handles the messages that were held, in order.
func (p *Plugin) release(s *session) error {
	for i := range s.State.Held {
		m, err := decode(s.Get(heldCell(i)), false)
		if err != nil {
			return err
		}
		p.ask(s, m)
		s.Delete(heldCell(i))
	}
	s.State.Held, s.State.HeldBytes = 0, 0
	return nil
}

// ask asks the back-end.
func (p *Plugin) ask(s *session, m message) {
	s.Call(sdk.Call{
		Tag: m.id, Order: messageQueue, Parallel: concurrency,
		Target: sdk.Ask{Type: m.typ, Payload: m.payload, MessageID: m.id},
	})
}

// answered is one element of what the back-end says to a message, whose id is the tag. Memberships
// come first, so that the session is there for what it is told of.
func (p *Plugin) answered(s *session, a sdk.Answer) {
	for _, channel := range a.Join {
		s.Join(channel)
	}
	for _, channel := range a.Leave {
		s.Leave(channel)
	}
	if !falsy(a.Payload) {
		s.SendAppend(func(dst []byte) []byte { return appendResponse(dst, a.Tag, a.Payload) })
	}
	for i := range a.Items {
		p.deliver(s, &a.Items[i])
	}
	if a.Last && a.Outcome != sdk.OutcomeOK && config(s).Errors != "silent" {
		s.Send(appendError(nil, failure(a)))
	}
}

// failure is what a client is told of an outcome: never what the back-end said of itself.
func failure(a sdk.Answer) string {
	switch a.Outcome {
	case sdk.OutcomeDenied:
		if a.Reason != "" {
			return a.Reason
		}
		return "Forbidden"
	case sdk.OutcomeUnknownType:
		return "Unknown type"
	case sdk.OutcomeUnavailable, sdk.OutcomeCancelled:
		return "Service unavailable"
	}
	return "Internal error"
}
