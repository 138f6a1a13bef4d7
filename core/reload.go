package core

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/listen"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// RestartError names what a reload cannot change.
type RestartError struct{ Names []string }

func (e *RestartError) Error() string {
	return fmt.Sprintf("%s cannot change while bridge runs; nothing was changed", strings.Join(e.Names, ", "))
}

// retireAfter is how long what a reload took out of service may still answer those who asked it.
const retireAfter = time.Minute

// reload reads the configuration again, builds what it says beside what runs, and swaps. On any error
// what runs has not noticed.
func (b *bridge) reload(ctx context.Context) ([]admin.Change, error) {
	cfg, diags := config.Load(b.cfg.File)
	if diags.HasErrors() {
		return nil, &ConfigError{diags}
	}
	if names := fixed(b.cfg, cfg); len(names) > 0 {
		return nil, &RestartError{names}
	}
	r := &reloading{bridge: b, cfg: cfg}
	b.loads++
	if err := r.prepare(ctx); err != nil {
		r.abandon()
		return nil, err
	}
	return r.commit(), nil
}

// fixed names what differs and needs a restart.
func fixed(old, cfg *config.Config) []string {
	var names []string
	if old.DataDir != cfg.DataDir {
		names = append(names, "data_dir")
	}
	if !old.Admin.Same(cfg.Admin) {
		names = append(names, "the admin block")
	}
	if !old.Cluster.Same(cfg.Cluster) {
		names = append(names, "the cluster block")
	}
	for _, a := range old.Listeners {
		for _, b := range cfg.Listeners {
			if a.Name == b.Name && a.Address == b.Address && !a.SameSocket(b) {
				names = append(names, fmt.Sprintf("what listener %q speaks (framing, tls, proxy_protocol)", a.Name))
			}
		}
	}
	return names
}

// reloading is a new world beside the old one.
type reloading struct {
	bridge    *bridge
	cfg       *config.Config
	backends  *backends
	listeners []*listener // in the order of the file
	plugins   []*pluginChange
}

// pluginChange is what becomes of a plugin block.
type pluginChange struct {
	run    *running
	old    *running // nil: the plugin is new
	desc   *pluginv1.DescribeResponse
	added  bool
	update *Update // nil: its process stays, or it is new
	gone   []*pluginv1.RouteConfig
}

// prepare builds everything that can fail.
func (r *reloading) prepare(ctx context.Context) error {
	b := r.bridge
	var err error
	if r.backends, err = newBackends(r.cfg, b.opt, b.metrics, b.backends, b.loads); err != nil {
		return err
	}
	for _, lc := range r.cfg.Listeners {
		l, err := r.listener(lc)
		if err != nil {
			return err
		}
		r.listeners = append(r.listeners, l)
	}
	errs := make([]error, len(r.cfg.Plugins))
	var wg sync.WaitGroup
	for i, p := range r.cfg.Plugins {
		c := &pluginChange{run: &running{cfg: p}, old: b.plugins[p.Label]}
		r.plugins = append(r.plugins, c)
		wg.Go(func() {
			if errs[i] = b.checkKind(p, func() error { return r.plugin(ctx, c) }); errs[i] != nil {
				b.log.Error("plugin cannot be reloaded", "plugin", p.Label, "err", errs[i])
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// listener is the one there is, where it stays at its address, or a new one that is bound.
func (r *reloading) listener(lc *config.Listener) (*listener, error) {
	for _, l := range r.bridge.listeners {
		if l.cfg.SameSocket(lc) {
			if err := listen.CheckOrigins(lc.Origins); err != nil {
				return nil, fmt.Errorf("listener %q: %w", lc.Name, err)
			}
			shown, err := certificate(lc)
			if err != nil {
				return nil, err
			}
			return &listener{cfg: lc, server: l.server, routes: l.routes, certificate: shown}, nil
		}
	}
	l, err := r.bridge.newListener(lc)
	if err != nil {
		return nil, err
	}
	if err := l.server.Listen(); err != nil {
		return nil, err
	}
	return l, nil
}

// plugin prepares one plugin: nothing where it stays as it is, else a process that does not serve yet.
func (r *reloading) plugin(ctx context.Context, c *pluginChange) error {
	b := r.bridge
	label := c.run.cfg.Label
	var running *pluginv1.DescribeResponse // nil: it is new, or could not be started so far
	if c.old != nil {
		running = b.engine.Plugin(label).Description()
		c.gone = b.goneRoutes(c.old, c.run.cfg)
	}
	spec := b.spec(c.run, r.backends, c.gone)
	spec.Described = func(d *pluginv1.DescribeResponse) { c.desc = d }
	if c.old == nil {
		c.added = true
		return b.engine.AddPlugin(ctx, spec)
	}
	if running != nil && sameProcess(c.old, c.run) {
		req, diags := c.run.cfg.Resolve(running)
		if diags.HasErrors() {
			return &ConfigError{diags}
		}
		if proto.Equal(req, c.old.said()) {
			c.run.say(req)
			c.desc, c.gone = running, c.old.gone
			return nil
		}
	}
	var err error
	if c.update, err = b.engine.Prepare(spec); err == nil {
		c.desc = c.update.desc
	}
	return err
}

// goneRoutes are those that a plugin was told of and is to serve no more, as far as sessions are left
// on them: it must know them until they have ended.
func (b *bridge) goneRoutes(old *running, p *config.Plugin) []*pluginv1.RouteConfig {
	stays := make(map[string]bool)
	for _, r := range p.Routes {
		stays[r.ID] = true
	}
	counts := b.engine.SessionsOf()
	var gone []*pluginv1.RouteConfig
	for _, r := range append(slices.Clone(old.said().GetRoutes()), old.gone...) {
		if !stays[r.GetId()] && counts[r.GetId()] > 0 {
			gone = append(gone, r)
		}
	}
	return gone
}

// abandon ends what was built.
func (r *reloading) abandon() {
	for _, c := range r.plugins {
		switch {
		case c.update != nil && c.update.prepared != nil:
			c.update.Abandon()
		case c.added:
			if a := r.bridge.engine.attached(c.run.cfg.Label); a != nil {
				r.bridge.engine.remove(a)
			}
		}
	}
	for _, l := range r.listeners {
		if !r.bridge.has(l.server) {
			l.server.Stop()
		}
	}
	if r.backends != nil {
		r.backends.retire(r.bridge.backends)
	}
}

func (b *bridge) has(s *listen.Server) bool {
	return slices.ContainsFunc(b.listeners, func(l *listener) bool { return l.server == s })
}

// commit swaps the worlds. New processes take over first, so that whatever comes on a new route finds
// a plugin that knows it.
func (r *reloading) commit() []admin.Change {
	b := r.bridge
	report := r.compare()
	for _, c := range r.plugins {
		label := c.run.cfg.Label
		c.run.gone = c.gone
		switch {
		case c.update != nil:
			if err := c.update.Commit(); err != nil { // only while bridge ends
				b.log.Error("plugin is not replaced", "plugin", label, "err", err)
			}
		case !c.added:
			b.engine.SetRoutes(label, engineRoutes(c.run.cfg, r.backends))
		}
	}
	b.engine.SetChannels(channelBlocks(r.cfg), r.backends.mirrors)
	closing := report.closing
	sessions := b.engine.sessionsOn(closing) // those that come from now on come to the new routes
	r.swapRoutes()
	sessions = append(sessions, b.engine.sessionsOn(report.gone)...)

	gone, removed := b.engine.states(report.gone), r.removedPlugins()
	oldBackends := b.backends
	b.live.Store(r.backends)
	b.backends = r.backends
	b.plugins = make(map[string]*running)
	for _, c := range r.plugins {
		b.plugins[c.run.cfg.Label] = c.run
	}
	deadline := time.Now().Add(r.cfg.Shutdown.Timeout)
	b.behind.Go(func() {
		closeSessions(sessions, session.CloseRestart, deadline, b.opt.Hurry)
		b.engine.drop(gone)
		for _, a := range removed {
			b.engine.remove(a)
		}
		timer := time.NewTimer(retireAfter)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-b.stopping:
		}
		oldBackends.retire(r.backends)
	})
	return report.changes
}

// swapRoutes has the listeners serve the new routes, the new ones from now on and the removed ones no
// more.
func (r *reloading) swapRoutes() {
	b := r.bridge
	b.routesMu.Lock()
	defer b.routesMu.Unlock()
	old := b.listeners
	b.cfg, b.listeners = r.cfg, r.listeners
	b.entries = make(map[string]pluginEntries)
	for _, c := range r.plugins {
		if c.desc != nil {
			b.entries[c.run.cfg.Label] = b.newPluginEntries(c.run.cfg, c.desc)
		}
	}
	if err := b.makeRoutesLocked(r.cfg); err != nil { // the same rules made the configuration valid
		b.log.Error("routes are not made", "err", err)
	}
	for _, l := range r.listeners {
		if kept := slices.ContainsFunc(old, func(o *listener) bool { return o.server == l.server }); kept {
			if err := l.server.SetPolicy(l.cfg.Origins, l.cfg.TrustedProxies); err != nil { // was checked
				b.log.Error("origins are not changed", "listener", l.cfg.Name, "err", err)
			}
			l.server.SetLimits(l.cfg.MaxConnections, l.cfg.MaxPerAddress)
			l.server.SetCertificate(l.certificate)
			l.server.SetCompression(l.cfg.Compression)
			continue
		}
		go b.serve(l.cfg.Name, l.server.Serve)
		b.log.Info("listening", "listener", l.cfg.Name, "address", l.server.Addr().String())
	}
	for _, o := range old {
		if !slices.ContainsFunc(r.listeners, func(l *listener) bool { return o.server == l.server }) {
			o.server.Stop()
			b.retired = append(b.retired, o)
			b.behind.Go(func() { b.forget(o) })
		}
	}
}

// forget waits for the last connection of a listener that is retired.
func (b *bridge) forget(l *listener) {
	select {
	case <-l.server.Done():
		b.routesMu.Lock()
		defer b.routesMu.Unlock()
		b.retired = slices.DeleteFunc(b.retired, func(o *listener) bool { return o == l })
	case <-b.stopping:
	}
}

func (r *reloading) removedPlugins() []*attached {
	var list []*attached
	for label := range r.bridge.plugins {
		if !slices.ContainsFunc(r.plugins, func(c *pluginChange) bool { return c.run.cfg.Label == label }) {
			list = append(list, r.bridge.engine.attached(label))
		}
	}
	return list
}

// reloadAndLog reloads, and says in the log how that went.
func (b *bridge) reloadAndLog(ctx context.Context) ([]admin.Change, error) {
	changes, err := b.reload(ctx)
	if err != nil {
		lines := strings.Split(err.Error(), "\n")
		for _, line := range lines {
			b.log.Error("fault of the configuration", "err", line)
		}
		b.log.Error("configuration is not reloaded, the old one serves on", "faults", len(lines))
		return nil, err
	}
	for _, c := range changes {
		b.log.Info("configuration changed", "change", c.String())
	}
	b.log.Info("configuration reloaded", "changes", len(changes))
	return changes, nil
}

// reloadRequest asks for a reload. done has room for how it went.
type reloadRequest struct {
	done chan reloadOutcome
}

type reloadOutcome struct {
	changes []admin.Change
	err     error
}

// errEnding is returned to whoever wants something of a bridge that ends.
var errEnding = errors.New("bridge is being stopped")

// askReload has the configuration reloaded in its turn, and waits for it.
func (b *bridge) askReload(ctx context.Context) (admin.Reloaded, error) {
	req := reloadRequest{make(chan reloadOutcome, 1)}
	select {
	case b.reloads <- req:
	case <-ctx.Done():
		return admin.Reloaded{}, ctx.Err()
	case <-b.ending:
		return admin.Reloaded{}, errEnding
	case <-b.stopping:
		return admin.Reloaded{}, errEnding
	}
	select {
	case out := <-req.done:
		if out.err != nil {
			return admin.Reloaded{}, errors.New(faultText(out.err))
		}
		return admin.Reloaded{Changes: out.changes}, nil
	case <-ctx.Done(): // it goes on
		return admin.Reloaded{}, ctx.Err()
	}
}

// faultText is an error as people read it: faults of the configuration with lines of the file, as they
// are shown at a start, and behind them all else, a line each.
func faultText(err error) string {
	diags, rest := Faults(err)
	var text strings.Builder
	_, _ = diags.WriteTo(&text) // a Builder takes everything
	for _, fault := range rest {
		text.WriteString(strings.ReplaceAll(fault.Error(), "\n", " ") + "\n")
	}
	return strings.TrimSpace(text.String())
}

// Faults takes apart an error of [Run], [Validate] or a reload: into the faults of the configuration,
// which are never nil and may be none, and all others.
func Faults(err error) (*config.Diagnostics, []error) {
	var diags config.Diagnostics
	rest := faults(err, &diags)
	return &diags, rest
}

func faults(err error, diags *config.Diagnostics) (rest []error) {
	if bad, ok := err.(*ConfigError); ok { //nolint:errorlint // what it is wrapped in is looked at below
		diags.Append(bad.Diagnostics)
		return nil
	}
	var parts []error
	switch x := err.(type) { //nolint:errorlint // likewise
	case interface{ Unwrap() []error }:
		parts = x.Unwrap()
	case interface{ Unwrap() error }:
		if _, ok := errors.AsType[*ConfigError](err); ok {
			parts = []error{x.Unwrap()}
		}
	}
	if parts == nil {
		return []error{err}
	}
	for _, part := range parts {
		if part != pluginhost.ErrConfig { //nolint:errorlint // the mark itself, which stands beside the fault
			rest = append(rest, faults(part, diags)...)
		}
	}
	return rest
}
