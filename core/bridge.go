package core

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/broker"
	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/listen"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/queue"
	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/core/upstream"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Options are what Run gets beside the configuration.
type Options struct {
	Logger  *slog.Logger
	Level   *slog.LevelVar // of Logger, to be changed while it runs; nil: it stays as it is
	Version string
	// Builtin is the command that starts a built-in plugin of that type; false when there is none.
	Builtin func(typ string) ([]string, bool)
	// Reload asks, with each value, for the configuration to be read again; nil: never.
	Reload <-chan struct{}
	// Hurry is closed when draining is to take no more time than it must; nil: never.
	Hurry <-chan struct{}
	// Started, when set, is called once everything serves, with the addresses by listener name and
	// the admin's under "admin".
	Started func(addresses map[string]string)
}

// bridge is a running configuration. Reloads come one after another.
type bridge struct {
	cfg     *config.Config // replaced by reloads
	opt     Options
	log     *slog.Logger
	engine  *Engine
	queues  *queues
	broker  *broker.Broker   // the cluster's; nil: there is none
	cluster *cluster.Cluster // nil: this node is alone, or has not joined yet

	clustered bool // it is to be one of a cluster
	registry  *prometheus.Registry
	metrics   *upstream.Metrics
	limits    limits
	backends  *backends                // replaced by reloads
	live      atomic.Pointer[backends] // the same, for others than whoever reloads
	plugins   map[string]*running
	admin     *admin.Server
	draining  atomic.Bool
	loads     int            // configurations so far
	behind    sync.WaitGroup // what a reload leaves to be done
	reloads   chan reloadRequest
	ending    chan struct{} // closed when draining begins: nobody reloads any more
	stopping  chan struct{} // closed when it is over, so that nothing is waited for any more

	started time.Time
	serving atomic.Bool   // all addresses are bound
	data    *dataDir      // nil: not taken
	control *admin.Server // the socket in it; nil: there is none

	routesMu  sync.Mutex // guards what follows, and the making of tables
	listeners []*listener
	retired   []*listener              // whose address was given up, and which may have connections
	entries   map[string]pluginEntries // of plugins that said what they are, by label
}

type listener struct {
	cfg         *config.Listener
	server      *listen.Server
	routes      *atomic.Pointer[route.Table]
	certificate *tls.Certificate // nil: none
}

// ConfigError is a fault of the configuration that shows only once a plugin has described itself.
type ConfigError struct{ Diagnostics *config.Diagnostics }

func (e *ConfigError) Error() string { return e.Diagnostics.Error() }

// Run serves a configuration until ctx ends, then drains, and returns nil. An error means that it
// could not start; a fault of the configuration is a [ConfigError].
func Run(ctx context.Context, cfg *config.Config, opt Options) error {
	b, err := newBridge(cfg, opt)
	defer b.stop()
	if err != nil {
		return err
	}
	if err := b.start(ctx); err != nil {
		return err
	}
	b.wait(ctx)
	close(b.ending)
	b.drain()
	return nil
}

// newBridge makes everything that needs no port and no process; it is to be stopped, also after an
// error.
func newBridge(cfg *config.Config, opt Options) (*bridge, error) {
	b := &bridge{
		cfg: cfg, opt: opt, log: opt.Logger, started: time.Now(), registry: newRegistry(opt.Version),
		plugins: make(map[string]*running), entries: make(map[string]pluginEntries),
		clustered: cfg.Cluster != nil, reloads: make(chan reloadRequest), ending: make(chan struct{}), stopping: make(chan struct{}),
	}
	b.queues = &queues{dir: filepath.Join(cfg.DataDir, queueDir), log: opt.Logger}
	b.registry.MustRegister(queue.Collector{Store: b.queues.current})
	b.metrics, b.limits = upstream.NewMetrics(b.registry), newLimits(b.registry)
	var err error
	b.backends, err = newBackends(cfg, opt, b.metrics, nil, b.loads)
	b.live.Store(b.backends)
	b.engine = NewEngine(EngineConfig{
		Logger: opt.Logger, Version: opt.Version, Channels: channelBlocks(cfg), Mirrors: b.backends.mirrors,
		Metrics: b.registry, Budget: b.limits.budget, Queues: b.queues.use,
	})
	return b, err
}

// Validate checks a configuration with the plugins' own blocks: it starts the plugins, and opens no
// port.
func Validate(ctx context.Context, cfg *config.Config, opt Options) error {
	b, err := newBridge(cfg, opt)
	defer b.stop()
	if err != nil {
		return err
	}
	b.queues.dry = true
	return errors.Join(append(b.tryPlugins(ctx), checkCertificates(cfg))...)
}

// wait reloads when asked to, until ctx ends.
func (b *bridge) wait(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.opt.Reload:
			_, _ = b.reloadAndLog(ctx) // the log says it
		case req := <-b.reloads:
			changes, err := b.reloadAndLog(ctx)
			req.done <- reloadOutcome{changes, err}
		}
	}
}

// start brings everything up in order; what an error leaves half done, stop undoes.
func (b *bridge) start(ctx context.Context) error {
	if err := b.startControl(); err != nil {
		return err
	}
	if err := b.startAdmin(); err != nil { // it answers also while other nodes are waited for
		return err
	}
	if err := b.startCluster(ctx); err != nil {
		if isAsked(ctx, err) {
			return nil
		}
		return err
	}
	if err := b.startPlugins(ctx); err != nil {
		return err
	}
	if err := b.serveCluster(); err != nil {
		return err
	}
	select {
	case <-ctx.Done(): // asked to end before it served anybody
		return nil
	default:
	}
	if err := b.startListeners(); err != nil {
		return err
	}
	b.serving.Store(true)
	addresses := make(map[string]string)
	if b.admin != nil {
		addresses["admin"] = b.admin.Addr().String()
	}
	for _, l := range b.listeners {
		go b.serve(l.cfg.Name, l.server.Serve)
		addresses[l.cfg.Name] = l.server.Addr().String()
		b.log.Info("listening", "listener", l.cfg.Name, "address", l.server.Addr().String())
	}
	if b.opt.Started != nil {
		b.opt.Started(addresses)
	}
	return nil
}

func (b *bridge) startAdmin() error {
	a := b.cfg.Admin
	if a == nil {
		return nil
	}
	cfg := b.adminConfig()
	cfg.Address, cfg.Authorize = a.Address, b.adminAuth(a)
	server := admin.New(cfg)
	if err := server.Listen(); err != nil {
		return err
	}
	b.admin = server
	go b.serve("admin", server.Serve)
	b.log.Info("listening", "listener", "admin", "address", server.Addr().String())
	return nil
}

func (b *bridge) serve(name string, serve func() error) {
	if err := serve(); err != nil && !b.draining.Load() {
		b.log.Error("listener ended", "listener", name, "err", err)
	}
}

// startPlugins starts all plugins side by side. One that cannot start is tried again and does not
// keep the others from serving; one that is configured wrongly ends the start.
func (b *bridge) startPlugins(ctx context.Context) error {
	var wrong []error
	for _, err := range b.tryPlugins(ctx) {
		if errors.Is(err, pluginhost.ErrConfig) {
			wrong = append(wrong, err)
		}
	}
	return errors.Join(wrong...)
}

func (b *bridge) tryPlugins(ctx context.Context) []error {
	errs := make([]error, len(b.cfg.Plugins))
	var wg sync.WaitGroup
	for i, p := range b.cfg.Plugins {
		run := &running{cfg: p}
		b.plugins[p.Label] = run
		spec := b.spec(run, b.backends, nil)
		spec.Described = func(d *pluginv1.DescribeResponse) { b.describe(p, d) }
		wg.Go(func() { errs[i] = b.checkKind(p, func() error { return b.engine.AddPlugin(ctx, spec) }) })
	}
	wg.Wait()
	return errs
}

func (b *bridge) pluginStatus() []admin.PluginStatus {
	var list []admin.PluginStatus
	for _, p := range b.engine.Plugins() {
		st := p.Status()
		list = append(list, admin.PluginStatus{
			Name: st.Name, PID: st.Pid, State: st.State, Restarts: st.Restarts, Culprits: st.Culprits, Sessions: st.Sessions,
			Links: st.Links, Error: st.Error, Mend: st.Mend,
		})
	}
	return list
}

// ready lists why the node is not ready; nothing when it is.
func (b *bridge) ready() []string {
	var reasons []string
	if b.draining.Load() {
		reasons = append(reasons, "shutting down")
	} else if !b.serving.Load() {
		reasons = append(reasons, "starting")
	}
	reasons = append(reasons, b.clusterReasons()...)
	for _, p := range b.engine.Plugins() {
		if !p.Ready() {
			reasons = append(reasons, fmt.Sprintf("plugin %s is %s", p.Label(), p.Status().State))
		}
	}
	return reasons
}

// drain says that this node is going, then closes its sessions, staggered, and waits for them.
func (b *bridge) drain() {
	b.draining.Store(true)
	if !b.serving.Load() {
		return
	}
	b.log.Info("shutting down", "sessions", b.engine.sessions(), "delay", b.cfg.Shutdown.Delay, "timeout", b.cfg.Shutdown.Timeout)
	b.behind.Go(func() {
		select {
		case <-b.opt.Hurry:
			b.log.Warn("shutting down at once")
		case <-b.stopping:
		}
	})
	delay := time.NewTimer(b.cfg.Shutdown.Delay)
	defer delay.Stop()
	select {
	case <-delay.C:
	case <-b.opt.Hurry:
	}
	deadline := time.Now().Add(b.cfg.Shutdown.Timeout)
	for _, l := range b.listeners {
		l.server.Stop()
	}
	b.engine.CloseSessions(session.CloseGoingAway, deadline, b.opt.Hurry)
}

// lastConnections is how long plain requests may take after everything behind them has ended.
const lastConnections = 2 * time.Second

// stop ends what start began, in reverse.
func (b *bridge) stop() {
	b.draining.Store(true)
	close(b.stopping)
	b.behind.Wait()
	for _, l := range b.listeners {
		l.server.Stop()
	}
	b.engine.CloseSessions(session.CloseGoingAway, time.Now(), nil)
	b.engine.Close()
	b.leaveCluster()
	b.queues.close()
	b.stopBroker()
	ctx, cancel := context.WithTimeout(context.Background(), lastConnections)
	defer cancel()
	for _, l := range append(b.listeners, b.retired...) {
		if err := l.server.Shutdown(ctx); err != nil {
			b.log.Warn("connections are cut off", "listener", l.cfg.Name, "err", err)
		}
	}
	b.backends.retire(nil)
	if b.admin != nil {
		b.admin.Close()
	}
	b.stopControl()
}
