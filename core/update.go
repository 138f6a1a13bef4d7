package core

import (
	"fmt"
	"slices"

	"github.com/protocol-bridge/bridge/core/access"
	"github.com/protocol-bridge/bridge/core/hub"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// Update is a plugin with new settings: its process is there and does not serve yet. Either Commit or
// Abandon is to be called.
type Update struct {
	engine   *Engine
	attached *attached
	prepared *pluginhost.Prepared
	desc     *pluginv1.DescribeResponse
	routes   func() []Route
}

// Prepare starts a process with new settings for the plugin of that label beside the one that serves,
// which notices nothing.
func (e *Engine) Prepare(spec PluginSpec) (*Update, error) {
	a := e.attached(spec.Label)
	if a == nil {
		return nil, fmt.Errorf("there is no plugin %q", spec.Label)
	}
	u := &Update{engine: e, attached: a, routes: spec.Routes}
	configure := spec.Configure
	preparing := true
	spec.Configure = func(d *pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
		if preparing {
			u.desc = d
		}
		return configure(d)
	}
	var err error
	u.prepared, err = a.Prepare(spec.Settings)
	preparing = false
	return u, err
}

// Commit hands the plugin's sessions over to the new process and serves the new routes. Routes that
// are gone take nothing new; their sessions live on.
func (u *Update) Commit() error {
	if err := u.prepared.Commit(); err != nil {
		return err
	}
	u.engine.adopt(u.attached, u.desc, u.routes())
	return nil
}

// Abandon ends the new process.
func (u *Update) Abandon() { u.prepared.Abandon() }

// SetRoutes replaces what the routes of a plugin lead to, whose process stays.
func (e *Engine) SetRoutes(label string, routes []Route) {
	a := e.attached(label)
	if a == nil {
		return
	}
	if d := a.Description(); d != nil && a.group.Load() != nil {
		e.adopt(a, d, routes)
	}
}

// SetChannels replaces the channel blocks and the mirrors.
func (e *Engine) SetChannels(blocks []access.Block, mirrors []Mirror) {
	e.mirrors.Store(&mirrors)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.blocks = blocks
	e.makeRulesLocked()
}

// DropRoute forgets a route that has no sessions any more.
func (e *Engine) DropRoute(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.routes, id)
}

// RemovePlugin ends a plugin. Its sessions are to be closed before.
func (e *Engine) RemovePlugin(label string) {
	a := e.attached(label)
	if a == nil {
		return
	}
	e.mu.Lock()
	e.plugins = slices.DeleteFunc(slices.Clone(e.plugins), func(x *attached) bool { return x == a })
	for id, r := range e.routes {
		if r.plugin == a {
			delete(e.routes, id)
		}
	}
	e.makeRulesLocked()
	e.mu.Unlock()
	a.Stop()
	if g := a.group.Load(); g != nil {
		e.hub.Drop(g)
	}
}

func (e *Engine) attached(label string) *attached {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, a := range e.plugins {
		if a.Label() == label {
			return a
		}
	}
	return nil
}

// SessionsOf counts the sessions of each route.
func (e *Engine) SessionsOf() map[string]int {
	counts := make(map[string]int)
	e.hub.Each(func(s *session.Session, _ *hub.Group) { counts[s.Info.Route]++ })
	return counts
}
