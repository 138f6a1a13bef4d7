package core

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/deliver"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	clusterv1 "github.com/protocol-bridge/bridge/proto/bridge/cluster/v1"
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
	a.engine.releaseAll(s)
	a.engine.expiries.drop(s)
}

// errChannels is why a session joins no further channel.
var errChannels = errors.New("the session is on as many channels as it may be")

// refusedJoins counts what [attached.Join] refuses.
func (e *Engine) refusedJoins() prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "bridge_session_refused_joins_total",
		Help: "Channels that sessions may not join, or not beside those that they are on.",
	}, func() float64 { return float64(e.unjoined.Load()) })
}

// Join makes a session a member of a channel, which may be a private one: what comes from outside goes
// through [attached.public] before. A name that cannot be one, a channel that the plugin or the user may
// not join, and one too many are refused and logged.
func (a *attached) Join(s *session.Session, name string) bool {
	err := channel.CheckOwn(name)
	if err == nil {
		err = a.engine.rules.Load().Join(a.subject(s.Identity()), name)
	}
	if err == nil && a.group.Load().Channels(s) >= a.engine.cfg.MaxChannels {
		err = errChannels
	}
	if err != nil {
		a.engine.unjoined.Add(1)
		a.refused("join", name, err, sessionID(s))
		return false
	}
	a.group.Load().Join(s, name)
	return true
}

// public is what there is of a list beside private names, each of which is logged and counted as
// refused. The list is as an auth backend, an upstream or the configuration has it.
func (a *attached) public(what string, list []string, session string) []string {
	if !slices.ContainsFunc(list, channel.IsPrivate) {
		return list
	}
	var public []string
	for _, name := range list {
		if !channel.IsPrivate(name) {
			public = append(public, name)
			continue
		}
		if what == "join" {
			a.engine.unjoined.Add(1)
		}
		a.refused(what, name, channel.ErrReserved, session)
	}
	return public
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

// Publish delivers to the plugin's own sessions by the variants, and to other protocols by the content,
// on the channels that are not private, here and on the other nodes. The channels that may not be published
// to are left out and logged.
func (a *attached) Publish(author *session.Identity, route string, pub *pluginv1.Publish, dirty *session.Dirty) {
	_, m, err := a.publish(author, route, pub, dirty)
	if err == nil && m != nil {
		a.engine.nodes().send(m)
	}
}

// Count is Publish that waits for the other nodes. When there is no channel left the error is the last
// refusal.
func (a *attached) Count(ctx context.Context, author *session.Identity, route string, pub *pluginv1.Publish, dirty *session.Dirty) (session.Reached, error) {
	if pub.GetOrderKey() != "" {
		pub = proto.CloneOf(pub)
		pub.OrderKey = ""
	}
	if err := a.engine.nodes().away(); err != nil {
		return session.Reached{}, err
	}
	reached, m, err := a.publish(author, route, pub, dirty)
	if err == nil && m != nil {
		dirty.Flush()
		a.engine.nodes().count(ctx, m, &reached)
	}
	return reached, err
}

// publish delivers on this node, and returns what the others are to be sent; nil: there are none.
func (a *attached) publish(author *session.Identity, route string, pub *pluginv1.Publish, dirty *session.Dirty) (reached session.Reached, others *clusterv1.Envelope, err error) {
	channels, err := a.publishable(author, pub.GetChannels())
	if len(channels) == 0 {
		return reached, nil, err
	}
	g := a.group.Load()
	public := publicOnly(channels)
	var m *hub.Message
	if c := pub.GetContent(); c != nil && len(public) > 0 {
		m = a.message(author, c)
		a.engine.mirror(g, a.engine.route(route), public, m)
	}
	reached = deliver.Publish(g, channels, pub, dirty, func(n session.Reached) {
		a.failed(n)
		if m != nil {
			g.Hand(public, m)
		}
	}, ignored)
	if a.engine.nodes().others() {
		others = a.engine.nodes().publication(a, channels, pub, m)
	}
	return reached, others, nil
}

func publicOnly(channels []string) []string {
	return slices.DeleteFunc(slices.Clone(channels), channel.IsPrivate)
}

// ignored is for a publish that was delivered before.
func ignored() {}

// failed counts what sessions did not take of a publish.
func (a *attached) failed(n session.Reached) {
	if n.Failed > 0 {
		a.unsent.Add(n.Failed)
	}
}

// Tell tells the named actors of that key on other nodes.
func (a *attached) Tell(key string, data []byte) {
	if n := a.engine.nodes(); n.others() {
		n.send(&clusterv1.Envelope{Body: &clusterv1.Envelope_Tell{Tell: &clusterv1.Tell{Plugin: a.Label(), Key: key, Data: data}}})
	}
}

// Told has publishes pass a session by whose client is told what they say.
func (a *attached) Told(s *session.Session, what session.Order) {
	deliver.Told(a.group.Load(), s, what)
}

func (a *attached) publishable(author *session.Identity, list []string) (channels []string, err error) {
	channels = make([]string, 0, len(list))
	rules, who := a.engine.rules.Load(), a.subject(author)
	for _, c := range list {
		refusal := channel.CheckOwn(c)
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

// Encoded delivers the form that a plugin gave to another protocol's message. Where the plugin owns the
// channel it alone got the message, for all nodes.
func (a *attached) Encoded(channels []string, vs []*pluginv1.Variant, dirty *session.Dirty) {
	g := a.group.Load()
	g.Publish(channels, hub.Except{}, deliver.Variants(vs), dirty)
	if n := a.engine.nodes(); len(vs) > 0 && n.others() {
		if owned := g.Owns(channels); len(owned) > 0 {
			n.send(n.publication(a, owned, &pluginv1.Publish{Variants: vs}, nil))
		}
	}
}

func contentMessage(c *pluginv1.Content) *hub.Message {
	return &hub.Message{
		Type: c.GetType(), Payload: c.GetPayload(), Realm: c.GetAuthorRealm(), UserID: c.GetAuthorId(), Time: c.GetTime(),
		ID: c.GetId(), Origin: c.GetOrigin(),
	}
}

func contentProto(m *hub.Message) *pluginv1.Content {
	return &pluginv1.Content{
		Type: m.Type, Payload: m.Payload, AuthorRealm: m.Realm, AuthorId: m.UserID, Time: m.Time, Id: m.ID, Origin: m.Origin,
	}
}
