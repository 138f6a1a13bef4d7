package core

import (
	"strconv"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Opened registers a session before its first event, and makes it a member of the channels that it
// has from the start.
func (a *attached) Opened(s *session.Session, who *session.Admission) []string {
	a.group.Load().Add(s)
	a.engine.metrics.open(a, s.Info.Route)
	return a.welcome(s, who)
}

// Gone takes a session whose connection is over out of the hub.
func (a *attached) Gone(s *session.Session, code int) {
	a.group.Load().Remove(s)
	a.traffic.add(s.Traffic())
	a.engine.metrics.close(a, s.Info.Route, code)
}

// Ended frees what a session held until its last event was handled.
func (a *attached) Ended(s *session.Session) {
	a.engine.claims.releaseAll(s)
	a.engine.expiries.drop(s)
}

// Join makes a session a member of a channel. A name that cannot be one, and a channel that the
// plugin or the user may not join, are refused and logged.
func (a *attached) Join(s *session.Session, name string) bool {
	err := channel.Check(name)
	if err == nil {
		err = a.engine.rules.Load().Join(a.subject(s.Identity()), name)
	}
	if err != nil {
		a.refused("join", name, err, sessionID(s))
		return false
	}
	a.group.Load().Join(s, name)
	return true
}

// Leave ends a membership.
func (a *attached) Leave(s *session.Session, name string) {
	a.group.Load().Leave(s, name)
}

// subject is who asks for something by this plugin; id may be nil.
func (a *attached) subject(id *session.Identity) access.Subject {
	if id == nil {
		return access.Subject{Plugin: a.Label()}
	}
	return access.Subject{Plugin: a.Label(), Realm: id.Realm, Within: id.Within}
}

// refused logs what was not done. The name of the channel may come from a stranger.
func (a *attached) refused(what, name string, err error, id string) {
	now := a.engine.cfg.Clock.Now()
	if dropped, ok := a.engine.quiet.Allow(now); ok {
		const most = 64
		a.engine.log.Warn("refused on this channel", "what", what, "plugin", a.Label(), "session", id, "channel", strconv.Quote(name[:min(len(name), most)]), "err", err, "dropped", dropped)
	}
}

// Publish delivers to the plugin's own sessions by the variants, and to other protocols by the
// content. The channels that may not be published to are left out and logged; when none is left, the
// error is the last refusal.
func (a *attached) Publish(author *session.Identity, pub *pluginv1.Publish, dirty *session.Dirty) (int, error) {
	channels, err := a.publishable(author, pub.GetChannels())
	if len(channels) == 0 {
		return 0, err
	}
	g := a.group.Load()
	n := g.Publish(channels, pub.GetExcept(), variants(pub.GetVariants()), dirty)
	if c := pub.GetContent(); c != nil {
		m := a.message(author, c)
		g.Hand(channels, m)
		a.engine.mirror(g, channels, m)
	}
	return n, nil
}

func (a *attached) publishable(author *session.Identity, list []string) (channels []string, err error) {
	channels = make([]string, 0, len(list))
	rules, who := a.engine.rules.Load(), a.subject(author)
	for _, c := range list {
		refusal := channel.Check(c)
		if refusal == nil {
			refusal = rules.Publish(who, c)
		}
		if refusal != nil {
			a.refused("publish", c, refusal, "")
			err = refusal
			continue
		}
		channels = append(channels, c)
	}
	return channels, err
}

// message is what crosses protocols, with what the plugin left out.
func (a *attached) message(author *session.Identity, c *pluginv1.Content) *hub.Message {
	m := &hub.Message{
		Type: c.GetType(), Payload: c.GetPayload(), Realm: c.GetAuthorRealm(), UserID: c.GetAuthorId(),
		Time: c.GetTime(), ID: c.GetId(), Origin: a.Label(),
	}
	if author != nil && m.UserID == "" {
		m.Realm, m.UserID = author.Realm, author.UserID
	}
	if m.Time == 0 {
		m.Time = a.engine.cfg.Clock.Now().UnixMilli()
	}
	if m.ID == "" {
		m.ID = strconv.FormatUint(a.engine.ids.Next(), 10)
	}
	return m
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
