package logux

import (
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// AuthResult is what a back-end said to an auth command.
type AuthResult struct {
	// Outcome is OK, Denied, Other for a subprotocol that the back-end does not support, Error when
	// it answered that it failed, or Unavailable when there is no answer, or one without meaning: the
	// client should come back then.
	Outcome upstream.Outcome
	// UserID is that of the command; nil when it had none.
	UserID *string
	// Subprotocol is the back-end's own, when it said it: with OK.
	Subprotocol string
	// Supported is the range of subprotocols that it supports: with Other.
	Supported string
	// Detail is for the log and never for a client.
	Detail string
}

// AuthExchange reads the response to an HTTP request with one auth command. It is fed as an
// [Exchange] is. Make it with [NewAuthExchange].
type AuthExchange struct {
	split  rawjson.Splitter
	auth   *Auth
	result AuthResult
	note   string
}

// NewAuthExchange returns the exchange for a command, which must stay as it is. maxElement bounds
// the bytes of one answer; 0 means rawjson.DefaultMaxElement.
func NewAuthExchange(a *Auth, maxElement int) *AuthExchange {
	return &AuthExchange{auth: a, split: rawjson.Splitter{MaxElement: maxElement}}
}

// Done reports whether the outcome is known: nothing that comes then changes it.
func (x *AuthExchange) Done() bool { return x.result.Outcome != 0 }

// Result is the result once Done, else zero.
func (x *AuthExchange) Result() AuthResult { return x.result }

// Feed reads a piece of the body.
func (x *AuthExchange) Feed(piece []byte) {
	for !x.Done() {
		element, rest, err := x.split.Next(piece)
		switch {
		case errors.Is(err, io.EOF):
			x.Fail(upstream.Unavailable, "the answer has nothing for this question")
		case err != nil:
			x.Fail(upstream.Unavailable, "the answer cannot be read: "+err.Error())
		case element == nil:
			return
		case !utf8.Valid(element):
			x.Fail(upstream.Unavailable, "the answer cannot be read: not UTF-8")
		default:
			x.element(element)
			piece = rest
		}
	}
}

// End says that the body ended.
func (x *AuthExchange) End() {
	if err := x.split.End(); err != nil && !x.Done() {
		x.Fail(upstream.Unavailable, "the answer cannot be read: "+err.Error())
	}
}

// Fail ends the exchange: the response will not come, or not go on.
func (x *AuthExchange) Fail(outcome upstream.Outcome, detail string) {
	if x.Done() {
		return
	}
	if x.note != "" && detail != "" {
		detail = x.note + "; " + detail
	}
	x.result = AuthResult{Outcome: outcome, Detail: detail[:min(len(detail), maxDetail)]}
}

func (x *AuthExchange) element(element []byte) {
	a, err := DecodeAnswer(element)
	switch {
	case a.Kind == None:
	case a.ID != nil && string(a.ID) != x.auth.ID:
		x.note = fmt.Sprintf("an answer %.40q to something else, %.80q", a.Name, a.ID)
	case err != nil:
		x.Fail(upstream.Unavailable, err.Error())
	case a.Kind == Error:
		x.Fail(upstream.Error, string(a.Details))
	case a.ID == nil:
		// Whom it lets in must be said.
		x.Fail(upstream.Unavailable, fmt.Sprintf("an answer %.40q has no id", a.Name))
	case a.Kind == Authenticated:
		x.result = AuthResult{Outcome: upstream.OK, UserID: x.auth.UserID, Subprotocol: a.Subprotocol}
	case a.Kind == Denied:
		x.Fail(upstream.Denied, "")
	case a.Kind == WrongSubprotocol:
		x.Fail(upstream.Other, "")
		x.result.Supported = a.Supported
	default:
		x.Fail(upstream.Unavailable, fmt.Sprintf("an answer %.40q is not known for an authentication", a.Name))
	}
}
