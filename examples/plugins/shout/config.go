package main

import (
	"time"

	"github.com/protocol-bridge/bridge/sdk"
)

// RouteConfig is the `config` block of a route.
type RouteConfig struct {
	Greeting string        `bridge:"greeting,default=shout 1" doc:"first line that a client gets"`
	Idle     time.Duration `bridge:"idle,default=1m" doc:"silence after which a client is closed"`
	Name     sdk.Expr      `bridge:"name,default=user.id,vars=user|claims" doc:"what a client is called"`
}

// Validate implements spec.Validator: it checks what types cannot say.
func (c *RouteConfig) Validate() error {
	if c.Idle < time.Second {
		return &sdk.Complaint{Attribute: "idle", Text: "It must be a second or more, or clients have no time to speak."}
	}
	return nil
}

func config(s *session) *RouteConfig { return sdk.RouteConfig[RouteConfig](s) }
