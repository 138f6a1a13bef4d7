package core

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/listen"
	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// startListeners binds all addresses. Routes of plugins that could not be asked what they are answer
// 503 until the plugin is there.
func (b *bridge) startListeners() error {
	var listeners []*listener
	for _, lc := range b.cfg.Listeners {
		l, err := b.newListener(lc)
		if err != nil {
			return err
		}
		listeners = append(listeners, l)
	}
	b.routesMu.Lock()
	b.listeners = listeners
	err := b.makeRoutesLocked(b.cfg)
	b.routesMu.Unlock()
	if err != nil {
		return err
	}
	for _, l := range listeners {
		if err := l.server.Listen(); err != nil {
			return err
		}
	}
	return nil
}

func (b *bridge) newListener(lc *config.Listener) (*listener, error) {
	shown, err := certificate(lc)
	if err != nil {
		return nil, err
	}
	l := &listener{cfg: lc, routes: new(atomic.Pointer[route.Table]), certificate: shown}
	l.server = listen.New(listen.Config{
		Name: lc.Name, Address: lc.Address, Routes: l.routes, Logger: b.log,
		Lines: lc.Framing == "lines", Certificate: shown,
		Origins: lc.Origins, TrustedProxies: lc.TrustedProxies, ProxyProtocol: lc.ProxyProtocol, Compression: lc.Compression,
		MaxConnections: lc.MaxConnections, MaxPerAddress: lc.MaxPerAddress, Budget: b.limits.budget, Metrics: b.limits.listen,
	}, opener{b.engine})
	return l, nil
}

// makeRoutesLocked makes the tables of all listeners from what is known of the plugins.
func (b *bridge) makeRoutesLocked(cfg *config.Config) error {
	for _, l := range b.listeners {
		var entries []*route.Entry
		for _, p := range cfg.Plugins {
			all, ok := b.entries[p.Label]
			if !ok {
				all = b.newPluginEntries(p, nil)
			}
			entries = append(entries, all[l.cfg.Name]...)
		}
		table, err := route.New(entries)
		if err != nil {
			return fmt.Errorf("routes of listener %q: %w", l.cfg.Name, err)
		}
		l.routes.Store(table)
	}
	return nil
}

// describe takes note of what a plugin is, before it serves. One that could not be asked at the start
// gets its routes now.
func (b *bridge) describe(p *config.Plugin, d *pluginv1.DescribeResponse) {
	b.routesMu.Lock()
	defer b.routesMu.Unlock()
	b.entries[p.Label] = b.newPluginEntries(p, d)
	if err := b.makeRoutesLocked(b.cfg); err != nil { // they were made from the same paths before
		b.log.Error("routes are not made anew", "plugin", p.Label, "err", err)
	}
}

// pluginEntries are the paths of a plugin by the name of their listener.
type pluginEntries map[string][]*route.Entry

// newPluginEntries makes them; desc is nil while the plugin has not said what it is.
func (b *bridge) newPluginEntries(p *config.Plugin, desc *pluginv1.DescribeResponse) pluginEntries {
	all := make(pluginEntries)
	for _, r := range p.Routes {
		all[r.Listener.Name] = append(all[r.Listener.Name], routeEntries(p, r, desc, b.limits.of(r.ID))...)
	}
	return all
}

// maxBody is how large a request's body may be; what is more than a frame is streamed.
const maxBody = 64 << 20

func routeEntries(p *config.Plugin, r *config.Route, desc *pluginv1.DescribeResponse, shared *routeLimits) []*route.Entry {
	shared.seats.Set(r.Limits.MaxSessions)
	base := route.Entry{
		ID: r.ID, Seats: shared.seats, Newest: &shared.newest, Plugin: p.Label, Role: r.Role, MaxFrame: r.Limits.MaxFrame, MaxBinary: r.Limits.MaxBinary,
		Rate: route.Rate{Frames: r.Limits.Rate.Count, Per: r.Limits.Rate.Per}, MaxBody: maxBody, WebSocket: true,
	}
	if desc == nil {
		base.HTTP = true // whatever comes is answered 503
	} else {
		base.LocalOnly = r.LocalOnly // known with the role
	}
	if base.MaxFrame == 0 {
		base.MaxFrame = int64(desc.GetMaxFrameBytes())
		if base.MaxBinary == 0 {
			base.MaxBinary = int64(desc.GetMaxBinaryBytes())
		}
	}
	if base.Rate.Frames == 0 {
		base.Rate = route.Rate{Frames: int(desc.GetRateFrames()), Per: time.Duration(desc.GetRateMs()) * time.Millisecond}
	}
	for _, role := range desc.GetRoles() {
		if role.GetName() == r.Role {
			setRole(&base, role)
		}
	}
	var list []*route.Entry
	for _, path := range append([]string{r.Path}, r.Also...) {
		e := base
		e.Path = path
		list = append(list, &e)
	}
	shared.newest.Store(list[0]) // all have the same limits
	return list
}

func setRole(e *route.Entry, role *pluginv1.Role) {
	if n := int64(role.GetMaxBodyBytes()); n > 0 {
		e.WholeBody = min(n, maxBody)
		e.MaxBody = e.WholeBody
	}
	e.Refusal, e.Unavailable = role.GetRefusal(), role.GetUnavailable()
	e.Handshake = role.GetAuth() == pluginv1.Auth_AUTH_HANDSHAKE
	if len(role.GetTransports()) == 0 {
		return
	}
	e.WebSocket = slices.Contains(role.GetTransports(), pluginv1.Transport_TRANSPORT_WEBSOCKET)
	e.HTTP = slices.Contains(role.GetTransports(), pluginv1.Transport_TRANSPORT_HTTP)
	e.TCP = slices.Contains(role.GetTransports(), pluginv1.Transport_TRANSPORT_TCP)
}

// opener is the engine as listeners see it.
type opener struct{ engine *Engine }

func (o opener) Admit(ctx context.Context, _ *route.Entry, info *session.Info) (*session.Admission, *listen.Refusal) {
	who, ans, err := o.engine.Admit(ctx, info)
	switch {
	case err != nil:
		return nil, &listen.Refusal{Status: http.StatusServiceUnavailable, Text: "try again later", RetryAfter: 1}
	case who != nil:
		return who, nil
	case ans.Outcome == neutral.Denied || ans.Outcome == neutral.Other:
		return nil, unauthorized(o.engine.route(info.Route).Auth.Realm(), ans.Reason, ans.Elsewhere)
	}
	return nil, &listen.Refusal{
		Status: http.StatusServiceUnavailable, Text: "authentication is unavailable, try again later", RetryAfter: 1,
	}
}

// unauthorized is for who showed no proof or a wrong one, or whose proof is good, but not from there.
func unauthorized(realm, reason string, proven bool) *listen.Refusal {
	if reason == "" {
		reason = "Wrong credentials"
	}
	if proven {
		return &listen.Refusal{Status: http.StatusForbidden, Text: reason}
	}
	challenge := "Bearer"
	if strings.HasPrefix(realm, "basic.") {
		challenge = `Basic realm="bridge", charset="UTF-8"`
	}
	return &listen.Refusal{Status: http.StatusUnauthorized, Text: reason, Challenge: challenge}
}

func (o opener) Open(_ *route.Entry, info *session.Info, who *session.Admission, t session.Transport) (*session.Session, error) {
	return o.engine.Open(info, who, t)
}

func (o opener) OpenRequest(_ *route.Entry, info *session.Info, who *session.Admission, body []byte, streamed bool, w session.ResponseWriter) (*session.Session, error) {
	return o.engine.OpenRequest(info, who, body, streamed, w)
}

func (o opener) Ready(e *route.Entry) bool { return o.engine.Ready(e.ID) }
