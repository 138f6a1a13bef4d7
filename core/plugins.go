package core

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// running is a plugin as it was configured last.
type running struct {
	cfg     *config.Plugin
	program [sha256.Size]byte       // of an external one
	gone    []*pluginv1.RouteConfig // routes that it knows only for the sessions left on them

	mu      sync.Mutex                 // guards what follows
	request *pluginv1.ConfigureRequest // what it was told first, but for gone; nil: nothing yet
}

// say takes note of what the plugin is told.
func (r *running) say(req *pluginv1.ConfigureRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.request = req
}

// said is what it was told; nil where that is nothing yet.
func (r *running) said() *pluginv1.ConfigureRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.request
}

// checkKind calls start unless a plugin names no program and there is none built in.
func (b *bridge) checkKind(p *config.Plugin, start func() error) error {
	if len(p.Command) == 0 {
		if _, ok := b.opt.Builtin(p.Type); !ok {
			return fmt.Errorf("%w: no built-in plugin %q; name its program with command = [\"…\"]", pluginhost.ErrConfig, p.Type)
		}
	}
	return start()
}

// spec is what the engine is told of a plugin, whose request is noted in run. gone are routes that the
// plugin is to know although the configuration has them no more, since they still have sessions.
func (b *bridge) spec(run *running, backends *backends, gone []*pluginv1.RouteConfig) PluginSpec {
	p := run.cfg
	command := p.Command
	if len(command) == 0 {
		command, _ = b.opt.Builtin(p.Type)
	} else {
		run.program, _ = pluginhost.ProgramSum(command) // one that is not there fails when it is started
	}
	return PluginSpec{
		Label: p.Label, Routes: func() []Route { return engineRoutes(p, backends) },
		Settings: pluginhost.Settings{
			EventTimeout: p.EventTimeout, Standby: p.Standby,
			Launcher: &pluginhost.Exec{Command: command, Env: p.Env, SHA256: p.SHA256, MTLS: p.MTLS, Logger: b.log.With("plugin", p.Label)},
			Configure: func(d *pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
				req, diags := p.Resolve(d)
				if diags.HasErrors() {
					return nil, &ConfigError{diags}
				}
				run.say(req)
				req = proto.CloneOf(req)
				req.Routes = append(req.Routes, gone...)
				if b.data != nil {
					var err error
					if req.DataDir, err = filepath.Abs(b.cfg.DataDir); err != nil {
						return nil, fmt.Errorf("data_dir: %w", err)
					}
				}
				return req, nil
			},
			Complain: func(list []*pluginv1.Complaint) error { return &ConfigError{p.Complaints(list)} },
		},
	}
}

// engineRoutes are the routes of a plugin that has been configured.
func engineRoutes(p *config.Plugin, backends *backends) []Route {
	routes := make([]Route, 0, len(p.Routes))
	for _, r := range p.Routes {
		er := Route{ID: r.ID, Path: r.Path, Role: r.Role, Channels: r.Channels, Token: r.Token}
		if r.Auth != nil {
			a := backends.auths[r.Auth.Ref()]
			er.Auth, er.AuthKey = a, a.key
		}
		if r.Upstream != nil {
			er.Upstream, er.UpstreamName = backends.upstreams[r.Upstream.Ref()].Pool, r.Upstream.Ref()
		}
		if r.Push != nil {
			er.Push, er.PushName = backends.upstreams[r.Push.Ref()].Pool, r.Push.Ref()
		}
		routes = append(routes, er)
	}
	return routes
}

// sameProcess says whether two plugin blocks start the same process in the same way.
func sameProcess(a, b *running) bool {
	return a.program == b.program && a.cfg.SameProcess(b.cfg)
}
