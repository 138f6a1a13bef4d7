package sdk

import "errors"

// CloseCode is a WebSocket close code and its reason, of which the core sends at most 123 bytes.
type CloseCode struct {
	Code   int // 0 means 1000
	Reason string
}

// Close codes that many protocols share.
var (
	CloseNormal      = CloseCode{1000, ""}
	CloseIdle        = CloseCode{1001, "idle"}
	CloseUnsupported = CloseCode{1003, "unsupported data"}
	ClosePolicy      = CloseCode{1008, "policy violation"}
	CloseInternal    = CloseCode{1011, "internal error"}
)

// RejectOption changes what [Reject] does.
type RejectOption uint8

// KeepOpen answers with the text and leaves the session open.
const KeepOpen RejectOption = 1

// Reject is an error for Step to return: the client's event is refused with text. The session closes
// with 1008 and text as the reason, unless KeepOpen is given; an HTTP request is answered with
// status 400. What the step asked for before is dropped.
func Reject(text string, options ...RejectOption) error {
	r := &rejection{text: text, code: CloseCode{ClosePolicy.Code, text}}
	for _, o := range options {
		r.open = r.open || o == KeepOpen
	}
	return r
}

// CloseWith is an error for Step to return: the session closes with that code, and what the step
// asked for before is dropped.
func CloseWith(code CloseCode) error {
	return &rejection{text: code.Reason, code: code}
}

type rejection struct {
	text string
	code CloseCode
	open bool
}

func (r *rejection) Error() string { return r.text }

// errPanic wraps what a Step that panicked left behind.
var errPanic = errors.New("panic")
