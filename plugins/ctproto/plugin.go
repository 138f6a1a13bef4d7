package ctproto

import (
	"errors"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
)

// Plugin translates CTProto. It keeps nothing.
type Plugin struct{}

var (
	_ sdk.Plugin[State] = (*Plugin)(nil)
	_ sdk.Encoder       = (*Plugin)(nil)
	_ sdk.Configurer    = (*Plugin)(nil)
)

// New returns the plugin.
func New() *Plugin { return &Plugin{} }

// Describe implements sdk.Plugin.
func (p *Plugin) Describe() sdk.Info {
	return sdk.Info{
		Name:         "ctproto",
		Version:      "1.0.0",
		StateVersion: 1,
		Roles: []sdk.Role{
			{Doc: "clients", Auth: sdk.AuthInBand, Transports: []sdk.Transport{sdk.WebSocket}},
			{Name: roleAPI, Doc: "updates and closes from back-ends", Auth: sdk.AuthHandshake, Transports: []sdk.Transport{sdk.HTTP}},
		},
		Reserved:    []string{authorizeType, errorType},
		RouteConfig: new(RouteConfig),
		Limits:      sdk.Limits{FrameBytes: 1 << 20},
	}
}

// Configure implements sdk.Configurer.
func (p *Plugin) Configure(setup sdk.Setup) error {
	var errs []error
	for _, r := range setup.Routes {
		complain := func(attribute, text string) {
			errs = append(errs, &sdk.Complaint{Route: r.ID, Attribute: attribute, Text: text})
		}
		if r.Role == roleAPI {
			if !strings.HasSuffix(strings.TrimSuffix(r.Path, "*"), "/") || r.Path == "/" {
				complain("", "The path of an API ends in a slash: it serves what is below it.")
			}
			continue
		}
		if r.Upstream == "" {
			complain("", "The route has no upstream: messages would go nowhere.")
		}
		if !r.Auth {
			complain("", "The route has no auth: nobody could say who a client is that authorizes.")
		}
		if c, ok := r.Config.(*RouteConfig); ok && c.NotifyClosed && r.Upstream != "" && r.Upstream != "http" {
			complain("notify_closed", "Only an upstream of kind http can be told.")
		}
	}
	return errors.Join(errs...)
}
