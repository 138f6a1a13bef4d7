package core

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/expr"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// authenticate asks a route's auth backend. Whatever the backend says, nobody comes in as somebody
// else than they claimed to be.
func (e *Engine) authenticate(ctx context.Context, r *routeState, info *session.Info, req *auth.Request) (auth.Answer, *session.Identity) {
	req.Protocol, req.Route, req.RemoteAddress = r.plugin.Description().GetName(), r.Path, info.RemoteAddress
	if !req.OnBehalf {
		req.Opening.Authorization, req.Opening.Cookie = info.Header("authorization"), info.Header("cookie")
	}
	began := e.cfg.Clock.Now()
	ans := r.Auth.Authenticate(ctx, req)
	if ans.Outcome == neutral.OK && req.UserID != "" && ans.UserID != req.UserID {
		ans = auth.Answer{Outcome: neutral.Denied, Reason: "Wrong credentials", Detail: "the client claimed to be another user"}
	}
	e.metrics.authenticated(r.Auth, &ans)
	e.log.Debug("auth backend asked", "route", r.ID, "auth", r.Auth.Realm(), "session", req.Session, "call", req.ID,
		"outcome", ans.Outcome.String(), "duration", e.cfg.Clock.Now().Sub(began))
	if ans.Detail != "" {
		const shortest = 6 // what is shorter is part of other words
		if len(req.Token) >= shortest {
			ans.Detail = strings.ReplaceAll(ans.Detail, req.Token, "***") // a back-end may show what it was sent
		}
		e.log.Warn("client not authenticated", "route", r.ID, "auth", r.Auth.Realm(), "session", req.Session, "call", req.ID,
			"outcome", ans.Outcome.String(), "detail", ans.Detail)
	}
	if ans.Outcome != neutral.OK {
		return ans, nil
	}
	return ans, &session.Identity{Realm: r.Auth.Realm(), UserID: ans.UserID, Claims: ans.Claims, Within: ans.Within}
}

// Authenticate asks the route's auth backend who the session's client is, keeps the identity with
// the session, and evaluates the route's channels for it. Where the session is a server's that asks on
// behalf of a client, it says who that is, and nothing else.
func (a *attached) Authenticate(ctx context.Context, info *pluginhost.CallInfo, req *pluginv1.Authenticate) *pluginv1.Answer {
	e := a.engine
	r, s := e.route(info.Route), info.Session
	fail := func(o pluginv1.Outcome) *pluginv1.Answer { return &pluginv1.Answer{Last: true, Outcome: o} }
	if r == nil || r.Auth == nil || s == nil {
		e.log.Warn("authentication without an auth backend", "plugin", a.Label(), "route", info.Route,
			"session", sessionOf(info), "call", callID(info))
		return fail(pluginv1.Outcome_OUTCOME_UNAVAILABLE)
	}
	q := &auth.Request{
		ID: callID(info), Session: sessionID(s), Token: req.GetToken(), HasToken: req.GetHasToken(),
		UserID: req.GetUserId(), Payload: req.GetPayload(), Subprotocol: req.GetSubprotocol(),
	}
	q.OnBehalf, q.HasUserID, q.HeadersJSON = req.GetOnBehalf(), req.GetHasUserId(), req.GetHeadersJson()
	q.Headers, q.Opening.Cookies = fields(req.GetHeaders()), fields(req.GetCookies())
	ans, id := e.authenticate(ctx, r, s.Info, q)
	out := &pluginv1.Answer{
		Last: true, Outcome: pluginv1.Outcome(ans.Outcome), Reason: ans.Reason, Supported: ans.Supported, Subprotocol: ans.Subprotocol,
		Identity: pluginhost.IdentityProto(id), OnBehalf: q.OnBehalf,
	}
	if id == nil {
		return out
	}
	if q.OnBehalf {
		out.Channels = a.public("join", ans.Joins, sessionID(s))
		return out
	}
	channels, err := routeChannels(r, s, id)
	if err != nil {
		e.log.Warn("channels of the route cannot be evaluated", "route", r.ID, "session", sessionID(s), "err", err)
		s.CloseWith(session.CloseInternal)
		return fail(pluginv1.Outcome_OUTCOME_ERROR)
	}
	s.SetIdentity(id)
	e.expiries.set(e.cfg.Clock, s, ans.Expires)
	out.Channels = a.public("join", union(ans.Joins, channels), sessionID(s))
	return out
}

func fields(list []*pluginv1.Entry) []auth.Field {
	var out []auth.Field
	for _, e := range list {
		out = append(out, auth.Field{Name: e.GetKey(), Value: string(e.GetValue())})
	}
	return out
}

func union(a, b []string) []string {
	var all []string
	for _, c := range slices.Concat(a, b) {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// tokenCookie is where a browser may keep the token of a route that authenticates at the handshake.
const tokenCookie = "token"

// Admit asks the route's auth backend who a client is before its connection is taken. A route without
// one lets everybody in. Where nobody is let in the admission is nil and the answer says why; an error
// says that the route cannot be served now.
func (e *Engine) Admit(ctx context.Context, info *session.Info) (*session.Admission, auth.Answer, error) {
	r, err := e.serving(info.Route)
	if err != nil {
		return nil, auth.Answer{}, err
	}
	if r.Auth == nil {
		return &session.Admission{By: r.AuthKey}, auth.Answer{Outcome: neutral.OK}, nil
	}
	req := &auth.Request{ID: strconv.FormatUint(e.ids.Next(), 10)}
	if req.Token, req.HasToken, err = handshakeToken(r, info); err != nil {
		e.log.Info("token cannot be evaluated", "route", r.ID, "err", err)
		return nil, auth.Answer{Outcome: neutral.Denied}, nil
	}
	ans, id := e.authenticate(ctx, r, info, req)
	if id == nil {
		return nil, ans, nil
	}
	return &session.Admission{Identity: id, Channels: ans.Joins, Expires: ans.Expires, By: r.AuthKey}, ans, nil
}

// handshakeToken is what the client shows: a bearer token, else what the route's expression finds,
// else the cookie.
func handshakeToken(r *routeState, info *session.Info) (token string, ok bool, err error) {
	if scheme, rest, found := strings.Cut(info.Header("authorization"), " "); found && strings.EqualFold(scheme, "bearer") {
		return strings.TrimSpace(rest), true, nil
	}
	if r.Token != nil {
		if token, ok, err = r.Token.String(expr.Scope{"request": requestValue(info)}); ok || err != nil {
			return token, ok, err
		}
	}
	token, ok = cookie(info.Header("cookie"), tokenCookie)
	return token, ok, nil
}

// cookie finds one by name, whatever the others look like; of several the first counts.
func cookie(header, name string) (string, bool) {
	for pair := range strings.SplitSeq(header, ";") {
		if n, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && n == name {
			return value, true
		}
	}
	return "", false
}

// welcome makes a session that was admitted a member of the channels that it has from the start, and returns
// them: those of the route, where everybody may come in as well, and those of its identity.
func (a *attached) welcome(s *session.Session, who *session.Admission) []string {
	if who == nil || s.Info.HTTP {
		return nil
	}
	r := a.engine.route(s.Info.Route)
	channels, err := routeChannels(r, s, who.Identity)
	if err != nil {
		a.engine.log.Warn("channels of the route cannot be evaluated", "route", r.ID, "session", sessionID(s), "err", err)
		s.CloseWith(session.CloseInternal)
		return nil
	}
	a.engine.expiries.set(a.engine.cfg.Clock, s, who.Expires)
	var joined []string
	for _, c := range a.public("join", union(who.Channels, channels), sessionID(s)) {
		if a.Join(s, c) {
			joined = append(joined, c)
		}
	}
	return joined
}
