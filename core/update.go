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

// states are the routes of those ids as they are now.
func (e *Engine) states(ids map[string]bool) []*routeState {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var list []*routeState
	for id := range ids {
		if r := e.routes[id]; r != nil {
			list = append(list, r)
		}
	}
	return list
}

// drop forgets routes that have no sessions any more, unless there is another one of that id by now.
func (e *Engine) drop(routes []*routeState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range routes {
		if e.routes[r.ID] == r {
			delete(e.routes, r.ID)
		}
	}
}

// remove ends a plugin. Its sessions are to be closed before.
func (e *Engine) remove(a *attached) {
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

// attached is the plugin of that label, the newest while an older one is being removed; nil when there
// is none.
func (e *Engine) attached(label string) *attached {
	e.mu.RLock()
	defer e.mu.RUnlock()
	for _, a := range slices.Backward(e.plugins) {
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
