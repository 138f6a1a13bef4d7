package sdk

import (
	"encoding/json"
	"log/slog"
	"time"

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
	// Queues points to how the plugin uses queues; nil: it uses none. As Config it may be filled until
	// Configure returns. It counts only where Setup.Capabilities has "queue".
	Queues *Queues
	// About points to what instances of the same block on other nodes are told of this one, by [Nodes], at
	// most 1 KiB; nil: nothing. As Config it may be filled until Configure returns.
	About *[]byte
	// Metrics points to what is shown at /metrics besides, likewise; nil: nothing.
	Metrics *[]Metric
	// Limits are the core's where zero.
	Limits Limits
}

// Queues says how the topics are kept that a plugin uses. Topics are the bridge's: who names the same one
// shares it.
type Queues struct {
	TopicSize int           // entries that may wait in one; 0: 2,000
	MaxTopics int           // topics that there may be in all when one more is made; 0: 100
	TopicTTL  time.Duration // how long an entry waits before it is dropped; 0: a day
	Memory    bool          // kept in memory, and lost with the process
	// SyncLater answers a push when the entry is written, and brings it to disk a moment later: the end of
	// the process loses nothing, that of the machine may. It is one for all plugins.
	SyncLater bool
}

// Metric has the core show something that it counts of the plugin under another name, which users of the
// protocol look for. The first plugin that says a name has it.
type Metric struct {
	Name    string // as Prometheus has them, and none of the core's: "bridge_" but for those with the plugin's name behind it
	Help    string
	Measure Measure
	Role    string // of sessions, those on routes of that role alone; empty: all
	Labels  map[string]string
}

// Measure is what a metric counts, of the plugin on this node.
type Measure uint8

// Measures.
const (
	Channels      Measure = 1 // number of channels that have members
	ChannelsTotal Measure = 2 // rising: channels that got their first member
	Sessions      Measure = 3 // number of open sessions, but for plain requests
	LiveNodes     Measure = 4 // number of nodes that live, this one among them
	FramesIn      Measure = 5 // rising: frames that clients sent
	FramesOut     Measure = 6 // rising: frames that clients were sent
	Unsent        Measure = 7 // rising: frames of [Act] and [Counted] that a session did not take
	// ActSeconds is the time that [Act] took: a summary of the last ten minutes, whose label "scenario" says
	// "local", or "forward" where the session is on another node.
	ActSeconds Measure = 8
)

// Limits bound what a session holds.
type Limits struct {
	StateBytes   int // state of an actor; 256 KiB, at most 4 MiB
	WindowEvents int // events in flight before the client is not read any more; 64
	WindowBytes  int // bytes of them; 256 KiB
	FrameBytes   int // largest text frame where a route sets none; 1 MiB
	BinaryBytes  int // largest binary frame where a route sets none; FrameBytes
	// Rate is how fast frames of a session are read where a route does not say; the zero Rate has no bound.
	Rate Rate
}

// Rate is so many frames at once, and then evenly that many in each Per, which counts in ms.
type Rate struct {
	Frames int
	Per    time.Duration
}

// Role is one way in which a route may use the plugin.
type Role struct {
	Name       string // the route's `role`; empty is the role of a route without one
	Doc        string // one line for people
	Auth       Auth
	Transports []Transport // empty: WebSocket
	// BodyBytes is up to how many bytes the body of a plain request comes whole; a larger one is refused
	// with 413, and the plugin does not see it. 0: what is larger than 1 MiB is streamed. The most is
	// 64 MiB.
	BodyBytes int
	// Refusal is JSON that answers a request which the core refuses before the plugin sees it, in place of
	// a line of text; "%s" in it becomes a JSON string that says why, as "unauthorized".
	Refusal string
	// Unavailable is in place of Refusal for a request that is refused with 503, by the last part of its path.
	Unavailable map[string]string
	// Open says, of a role with AuthHandshake, that everybody may use a route that has auth = auth.none,
	// beyond loopback too.
	Open bool
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
	Label string // of the plugin's block in bridge.hcl
	Node  int    // number of this node
	// DataDir is where a plugin may keep files of its own, an absolute path. Empty while the configuration is
	// only checked: then nothing is to be opened or kept, and no event follows.
	DataDir      string
	Routes       []*Route
	Log          *slog.Logger
	Capabilities []string // optional parts of the contract that this core serves: "queue", "tcp", "detach", "tell", "pause", "flush", "order"
}

// Route is a route of bridge.hcl.
type Route struct {
	ID       string
	Path     string
	Role     string
	Upstream string // kind of its upstream, as "logux"; empty when it has none
	Auth     bool   // whether it has an auth backend
	Push     string // kind of its push upstream, which [Ask] asks with Push; empty when it has none
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
