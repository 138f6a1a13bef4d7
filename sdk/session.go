package sdk

import (
	"context"
	"iter"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"time"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Session is one actor as Step sees it: a client's session, or an actor that the plugin named with
// [Conn.Bind]. State is encoded into a cell of the core after a step that changed it: as JSON, or
// with AppendBinary or MarshalBinary where *S has one of these and UnmarshalBinary. A state of bools,
// numbers and strings is compared by value; any other is encoded after each step to see whether it
// changed, so large ones are better kept in cells of their own ([Conn.Put]).
type Session[S any] struct {
	State S
	Conn

	plugin Plugin[S]
	codec  *stateCodec[S]
	before S      // at the step's beginning; used where values are compared
	saved  []byte // what is in the core; used where they are not
	stale  bool   // what is in the core is of another version, and to be put anew
}

// Conn is what a step may look at and ask for. It belongs to one actor and to one session: what is
// about a connection (Send, Close, Join, …) goes to the session the event came from, what is about
// an actor (Put, Timer, …) to the actor. For a session that was not bound they are the same.
//
// A Conn is to be used in Step only.
type Conn struct {
	a *actor
	p *peer // nil: an event of a named actor that came from no session
}

// peer is one session of an actor.
type peer struct {
	id       uint64
	info     *SessionInfo
	identity *Identity
	context  map[string][]byte
	route    *Route
	closing  bool // the plugin closed it: only its Closed event still goes to Step
}

// actor is what has a mailbox, state and timers.
type actor struct {
	id    uint64
	key   string // of a named actor
	named bool
	self  *peer // of a session; nil for others
	bound map[uint64]*peer
	cells map[string][]byte
	size  int // bytes of cells, keys included, as the core counts them
	own   int // of them in the cell of State
	sess  stepper
	turn  *turn // while a step runs
	gone  bool  // forgotten: what is still in the mailbox is dropped
	fault error // why its state cannot be read: all its events fail

	// Guarded by link.mu.
	head, tail *node
	next       *actor // in the run queue
	queued     bool   // in the run queue or run by a lane
}

// stepper is a Session[S] without its type.
type stepper interface {
	// load takes the state from the actor's cells.
	load(version uint32) error
	// step calls the plugin for an event of p's and puts the state if it changed. commit follows when
	// the step is on its way, else undo, which brings the state back to what it was before.
	step(t *turn, p *peer, ev Event) error
	commit(t *turn)
	undo()
}

// SessionInfo is how a session came to be. It does not change.
type SessionInfo struct {
	RemoteAddress string // host:port
	Host          string
	Method        string
	Path          string
	Query         string // without the question mark
	Headers       []Header
	Transport     Transport
	TLS           bool
	// Local says that the peer is this machine, and that nothing says that it speaks for another: no
	// header of a proxy, no page of another site.
	Local bool
}

// Header is a header line; names that come from the core are in lower case.
type Header struct{ Name, Value string }

// Header returns the first value of a header, named in lower case; "" when there is none.
func (i *SessionInfo) Header(name string) string {
	for _, h := range i.Headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

// Identity is who an auth backend said a client is.
type Identity struct {
	Realm  string // the auth block, as "static.dev"
	UserID string
	Claims JSON // an object; nil: none
}

// ID is the session's id, 0 for an event of a named actor that came from no session.
func (c *Conn) ID() uint64 {
	if c.p == nil {
		return 0
	}
	return c.p.id
}

// Text of an id as the core writes it: a decimal string.
func idText(id uint64) string { return strconv.FormatUint(id, 10) }

// Key is the key of a named actor, "" for a session.
func (c *Conn) Key() string { return c.a.key }

// Named says whether this is a named actor.
func (c *Conn) Named() bool { return c.a.named }

// Info says how the session came to be. It is never nil, and empty where there is no session.
func (c *Conn) Info() *SessionInfo {
	if c.p == nil || c.p.info == nil {
		return &SessionInfo{}
	}
	return c.p.info
}

// Identity is who the client is, nil before it authenticated.
func (c *Conn) Identity() *Identity {
	if c.p == nil {
		return nil
	}
	return c.p.identity
}

// Route is the session's route. It is never nil.
func (c *Conn) Route() *Route {
	if c.p == nil || c.p.route == nil {
		return &Route{}
	}
	return c.p.route
}

// RouteConfig returns the configuration of the session's route: T is the type that Info.RouteConfig
// points to. nil where there is no session.
func RouteConfig[T any](c interface{ Route() *Route }) *T {
	config, _ := c.Route().Config.(*T)
	return config
}

// Context returns a value of the session's context as the core had it when this instance first saw
// the session, and as the plugin and [ContextChanged] events changed it since; nil when there is none. It
// is not to be changed.
func (c *Conn) Context(key string) []byte {
	if c.p == nil {
		return nil
	}
	return c.p.context[key]
}

// To returns the Conn of another session that is bound to this named actor, nil when it is not.
func (c *Conn) To(session uint64) *Conn {
	if p := c.a.bound[session]; p != nil {
		return &Conn{c.a, p}
	}
	if c.a.self != nil && c.a.self.id == session {
		return &Conn{c.a, c.a.self}
	}
	return nil
}

// Sessions yields the Conns of the sessions bound to this named actor, in no order.
func (c *Conn) Sessions() iter.Seq[*Conn] {
	return func(yield func(*Conn) bool) {
		for p := range maps.Values(c.a.bound) {
			if !yield(&Conn{c.a, p}) {
				return
			}
		}
	}
}

// Time is when the core took the event.
func (c *Conn) Time() time.Time { return time.UnixMilli(c.t().node.ev.Time) }

// Seq is the event's number at its actor: with the actor it names the event, and it is the same when
// the event is delivered again.
func (c *Conn) Seq() uint64 { return c.t().node.ev.Seq }

// Redelivered says that an instance before this one got the event and did not ack it.
func (c *Conn) Redelivered() bool { return c.t().node.ev.Redelivered }

// Ctx ends when the link to the core does. It is for a plugin that calls something of its own, as a
// database.
func (c *Conn) Ctx() context.Context { return c.t().link.ctx }

// Log returns a logger that names the session.
func (c *Conn) Log() *slog.Logger {
	log := c.t().link.srv.log
	if c.p != nil {
		log = log.With("session", idText(c.p.id))
	}
	if c.a.named {
		log = log.With("actor", c.a.key)
	}
	return log
}

// t is the running step.
func (c *Conn) t() *turn {
	if c.a.turn == nil {
		panic("a Session or Conn was used outside of Step")
	}
	return c.a.turn
}

// Scope returns the variables that an expression needs, of those that are known of a session: user
// (id, claims), claims, request (method, path, query, headers, host, remote_address), session (id),
// context. more has the others, or nil.
func (c *Conn) Scope(e Expr, more Scope) Scope {
	scope := make(Scope, len(more)+1)
	maps.Copy(scope, more)
	for _, name := range e.Needs() {
		if _, ok := scope[name]; !ok {
			scope[name] = c.variable(name)
		}
	}
	return scope
}

func (t *turn) peerOf(a *actor, session uint64) *peer {
	if session == 0 || a.self != nil && a.self.id == session {
		return a.self
	}
	return a.bound[session]
}

func identityOf(id *pluginv1.Identity) *Identity {
	if id == nil {
		return nil
	}
	return &Identity{id.GetRealm(), id.GetUserId(), id.GetClaims()}
}

// changed takes note of what others did to the context.
func (p *peer) changed(c *pluginv1.ContextChanged) ContextChanged {
	ev := ContextChanged{Keys: make([]string, 0, len(c.GetSet()))}
	for _, kv := range c.GetSet() {
		ev.Keys = append(ev.Keys, kv.GetKey())
	}
	if p == nil { // it has gone
		return ev
	}
	if c.GetReplaced() || p.context == nil {
		p.context = make(map[string][]byte, len(c.GetSet()))
	}
	for _, kv := range c.GetSet() {
		if len(kv.GetValue()) == 0 {
			delete(p.context, kv.GetKey())
		} else {
			p.context[kv.GetKey()] = kv.GetValue()
		}
	}
	return ev
}

func entriesOf(list []*pluginv1.Entry) map[string][]byte {
	if len(list) == 0 {
		return nil
	}
	m := make(map[string][]byte, len(list))
	for _, e := range list {
		m[e.GetKey()] = e.GetValue()
	}
	return m
}

// infoOf copies what an idle session keeps into one piece of memory.
func infoOf(s *pluginv1.SessionInfo) *SessionInfo {
	if s == nil {
		return nil
	}
	size := len(s.GetRemoteAddress()) + len(s.GetHost()) + len(s.GetMethod()) + len(s.GetPath()) + len(s.GetQuery())
	for _, h := range s.GetHeaders() {
		size += len(h.GetKey()) + len(h.GetValue())
	}
	var all strings.Builder
	all.Grow(size)
	keep := func(text string) string {
		from := all.Len()
		all.WriteString(text)
		return all.String()[from:]
	}
	info := &SessionInfo{
		RemoteAddress: keep(s.GetRemoteAddress()),
		Host:          keep(s.GetHost()),
		Method:        keep(s.GetMethod()),
		Path:          keep(s.GetPath()),
		Query:         keep(s.GetQuery()),
		Transport:     Transport(s.GetTransport()),
		TLS:           s.GetTls(),
		Local:         s.GetLocal(),
	}
	if n := len(s.GetHeaders()); n > 0 {
		info.Headers = make([]Header, n)
		for i, h := range s.GetHeaders() {
			info.Headers[i] = Header{keep(h.GetKey()), keep(string(h.GetValue()))}
		}
	}
	return info
}
