// Package auth owns the backends that say who a client is. A [Backend] is one auth block of
// bridge.hcl; when to ask it, and what to do with the answer, is the plugins' and the core's business.
package auth

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"time"

	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/upstream"
)

// Request is what a client shows. Its slices are not changed, and valid until Authenticate returns.
type Request struct {
	Token    string
	HasToken bool
	// UserID is whom the client claims to be; empty: nobody in particular. A backend never lets a
	// client in as somebody else.
	UserID string
	// Payload is JSON that the client sent with it, byte for byte; nil: none.
	Payload []byte
	// Subprotocol and Headers are of the protocol, not of HTTP. Only Logux has them.
	Subprotocol string
	Headers     []Field

	// Opening is the HTTP request that opened the connection.
	Opening Opening

	ID            string // unique for the question: the idempotency key
	Protocol      string // name of the plugin
	Route         string // path of the route
	Session       string // id, a decimal string; empty at a handshake, before there is one
	RemoteAddress string // host:port of the client
}

// Field is a name with a value.
type Field struct{ Name, Value string }

// Opening is what backends look at of an HTTP request.
type Opening struct {
	Authorization string // the header, as "Basic …"
	Cookie        string // the header
}

// Answer is who the client is, or why it may not come in.
type Answer struct {
	// Outcome is OK, Denied, Unavailable (nobody could be asked: the client should come back) or Other.
	// A backend that cannot tell says Unavailable, never Denied.
	Outcome upstream.Outcome
	UserID  string
	Claims  []byte   // a JSON object, byte for byte as the backend has it; nil: none
	Reason  string   // of a denial, meant for the client
	Joins   []string // channels that the backend gives this user
	// Within are patterns of the only channels that the user may publish to or act on, where the user
	// is one of an API; nil: all.
	Within []channel.Pattern
	// Expires is when the proof ends and the session with it; zero: never.
	Expires time.Time
	// Supported is what the client could have used, with Other.
	Supported string
	// Detail is for the log, and never for a client. It holds no secret.
	Detail string
}

// Backend says who a client is. It is safe for concurrent use.
type Backend interface {
	// Realm names the backend in identities, as "static.dev". The same user id of two realms is two
	// people.
	Realm() string
	// Authenticate asks. It may block until ctx ends.
	Authenticate(ctx context.Context, req *Request) Answer
}

// Token is a row of a static backend's table.
type Token struct{ Token, UserID string }

// NewStatic returns a backend that knows its users by heart.
func NewStatic(realm string, tokens []Token) Backend {
	s := &static{realm: realm}
	for _, t := range tokens {
		s.users = append(s.users, staticUser{sha256.Sum256([]byte(t.Token)), t.UserID})
	}
	return s
}

type static struct {
	realm string
	users []staticUser
}

type staticUser struct {
	sum [sha256.Size]byte
	id  string
}

func (s *static) Realm() string { return s.realm }

// Authenticate looks at the whole table whatever it finds, so that time tells nothing.
func (s *static) Authenticate(_ context.Context, req *Request) Answer {
	denied := Answer{Outcome: upstream.Denied, Reason: "Wrong credentials"}
	if !req.HasToken {
		return denied
	}
	sum := sha256.Sum256([]byte(req.Token))
	found := -1
	for i := range s.users {
		if subtle.ConstantTimeCompare(sum[:], s.users[i].sum[:]) == 1 {
			found = i
		}
	}
	if found < 0 || req.UserID != "" && req.UserID != s.users[found].id {
		return denied
	}
	return Answer{Outcome: upstream.OK, UserID: s.users[found].id}
}
