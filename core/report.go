package core

import (
	"bytes"
	"crypto/tls"
	"slices"

	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/internal/expr"
)

// report says what a reload does.
type report struct {
	changes []admin.Change // in the order of the kinds of blocks, and of the file

	closing map[string]bool // routes whose sessions are closed, since who may come or what they find differs
	gone    map[string]bool // routes that are no more
}

// compare compares what runs with what was prepared.
func (r *reloading) compare() *report {
	rep := &report{closing: make(map[string]bool), gone: make(map[string]bool)}
	old, cfg := r.bridge.cfg, r.cfg
	diff(rep, "listener ", old.Listeners, cfg.Listeners, func(l *config.Listener) string { return l.Name }, func(a, b *config.Listener) []string {
		return append(differentListener(a, b), only(!sameCertificate(shown(r.bridge.listeners, a), shown(r.listeners, b)), "certificate")...)
	})
	diff(rep, "upstream ", old.Upstreams, cfg.Upstreams, (*config.Upstream).Ref, func(a, b *config.Upstream) []string {
		return only(!a.Same(b), "settings")
	})
	diff(rep, "auth ", old.Auths, cfg.Auths, (*config.Auth).Ref, func(_, b *config.Auth) []string {
		return only(r.bridge.backends.auths[b.Ref()] != r.backends.auths[b.Ref()], "settings")
	})
	diff(rep, "channel ", old.Channels, cfg.Channels, func(c *config.Channel) string { return string(c.Pattern) }, func(a, b *config.Channel) []string {
		return only(!a.Same(b), "peers")
	})
	r.reportPlugins(rep)
	if old.Shutdown != cfg.Shutdown {
		rep.add(admin.Change{Sign: "~", What: "shutdown"})
	}
	return rep
}

func (rep *report) add(c admin.Change) { rep.changes = append(rep.changes, c) }

func only(differs bool, what string) []string {
	if differs {
		return []string{what}
	}
	return nil
}

// diff reports what was added, removed, and differs.
func diff[T any](rep *report, kind string, old, now []*T, name func(*T) string, differs func(a, b *T) []string) {
	before := make(map[string]*T)
	for _, x := range old {
		before[name(x)] = x
	}
	for _, x := range now {
		a, ok := before[name(x)]
		delete(before, name(x))
		if !ok {
			rep.add(admin.Change{Sign: "+", What: kind + name(x)})
		} else if d := differs(a, x); len(d) > 0 {
			rep.add(admin.Change{Sign: "~", What: kind + name(x), Differs: d})
		}
	}
	for _, x := range old {
		if _, gone := before[name(x)]; gone {
			rep.add(admin.Change{Sign: "-", What: kind + name(x)})
		}
	}
}

func differentListener(a, b *config.Listener) []string {
	var d []string
	d = append(d, only(a.Address != b.Address, "address")...)
	d = append(d, only(a.MaxConnections != b.MaxConnections || a.MaxPerAddress != b.MaxPerAddress, "limits")...)
	d = append(d, only(!slices.Equal(a.Origins, b.Origins), "origins")...)
	d = append(d, only(!slices.Equal(a.TrustedProxies, b.TrustedProxies), "trusted_proxies")...)
	d = append(d, only(a.Compression != b.Compression, "compression")...)
	d = append(d, only(a.ProxyProtocol != b.ProxyProtocol, "proxy_protocol")...)
	return append(d, only(a.Framing != b.Framing, "framing")...)
}

// shown is the certificate of the listener of that block.
func shown(listeners []*listener, of *config.Listener) *tls.Certificate {
	for _, l := range listeners {
		if l.cfg == of {
			return l.certificate
		}
	}
	return nil
}

func (r *reloading) reportPlugins(rep *report) {
	counts := r.bridge.engine.SessionsOf()
	for _, c := range r.plugins {
		what := "plugin " + c.run.cfg.Label
		switch {
		case c.old == nil:
			rep.add(admin.Change{Sign: "+", What: what})
			for _, route := range c.run.cfg.Routes {
				rep.add(admin.Change{Sign: "+", What: "route " + route.ID})
			}
			continue
		case c.update != nil:
			rep.add(admin.Change{Sign: "~", What: what, Differs: differentPlugin(c.old, c.run), Replaced: true})
		}
		r.reportRoutes(rep, c, counts)
	}
	for _, p := range r.bridge.cfg.Plugins {
		if slices.ContainsFunc(r.plugins, func(c *pluginChange) bool { return c.run.cfg.Label == p.Label }) {
			continue
		}
		change := admin.Change{Sign: "-", What: "plugin " + p.Label}
		for _, route := range p.Routes {
			rep.gone[route.ID] = true
			change.Closed += counts[route.ID]
		}
		rep.add(change)
	}
}

func differentPlugin(old, run *running) []string {
	var d []string
	d = append(d, only(!old.cfg.SameProcess(run.cfg), "process settings")...)
	d = append(d, only(old.program != run.program, "program")...)
	return append(d, only(!bytes.Equal(old.said().GetConfig(), run.said().GetConfig()), "config")...)
}

func (r *reloading) reportRoutes(rep *report, c *pluginChange, counts map[string]int) {
	before := make(map[string]*config.Route)
	for _, route := range c.old.cfg.Routes {
		before[route.ID] = route
	}
	for _, route := range c.run.cfg.Routes {
		what := "route " + route.ID
		old, ok := before[route.ID]
		delete(before, route.ID)
		if !ok {
			rep.add(admin.Change{Sign: "+", What: what})
			continue
		}
		hard, soft := r.differentRoute(c, old, route)
		change := admin.Change{Sign: "~", What: what, Differs: append(hard, soft...)}
		if len(hard) > 0 {
			rep.closing[route.ID] = true
			change.Closed = counts[route.ID]
		}
		if len(change.Differs) > 0 {
			rep.add(change)
		}
	}
	for _, route := range c.old.cfg.Routes {
		if before[route.ID] != nil {
			rep.gone[route.ID] = true
			rep.add(admin.Change{Sign: "-", What: "route " + route.ID, Closed: counts[route.ID]})
		}
	}
}

// differentRoute says what differs: hard is what closes the route's sessions.
func (r *reloading) differentRoute(c *pluginChange, a, b *config.Route) (hard, soft []string) {
	hard = append(hard, only(r.authKey(a, r.bridge.backends) != r.authKey(b, r.backends) || a.AuthNone != b.AuthNone, "auth")...)
	hard = append(hard, only(a.Role != b.Role, "role")...)
	fewer := slices.ContainsFunc(a.Also, func(path string) bool { return !slices.Contains(b.Also, path) })
	hard = append(hard, only(fewer, "paths")...)
	soft = append(soft, only(!fewer && len(a.Also) != len(b.Also), "paths")...)
	pool := func(u *config.Upstream, of *backends) *pool {
		if u == nil {
			return nil
		}
		return of.upstreams[u.Ref()]
	}
	soft = append(soft, only(pool(a.Upstream, r.bridge.backends) != pool(b.Upstream, r.backends), "upstream")...)
	soft = append(soft, only(pool(a.Push, r.bridge.backends) != pool(b.Push, r.backends), "push")...)
	soft = append(soft, only(source(a.Channels) != source(b.Channels), "channels")...)
	soft = append(soft, only(a.Limits != b.Limits, "limits")...)
	soft = append(soft, only(!bytes.Equal(routeConfig(c.old, a.ID), routeConfig(c.run, b.ID)), "config")...)
	return hard, soft
}

func (r *reloading) authKey(route *config.Route, of *backends) string {
	if route.Auth == nil {
		return ""
	}
	return of.auths[route.Auth.Ref()].key
}

func routeConfig(run *running, id string) []byte {
	for _, route := range run.said().GetRoutes() {
		if route.GetId() == id {
			return route.GetConfig()
		}
	}
	return nil
}

func source(e *expr.Expr) string {
	if e == nil {
		return ""
	}
	return e.Source()
}
