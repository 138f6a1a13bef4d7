package core

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/protocol-bridge/bridge/core/auth"
	"github.com/protocol-bridge/bridge/core/config"
	neutral "github.com/protocol-bridge/bridge/upstream"
)

// adminAuth returns what says who may ask for something at the admin address; nil where everybody may
// who reaches it.
func (b *bridge) adminAuth(a *config.Admin) func(*http.Request) int {
	if a.Auth == nil {
		return nil
	}
	ref := a.Auth.Ref()
	return func(r *http.Request) int {
		backend := b.live.Load().auths[ref]
		if backend == nil { // taken out of the file, which a reload refuses
			return http.StatusServiceUnavailable
		}
		ans := backend.Authenticate(r.Context(), &auth.Request{
			Opening: auth.Opening{Authorization: r.Header.Get("Authorization")}, RemoteAddress: r.RemoteAddr,
		})
		switch ans.Outcome {
		case neutral.OK:
		case neutral.Denied, neutral.Other:
			return http.StatusUnauthorized
		default:
			return http.StatusServiceUnavailable
		}
		if !hasRole(ans.Claims, neededRole(r.Method)) {
			return http.StatusForbidden
		}
		return http.StatusOK
	}
}

func neededRole(method string) string {
	if method == http.MethodGet || method == http.MethodHead {
		return "read"
	}
	return "write"
}

// hasRole says whether claims name a role.
func hasRole(claims []byte, role string) bool {
	var c struct {
		Roles []string `json:"roles"`
	}
	return json.Unmarshal(claims, &c) == nil && slices.Contains(c.Roles, role)
}
