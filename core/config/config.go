// Package config owns bridge.hcl: it turns the file into a typed [Config] that remembers where each
// thing was written, and every fault in it into a diagnostic with file, line, snippet and what was
// expected, all at once.
//
// It has two steps. [Load] decodes what the core knows and keeps the `config` blocks of plugins as
// they are. Once a plugin has described itself, [Plugin.Resolve] checks them against that and makes
// what the plugin is configured with. What a plugin then complains about becomes a diagnostic by
// [Plugin.Complaints].
//
// It opens no port, starts no process, and decides nothing at run time.
package config

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/protocol-bridge/bridge/internal/expr"
	"github.com/protocol-bridge/bridge/internal/redact"
)

// Config is what one bridge.hcl says, with defaults filled in and references resolved. Lists are in
// the order of the file.
type Config struct {
	File      string // as given to Load
	DataDir   string // relative to the working directory, or absolute
	Listeners []*Listener
	Admin     *Admin // nil: no admin address
	Auths     []*Auth
	Upstreams []*Upstream
	Plugins   []*Plugin
	Shutdown  Shutdown
}

// Listener is an address on which clients or back-ends connect.
type Listener struct {
	Name    string
	Address string // host:port
	Default bool   // routes that name no listener are on this one
	Range   hcl.Range
}

// Loopback reports whether only this machine can connect.
func (l *Listener) Loopback() bool { return loopback(l.Address) }

// Admin is where health, metrics and the API are served.
type Admin struct {
	Address string // host:port, on loopback
	Range   hcl.Range
}

// Auth is a backend that says who a client is. The field of its kind is set.
type Auth struct {
	Kind, Name string
	Static     *StaticAuth
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

// Upstream is an existing server that plugins talk to. The field of its kind is set; kind "dev" has
// none.
type Upstream struct {
	Kind, Name string
	Logux      *LoguxUpstream
	Range      hcl.Range
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
	// because it says nothing.
	Auth     *Auth
	AuthNone bool
	Upstream *Upstream // nil: none
	// Channels evaluates to the channels that a session joins once it is authenticated, over the
	// roots user, claims, request and session; nil: none.
	Channels *expr.Expr
	Limits   Limits
	Range    hcl.Range

	config   *hcl.Block
	roleAttr *hcl.Attribute
}

// Limits bounds what a client may do. Zero means the plugin's or the core's default.
type Limits struct {
	MaxFrame  int64 // bytes of a text frame
	MaxBinary int64 // bytes of a binary frame
}

// Shutdown says how Bridge ends.
type Shutdown struct {
	Delay   time.Duration // /ready says 503 and nothing closes yet
	Timeout time.Duration // sessions are closed staggered within it
}

// Load reads and checks a file. The Diagnostics are never nil and may hold warnings; the Config is
// nil when they have errors.
func Load(path string) (*Config, *Diagnostics) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, &Diagnostics{list: hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Configuration not readable",
			Detail:   err.Error() + ". Name another file with -config.",
		}}}
	}
	return Parse(path, src)
}

// Parse does what [Load] does with the text of a file. Relative paths in it are relative to the
// folder of filename.
func Parse(filename string, text []byte) (*Config, *Diagnostics) {
	file, diags := hclsyntax.ParseConfig(text, filename, hcl.InitialPos)
	src := &source{name: filename, dir: filepath.Dir(filename), file: file}
	if src.broken = diags.HasErrors(); src.broken {
		return nil, src.diagnostics(withoutEchoes(diags), nil)
	}
	d := newDecoder(src)
	c := d.file()
	found := src.diagnostics(append(diags, d.diags...), nil)
	if found.HasErrors() {
		return nil, found
	}
	return c, found
}

// withoutEchoes leaves out what the parser says again about each line that follows a quote which was
// not closed.
func withoutEchoes(diags hcl.Diagnostics) hcl.Diagnostics {
	const echo = "Invalid multi-line string"
	line := -1
	return slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool {
		if d.Summary != echo || d.Subject == nil {
			return false
		}
		follows := line >= 0 && d.Subject.Start.Line <= line+1
		line = d.Subject.Start.Line
		return follows
	})
}

// source is the file that everything was read from.
type source struct {
	name   string
	dir    string
	file   *hcl.File
	broken bool // it is not HCL
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		host = address
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
