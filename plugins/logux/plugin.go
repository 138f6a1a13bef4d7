package logux

import (
	"errors"

	"github.com/protocol-bridge/bridge/sdk"
)

// Roles of routes.
const (
	roleServer  = "server"
	roleControl = "control"
	roleBackend = "backend"
	roleRelay   = "relay"
)

// Plugin translates Logux.
type Plugin struct {
	node   string // id of the server, as clients are told
	number int    // of this node of the cluster

	guesses guesses
	spoken  spoken
}

var (
	_ sdk.Plugin[State] = (*Plugin)(nil)
	_ sdk.Configurer    = (*Plugin)(nil)
	_ sdk.Encoder       = (*Plugin)(nil)
)

// New returns the plugin.
func New() *Plugin { return &Plugin{node: serverNode(""), guesses: newGuesses()} }

// Describe implements sdk.Plugin.
func (p *Plugin) Describe() sdk.Info {
	requests := []sdk.Transport{sdk.HTTP}
	return sdk.Info{
		Name:         "logux",
		Version:      "1.0.0",
		StateVersion: 1,
		Roles: []sdk.Role{
			{
				Name: roleServer, Doc: "clients, and the control endpoint for back-ends",
				Auth: sdk.AuthInBand, Transports: []sdk.Transport{sdk.WebSocket, sdk.HTTP}, BodyBytes: maxBody,
			},
			{Name: roleControl, Doc: "the control endpoint alone", Auth: sdk.AuthOwn, Transports: requests, BodyBytes: maxBody},
			{Name: roleBackend, Doc: "the back-end of an existing Logux server", Auth: sdk.AuthOwn, Transports: requests, BodyBytes: maxBody},
			{Name: roleRelay, Doc: "actions for an existing Logux server", Auth: sdk.AuthOwn, Transports: requests, BodyBytes: maxBody},
		},
		Reserved:    []string{reservedTypes + "*"},
		RouteConfig: new(RouteConfig),
		Limits:      sdk.Limits{StateBytes: 4 << 20, FrameBytes: 1 << 20},
	}
}

// reservedTypes begins the types that are the protocol's own.
const reservedTypes = "logux/"

// Configure implements sdk.Configurer.
func (p *Plugin) Configure(setup sdk.Setup) error {
	p.node, p.number = serverNode(setup.Label), setup.Node
	var errs []error
	for _, r := range setup.Routes {
		complain := func(attribute, text string) {
			errs = append(errs, &sdk.Complaint{Route: r.ID, Attribute: attribute, Text: text})
		}
		if r.Role != roleServer {
			checkRequests(r, complain)
			continue
		}
		if r.Upstream == "" {
			complain("", "The route has no upstream: actions would go nowhere.")
		}
		if !r.Auth {
			complain("", "The route has no auth: nobody could say who a client is.")
		}
	}
	return errors.Join(errs...)
}

// checkRequests checks a route of one of the roles that serve requests alone.
func checkRequests(r *sdk.Route, complain func(attribute, text string)) {
	c, ok := r.Config.(*RouteConfig)
	switch {
	case !ok:
	case r.Role == roleControl && len(c.ControlSecret) == 0:
		complain("control_secret", "It is required: nobody could post actions.")
	case r.Role != roleControl && len(c.Secret) == 0:
		complain("secret", "It is required: anybody could ask.")
	}
	switch {
	case r.Role == roleRelay && r.Upstream != kindServer:
		complain("", "The upstream must be of kind logux_server: actions are passed on to it.")
	case r.Role == roleBackend && r.Upstream == kindServer:
		complain("", "The upstream must be a back-end. A Logux server is for push, which data of subscriptions are pushed to.")
	case r.Role == roleBackend && r.Upstream == "":
		complain("", "The route has no upstream: actions would go nowhere.")
	case r.Role == roleBackend && r.Upstream != kindLogux && !r.Auth:
		complain("", "The route has no auth: nobody could say who a client of the asking server is.")
	}
}

// Kinds of upstreams that roles tell apart.
const (
	kindLogux  = "logux"        // a back-end that speaks the Logux back-end protocol
	kindServer = "logux_server" // an existing Logux server
)

// Step implements sdk.Plugin.
func (p *Plugin) Step(s *session, ev sdk.Event) error {
	if s.Named() {
		return p.stepClient(s, ev)
	}
	switch role := s.Route().Role; {
	case role == roleBackend:
		return p.stepBackend(s, ev)
	case role == roleRelay:
		return p.stepRelay(s, ev)
	case role == roleControl, s.Info().Transport == sdk.HTTP:
		return p.stepControl(s, ev)
	}
	return p.stepServer(s, ev)
}

type session = sdk.Session[State]

func config(s *session) *RouteConfig { return sdk.RouteConfig[RouteConfig](s) }
