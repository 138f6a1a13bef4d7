package config

import (
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/protocol-bridge/bridge/internal/expr"
)

// Plugin is the translator of a protocol and what it serves.
type Plugin struct {
	Label string // unique
	Type  string // the kind of plugin; the label where the file says nothing
	// Command starts an external plugin; empty for a built-in one. A program written as a relative
	// path is relative to the folder of the file.
	Command      []string
	SHA256       string            // of the program, in lower-case hex; empty: any
	Env          map[string]string // of the process, besides what Bridge sets
	MTLS         bool              // by default true for external plugins
	Standby      bool              // keep a second instance ready
	EventTimeout time.Duration     // an event unacked for so long means a hung instance
	Routes       []*Route
	Range        hcl.Range

	src    *source
	config *hcl.Block // nil: none
	fields fields     // set by Resolve
}

// Route is a path on a listener that a plugin serves.
type Route struct {
	// ID names the route in what plugins are told: label, listener and path, as
	// "ctproto:public:/client". It is the same for the same file.
	ID       string
	Path     string
	Also     []string // further paths
	Role     string   // empty: the plugin's role without a name
	Listener *Listener
	// Auth is nil when the route has none: because the file says auth.none (AuthNone is true), or
	// because it says nothing. Where it says nothing and the upstream is a Logux back-end, it is the
	// auth that asks that one, unless Resolve finds that the plugin has accounts of its own.
	Auth     *Auth
	AuthNone bool
	// LocalOnly: the route has no auth, and serves only peers on this machine. Set by Resolve.
	LocalOnly bool
	Upstream  *Upstream // nil: none
	Push      *Upstream // of kind "logux_server"; nil: none
	// Channels evaluates to the channels that a session joins once it is authenticated or let in, over the
	// roots user, claims, request and session; nil: none.
	Channels *expr.Expr
	// Token evaluates to what a client shows at the handshake, over the root request; nil: none.
	// Set by Resolve for roles that authenticate there.
	Token  *expr.Expr
	Limits Limits
	Range  hcl.Range

	config     *hcl.Block
	roleAttr   *hcl.Attribute
	authAttr   *hcl.Attribute
	byUpstream *Auth // what Auth is because of the upstream
}

// Limits bounds what a client may do. Zero means the plugin's or the core's default.
type Limits struct {
	MaxFrame    int64 // bytes of a text frame
	MaxBinary   int64 // bytes of a binary frame
	Rate        Rate  // of a session's frames
	MaxSessions int   // of the route, on this node
}

// Rate is so many in a time; the zero Rate is none.
type Rate struct {
	Count int
	Per   time.Duration
}

// String returns the rate as in bridge.hcl: "100/s".
func (r Rate) String() string {
	unit := map[time.Duration]string{time.Second: "s", time.Minute: "m", time.Hour: "h"}[r.Per]
	if unit == "" {
		unit = r.Per.String()
	}
	return strconv.Itoa(r.Count) + "/" + unit
}
