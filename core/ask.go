package core

import (
	"context"
	"strconv"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// Ask puts a plugin's question to the route's upstream.
func (a *attached) Ask(ctx context.Context, info *pluginhost.CallInfo, ask *pluginv1.Ask, emit func(*pluginv1.Answer)) {
	r := a.engine.route(info.Route)
	if r == nil || r.Upstream == nil {
		a.engine.log.Warn("call without an upstream", "plugin", a.Label(), "route", info.Route)
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
		req.Session, req.RemoteAddress = strconv.FormatUint(s.ID, 10), s.Info.RemoteAddress
		if id := s.Identity(); id != nil {
			req.UserID, req.Claims = id.UserID, id.Claims
		}
	}
	r.Upstream.Ask(ctx, req, func(ans *neutral.Answer) {
		if ans.Detail != "" {
			a.engine.log.Warn("upstream answered badly", "plugin", a.Label(), "route", r.ID, "session", req.Session,
				"call", req.ID, "outcome", ans.Outcome.String(), "detail", ans.Detail)
		}
		emit(answerProto(ans))
	})
}

// callID names a call in the whole cluster: it is the idempotency key that back-ends see.
func callID(info *pluginhost.CallInfo) string {
	b := make([]byte, 0, 48)
	b = append(strconv.AppendUint(b, info.Actor, 10), '.')
	b = append(strconv.AppendUint(b, info.Seq, 10), '.')
	return string(strconv.AppendInt(b, int64(info.Index), 10))
}

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
