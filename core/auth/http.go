package auth

import (
	"context"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/httpapi"
)

// Authorizer asks a back-end that speaks Bridge's own contract who a client is. It blocks, and does
// not keep a.
type Authorizer interface {
	Authorize(ctx context.Context, a *httpapi.Authorize) httpapi.Authorized
}

// NewHTTP returns a backend that asks a back-end with the event "authorize" of Bridge's own contract.
// It gives users the claims and channels that the back-end answers. A client that claims to be
// somebody else than the back-end says is denied.
func NewHTTP(realm string, a Authorizer) Backend { return &httpBackend{realm: realm, ask: a} }

type httpBackend struct {
	realm string
	ask   Authorizer
}

func (h *httpBackend) Realm() string { return h.realm }

func (h *httpBackend) Authenticate(ctx context.Context, req *Request) Answer {
	got := h.ask.Authorize(ctx, &httpapi.Authorize{
		ID: req.ID, Protocol: req.Protocol, Route: req.Route, Session: req.Session, RemoteAddress: req.RemoteAddress,
		UserID: req.UserID, Token: req.Token, HasToken: req.HasToken, Payload: req.Payload,
	})
	switch {
	case got.Outcome == upstream.Denied:
		return Answer{Outcome: upstream.Denied, Reason: got.Reason, Detail: got.Detail}
	case got.Outcome != upstream.OK:
		return cannotTell(got.Detail)
	case req.UserID != "" && req.UserID != got.UserID:
		return refuse(reasonWrong, claimsAnother)
	}
	return Answer{Outcome: upstream.OK, UserID: got.UserID, Claims: got.Claims, Joins: got.Channels}
}
