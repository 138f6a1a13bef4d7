package logux

import (
	"time"

	"github.com/protocol-bridge/bridge/sdk"
)

// RouteConfig is the `config` block of a route; each role has its part of it.
type RouteConfig struct {
	// Of server and control.
	ControlSecret []sdk.Secret `bridge:"control_secret,from=upstream.secret" doc:"roles server and control: what back-ends show to have actions sent to clients; without it nobody can" example:"env(\"LOGUX_CONTROL_SECRET\")"`
	ControlMask   []string     `bridge:"control_mask" default:"127.0.0.0/8|::1/128" doc:"addresses, and blocks of them, that the control endpoint is used from" example:"[\"127.0.0.1/8\", \"10.0.0.0/8\"]"`

	// Of server.
	Subprotocol string        `bridge:"subprotocol" doc:"the application's own version, SemVer, which clients are told" example:"\"1.2.0\""`
	Supports    string        `bridge:"supports" doc:"clients' versions that are served, as npm writes ranges; all when absent" example:"\"^1.0.0\""`
	Env         string        `bridge:"env,default=production,oneof=production|development" doc:"development tells clients so, who then take ws:// and are shown what was wrong with an action"`
	Ping        time.Duration `bridge:"ping,default=20s" doc:"silence after which a client is pinged"`
	Timeout     time.Duration `bridge:"timeout,default=70s" doc:"time to connect, and to answer a ping"`

	// Of backend and relay.
	Secret []sdk.Secret `bridge:"secret" doc:"roles backend and relay: what the server that asks shows, or the back-end that posts" example:"env(\"LOGUX_CONTROL_SECRET\")"`

	// Of backend.
	StrictV1 bool `bridge:"strict_v1,default=false" doc:"role backend: leave resend out of answers in version 1, as real servers of that version do not know it"`

	mask   addressMask  // of ControlMask
	served versionRange // of Supports; nil: all
}

// development says whether clients are told what was wrong. nil is a route that is not known any more.
func (c *RouteConfig) development() bool { return c != nil && c.Env == "development" }

// supported says whether a client's version of the application is served.
func (c *RouteConfig) supported(subprotocol string) bool {
	if c.served == nil {
		return true
	}
	v, ok := parseVersion(subprotocol)
	return ok && c.served.has(v)
}

// Validate implements spec.Validator.
func (c *RouteConfig) Validate() (err error) {
	if c.mask, err = parseMask(c.ControlMask); err != nil {
		return &sdk.Complaint{Attribute: "control_mask", Text: "Each element must be a block of addresses, as 10.0.0.0/8, or an address: " + err.Error() + "."}
	}
	if c.Supports != "" {
		var ok bool
		if c.served, ok = parseRange(c.Supports); !ok {
			return &sdk.Complaint{Attribute: "supports", Text: "It must be a range of versions, as \"^1.0.0\"."}
		}
	}
	if c.Ping <= 0 {
		return &sdk.Complaint{Attribute: "ping", Text: "It must be longer than nothing."}
	}
	if c.Timeout <= 0 {
		return &sdk.Complaint{Attribute: "timeout", Text: "It must be longer than nothing."}
	}
	return nil
}
