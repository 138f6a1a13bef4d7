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
	"sync"
	"sync/atomic"
	"time"

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
	// Budget bounds what waits in all sessions; nil: nothing does.
	Budget *session.Budget
	// MaxChannels is how many channels a session may join; 0 means 1,000.
	MaxChannels int
}

// Route is one route of a plugin as the engine sees it.
type Route struct {
	ID       string // as in pluginv1.RouteConfig
	Path     string
	Auth     auth.Backend  // nil: none
	Upstream upstream.Pool // nil: none
	Channels *expr.Expr    // of an authenticated session; nil: none
	// Token returns what finds the token of a client that authenticates at the handshake, or nil. It is
	// asked for once, when the plugin has been configured first; nil: there is none.
	Token  func() *expr.Expr
	Limits session.Limits
}

// PluginSpec is one plugin block.
type PluginSpec struct {
	Label    string
	Launcher pluginhost.Launcher
	Routes   []Route
	// Configure makes the plugin's configuration from what it described.
	Configure func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error)
	Complain  func([]*pluginv1.Complaint) error
	// Described is called once, when the plugin has said what it is and before it serves; nil: nobody
	// wants to know.
	Described    func(*pluginv1.DescribeResponse)
	EventTimeout time.Duration // 0: 10 s
	Standby      bool
}

// Engine is a node without its sockets. It is safe for concurrent use.
type Engine struct {
	cfg      EngineConfig
	log      *slog.Logger
	hub      *hub.Hub
	ids      *snowflake.Generator
	claims   claims
	expiries expiries
	rules    atomic.Pointer[access.Rules]
	quiet    quiet.Limiter // for what strangers can cause
	unjoined atomic.Int64  // joins that were refused

	mu      sync.RWMutex // guards what follows
	plugins []*attached
	routes  map[string]*routeState
	owners  []access.Owner
}

// attached is a plugin joined to the engine: the host of its steps.
type attached struct {
	*pluginhost.Plugin
	engine *Engine
	routes []string
	group  atomic.Pointer[hub.Group] // its part of the hub, made once it has described itself
}

var _ pluginhost.Host = (*attached)(nil)

type routeState struct {
	Route
	plugin *attached
	limits *session.Limits // set once the plugin has described itself
	token  *expr.Expr      // likewise
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
		cfg: cfg, log: cfg.Logger, hub: hub.New(), ids: snowflake.New(cfg.Node, nil),
		routes: make(map[string]*routeState),
	}
	e.rules.Store(access.New(cfg.Channels, nil))
	return e
}

// AddPlugin starts a plugin and returns how its first start ended; unless that is a fault of the
// configuration (pluginhost.ErrConfig) it is tried again in the background.
func (e *Engine) AddPlugin(ctx context.Context, spec PluginSpec) error {
	a := &attached{engine: e}
	a.Plugin = pluginhost.New(pluginhost.Config{
		Label: spec.Label, Launcher: spec.Launcher, Host: a, NewID: e.ids.Next, Logger: e.log,
		CoreVersion: e.cfg.Version, EventTimeout: spec.EventTimeout, Standby: spec.Standby, Clock: e.cfg.Clock,
		Complain: spec.Complain,
		Configure: func(d *pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
			req, err := spec.Configure(d)
			if err == nil {
				e.describe(a, d, spec.Described)
			}
			return req, err
		},
	})
	e.mu.Lock()
	e.plugins = append(e.plugins, a)
	for _, r := range spec.Routes {
		e.routes[r.ID] = &routeState{Route: r, plugin: a}
		a.routes = append(a.routes, r.ID)
	}
	e.mu.Unlock()
	return a.Start(ctx)
}

// describe makes the plugin's part of the hub and what its routes need, at its first start.
func (e *Engine) describe(a *attached, d *pluginv1.DescribeResponse, described func(*pluginv1.DescribeResponse)) {
	if a.group.Load() != nil {
		return
	}
	if described != nil {
		described(d)
	}
	opt := hub.Options{Owns: d.GetOwns(), Reserved: d.GetReserved()}
	if d.GetEncodes() {
		opt.Deliver = func(channels []string, m *hub.Message, done func()) {
			a.Deliver(channels, contentProto(m), done)
		}
	}
	e.mu.Lock()
	for _, id := range a.routes {
		r := e.routes[id]
		l := r.Limits
		l.Budget = e.cfg.Budget
		if l.WindowEvents == 0 {
			l.WindowEvents = int(d.GetWindowEvents())
		}
		if l.WindowBytes == 0 {
			l.WindowBytes = int(d.GetWindowBytes())
		}
		r.limits = session.NewLimits(l)
		if r.Token != nil {
			r.token = r.Token()
		}
	}
	e.owners = append(e.owners, access.Owner{Plugin: a.Label(), Prefixes: d.GetOwns()})
	e.rules.Store(access.New(e.cfg.Channels, e.owners))
	e.mu.Unlock()
	a.group.Store(e.hub.Group(a.Label(), opt)) // last: from now on it serves
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
	r, err := e.serving(info.Route)
	if err != nil {
		return nil, err
	}
	return r.plugin.OpenSession(info, who, t, r.limits), nil
}

// OpenRequest makes the session of a plain request on a route. With streamed the body follows.
func (e *Engine) OpenRequest(info *session.Info, who *session.Admission, body []byte, streamed bool, w session.ResponseWriter) (*session.Session, error) {
	r, err := e.serving(info.Route)
	if err != nil {
		return nil, err
	}
	return r.plugin.OpenRequest(info, who, w, r.limits, body, streamed), nil
}

func (e *Engine) serving(route string) (*routeState, error) {
	r := e.route(route)
	if r == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoRoute, route)
	}
	if r.plugin.group.Load() == nil {
		return nil, fmt.Errorf("%w: %s", ErrNotReady, r.plugin.Label())
	}
	return r, nil
}

// Ready says whether a route's plugin takes connections.
func (e *Engine) Ready(route string) bool {
	r := e.route(route)
	return r != nil && r.plugin.group.Load() != nil && r.plugin.Ready()
}

// Plugin is the plugin of that label, nil when there is none.
func (e *Engine) Plugin(label string) *pluginhost.Plugin {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, a := range e.plugins {
		if a.Label() == label {
			return a.Plugin
		}
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
