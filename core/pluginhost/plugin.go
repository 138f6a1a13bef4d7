// Package pluginhost runs plugins: it starts their processes, asks what they are, configures them,
// links to them, and keeps every event until an instance has acked it. It owns actors, the order of
// their events, their state and timers, and what happens when a process dies, hangs, lies or is
// replaced. It knows nothing of sockets, channels or back-ends: a [Host] does what commands ask for.
//
// The path of an event: a session's reader → [Actor].Frame → mailbox → [Instance] queue → batch →
// [Link]; and back: batch → apply → effects, state, ack.
package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/core/actor"
	"github.com/protocol-bridge/bridge/core/session"
	"github.com/protocol-bridge/bridge/internal/quiet"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Host does what the steps of one plugin ask for beyond their own actor. Its methods may be called by many goroutines;
// those without a context do not block.
type Host interface {
	// Join and Leave change the channels of a session. Join says whether it is a member now.
	Join(s *session.Session, channel string) bool
	Leave(s *session.Session, channel string)
	// Publish delivers to everyone. Sessions that have something to write are added to dirty. route is the
	// id of the one that it comes from. What may not be published is logged.
	Publish(author *session.Identity, route string, pub *pluginv1.Publish, dirty *session.Dirty)
	// Count is Publish without an order: it waits until all are known who took it, and who did not; before it
	// waits it flushes dirty. An error says that no channel may be published to.
	Count(ctx context.Context, author *session.Identity, route string, pub *pluginv1.Publish, dirty *session.Dirty) (session.Reached, error)
	// Tell brings something to the named actors of that key on other nodes. It does not keep data.
	Tell(key string, data []byte)
	// Told notes that a session's client is being told what publishes of a key say up to a number, so that
	// they pass it by.
	Told(s *session.Session, what session.Order)
	// Encoded delivers the form that the plugin gave to a message of another protocol.
	Encoded(channels []string, variants []*pluginv1.Variant, dirty *session.Dirty)
	// Opened is called with a new session before its first event, which says what channels Opened made
	// it a member of. who is what an auth backend said before; nil: nothing yet.
	Opened(s *session.Session, who *session.Admission) (channels []string)
	// Gone is called once the session's connection is over, with its close code, Ended when its last event
	// was handled.
	Gone(s *session.Session, code int)
	Ended(s *session.Session)
	// Ask asks the route's upstream and calls emit for each answer, the last with Last set.
	Ask(ctx context.Context, info *CallInfo, ask *pluginv1.Ask, emit func(*pluginv1.Answer))
	// Authenticate asks the route's auth backend and keeps the identity with the session.
	Authenticate(ctx context.Context, info *CallInfo, req *pluginv1.Authenticate) *pluginv1.Answer
	// Act and Select return how many sessions they reached, on behalf of by, which is nil where nobody
	// in particular asks. An error says that it may not be done, for whoever asked.
	Act(ctx context.Context, by *session.Identity, act *pluginv1.Act) (session.Reached, error)
	Select(ctx context.Context, by *session.Identity, sel *pluginv1.Select) (uint64, error)
	// Nodes lists the nodes that live, this one first. An error, also of Count and Act, that wraps [ErrAway]
	// says that this one is cut off from the others.
	Nodes() ([]*pluginv1.Node, error)
	// Claim says whether the session now holds the name; an error, that nobody knows.
	Claim(ctx context.Context, s *session.Session, claim *pluginv1.Claim) (granted bool, err error)
	Release(s *session.Session, name string)
}

// Config is what a Plugin needs. Label, Host, NewID and Logger must be set, and of the Settings
// Launcher and Configure.
type Config struct {
	Settings
	Label  string
	Host   Host
	NewID  func() uint64
	Logger *slog.Logger
	Node   uint16 // number of this node, for the plugin

	CoreVersion  string
	StartTimeout time.Duration // for an instance to describe itself and be configured; 0: 10 s
	Clock        actor.Clock   // nil: the system's
	// Queues opens the durable queues for an instance that says how it uses them. An error that wraps
	// [ErrConfig] is about what it said. nil: there are none, and no capability "queue".
	Queues func(context.Context, *pluginv1.Queues) (Queues, error)
	// Handled is told how long one event took, from when it was accepted until its step was applied: of
	// the first in each batch of steps, so of all where there is little to do. nil: nobody wants to know.
	Handled func(time.Duration)
}

// Settings are what may change while the plugin runs, by [Plugin.Prepare].
type Settings struct {
	Launcher Launcher
	// Configure makes the plugin's configuration from what it described.
	Configure func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error)
	// Complain makes an error for people from what the plugin said of its configuration; nil: a plain one.
	Complain     func([]*pluginv1.Complaint) error
	EventTimeout time.Duration // after which an unacked event means a hung instance; 0: 10 s
	Standby      bool          // keep a second instance ready
}

func (s Settings) withDefaults() *Settings {
	if s.EventTimeout == 0 {
		s.EventTimeout = 10 * time.Second
	}
	return &s
}

// ErrStopped is returned when the plugin has been stopped.
var ErrStopped = errors.New("plugin is stopped")

// ErrConfig is wrapped by errors about values of the configuration: trying again does not help.
var ErrConfig = errors.New("plugin is configured wrongly")

// ErrAway is wrapped by errors of a [Host] that cannot ask where it would have to.
var ErrAway = errors.New("cut off from the cluster")

// Plugin is one plugin block of the configuration with its instances and actors.
type Plugin struct {
	cfg      Config
	settings atomic.Pointer[Settings]
	log      *slog.Logger

	actors   registry
	namedMu  sync.Mutex
	named    map[string]*Actor
	hubActor *Actor

	current   atomic.Pointer[Instance]  // takes new events
	installed atomic.Pointer[time.Time] // when that was made current

	mu        sync.Mutex
	waiting   []*Actor // have events and no instance
	instances map[*Instance]bool
	desc      *pluginv1.DescribeResponse
	said      *pluginv1.ConfigureResponse // nil: nothing yet
	fault     *Fault
	failing   bool

	maxState int // set before the first instance serves
	number   atomic.Int64
	tick     atomic.Uint32 // counts the watch's rounds; a clock that costs nothing to read
	restarts atomic.Uint64
	untold   atomic.Uint64 // told and dropped
	quiet    quiet.Limiter // for the log of these
	culprits atomic.Uint64
	entries  atomic.Uint64             // numbers deliveries
	events   atomic.Uint64             // acked
	again    atomic.Uint64             // given to another instance
	culprit  atomic.Pointer[time.Time] // when the last one was found; nil: never

	swap       chan handover // to a replacement, which the supervisor watches then
	quarantine quarantine

	late session.Late // of what steps send

	ctx    context.Context //nolint:containedctx // the plugin's life
	cancel context.CancelFunc
	wg     sync.WaitGroup
	calls  workers
}

// New returns a plugin that is not started.
func New(cfg Config) *Plugin {
	if cfg.StartTimeout == 0 {
		cfg.StartTimeout = 10 * time.Second
	}
	if cfg.Clock == nil {
		cfg.Clock = actor.SystemClock{}
	}
	p := &Plugin{
		cfg: cfg, log: cfg.Logger.With("plugin", cfg.Label),
		named: make(map[string]*Actor), instances: make(map[*Instance]bool),
		swap: make(chan handover),
	}
	p.settings.Store(cfg.Settings.withDefaults())
	p.quarantine = quarantine{plugin: p, wake: make(chan struct{}, 1)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.hubActor = &Actor{id: cfg.NewID(), kind: pluginv1.ActorKind_ACTOR_KIND_HUB, plugin: p}
	p.actors.put(p.hubActor)
	return p
}

// Label is the plugin block's.
func (p *Plugin) Label() string { return p.cfg.Label }

// Description is what the plugin said of itself; nil before the first instance was ready.
func (p *Plugin) Description() *pluginv1.DescribeResponse {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.desc
}

// maxAbout is how much a plugin may say of itself to other nodes.
const maxAbout = 1 << 10

// About is what the serving instance, or the last one, says of itself to those on other nodes.
func (p *Plugin) About() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if about := p.said.GetAbout(); len(about) <= maxAbout {
		return about
	}
	return nil
}

// Metrics are those that it wants to be shown besides.
func (p *Plugin) Metrics() []*pluginv1.Metric {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.GetMetrics()
}

// Ready says whether events are served at this moment, or will be as soon as a dead instance has its
// successor.
func (p *Plugin) Ready() bool {
	if p.current.Load() != nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.desc != nil && !p.failing
}

// OpenSession makes a session and posts its Opened event. who is nil where nobody was asked yet.
func (p *Plugin) OpenSession(info *session.Info, who *session.Admission, t session.Transport, limits *session.Limits) *session.Session {
	s, a, channels := p.newSession(info, who, t, limits)
	e := actor.NewEvent(wire.Opened)
	e.Cold = &pluginv1.Opened{Snapshot: a.openingSnapshot(), Channels: channels}
	if info.TCP { // the plugin may say at once how the first bytes are cut
		e.Source = s
		s.Hold(0)
	}
	a.post(e)
	return s
}

// OpenRequest makes a session of a plain HTTP request and posts its Request event. With streamed the
// body follows by Frame and Eof.
func (p *Plugin) OpenRequest(info *session.Info, who *session.Admission, t session.Transport, limits *session.Limits, body []byte, streamed bool) *session.Session {
	s, a, _ := p.newSession(info, who, t, limits)
	e := actor.NewEvent(wire.Request)
	e.Cold = &pluginv1.Request{Snapshot: a.openingSnapshot(), Body: append([]byte(nil), body...), Streamed: streamed}
	e.Source, e.Size = s, len(body)
	s.Hold(len(body))
	a.post(e)
	return s
}

func (p *Plugin) newSession(info *session.Info, who *session.Admission, t session.Transport, limits *session.Limits) (*session.Session, *Actor, []string) {
	a := &Actor{id: p.cfg.NewID(), kind: pluginv1.ActorKind_ACTOR_KIND_SESSION, plugin: p}
	a.session = session.New(a.id, info, t, a, limits)
	if who != nil && who.Identity != nil {
		a.session.SetIdentity(who.Identity)
	}
	channels := p.cfg.Host.Opened(a.session, who)
	p.actors.put(a)
	return a.session, a, channels
}

func (a *Actor) openingSnapshot() *pluginv1.Snapshot {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.snapshotLocked()
}

// Deliver hands a message of another protocol to the plugin. done is called when it was encoded, or
// dropped.
func (p *Plugin) Deliver(channels []string, content *pluginv1.Content, done func()) {
	e := actor.NewEvent(wire.Message)
	e.Cold = &pluginv1.Message{Channels: channels, Content: content}
	e.Done = done
	p.hubActor.post(e)
}

// park keeps an actor until there is an instance; false when there is one. The caller holds the
// actor's lock.
func (p *Plugin) park(a *Actor) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.current.Load() != nil {
		return false
	}
	if !a.parked {
		a.parked = true
		p.waiting = append(p.waiting, a)
	}
	return true
}

// Serving says since when the instance that takes new events does; the zero time: there is none.
func (p *Plugin) Serving() time.Time {
	if p.current.Load() == nil {
		return time.Time{}
	}
	return *p.installed.Load()
}

// install makes the instance the one that takes new events.
func (p *Plugin) install(in *Instance) {
	p.mu.Lock()
	p.desc, p.said = in.desc, in.said
	if p.maxState == 0 {
		p.maxState = defaultMaxState
		if n := int(in.desc.GetMaxStateBytes()); n > 0 {
			p.maxState = min(n, largestMaxState)
		}
	}
	now := time.Now()
	p.installed.Store(&now)
	p.current.Store(in)
	waiting := p.waiting
	p.waiting = nil
	p.failing = false
	p.mu.Unlock()
	for _, a := range waiting {
		a.mu.Lock()
		a.parked = false
		a.dispatchLocked()
		a.mu.Unlock()
	}
}

func (p *Plugin) setFault(f *Fault) {
	p.mu.Lock()
	p.fault = f
	p.mu.Unlock()
}

// describe refuses a plugin that cannot read the state that is there.
func (p *Plugin) describe(desc *pluginv1.DescribeResponse) error {
	p.mu.Lock()
	old := p.desc
	p.mu.Unlock()
	if old == nil || old.GetStateVersion() == desc.GetStateVersion() && slices.Equal(old.GetReadsState(), desc.GetReadsState()) {
		return nil
	}
	for version := range p.stateVersions(old.GetStateVersion()) {
		if version != 0 && version != desc.GetStateVersion() && !slices.Contains(desc.GetReadsState(), version) {
			return fmt.Errorf("version %s of the plugin cannot read state of version %d that sessions have: it declares %d and reads %v",
				desc.GetVersion(), version, desc.GetStateVersion(), desc.GetReadsState())
		}
	}
	return nil
}

// stateVersions are those of all state there is, and the one that is being written.
func (p *Plugin) stateVersions(current uint32) map[uint32]bool {
	versions := map[uint32]bool{current: true}
	p.actors.each(func(a *Actor) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.cells.Len() > 0 {
			versions[a.written] = true
		}
	})
	return versions
}
