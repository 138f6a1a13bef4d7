package sdk

import (
	"encoding/json"
	"log/slog"

	"github.com/protocol-bridge/bridge/internal/redact"
	"github.com/protocol-bridge/bridge/sdk/spec"
)

// Plugin translates one protocol. S is the state it keeps on a session (and on each actor it names);
// struct{} keeps none. The optional abilities are interfaces of one method: [Encoder],
// [VariantEncoder], [Configurer], [StateReader], [Rejecter], [Closer].
type Plugin[S any] interface {
	// Describe says what the plugin is. It is called once, before anything else; the configuration
	// structs it points to are filled later.
	Describe() Info
	// Step handles one event of one actor. What it asks for, the changes of s.State and the ack are
	// applied together, or not at all: when it returns an error, as if it had asked for nothing.
	//
	// Steps of one actor come one after another, in the order of its events; those of different
	// actors may run at the same time. A step must be short and must not wait for the network: what
	// takes time is a command, and its outcome is an event. s and ev are the plugin's until Step
	// returns.
	//
	// [Reject] and [CloseWith] are errors that speak to the client. Any other error, and a panic,
	// is logged and closes that session with 1011.
	Step(s *Session[S], ev Event) error
}

// Encoder gives a message of another protocol this protocol's form, once for all that receive it.
// [Conn.Publish] uses it for the plugin's own messages as well. The zero OutFrame delivers nothing.
// It may be called at the same time as Step.
type Encoder interface {
	Encode(m Message) (OutFrame, error)
}

// VariantEncoder is an Encoder for protocols with more than one form, told apart by
// OutFrame.Variant.
type VariantEncoder interface {
	EncodeVariants(m Message) ([]OutFrame, error)
}

// Configurer is told the configuration, when the structs named in [Info] are filled, before the
// first event. An error refuses it: a [*Complaint], several with errors.Join, or any other error,
// which is then about the plugin's block as a whole.
type Configurer interface {
	Configure(setup Setup) error
}

// StateReader decodes state that another version of the plugin wrote, one that Info.ReadsState
// names. Without it such state is decoded as if it were the plugin's own.
type StateReader[S any] interface {
	ReadState(version uint32, data []byte, state *S) error
}

// Closer is told that the link has ended, when no Step runs any more. The process of a plugin that is
// killed, or whose core died, is not: Closer is for what a test would miss, as an open database.
type Closer interface {
	Close() error
}

// Rejecter gives the text of a [Reject] that keeps the session open the protocol's form. Without it
// the text is a text frame.
type Rejecter interface {
	Rejection(text string) OutFrame
}

// Info says what a plugin is.
type Info struct {
	// Name of the protocol: lower-case letters, digits and hyphens.
	Name string
	// Version of the plugin, for logs and for people.
	Version string
	// Roles a route may have; none means one role without a name, authenticated in band.
	Roles []Role
	// Owns lists channel prefixes that are the protocol's own, each ending in a slash.
	Owns []string
	// Reserved lists message types that never cross to or from other protocols; a trailing "*" makes
	// a prefix.
	Reserved []string
	// StateVersion is the version of the state the plugin writes; 0 means 1, or none when S is
	// struct{}. A plugin that keeps state in cells only ([Conn.Put]) must set it.
	StateVersion uint32
	// ReadsState lists older versions it can read.
	ReadsState []uint32
	// Config points to the struct of the plugin-wide `config` block, which is filled in place, once.
	// nil: there is none. Package spec says what its tags mean.
	Config any
	// RouteConfig points to a struct of the type that a route's `config` block has. Each route gets
	// one of its own: see [RouteConfig].
	RouteConfig any
	// Encodes says that the plugin handles [Message] events itself, with [Conn.Encode]. It need not
	// be set for an Encoder.
	Encodes bool
	// Limits are the core's where zero.
	Limits Limits
}

// Limits bound what a session holds.
type Limits struct {
	StateBytes   int // state of an actor; 256 KiB, at most 4 MiB
	WindowEvents int // events in flight before the client is not read any more; 64
	WindowBytes  int // bytes of them; 256 KiB
	FrameBytes   int // largest text frame where a route sets none; 1 MiB
}

// Role is one way in which a route may use the plugin.
type Role struct {
	Name       string // the route's `role`; empty is the role of a route without one
	Doc        string // one line for people
	Auth       Auth
	Transports []Transport // empty: WebSocket
}

// Auth says when clients authenticate.
type Auth uint8

// When clients authenticate.
const (
	AuthInBand    Auth = 1 // by a message of the protocol, with [Authenticate]; also the zero value
	AuthHandshake Auth = 2 // by the core, before the upgrade
	AuthOwn       Auth = 3 // the plugin has accounts of its own
)

// Transport is what carries a session.
type Transport uint8

// Transports.
const (
	WebSocket Transport = 1
	HTTP      Transport = 2
	TCP       Transport = 3
)

// Setup is what a plugin is told before the first event.
type Setup struct {
	Label        string // of the plugin's block in bridge.hcl
	Node         int    // number of this node
	Routes       []*Route
	Log          *slog.Logger
	Capabilities []string // optional parts of the contract that this core serves: "queue", "tcp"
}

// Route is a route of bridge.hcl.
type Route struct {
	ID       string
	Path     string
	Role     string
	Upstream string // kind of its upstream, as "logux"; empty when it has none
	Auth     bool   // whether it has an auth backend
	// Config points to a struct of Info.RouteConfig's type; nil when that is.
	Config any
}

// JSON is a value as its JSON text.
type JSON = json.RawMessage

type (
	// Expr is a configuration field that is evaluated at run time.
	Expr = spec.Expr
	// Scope gives an Expr its variables.
	Scope = spec.Scope
	// Size is a configuration field in bytes, written as "1MiB".
	Size = spec.Size
	// Secret is a configuration field that prints as stars.
	Secret = redact.Secret
	// Complaint is an error about one value of the configuration.
	Complaint = spec.Complaint
)

// JSONValue is the value of an expression's variable given as JSON, which must be valid and stay as
// it is while the value is used. nil is null.
func JSONValue(raw []byte) spec.Value { return spec.JSON(raw) }

// TextValue is the value of an expression's variable that is a string.
func TextValue(text string) spec.Value { return spec.Text(text) }
