package core

import (
	"strconv"

	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/expr"
)

// routeChannels evaluates the channels that a route gives to a session of that identity; nil is nobody in
// particular, of whom user and claims are null.
func routeChannels(r *routeState, s *session.Session, id *session.Identity) ([]string, error) {
	if r.Channels == nil {
		return nil, nil
	}
	user, claims := expr.Null, expr.Null
	if id != nil {
		if id.Claims != nil {
			claims = expr.JSON(id.Claims)
		}
		user = expr.Nested(map[string]expr.Value{"id": expr.Text(id.UserID), "claims": claims})
	}
	return r.Channels.Channels(expr.Scope{
		"user":    user,
		"claims":  claims,
		"session": expr.Nested(map[string]expr.Value{"id": expr.Text(strconv.FormatUint(s.ID, 10))}),
		"request": requestValue(s.Info),
	})
}

func requestValue(info *session.Info) expr.Value {
	return expr.Request(expr.RequestInfo{
		Method: info.Method, Path: info.Path, Query: info.Query, Host: info.Host, RemoteAddress: info.RemoteAddress,
		Headers: func(yield func(string, string) bool) {
			for _, h := range info.Headers {
				if !yield(h.Name, h.Value) {
					return
				}
			}
		},
	})
}
