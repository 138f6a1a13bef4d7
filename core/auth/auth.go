// Package auth owns the backends that say who a client is. A [Backend] is one auth block of
// bridge.hcl; when to ask it, and what to do with the answer, is the plugins' and the core's business.
package auth

import (
	"context"
	"net/netip"
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
	// HasUserID, with an empty UserID, says that the client claims to be the user of that id. Only Logux
	// has such.
	HasUserID bool
	// Payload is JSON that the client sent with it, byte for byte; nil: none.
	Payload []byte
	// Subprotocol and Headers are of the protocol, not of HTTP. Only Logux has them.
	Subprotocol string
	Headers     []Field
	// HeadersJSON is an object of the same headers, where values of them are no texts; nil: all are.
	HeadersJSON []byte

	// Opening is the HTTP request that opened the connection.
	Opening Opening

	// OnBehalf says that RemoteAddress is that of a server which asks for one of its own clients. Nothing
	// of Opening is the server's own then.
	OnBehalf bool

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
	// Cookies, unless nil, are names with values that stand for those of Cookie.
	Cookies []Field
}

// Answer is who the client is, or why it may not come in.
type Answer struct {
	// Outcome is OK, Denied, Unavailable (nobody could be asked: the client should come back), Error (a
	// Logux back-end answered that it failed) or Other.
	// A backend that cannot tell says Unavailable, never Denied.
	Outcome upstream.Outcome
	UserID  string
	Claims  []byte // a JSON object, byte for byte as the backend has it; nil: none
	Reason  string // of a denial, meant for the client
	// Elsewhere says that a denied client proved who it is, but may not come from its address.
	Elsewhere bool
	Joins     []string // channels that the backend gives this user
	// Within are patterns of the only channels that the user may publish to or act on, where the user
	// is one of an API; nil: all.
	Within []channel.Pattern
	// Expires is when the proof ends and the session with it; zero: never.
	Expires time.Time
	// Subprotocol is the version that the back-end says it speaks, with OK; empty: it says none.
	Subprotocol string
	// Supported is what the client could have used, with Other.
	Supported string
	// Detail is for the log, and never for a client. It holds no secret.
	Detail string
}

// Backend says who a client is. It is safe for concurrent use. A Backend that works in the background
// or keeps connections is an [io.Closer] too: Close ends that, after the last Authenticate.
type Backend interface {
	// Realm names the backend in identities, as "static.dev". The same user id of two realms is two
	// people.
	Realm() string
	// Authenticate asks. It may block until ctx ends.
	Authenticate(ctx context.Context, req *Request) Answer
}

// What clients are told. They are few and constant, and do not tell which half of a pair was wrong.
const (
	reasonWrong    = "Wrong credentials"
	reasonExpired  = "Token expired"
	reasonEarly    = "Token not valid yet"
	reasonAddress  = "Not allowed from this address"
	reasonAttempts = "Too many attempts"
)

// claimsAnother is the detail of a denial where the proof was good, but somebody else's.
const claimsAnother = "the client claims to be another user"

func refuse(reason, detail string) Answer {
	return Answer{Outcome: upstream.Denied, Reason: reason, Detail: detail}
}

func cannotTell(detail string) Answer {
	return Answer{Outcome: upstream.Unavailable, Detail: detail}
}

// clientAddress returns the address in host:port, an IPv4-mapped one as IPv4 and without a zone; it is
// not valid when hostport holds none.
func clientAddress(hostport string) netip.Addr {
	ap, err := netip.ParseAddrPort(hostport)
	if err != nil {
		return netip.Addr{}
	}
	return ap.Addr().Unmap().WithZone("")
}
