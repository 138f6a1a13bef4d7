package logux

import (
	"bytes"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// An upstream of another kind than a Logux back-end is asked as any protocol asks it: an action is a
// message, or a subscription. What it answers is made into the answers that a Logux back-end would give, so
// that there is one way on from there.

// neutralTag begins the tag of a client's question that is asked so; ids begin with a number.
const neutralTag = "neutral "

// isNeutral says whether the upstream of a client is none that speaks the back-end protocol. What the route
// has counts; without a connection there is none, and what it had does.
func isNeutral(s *session) bool {
	if kind := s.Route().Upstream; kind != "" {
		s.State.Neutral = kind != kindLogux
	}
	return s.State.Neutral
}

// askNeutral asks the upstream for an action of a client. One that subscribes has a channel that can be.
func (p *Plugin) askNeutral(s *session, e *entry) {
	ask, _ := neutralAsk(e.action)
	ask.MessageID = e.text
	if s.Identity() == nil {
		ask.UserID = parseNode(clientOf(s)).user // who asked has gone
	}
	s.Call(sdk.Call{Tag: neutralTag + e.text, Target: ask})
}

// joins has the client's connection join and leave channels that the upstream named.
func (p *Plugin) joins(s *session, join, leave []string) {
	c := current(s)
	if c == nil {
		return
	}
	for _, channel := range join {
		c.Join(channel)
	}
	for _, channel := range leave {
		if key := channelCell(channel); s.Get(key) != nil {
			s.Delete(key)
			s.State.mem.channels--
		}
		c.Leave(channel)
	}
}

// neutral asks the route's upstream for an action.
func (x *exchange) neutral(q *question) {
	ask, ok := neutralAsk(q.Action)
	if !ok {
		x.end(q, &logux.Answer{Kind: logux.UnknownChannel})
		return
	}
	ask.MessageID = string(q.id)
	ask.UserID = parseNode(q.author()).user
	x.call(tagOf(tagNeutral, q.index, q.raw), x.order(q), ask)
}

// neutralAsk is the question for an action; ok is false for a subscription to what cannot be a channel.
func neutralAsk(action []byte) (ask sdk.Ask, ok bool) {
	typ, channel, _ := actionOf(action)
	if typ == subscribeType {
		ask = sdk.Ask{Purpose: "subscribe", Channel: channel, Payload: fieldsBut(action, "type", "channel")}
		return ask, sdk.CheckChannel(channel) == nil
	}
	m := messageOf(action)
	return sdk.Ask{Type: m.Type, Payload: m.Payload}, true
}

// fieldsBut is an object of the fields but those of some names; nil where it has no others.
func fieldsBut(object []byte, names ...string) []byte {
	var b []byte
members:
	for key, value := range rawjson.Members(object) {
		for _, name := range names {
			if rawjson.Equal(key, name) {
				continue members
			}
		}
		if b == nil {
			b = append(make([]byte, 0, len(object)), '{')
		} else {
			b = append(b, ',')
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	if b == nil {
		return nil
	}
	return append(b, '}')
}

// neutralElements are the answers to an action that a neutral one is, in the form of version 4, with commas
// between them. The action itself is what goes out with its own type and payload, everything else is an
// action of the back-end's. A reply is one of the action's type, for the author.
func neutralElements(id, asked []byte, a *sdk.Answer) []byte {
	var list []byte
	add := func(answer *logux.Answer) {
		if len(list) > 0 {
			list = append(list, ',')
		}
		answer.ID = id
		list = logux.AppendAnswer(list, logux.MaxVersion, answer, false)
	}
	if a.Last {
		switch a.Outcome {
		case sdk.OutcomeOK:
		case sdk.OutcomeDenied:
			add(&logux.Answer{Kind: logux.Forbidden})
			return list
		case sdk.OutcomeUnknownType:
			add(&logux.Answer{Kind: logux.UnknownAction})
			return list
		case sdk.OutcomeError, sdk.OutcomeUnavailable, sdk.OutcomeCancelled, sdk.OutcomeOther:
			add(&logux.Answer{Kind: logux.Error, Details: []byte(unanswered(a.Outcome))})
			return list
		}
	} else if len(a.Items) == 0 {
		return nil
	}
	own := messageOf(asked)
	var actions []logux.Answer
	brings := func(typ string, payload []byte, to *logux.Addressees) {
		action := rawjson.AppendString([]byte(`{"type":`), typ)
		if len(payload) > 0 {
			action = append(append(action, `,"payload":`...), payload...)
		}
		actions = append(actions, logux.Answer{Kind: logux.Action, Action: append(action, '}'), Meta: to.AppendMeta(nil)})
	}
	for i := range a.Items {
		it := &a.Items[i]
		to := logux.Addressees{Channels: it.Channels, Users: it.Users, Clients: it.Clients, Nodes: it.Nodes}
		if it.Type == own.Type && bytes.Equal(it.Payload, own.Payload) && !to.Empty() {
			add(&logux.Answer{Kind: logux.Resend, To: to})
			continue
		}
		brings(it.Type, it.Payload, &to)
	}
	if a.Payload != nil && !strings.HasPrefix(own.Type, reservedTypes) {
		brings(own.Type, a.Payload, &logux.Addressees{})
	}
	add(&logux.Answer{Kind: logux.Approved})
	for i := range actions {
		add(&actions[i])
	}
	if a.Last {
		add(&logux.Answer{Kind: logux.Processed})
	}
	return list
}
