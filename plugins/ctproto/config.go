package ctproto

import (
	"time"

	"github.com/protocol-bridge/bridge/sdk"
)

// RouteConfig is the `config` block of a route.
type RouteConfig struct {
	AuthorizeTimeout time.Duration `bridge:"authorize_timeout,default=3s" doc:"time to send authorize; a client that does not is closed with 1013"`
	Token            sdk.Expr      `bridge:"token,default=payload.token,vars=payload|request|session|context" doc:"the token in authorize, for auth backends that take one"`
	UserID           sdk.Expr      `bridge:"user_id,vars=payload|request|session|context" doc:"whom a client claims to be in authorize, for auth backends that are told, as logux; absent or null: nobody in particular"`
	Errors           string        `bridge:"errors,default=message,oneof=message|silent" doc:"whether a message that the back-end refused or failed at is answered with an error message, or with nothing as the original does"`
	StrictPending    bool          `bridge:"strict_pending,default=false" doc:"close on a message sent while authorize is still being answered, as the original does, instead of holding it"`
	StrictPayload    bool          `bridge:"strict_payload,default=false" doc:"refuse a payload that is null or an array"`
	NotifyClosed     bool          `bridge:"notify_closed,default=false" doc:"ask the upstream, which must be of kind http, with the event closed when an authorized session ends"`
}

// Validate implements spec.Validator.
func (c *RouteConfig) Validate() error {
	if c.AuthorizeTimeout <= 0 {
		return &sdk.Complaint{Attribute: "authorize_timeout", Text: "It must be longer than nothing."}
	}
	return nil
}
