package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Authenticator asks a back-end that speaks the Logux back-end protocol who a client is. It blocks,
// and does not keep a.
type Authenticator interface {
	Authenticate(ctx context.Context, a *logux.Auth) logux.AuthResult
}

// NewLogux returns a backend that asks a back-end with the command "auth" of the Logux back-end
// protocol.
//
// The protocol has no answer that names a user: the back-end says whether the client is whom it
// claims to be. So that is the user id; a client that claims nobody in particular and is let in is a
// guest, with an empty one. Who claims to be "server", or an id that the protocol cannot carry, is
// denied without asking.
//
// Beside the outcomes that each backend has, it answers Other with Supported for a subprotocol that
// the back-end does not support, and Error when the back-end says that it failed: to Logux clients
// that is a refusal, but no wrong attempt.
func NewLogux(realm string, a Authenticator) Backend { return &loguxBackend{realm: realm, ask: a} }

type loguxBackend struct {
	realm string
	ask   Authenticator
}

func (l *loguxBackend) Realm() string { return l.realm }

func (l *loguxBackend) Authenticate(ctx context.Context, req *Request) Answer {
	if err := logux.CheckUser(req.UserID); err != nil {
		return refuse(reasonWrong, err.Error())
	}
	a := &logux.Auth{ID: newAuthID(), Subprotocol: req.Subprotocol}
	if req.UserID != "" || req.HasUserID {
		a.UserID = &req.UserID
	}
	if req.HasToken {
		a.Token = rawjson.AppendString(nil, req.Token)
	}
	switch {
	case req.Opening.Cookies != nil:
		a.Cookie = appendFields(nil, req.Opening.Cookies)
	case req.Opening.Cookie != "":
		a.Cookie = logux.AppendCookies(nil, req.Opening.Cookie)
	}
	switch {
	case rawjson.KindOf(req.HeadersJSON) == rawjson.Object && rawjson.Valid(req.HeadersJSON):
		a.Headers = req.HeadersJSON
	case len(req.Headers) > 0:
		a.Headers = appendFields(nil, req.Headers)
	}
	got := l.ask.Authenticate(ctx, a)
	switch got.Outcome {
	case upstream.OK:
		return Answer{Outcome: upstream.OK, UserID: req.UserID, Subprotocol: got.Subprotocol}
	case upstream.Denied:
		return Answer{Outcome: upstream.Denied, Reason: reasonWrong, Detail: got.Detail}
	case upstream.Other:
		return Answer{Outcome: upstream.Other, Supported: got.Supported, Detail: got.Detail}
	case upstream.Error:
		return Answer{Outcome: upstream.Error, Detail: got.Detail}
	}
	return cannotTell(got.Detail)
}

// newAuthID returns 21 random characters, as many as Logux servers send.
func newAuthID() string {
	var random [16]byte
	_, _ = rand.Read(random[:]) // it never fails
	return base64.RawURLEncoding.EncodeToString(random[:])[:21]
}

func appendFields(dst []byte, fields []Field) []byte {
	dst = append(dst, '{')
	for i, f := range fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(rawjson.AppendString(dst, f.Name), ':')
		dst = rawjson.AppendString(dst, f.Value)
	}
	return append(dst, '}')
}
