package core

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

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
				if run.request == nil {
					run.request = requestBytes(req)
				}
				req.Routes = append(req.Routes, gone...)
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
		er := Route{ID: r.ID, Path: r.Path, Channels: r.Channels, Token: r.Token}
		if r.Auth != nil {
			a := backends.auths[r.Auth.Ref()]
			er.Auth, er.AuthKey = a, a.key
		}
		if r.Upstream != nil {
			er.Upstream = backends.upstreams[r.Upstream.Ref()].Pool
		}
		routes = append(routes, er)
	}
	return routes
}

// requestBytes are the same for the same request.
func requestBytes(req *pluginv1.ConfigureRequest) []byte {
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return []byte{} // of no other request
	}
	return raw
}

// sameProcess says whether two plugin blocks start the same process in the same way.
func sameProcess(a, b *running) bool {
	return a.program == b.program && a.cfg.SameProcess(b.cfg)
}
