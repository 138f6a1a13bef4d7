// Package httpapi is the codec of Bridge's own back-end contract: one JSON object asks, one JSON
// object answers, whatever protocol the client speaks. docs/http-contract.md is its specification.
//
//   - [AppendRequest] and [AppendAuthorize] write what is asked, [AppendSignature] signs it;
//   - [DecodeAnswer] and [DecodeAuthorized] read a response, its status and its body together;
//   - [Verify] is for back-ends in Go, and for tests that play one.
//
// It is pure: no I/O, no clock. Payloads and claims are passed on byte for byte.
package httpapi

import "github.com/protocol-bridge/bridge/upstream"

// Authorize asks who a client is.
type Authorize struct {
	ID            string // the idempotency key
	Protocol      string
	Route         string
	Session       string // empty where there is none yet
	RemoteAddress string // host:port
	UserID        string // whom the client claims to be; empty: nobody in particular
	Token         string
	HasToken      bool
	Payload       []byte // JSON, passed on byte for byte; nil: none
}

// Authorized is what the back-end said.
type Authorized struct {
	// Outcome is OK, Denied or Unavailable.
	Outcome  upstream.Outcome
	UserID   string
	Claims   []byte   // a JSON object byte for byte; nil: none
	Channels []string // that the client is to join
	Reason   string   // of a denial, meant for the client
	Detail   string   // for the log
}
