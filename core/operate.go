package core

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/internal/snowflake"
)

// Sessions lists open sessions, of all nodes, in the order of their ids.
func (e *Engine) Sessions(q admin.SessionQuery) admin.SessionPage {
	page := e.sessionsHere(q)
	if e.nodes().others() {
		e.nodes().list(q, &page)
	}
	return page
}

// sessionsHere are those of this node.
func (e *Engine) sessionsHere(q admin.SessionQuery) admin.SessionPage {
	found := e.find(func(s *session.Session, g *hub.Group) bool {
		return s.ID > uint64(q.After) && e.matches(s, g, &q)
	})
	slices.SortFunc(found, func(a, b member) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	var page admin.SessionPage
	if q.Limit > 0 && len(found) > q.Limit {
		found = found[:q.Limit]
		page.Next = admin.ID(found[q.Limit-1].ID)
	}
	for _, m := range found {
		page.Sessions = append(page.Sessions, e.describeSession(m.Session, m.group))
	}
	return page
}

// member is a session with the group it is in.
type member struct {
	*session.Session
	group *hub.Group
}

func (e *Engine) find(wanted func(*session.Session, *hub.Group) bool) []member {
	var found []member
	e.hub.Each(func(s *session.Session, g *hub.Group) {
		if wanted(s, g) {
			found = append(found, member{s, g})
		}
	})
	return found
}

func (e *Engine) matches(s *session.Session, g *hub.Group, q *admin.SessionQuery) bool {
	return (q.Plugin == "" || g.Name() == q.Plugin) &&
		(q.Route == "" || e.isRoute(s, q.Route)) &&
		isUser(s, q.User, q.Realm) &&
		(q.Channel == "" || slices.Contains(e.hub.Channels(s), q.Channel))
}

// isRoute says whether a session is of the route of that id or path.
func (e *Engine) isRoute(s *session.Session, route string) bool {
	if s.Info.Route == route {
		return true
	}
	r := e.route(s.Info.Route)
	return r != nil && r.Path == route
}

func isUser(s *session.Session, user, realm string) bool {
	if user == "" && realm == "" {
		return true
	}
	id := s.Identity()
	return id != nil && (user == "" || id.UserID == user) && (realm == "" || id.Realm == realm)
}

// Session describes one, of any node; false when there is none of that id.
func (e *Engine) Session(id admin.ID) (admin.SessionStatus, bool) {
	if home, elsewhere := e.nodes().home(uint64(id)); elsewhere {
		return e.nodes().find(home, id)
	}
	s, g := e.hub.Session(uint64(id))
	if s == nil {
		return admin.SessionStatus{}, false
	}
	return e.describeSession(s, g), true
}

func (e *Engine) describeSession(s *session.Session, g *hub.Group) admin.SessionStatus {
	st := admin.SessionStatus{
		ID: admin.ID(s.ID), Plugin: g.Name(), Route: s.Info.Route, RemoteAddress: s.Info.RemoteAddress, Transport: "websocket",
		Opened: time.UnixMilli(snowflake.Time(s.ID)).UTC(), Channels: e.hub.Channels(s), OutboxBytes: s.Queued(), InFlight: s.InFlight(),
	}
	if s.Info.HTTP {
		st.Transport = "http"
	}
	if st.Channels == nil {
		st.Channels = []string{}
	}
	if id := s.Identity(); id != nil {
		st.User, st.Realm = id.UserID, id.Realm
	}
	s.RangeContext(func(key string, _ []byte) { st.Context = append(st.Context, key) })
	slices.Sort(st.Context)
	return st
}

// CloseThose closes the sessions that an operator names, and returns how many were open.
func (e *Engine) CloseThose(req *admin.CloseRequest) (int, error) {
	code := req.Code
	if code == 0 {
		code = session.CloseNormal.Code
	}
	if !session.ValidCode(code) {
		return 0, fmt.Errorf("no close frame has the code %d: 1000 to 1014 and 3000 to 4999 do, but not 1004, 1005 and 1006", code)
	}
	if len(req.Reason) > session.MaxReason {
		return 0, fmt.Errorf("a close frame has room for a reason of %d bytes, this one has %d", session.MaxReason, len(req.Reason))
	}
	n := e.closeHere(req)
	if e.nodes().others() {
		n += e.nodes().closeThose(req)
	}
	e.log.Info("operator closed sessions", "sessions", n, "user", req.User, "route", req.Route, "code", code)
	return n, nil
}

// closeHere closes those of this node.
func (e *Engine) closeHere(req *admin.CloseRequest) int {
	n := 0
	for _, m := range e.named(req) {
		if !m.IsClosing() {
			m.Close(cmp.Or(req.Code, session.CloseNormal.Code), req.Reason)
			n++
		}
	}
	return n
}

func (e *Engine) named(req *admin.CloseRequest) []member {
	if len(req.IDs) > 0 {
		var list []member
		for _, id := range req.IDs {
			if s, g := e.hub.Session(uint64(id)); s != nil {
				list = append(list, member{s, g})
			}
		}
		return list
	}
	return e.find(func(s *session.Session, _ *hub.Group) bool {
		return req.User != "" && isUser(s, req.User, req.Realm) || req.Route != "" && e.isRoute(s, req.Route)
	})
}

// originOperator is where messages come from that an operator publishes.
const originOperator = "operator"

// PublishAs publishes a message that no client sent, by whoever runs the node: on any channel but the
// core's own. It returns how many sessions are members of the channel whose protocols take messages.
func (e *Engine) PublishAs(req *admin.PublishRequest) (int, error) {
	if err := channel.Check(req.Channel); err != nil {
		return 0, err
	}
	if req.Type == "" {
		return 0, errors.New("a message has a type")
	}
	m := &hub.Message{
		Type: req.Type, Payload: req.Payload, Time: e.cfg.Clock.Now().UnixMilli(),
		ID: strconv.FormatUint(e.ids.Next(), 10), Origin: originOperator,
	}
	n := e.hub.Hand(req.Channel, m)
	if e.nodes().others() {
		n += e.nodes().hand(req.Channel, m)
	}
	e.mirror(nil, nil, []string{req.Channel}, m)
	e.log.Debug("operator published", "channel", req.Channel, "type", req.Type, "bytes", len(req.Payload), "receivers", n)
	return n, nil
}

// LogSession logs each event and command of a session for so long, with their sizes; what they hold is
// never logged. false: there is no such session.
func (e *Engine) LogSession(id admin.ID, long time.Duration) bool {
	s, g := e.hub.Session(uint64(id))
	if s == nil {
		return false
	}
	log := e.log.With("session", id.String(), "plugin", g.Name(), "route", s.Info.Route)
	log.Info("session is watched", "for", long)
	stop := s.Watch(func(what, kind string, bytes int) {
		log.Info("session watched", "what", what, "kind", kind, "bytes", bytes)
	})
	e.cfg.Clock.AfterFunc(long, func() {
		stop()
		log.Info("session is not watched any more")
	})
	return true
}
