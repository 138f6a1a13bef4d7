package core

import (
	"context"
	"slices"
	"strconv"
	"sync"

	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// Opened registers a session before its first event.
func (a *attached) Opened(s *session.Session) { a.group.Load().Add(s) }

// Gone takes a session whose connection is over out of the hub.
func (a *attached) Gone(s *session.Session) { a.group.Load().Remove(s) }

// Ended frees what a session held until its last event was handled.
func (a *attached) Ended(s *session.Session) { a.engine.claims.releaseAll(s) }

// Join makes a session a member of a channel. A name that cannot be one is refused, and logged.
func (a *attached) Join(s *session.Session, name string) {
	if err := channel.Check(name); err != nil {
		a.engine.log.Warn("join refused", "plugin", a.Label(), "session", s.ID, "err", err)
		return
	}
	a.group.Load().Join(s, name)
}

// Leave ends a membership.
func (a *attached) Leave(s *session.Session, name string) {
	a.group.Load().Leave(s, name)
}

// Publish delivers to the plugin's own sessions by the variants, and to other protocols by the
// content.
func (a *attached) Publish(author *session.Identity, pub *pluginv1.Publish, dirty *session.Dirty) int {
	channels := make([]string, 0, len(pub.GetChannels()))
	for _, c := range pub.GetChannels() {
		if err := channel.Check(c); err != nil {
			a.engine.log.Warn("publish refused", "plugin", a.Label(), "err", err)
			continue
		}
		channels = append(channels, c)
	}
	g := a.group.Load()
	n := g.Publish(channels, pub.GetExcept(), variants(pub.GetVariants()), dirty)
	if c := pub.GetContent(); c != nil {
		m := &hub.Message{Type: c.GetType(), Payload: c.GetPayload(), Realm: c.GetAuthorRealm(), UserID: c.GetAuthorId(), Time: c.GetTime(), ID: c.GetId(), Origin: a.Label()}
		if author != nil && m.UserID == "" {
			m.Realm, m.UserID = author.Realm, author.UserID
		}
		if m.Time == 0 {
			m.Time = a.engine.cfg.Clock.Now().UnixMilli()
		}
		if m.ID == "" {
			m.ID = strconv.FormatUint(a.engine.ids.Next(), 10)
		}
		g.Hand(channels, m)
	}
	return n
}

// Encoded delivers the form that a plugin gave to another protocol's message.
func (a *attached) Encoded(channels []string, vs []*pluginv1.Variant, dirty *session.Dirty) {
	a.group.Load().Publish(channels, nil, variants(vs), dirty)
}

// variants are the contract's in the hub's form. A slot beyond its frame, or behind the one before
// it, is left out: what the plugin meant by it cannot be known.
func variants(list []*pluginv1.Variant) []hub.Variant {
	out := make([]hub.Variant, 0, len(list))
	for _, v := range list {
		h := hub.Variant{Name: v.GetName(), Data: v.GetData(), Binary: v.GetBinary()}
		at := 0
		for _, s := range v.GetSlots() {
			if int(s.GetAt()) < at || int(s.GetAt()) > len(h.Data) || s.GetRandomId() > maxRandomID {
				continue
			}
			at = int(s.GetAt())
			h.Slots = append(h.Slots, hub.Slot{At: at, RandomID: int(s.GetRandomId()), Number: s.GetNumber(), Minus: s.GetMinus()})
		}
		out = append(out, h)
	}
	return out
}

// maxRandomID bounds what one slot may ask for.
const maxRandomID = 256

func contentProto(m *hub.Message) *pluginv1.Content {
	return &pluginv1.Content{
		Type: m.Type, Payload: m.Payload, AuthorRealm: m.Realm, AuthorId: m.UserID, Time: m.Time, Id: m.ID, Origin: m.Origin,
	}
}

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
		Payload: a.Payload, HasPayload: a.Payload != nil,
	}
	for i := range a.Items {
		it := &a.Items[i]
		out.Items = append(out.Items, &pluginv1.Item{
			Channels: it.Channels, Users: it.Users, Clients: it.Clients, Nodes: it.Nodes, Type: it.Type, Payload: it.Payload,
		})
	}
	return out
}

// Authenticate asks the route's auth backend who the session's client is, keeps the identity with
// the session, and evaluates the route's channels for it.
func (a *attached) Authenticate(ctx context.Context, info *pluginhost.CallInfo, req *pluginv1.Authenticate) *pluginv1.Answer {
	r, s := a.engine.route(info.Route), info.Session
	fail := func(o pluginv1.Outcome) *pluginv1.Answer { return &pluginv1.Answer{Last: true, Outcome: o} }
	if r == nil || r.Auth == nil || s == nil {
		a.engine.log.Warn("authentication without an auth backend", "plugin", a.Label(), "route", info.Route)
		return fail(pluginv1.Outcome_OUTCOME_UNAVAILABLE)
	}
	ans := r.Auth.Authenticate(ctx, &auth.Request{
		Token: req.GetToken(), HasToken: req.GetHasToken(), UserID: req.GetUserId(), Payload: req.GetPayload(),
		Session: strconv.FormatUint(s.ID, 10), RemoteAddress: s.Info.RemoteAddress,
	})
	if ans.Detail != "" {
		a.engine.log.Warn("auth backend answered badly", "route", r.ID, "session", s.ID, "outcome", ans.Outcome.String(), "detail", ans.Detail)
	}
	out := &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome(ans.Outcome), Reason: ans.Reason, Supported: ans.Supported}
	if ans.Outcome != neutral.OK {
		return out
	}
	id := &session.Identity{Realm: r.Auth.Realm(), UserID: ans.UserID, Claims: ans.Claims}
	channels, err := routeChannels(r, s, id)
	if err != nil {
		a.engine.log.Warn("channels of the route cannot be evaluated", "route", r.ID, "session", s.ID, "err", err)
		s.CloseWith(session.CloseInternal)
		return fail(pluginv1.Outcome_OUTCOME_ERROR)
	}
	s.SetIdentity(id)
	for _, c := range slices.Concat(ans.Joins, channels) {
		if !slices.Contains(out.GetChannels(), c) {
			out.Channels = append(out.GetChannels(), c)
		}
	}
	out.Identity = pluginhost.IdentityProto(id)
	return out
}

// Act does something to one session of the plugin.
func (a *attached) Act(act *pluginv1.Act) uint64 {
	s, g := a.engine.hub.Session(act.GetSession())
	if s == nil || g != a.group.Load() {
		return 0
	}
	var dirty session.Dirty
	a.act(s, act.GetAction(), &dirty)
	dirty.Flush()
	return 1
}

// Select does something to all sessions of the plugin that match.
func (a *attached) Select(sel *pluginv1.Select) uint64 {
	g := a.group.Load()
	var candidates []*session.Session
	if c := sel.GetChannel(); c != "" {
		candidates = g.Members(c)
	} else {
		a.engine.hub.Each(func(s *session.Session, of *hub.Group) {
			if of == g {
				candidates = append(candidates, s)
			}
		})
	}
	var dirty session.Dirty
	n := uint64(0)
	for _, s := range candidates {
		id := s.Identity()
		if sel.GetAuthenticated() && id == nil {
			continue
		}
		if users := sel.GetUserIds(); len(users) > 0 && (id == nil || !slices.Contains(users, id.UserID)) {
			continue
		}
		a.act(s, sel.GetAction(), &dirty)
		n++
	}
	dirty.Flush()
	return n
}

func (a *attached) act(s *session.Session, do *pluginv1.Action, dirty *session.Dirty) {
	for _, c := range do.GetJoin() {
		a.Join(s, c)
	}
	for _, c := range do.GetLeave() {
		a.Leave(s, c)
	}
	for _, kv := range do.GetContext() {
		s.PutContext(kv.GetKey(), kv.GetValue())
	}
	for _, v := range variants(do.GetFrames()) {
		a.group.Load().Send(s, []hub.Variant{v}, dirty)
	}
	if c := do.GetClose(); c != nil {
		code := int(c.GetCode())
		if code == 0 {
			code = session.CloseNormal.Code
		}
		s.Close(code, c.GetReason())
	}
}

// Claim says whether the session now holds the name.
func (a *attached) Claim(s *session.Session, c *pluginv1.Claim) bool {
	granted, evicted := a.engine.claims.take(claimKey{a, c.GetName()}, s, c.GetTakeOver())
	if evicted != nil {
		evicted.Close(int(c.GetCloseCode()), c.GetCloseReason())
	}
	return granted
}

// Release gives a name up.
func (a *attached) Release(s *session.Session, name string) {
	a.engine.claims.release(claimKey{a, name}, s)
}

// claims are the names that sessions of this node hold.
type claims struct {
	mu     sync.Mutex
	holder map[claimKey]*session.Session
	held   map[*session.Session][]claimKey
}

type claimKey struct {
	plugin *attached
	name   string
}

func (c *claims) take(k claimKey, s *session.Session, takeOver bool) (granted bool, evicted *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch old := c.holder[k]; {
	case old == s:
		return true, nil
	case old != nil && !takeOver:
		return false, nil
	case old != nil:
		c.dropLocked(k, old)
		evicted = old
	}
	if c.holder == nil {
		c.holder = make(map[claimKey]*session.Session)
		c.held = make(map[*session.Session][]claimKey)
	}
	c.holder[k] = s
	c.held[s] = append(c.held[s], k)
	return true, evicted
}

func (c *claims) release(k claimKey, s *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.holder[k] == s {
		c.dropLocked(k, s)
	}
}

func (c *claims) releaseAll(s *session.Session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.held[s] {
		delete(c.holder, k)
	}
	delete(c.held, s)
}

func (c *claims) dropLocked(k claimKey, s *session.Session) {
	delete(c.holder, k)
	keys := c.held[s]
	if i := slices.Index(keys, k); i >= 0 {
		keys = slices.Delete(keys, i, i+1)
	}
	if len(keys) == 0 {
		delete(c.held, s)
		return
	}
	c.held[s] = keys
}
