package core

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// Ask puts a plugin's question to the route's upstream.
func (a *attached) Ask(ctx context.Context, info *pluginhost.CallInfo, ask *pluginv1.Ask, emit func(*pluginv1.Answer)) {
	r := a.engine.route(info.Route)
	if r == nil || r.Upstream == nil {
		a.engine.log.Warn("call without an upstream", "plugin", a.Label(), "route", info.Route,
			"session", sessionOf(info), "call", callID(info))
		emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_UNAVAILABLE})
		return
	}
	req := &neutral.Request{
		ID:   callID(info),
		Time: info.Time, Number: info.Number, Protocol: a.Description().GetName(), Route: r.Path,
		Purpose: ask.GetPurpose(), MessageID: ask.GetMessageId(), Channel: ask.GetChannel(),
		Type: ask.GetType(), Payload: ask.GetPayload(), Raw: ask.GetRaw(),
	}
	if req.Purpose == "" {
		req.Purpose = "message"
	}
	if s := info.Session; s != nil {
		req.Session, req.RemoteAddress = sessionOf(info), s.Info.RemoteAddress
		if id := s.Identity(); id != nil {
			req.UserID, req.Claims = id.UserID, id.Claims
		}
	}
	began := a.engine.cfg.Clock.Now()
	r.Upstream.Ask(ctx, req, func(ans *neutral.Answer) {
		if ans.Last {
			a.engine.asked(ctx, r, req, ans, began)
		}
		if ans.Detail != "" {
			a.engine.log.Warn("upstream answered badly", "plugin", a.Label(), "route", r.ID, "session", req.Session,
				"call", req.ID, "outcome", ans.Outcome.String(), "detail", ans.Detail)
		}
		emit(answerProto(ans))
	})
}

// asked logs how a question to an upstream ended. With the session's id one finds it from the socket,
// with the call's at the back-end.
func (e *Engine) asked(ctx context.Context, r *routeState, req *neutral.Request, ans *neutral.Answer, began time.Time) {
	if !e.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	e.log.Debug("upstream asked", "plugin", r.plugin.Label(), "route", r.ID, "session", req.Session, "call", req.ID,
		"upstream", r.UpstreamName, "outcome", ans.Outcome.String(), "bytes", len(req.Payload), "duration", e.cfg.Clock.Now().Sub(began))
}

// callID names a call in the whole cluster: it is the idempotency key that back-ends see.
func callID(info *pluginhost.CallInfo) string {
	b := make([]byte, 0, 48)
	b = append(strconv.AppendUint(b, info.Actor, 10), '.')
	b = append(strconv.AppendUint(b, info.Seq, 10), '.')
	return string(strconv.AppendInt(b, int64(info.Index), 10))
}

// sessionOf is the id of the session that a call is for; empty: none in particular.
func sessionOf(info *pluginhost.CallInfo) string {
	if info.Session == nil {
		return ""
	}
	return sessionID(info.Session)
}

// sessionID writes a session's id as everywhere: no reader of JSON logs takes it for a number.
func sessionID(s *session.Session) string { return strconv.FormatUint(s.ID, 10) }

func answerProto(a *neutral.Answer) *pluginv1.Answer {
	out := &pluginv1.Answer{
		Last: a.Last, Outcome: pluginv1.Outcome(a.Outcome), Reason: a.Reason, Raw: a.Raw,
		Payload: a.Payload, HasPayload: a.Payload != nil, Join: a.Joins, Leave: a.Leaves,
	}
	for i := range a.Items {
		it := &a.Items[i]
		out.Items = append(out.Items, &pluginv1.Item{
			Channels: it.Channels, Users: it.Users, Clients: it.Clients, Nodes: it.Nodes, Type: it.Type, Payload: it.Payload,
		})
	}
	return out
}
