package sdk

import (
	"encoding/json"

	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/sdk/spec"
)

// variable is the value of one of the variables that are known of every session; null for others.
func (c *Conn) variable(name string) spec.Value {
	id := c.Identity()
	switch name {
	case "user":
		if id == nil {
			return spec.Value{}
		}
		return spec.Object(map[string]spec.Value{"id": spec.Text(id.UserID), "claims": spec.JSON(id.Claims)})
	case "claims":
		if id == nil {
			return spec.Value{}
		}
		return spec.JSON(id.Claims)
	case "session":
		return spec.Object(map[string]spec.Value{"id": spec.Text(idText(c.ID()))})
	case "context":
		if c.p == nil {
			return spec.Value{}
		}
		members := make(map[string]spec.Value, len(c.p.context))
		for k, v := range c.p.context {
			if json.Valid(v) {
				members[k] = spec.JSON(v)
			} else {
				members[k] = spec.Text(string(v))
			}
		}
		return spec.Object(members)
	case "request":
		return c.Info().value()
	}
	return spec.Value{}
}

// value is the variable `request`.
func (i *SessionInfo) value() spec.Value {
	return expr.Request(expr.RequestInfo{
		Method: i.Method, Path: i.Path, Query: i.Query, Host: i.Host, RemoteAddress: i.RemoteAddress,
		Headers: func(yield func(string, string) bool) {
			for _, h := range i.Headers {
				if !yield(h.Name, h.Value) {
					return
				}
			}
		},
	})
}
