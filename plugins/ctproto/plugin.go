package ctproto

import (
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
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
		Roles:        []sdk.Role{{Doc: "clients", Auth: sdk.AuthInBand, Transports: []sdk.Transport{sdk.WebSocket}}},
		Reserved:     []string{"authorize", "error"},
		RouteConfig:  new(RouteConfig),
		Limits:       sdk.Limits{FrameBytes: 1 << 20},
	}
}

// Configure implements sdk.Configurer.
func (p *Plugin) Configure(setup sdk.Setup) error {
	for _, r := range setup.Routes {
		if r.Upstream == "" {
			return &sdk.Complaint{Route: r.ID, Text: "The route has no upstream: messages would go nowhere."}
		}
	}
	return nil
}

func appendString(dst []byte, text string) []byte { return rawjson.AppendString(dst, text) }
