package upstream

import (
	"bytes"
	"context"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/logux"
)

// Pool is one back-end with its connections. It is safe for concurrent use.
type Pool interface {
	// Ask puts the question and calls emit for each answer, in order, the last with Last set; it
	// returns when all was emitted. It blocks; the caller runs it in a goroutine of its own, and
	// calls are on their own in their order too. emit may block: the response is then not read
	// further, and no time limit runs. emit owns the answer; it is never called by two goroutines at
	// once. req must stay as it is until Ask returns.
	//
	// The end of ctx ends the wait, with the outcome Unavailable; it is for when the core goes away.
	Ask(ctx context.Context, req *upstream.Request, emit func(*upstream.Answer))
	// Kind is the upstream's kind in bridge.hcl: "logux", "logux_server", "http" or "dev".
	Kind() string
	// Close ends what waits and what runs, with the outcome Unavailable, and all connections. Asks
	// that come later end in the same way.
	Close()
}

// Authenticator is a Pool whose back-end knows users.
type Authenticator interface {
	// Authenticate asks who a client is. It blocks as Ask does, and has the same place in the queue.
	// a must stay as it is until Authenticate returns.
	Authenticate(ctx context.Context, a *logux.Auth) logux.AuthResult
}

// NewDev returns the back-end that is built in, to try things out: it approves everything and
// answers with the payload it got.
func NewDev() Pool { return dev{} }

type dev struct{}

func (dev) Ask(_ context.Context, req *upstream.Request, emit func(*upstream.Answer)) {
	emit(&upstream.Answer{Last: true, Outcome: upstream.OK, Payload: bytes.Clone(req.Payload)})
}

func (dev) Kind() string { return "dev" }

func (dev) Close() {}
