package httpapi

import (
	"errors"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Version is the version of the contract, in each request.
const Version = 1

// Errors of [Check] and [CheckAuthorize].
var (
	ErrPayload = errors.New("the payload is not JSON")
	ErrRaw     = errors.New("an upstream of kind http has no commands of its own")
	ErrPurpose = errors.New("the contract has no such event")
)

// Check reports whether a question can be put. The error is ErrPayload, ErrRaw or ErrPurpose. Claims
// are taken for valid: they come from an auth backend, which has looked at them.
func Check(req *upstream.Request) error {
	switch {
	case req.Raw != nil:
		return ErrRaw
	case req.Purpose != "message" && req.Purpose != "subscribe" && req.Purpose != "closed":
		return ErrPurpose
	case req.Payload != nil && !rawjson.Valid(req.Payload):
		return ErrPayload
	}
	return nil
}

// CheckAuthorize reports whether an authorization can be asked for; the error is ErrPayload.
func CheckAuthorize(a *Authorize) error {
	if a.Payload != nil && !rawjson.Valid(a.Payload) {
		return ErrPayload
	}
	return nil
}

// AppendRequest appends the body that puts a question; [Check] must have accepted it. Texts that are
// empty and JSON that is nil are left out; payload and claims are passed on byte for byte.
func AppendRequest(dst []byte, req *upstream.Request) []byte {
	dst = appendHead(dst, req.Purpose, req.Protocol, req.Route, req.Session, req.ID)
	dst = appendText(dst, `,"message_id":`, req.MessageID)
	dst = appendText(dst, `,"remote_address":`, req.RemoteAddress)
	dst = appendText(dst, `,"user_id":`, req.UserID)
	dst = appendJSON(dst, `,"claims":`, req.Claims)
	dst = appendText(dst, `,"channel":`, req.Channel)
	dst = appendText(dst, `,"type":`, req.Type)
	dst = appendJSON(dst, `,"payload":`, req.Payload)
	return append(dst, '}')
}

// AppendAuthorize appends the body that asks who a client is; [CheckAuthorize] must have accepted it.
// It has a token if the client showed one, even an empty one.
func AppendAuthorize(dst []byte, a *Authorize) []byte {
	dst = appendHead(dst, "authorize", a.Protocol, a.Route, a.Session, a.ID)
	dst = appendText(dst, `,"remote_address":`, a.RemoteAddress)
	dst = appendText(dst, `,"user_id":`, a.UserID)
	if a.HasToken {
		dst = rawjson.AppendString(append(dst, `,"token":`...), a.Token)
	}
	dst = appendJSON(dst, `,"payload":`, a.Payload)
	return append(dst, '}')
}

func appendHead(dst []byte, event, protocol, route, session, id string) []byte {
	dst = rawjson.AppendString(append(dst, `{"version":1,"event":`...), event)
	dst = appendText(dst, `,"protocol":`, protocol)
	dst = appendText(dst, `,"route":`, route)
	dst = appendText(dst, `,"session":`, session)
	return appendText(dst, `,"id":`, id)
}

func appendText(dst []byte, key, text string) []byte {
	if text == "" {
		return dst
	}
	return rawjson.AppendString(append(dst, key...), text)
}

func appendJSON(dst []byte, key string, raw []byte) []byte {
	if raw == nil {
		return dst
	}
	return append(append(dst, key...), raw...)
}
