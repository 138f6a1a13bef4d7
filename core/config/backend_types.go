package config

import (
	"net/netip"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// Auth is a backend that says who a client is. The field of its kind is set.
type Auth struct {
	Kind, Name string
	Static     *StaticAuth
	Basic      *BasicAuth
	JWT        *JWTAuth
	HTTP       *HTTPBackend
	Logux      *LoguxAuth
	Range      hcl.Range
}

// Ref returns how routes refer to it, as "static.dev": the realm of its identities.
func (a *Auth) Ref() string { return a.Kind + "." + a.Name }

// StaticAuth knows its users by heart.
type StaticAuth struct {
	Tokens []StaticToken // sorted by token
}

// StaticToken is one row of the table: whoever shows the token is that user.
type StaticToken struct {
	Token  redact.Secret
	UserID string
}

// BasicAuth knows its users by name and the hashes of their passwords.
type BasicAuth struct {
	Users []BasicUser // sorted by name
}

// BasicUser is one of the users, and what is open to them.
type BasicUser struct {
	Name  string
	Hash  redact.Secret  // bcrypt, or argon2id as a PHC string
	Roles []string       // nil: all
	Allow []netip.Prefix // where the user may come from; nil: everywhere
	// Channels and Topics that the user may name; nil: all, empty: none.
	Channels, Topics []channel.Pattern
}

// JWTAuth knows its users by signed tokens. Exactly one of Secrets, PublicKeyFile and JWKSURL is set.
type JWTAuth struct {
	Secrets       []redact.Secret // the current one and older ones
	PublicKeyFile string          // relative to the working directory, or absolute; it could be read
	JWKSURL       string
	Issuer        string        // empty: any
	Audience      string        // empty: any
	Algorithms    []string      // nil: those of the key
	Leeway        time.Duration // by which clocks may differ
	UserID        *expr.Expr    // over the root claims
	OnExpire      string        // "close" or "keep"
}

// HTTPBackend is a back-end that speaks the JSON contract over HTTP, as an auth or as an upstream.
type HTTPBackend struct {
	URL string
	// Secrets are the current one, which signs requests, and older ones; there is at least one.
	Secrets        []redact.Secret
	ConnectTimeout time.Duration
	Timeout        time.Duration // until the whole answer
	MaxConnections int
}

// LoguxAuth asks the `auth` command of a Logux back-end.
type LoguxAuth struct {
	Upstream *Upstream // of kind "logux"
}

// Upstream is an existing server that plugins talk to. The field of its kind is set; kind "dev" has
// none.
type Upstream struct {
	Kind, Name  string
	Logux       *LoguxUpstream
	LoguxServer *LoguxServer
	HTTP        *HTTPBackend
	Range       hcl.Range
}

// Ref returns how routes refer to it, as "logux.app".
func (u *Upstream) Ref() string { return u.Kind + "." + u.Name }

// LoguxUpstream is a back-end that speaks the Logux back-end protocol.
type LoguxUpstream struct {
	URL string
	// Secrets are the current one, which is sent, and older ones; there is at least one.
	Secrets        []redact.Secret
	Version        int // of the protocol, 1 to 4
	ConnectTimeout time.Duration
	Timeout        time.Duration // until the first answer
	IdleTimeout    time.Duration // between answers
	MaxConnections int
	Batch          int // commands in a request
}

// LoguxServer is an existing Logux server, to which actions are posted.
type LoguxServer struct {
	URL string
	// Secrets are the current one, which is sent, and older ones; there is at least one.
	Secrets        []redact.Secret
	Version        int               // of the protocol, 1 to 4
	Mirror         []channel.Pattern // what is published on these channels reaches its clients too
	ConnectTimeout time.Duration
	Timeout        time.Duration // until the answer
}
