package core

import (
	"context"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/core/upstream"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// Ask puts a plugin's question to the route's upstream, or to the other one that it pushes to.
func (a *attached) Ask(ctx context.Context, info *pluginhost.CallInfo, ask *pluginv1.Ask, emit func(*pluginv1.Answer)) {
	r := a.engine.route(info.Route)
	var to upstream.Pool
	var name string
	if r != nil {
		if to, name = r.Upstream, r.UpstreamName; ask.GetPush() {
			to, name = r.Push, r.PushName
		}
	}
	if to == nil {
		a.engine.log.Warn("call without an upstream", "plugin", a.Label(), "route", info.Route,
			"session", sessionOf(info), "call", callID(info), "push", ask.GetPush())
		emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_UNAVAILABLE})
		return
	}
	k := askings.Get().(*asking) //nolint:forcetypeassert // nothing else is put in
	defer k.free()
	k.attached, k.ctx, k.route, k.upstream, k.emit = a, ctx, r, name, emit
	k.req = neutral.Request{
		ID:   callID(info),
		Time: info.Time, Number: info.Number, Protocol: a.Description().GetName(), Route: r.Path,
		Purpose: ask.GetPurpose(), MessageID: ask.GetMessageId(), Channel: ask.GetChannel(),
		Type: ask.GetType(), Payload: ask.GetPayload(), Raw: ask.GetRaw(), Together: ask.GetTogether(),
		Version: int(ask.GetVersion()),
	}
	req := &k.req
	if req.Purpose == "" {
		req.Purpose = "message"
	}
	if s := info.Session; s != nil {
		req.Session, req.RemoteAddress = sessionOf(info), s.Info.RemoteAddress
		if id := s.Identity(); id != nil {
			req.UserID, req.Claims = id.UserID, id.Claims
		}
	}
	if user := ask.GetUserId(); user != "" {
		req.UserID, req.Claims = user, nil
	}
	k.began = a.engine.cfg.Clock.Now()
	to.Ask(ctx, req, k.onAnswer)
}

// asking is a question that is being put to an upstream. They are kept, for their memory.
type asking struct {
	*attached

	ctx      context.Context //nolint:containedctx // of the question
	route    *routeState
	upstream string // its name
	req      neutral.Request
	began    time.Time
	emit     func(*pluginv1.Answer)
	onAnswer func(*neutral.Answer) // the method answered, made a value once
}

var askings = sync.Pool{New: func() any {
	k := new(asking)
	k.onAnswer = k.answered
	return k
}}

func (k *asking) free() {
	*k = asking{onAnswer: k.onAnswer}
	askings.Put(k)
}

func (k *asking) answered(ans *neutral.Answer) {
	if ans.Last {
		k.engine.asked(k.ctx, k.route, k.upstream, &k.req, ans, k.began)
	}
	if ans.Detail != "" {
		k.engine.log.Warn("upstream answered badly", "plugin", k.Label(), "route", k.route.ID, "session", k.req.Session,
			"call", k.req.ID, "outcome", ans.Outcome.String(), "detail", ans.Detail)
	}
	k.emit(k.answer(ans, k.req.Session))
}

// answer is an upstream's in the contract's form. An item that was only for channels which are private
// is for nobody.
func (a *attached) answer(ans *neutral.Answer, session string) *pluginv1.Answer {
	out := answerProto(ans)
	out.Join, out.Leave = a.public("join", out.GetJoin(), session), a.public("leave", out.GetLeave(), session)
	out.Items = slices.DeleteFunc(out.GetItems(), func(it *pluginv1.Item) bool {
		if len(it.GetChannels()) == 0 {
			return false
		}
		it.Channels = a.public("publish", it.GetChannels(), session)
		return len(it.GetChannels())+len(it.GetUsers())+len(it.GetClients())+len(it.GetNodes()) == 0
	})
	return out
}

// asked logs how a question to an upstream ended. With the session's id one finds it from the socket,
// with the call's at the back-end.
func (e *Engine) asked(ctx context.Context, r *routeState, upstream string, req *neutral.Request, ans *neutral.Answer, began time.Time) {
	if !e.log.Enabled(ctx, slog.LevelDebug) {
		return
	}
	e.log.Debug("upstream asked", "plugin", r.plugin.Label(), "route", r.ID, "session", req.Session, "call", req.ID,
		"upstream", upstream, "outcome", ans.Outcome.String(), "bytes", len(req.Payload), "duration", e.cfg.Clock.Now().Sub(began))
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
