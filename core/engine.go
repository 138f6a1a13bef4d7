// Package core joins the stations: sessions and the hub, plugins and their hosts, upstreams and auth
// backends. An [Engine] is all of that without sockets; [Run] puts listeners, the admin address and
// a configuration file around one.
//
//	client ⇄ listen ⇄ session ⇄ pluginhost ⇄ plugin
//	                     ▲           │
//	                    hub ◀── Engine ──▶ upstream, auth
package core

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/core/upstream"
	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/internal/quiet"
	"github.com/protocol-bridge/bridge/internal/snowflake"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// EngineConfig is what an Engine needs.
type EngineConfig struct {
	Logger  *slog.Logger // nil: nothing is logged
	Clock   actor.Clock  // nil: the system's
	Node    uint16       // number of this node, 0 to 1023
	Version string       // of the core, for plugins' logs
	// Channels are the channel blocks of bridge.hcl.
	Channels []access.Block
	// Mirrors are the upstreams that get what is published here.
	Mirrors []Mirror
	// Metrics is where the engine's metrics are registered; nil: nowhere.
	Metrics prometheus.Registerer
	// Budget bounds what waits in all sessions; nil: nothing does.
	Budget *session.Budget
	// Queues opens the durable queues for a plugin, see [pluginhost.Config]; nil: there are none.
	Queues func(context.Context, *pluginv1.Queues) (pluginhost.Queues, error)
	// MaxChannels is how many channels a session may join; 0 means 1,000.
	MaxChannels int
}

// Route is one route of a plugin as the engine sees it.
type Route struct {
	ID       string // as in pluginv1.RouteConfig
	Path     string
	Role     string
	Auth     auth.Backend  // nil: none
	AuthKey  string        // tells Auth from another one with the same name; empty: there is only one
	Upstream upstream.Pool // nil: none
	Push     upstream.Pool // where questions go that say so; nil: none
	// UpstreamName and PushName are their names in bridge.hcl, as "logux.app", for the log.
	UpstreamName, PushName string
	Channels               *expr.Expr // of an authenticated session; nil: none
	Token                  *expr.Expr // of a client that authenticates at the handshake; nil: none
}

// PluginSpec is one plugin block.
type PluginSpec struct {
	pluginhost.Settings
	Label string
	// Routes returns the routes; it is called when the plugin has been configured.
	Routes func() []Route
	// Described is called once, when the plugin has said what it is and before it serves; nil: nobody
	// wants to know.
	Described func(*pluginv1.DescribeResponse)
}

// Engine is a node without its sockets. It is safe for concurrent use.
type Engine struct {
	cfg      EngineConfig
	log      *slog.Logger
	hub      *hub.Hub
	ids      *snowflake.Generator
	claims   claims
	joined   atomic.Pointer[nodes] // see nodes
	expiries expiries
	rules    atomic.Pointer[access.Rules]
	mirrors  atomic.Pointer[[]Mirror]
	quiet    quiet.Limiter // for what strangers can cause
	metrics  *metrics
	unjoined atomic.Int64 // joins that were refused

	mu      sync.RWMutex // guards what follows
	plugins []*attached
	routes  map[string]*routeState
	blocks  []access.Block
}

// attached is a plugin joined to the engine: the host of its steps.
type attached struct {
	*pluginhost.Plugin
	engine *Engine
	owns   []string                  // guarded by engine.mu
	group  atomic.Pointer[hub.Group] // its part of the hub, made once it has described itself

	traffic traffic       // of its sessions
	unsent  atomic.Uint64 // frames of Act and publishes that sessions did not take
	times   actTimes
}

var _ pluginhost.Host = (*attached)(nil)

// routeState is a route of a plugin that has described itself. It is replaced, never changed.
type routeState struct {
	Route
	plugin *attached
	limits *session.Limits
}

// NewEngine returns an engine without plugins.
func NewEngine(cfg EngineConfig) *Engine {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = actor.SystemClock{}
	}
	if cfg.MaxChannels == 0 {
		cfg.MaxChannels = 1000
	}
	e := &Engine{
		cfg: cfg, log: cfg.Logger, hub: hub.New(), ids: snowflake.New(cfg.Node, func() int64 { return cfg.Clock.Now().UnixMilli() }),
		routes: make(map[string]*routeState), blocks: cfg.Channels, metrics: newMetrics(cfg.Metrics),
	}
	if cfg.Metrics != nil {
		cfg.Metrics.MustRegister(engineCollector{e}, namedCollector{e}, e.refusedJoins())
	}
	e.rules.Store(access.New(cfg.Channels, nil))
	e.mirrors.Store(&cfg.Mirrors)
	return e
}

// nodes are the other nodes; nil: this one is alone, or has not joined them yet, and has no plugins.
func (e *Engine) nodes() *nodes { return e.joined.Load() }

// node is the number of this node.
func (e *Engine) node() uint16 {
	if n := e.nodes(); n != nil {
		return n.Node()
	}
	return e.cfg.Node
}

// AddPlugin starts a plugin and returns how its first start ended; unless that is a fault of the
// configuration (pluginhost.ErrConfig) it is tried again in the background.
func (e *Engine) AddPlugin(ctx context.Context, spec PluginSpec) error {
	a := &attached{engine: e}
	configure := spec.Configure
	spec.Configure = func(d *pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
		req, err := configure(d)
		if err == nil && a.group.Load() == nil {
			if spec.Described != nil {
				spec.Described(d)
			}
			e.adopt(a, d, spec.Routes())
		}
		return req, err
	}
	a.Plugin = pluginhost.New(pluginhost.Config{
		Label: spec.Label, Settings: spec.Settings, Host: a, NewID: e.ids.Next, Logger: e.log, Node: e.node(),
		CoreVersion: e.cfg.Version, Clock: e.cfg.Clock, Queues: e.cfg.Queues, Handled: e.metrics.handledBy(spec.Label),
	})
	e.mu.Lock()
	e.plugins = append(slices.Clone(e.plugins), a)
	e.mu.Unlock()
	return a.Start(ctx)
}

// adopt takes over what a plugin said of itself and its routes; from now on it serves.
func (e *Engine) adopt(a *attached, d *pluginv1.DescribeResponse, routes []Route) {
	limits := session.NewLimits(session.Limits{
		WindowEvents: int(d.GetWindowEvents()), WindowBytes: int(d.GetWindowBytes()), Budget: e.cfg.Budget,
	})
	e.mu.Lock()
	a.owns = d.GetOwns()
	for _, r := range routes {
		e.routes[r.ID] = &routeState{Route: r, plugin: a, limits: limits}
	}
	e.makeRulesLocked()
	e.mu.Unlock()
	opt := hub.Options{Owns: d.GetOwns(), Reserved: d.GetReserved(), Serving: a.Serving}
	if d.GetEncodes() {
		opt.Deliver = func(channels []string, m *hub.Message, done func()) {
			a.Deliver(channels, contentProto(m), done)
		}
	}
	if g := a.group.Load(); g != nil {
		g.SetOptions(opt)
		return
	}
	a.group.Store(e.hub.Group(a.Label(), opt))
}

func (e *Engine) makeRulesLocked() {
	owners := make([]access.Owner, 0, len(e.plugins))
	for _, a := range e.plugins {
		owners = append(owners, access.Owner{Plugin: a.Label(), Prefixes: a.owns})
	}
	e.rules.Store(access.New(e.blocks, owners))
}

func (e *Engine) route(id string) *routeState {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return e.routes[id]
}

// ErrNoRoute is returned for a route id the engine does not know.
var ErrNoRoute = errors.New("no such route")

// ErrNotReady is returned while a plugin has not described itself.
var ErrNotReady = errors.New("plugin is not ready")

// Open makes the session of a fresh connection on a route. who is nil where clients authenticate
// later, or not at all.
func (e *Engine) Open(info *session.Info, who *session.Admission, t session.Transport) (*session.Session, error) {
	r, err := e.admitted(info.Route, who)
	if err != nil {
		return nil, err
	}
	return r.plugin.OpenSession(info, who, t, r.limits), nil
}

// OpenRequest makes the session of a plain request on a route. With streamed the body follows.
func (e *Engine) OpenRequest(info *session.Info, who *session.Admission, body []byte, streamed bool, w session.ResponseWriter) (*session.Session, error) {
	r, err := e.admitted(info.Route, who)
	if err != nil {
		return nil, err
	}
	return r.plugin.OpenRequest(info, who, w, r.limits, body, streamed), nil
}

// admitted is the route, unless who was admitted by an auth backend that is the route's no more.
func (e *Engine) admitted(route string, who *session.Admission) (*routeState, error) {
	r, err := e.serving(route)
	if err == nil && who != nil && who.By != r.AuthKey {
		err = fmt.Errorf("%w: the auth of %s has changed", ErrNotReady, route)
	}
	return r, err
}

func (e *Engine) serving(route string) (*routeState, error) {
	r := e.route(route)
	if r == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoRoute, route)
	}
	if err := e.lost(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotReady, err)
	}
	if r.plugin.group.Load() == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotReady, r.plugin.Label())
	}
	return r, nil
}

// Ready says whether a route's plugin takes connections.
func (e *Engine) Ready(route string) bool {
	r := e.route(route)
	return r != nil && r.plugin.group.Load() != nil && r.plugin.Ready() && e.lost() == nil
}

// lost says why this node takes no more sessions: another may make ids of its number.
func (e *Engine) lost() error {
	n := e.nodes()
	if n == nil {
		return nil
	}
	return n.Lost()
}

// Plugin is the plugin of that label, nil when there is none.
func (e *Engine) Plugin(label string) *pluginhost.Plugin {
	if a := e.attached(label); a != nil {
		return a.Plugin
	}
	return nil
}

// Plugins lists the plugins in the order in which they were added.
func (e *Engine) Plugins() []*pluginhost.Plugin {
	e.mu.RLock()
	defer e.mu.RUnlock()
	list := make([]*pluginhost.Plugin, 0, len(e.plugins))
	for _, a := range e.plugins {
		list = append(list, a.Plugin)
	}
	return list
}

// Close stops all plugins. Sessions are to be closed before.
func (e *Engine) Close() {
	var wg sync.WaitGroup
	for _, p := range e.Plugins() {
		wg.Go(p.Stop)
	}
	wg.Wait()
}
