package mesh

import (
	"errors"
	"slices"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// pushTag is that of what goes to a topic.
const pushTag = "push"

var (
	closeFull        = sdk.CloseCode{Code: 1013, Reason: "queue full"}
	closeUnavailable = sdk.CloseCode{Code: 1013, Reason: "queue unavailable"}
	closeTooLarge    = sdk.CloseCode{Code: 1009, Reason: "message too large"}
)

// client handles the events of an end user.
func (p *Plugin) client(s *session, ev sdk.Event) error {
	switch e := ev.(type) {
	case sdk.Frame:
		return p.frame(s, &e)
	case sdk.Answer:
		p.pushed(s, &e)
	case sdk.ContextChanged:
		return p.release(s, e.Keys)
	case sdk.Timer:
		p.late(s)
	case sdk.Opened:
		return p.tell(s, eventHandshake)
	case sdk.Closed:
		return p.tell(s, eventClose)
	}
	return nil
}

// frame takes a frame of an end user.
func (p *Plugin) frame(s *session, f *sdk.Frame) error {
	c := configOf(s)
	kind := frameText
	if f.Binary {
		kind = frameBinary
	}
	switch {
	case !slices.Contains(c.Frames, kind):
		if c.OnOtherFrame == "close" {
			s.Close(closeUnsupported)
		}
		return nil
	case len(f.Data) > int(p.config.MaxMessage):
		s.Close(closeTooLarge)
		return nil
	case s.State.Paused:
		p.hold(s, f)
		return nil
	}
	return p.queue(s, f)
}

// queue has a frame go to its topic, and what follows wait where the frame says so.
func (p *Plugin) queue(s *session, f *sdk.Frame) error {
	var payload payload
	payload.of(f)
	if err := p.push(s, eventMessage, f, &payload); err != nil {
		return err
	}
	return p.pause(s, &payload)
}

// tell has an event without a frame go to its topic, where the route wants it.
func (p *Plugin) tell(s *session, name string) error {
	if !configOf(s).Event {
		return nil
	}
	return p.push(s, name, nil, new(payload))
}

func (p *Plugin) push(s *session, name string, f *sdk.Frame, payload *payload) error {
	c := configOf(s)
	topic := c.topic
	if !c.always {
		var err error
		if topic, err = topicOf(c.Topic, payload.scope(s, c.Topic)); err != nil {
			return closed(s, err)
		}
	}
	if topic != "" {
		s.Push(pushTag, topic, event(s, topic, name, f))
	}
	return nil
}

// closed ends a session for which an expression makes no sense. What a stranger sent is no error of ours.
func closed(s *session, err error) error {
	s.Log().Debug("an expression failed", "err", err)
	return sdk.CloseWith(sdk.CloseInternal)
}

// errTopics is what an operator made of one topic.
var errTopics = errors.New("the expression is more than one topic")

// topicOf evaluates an expression to a topic; "" for none.
func topicOf(e sdk.Expr, scope sdk.Scope) (string, error) {
	list, err := e.Channels(scope)
	switch {
	case err != nil || len(list) == 0:
		return "", err
	case len(list) > 1:
		return "", errTopics
	}
	return list[0], nil
}

// payload is a frame as expressions see it.
type payload struct {
	raw     []byte
	checked bool
	frame   *sdk.Frame
}

func (p *payload) of(f *sdk.Frame) { p.frame = f }

// scope has what the expression needs; the frame is looked at only where it names it.
func (p *payload) scope(s *session, e sdk.Expr) sdk.Scope {
	var more sdk.Scope
	if slices.Contains(e.Needs(), "payload") {
		if !p.checked && p.frame != nil && !p.frame.Binary && rawjson.Valid(p.frame.Data) {
			p.raw = p.frame.Data
		}
		p.checked = true
		more = sdk.Scope{"payload": sdk.JSONValue(p.raw)}
	}
	return s.Scope(e, more)
}

// pushed looks at how a push ended.
func (p *Plugin) pushed(s *session, a *sdk.Answer) {
	if !a.Last || a.Outcome == sdk.OutcomeOK {
		return
	}
	full := a.Outcome == sdk.OutcomeDenied
	s.Log().Debug("a topic refused a frame", "full", full, "reason", a.Reason)
	switch {
	case s.ID() == 0 || configOf(s).OnFull == "drop": // it has gone, or lives with it
	case full:
		s.Close(closeFull)
	default:
		s.Close(closeUnavailable)
	}
}
