package plugintest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
	"github.com/protocol-bridge/bridge/sdk"
)

// Bench drives a plugin's steps in memory, without a core: events in, steps out, one for each. What
// it hands over is encoded by the generated code, so it also shows that the SDK reads what any
// protobuf library writes, and the reverse.
type Bench struct {
	tb   testing.TB
	link *end
	done chan error
	seq  map[uint64]uint64
}

// Route is the id of the route that a Bench opens sessions on, when no other is configured.
const Route = "route"

// Config is the configuration of a plugin in a test. The zero value has one route with an upstream
// and an auth backend, and defaults everywhere.
type Config struct {
	Plugin string // JSON of the plugin-wide block
	Route  string // JSON of the route's block
	// Routes, if any, are the routes, instead of the one. Route, if not empty, is the block of the first.
	Routes []*pluginv1.RouteConfig
	Label  string // of the plugin's block
	// DataDir is where the plugin may keep files; empty: it is only checked.
	DataDir string
	// Fresh, if not nil, changes the configuration before each time that [Run] plays a transcript: for a
	// plugin with a store of its own, which is to begin with nothing.
	Fresh func(*Config)
	// MayFail says which text frames a plugin documents to end with 1011, for [FuzzStep]; nil: none.
	MayFail func(frame string) bool
	// Capabilities of the core. nil: all of them for a [Bench]; [Run] has those of the real host.
	Capabilities []string
}

func (c Config) request() *pluginv1.ConfigureRequest {
	req := &pluginv1.ConfigureRequest{Config: []byte(c.Plugin), Routes: c.Routes, Label: c.Label, DataDir: c.DataDir, Capabilities: c.Capabilities}
	if req.Routes == nil {
		req.Routes = []*pluginv1.RouteConfig{{
			Id: Route, Path: "/", Config: []byte(c.Route), Upstream: "dev", Auth: true,
		}}
	} else if c.Route != "" {
		first := proto.CloneOf(c.Routes[0])
		first.Config = []byte(c.Route)
		req.Routes = append([]*pluginv1.RouteConfig{first}, c.Routes[1:]...)
	}
	return req
}

// NewBench configures the plugin and opens a link to it, which ends with the test.
func NewBench[S any](tb testing.TB, p sdk.Plugin[S], config Config) *Bench {
	tb.Helper()
	s, err := sdk.NewServer(p, sdk.WithLogger(Logger(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	if config.Capabilities == nil {
		config.Capabilities = []string{"queue", "tcp", "detach", "tell", "pause", "flush", "order", "nodes"}
	}
	resp, err := s.Configure(tb.Context(), config.request())
	if err != nil {
		tb.Fatal(err)
	}
	for _, c := range resp.GetComplaints() {
		tb.Errorf("complaint about %q %q: %s", c.GetRoute(), c.GetAttribute(), c.GetText())
	}
	pipe := newPipe()
	b := &Bench{tb: tb, link: pipe.host(), done: make(chan error, 1), seq: make(map[uint64]uint64)}
	go func() { b.done <- s.Serve(context.Background(), pipe.plugin()) }()
	tb.Cleanup(b.close)
	return b
}

func (b *Bench) close() {
	b.link.out.close(io.EOF, false)
	select {
	case err := <-b.done:
		if err != nil {
			b.tb.Errorf("link ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		b.tb.Error("the plugin still handles an event ten seconds after the link's end")
		b.link.Abort()
	}
}

// Send hands events over, in one batch, and waits for their steps, in the order in which they come.
// Events without an actor are of session 1, those without a number get the next of their actor's.
func (b *Bench) Send(events ...*pluginv1.Event) []*pluginv1.Step {
	b.tb.Helper()
	acked := b.Post(events...)
	steps := make([]*pluginv1.Step, 0, acked)
	for len(steps) < acked {
		steps = append(steps, b.Receive()...)
	}
	return steps
}

// Post is Send without the wait; it returns how many steps are to come.
func (b *Bench) Post(events ...*pluginv1.Event) (acked int) {
	b.tb.Helper()
	for _, e := range events {
		if e.GetActor() == 0 {
			e.Actor = 1
		}
		switch e.GetKind().(type) {
		case *pluginv1.Event_Resumed, *pluginv1.Event_Forget:
			continue
		}
		if e.GetSeq() == 0 {
			b.seq[e.GetActor()]++
			e.Seq = b.seq[e.GetActor()]
		}
		acked++
	}
	data, err := proto.Marshal(&pluginv1.LinkRequest{Events: events})
	if err == nil {
		err = b.link.Send(&wire.Batch{B: data})
	}
	if err != nil {
		b.tb.Fatal(err)
	}
	return acked
}

// stepsLimit is how long a plugin may take for a step.
const stepsLimit = time.Minute

// Receive waits for one batch of steps, for a minute at most.
func (b *Bench) Receive() []*pluginv1.Step {
	b.tb.Helper()
	late := time.AfterFunc(stepsLimit, func() { b.link.Abort() })
	defer late.Stop()
	var batch wire.Batch
	if err := b.link.Recv(&batch); err != nil {
		b.tb.Fatalf("no more steps: %v", errors.Join(err, b.ended()))
	}
	var resp pluginv1.LinkResponse
	if err := proto.Unmarshal(batch.B, &resp); err != nil {
		b.tb.Fatalf("steps are no LinkResponse: %v", err)
	}
	return resp.GetSteps()
}

func (b *Bench) ended() error {
	select {
	case err := <-b.done:
		b.done <- err
		return err
	default:
		return nil
	}
}

// Step drives one session of a plugin in memory, from its beginning: it configures the plugin, opens
// the session unless the first event does, and returns the step of each event (not that of the
// opening it added).
func Step[S any](tb testing.TB, p sdk.Plugin[S], events ...*pluginv1.Event) []*pluginv1.Step {
	tb.Helper()
	b := NewBench(tb, p, Config{})
	if len(events) == 0 || !opens(events[0]) {
		b.Send(Opened())
	}
	if len(events) == 0 {
		return nil
	}
	return b.Send(events...)
}

func opens(e *pluginv1.Event) bool {
	switch e.GetKind().(type) {
	case *pluginv1.Event_Opened, *pluginv1.Event_Request, *pluginv1.Event_Resumed:
		return true
	}
	return false
}

// Opened is a session's first event.
func Opened() *pluginv1.Event {
	return &pluginv1.Event{Kind: &pluginv1.Event_Opened{Opened: &pluginv1.Opened{Snapshot: Snapshot()}}}
}

// Snapshot is what the core keeps of a new session.
func Snapshot() *pluginv1.Snapshot {
	return &pluginv1.Snapshot{
		ActorKind: pluginv1.ActorKind_ACTOR_KIND_SESSION,
		Route:     Route,
		Session: &pluginv1.SessionInfo{
			RemoteAddress: "203.0.113.9:50000", Method: "GET", Path: "/", Host: "bridge.example",
			Transport: pluginv1.Transport_TRANSPORT_WEBSOCKET,
		},
	}
}

// Resumed tells the plugin of a session it has not seen, in state that it had.
func Resumed(state map[string]string) *pluginv1.Event {
	s := Snapshot()
	for key, value := range state {
		s.State = append(s.State, &pluginv1.Entry{Key: key, Value: []byte(value)})
	}
	return &pluginv1.Event{Kind: &pluginv1.Event_Resumed{Resumed: &pluginv1.Resumed{Snapshot: s}}}
}

// Text is a text frame from the client.
func Text(data string) *pluginv1.Event {
	return &pluginv1.Event{Kind: &pluginv1.Event_Frame{Frame: &pluginv1.Frame{Data: []byte(data)}}}
}

// Textf is a text frame formatted as fmt does.
func Textf(format string, args ...any) *pluginv1.Event { return Text(fmt.Sprintf(format, args...)) }

// Binary is a binary frame from the client.
func Binary(data string) *pluginv1.Event {
	return &pluginv1.Event{Kind: &pluginv1.Event_Frame{Frame: &pluginv1.Frame{Data: []byte(data), Binary: true}}}
}

// Timer says that a timer ran out.
func Timer(name string) *pluginv1.Event {
	return &pluginv1.Event{Kind: &pluginv1.Event_Timer{Timer: &pluginv1.Timer{Name: name}}}
}

// Told is what another actor said to a named one: its actor is to be set.
func Told(data string) *pluginv1.Event {
	return &pluginv1.Event{Kind: &pluginv1.Event_Told{Told: &pluginv1.Told{Data: []byte(data)}}}
}

// Answer is an element of a call's answer.
func Answer(a *pluginv1.Answer) *pluginv1.Event {
	return &pluginv1.Event{Kind: &pluginv1.Event_Answer{Answer: a}}
}

// Closed is a session's last event.
func Closed(code uint32) *pluginv1.Event {
	return &pluginv1.Event{Kind: &pluginv1.Event_Closed{Closed: &pluginv1.Closed{Code: code, ByClient: true}}}
}

// Configure configures the plugin and returns what it and the SDK complain about.
func Configure[S any](tb testing.TB, p sdk.Plugin[S], config Config) []*pluginv1.Complaint {
	tb.Helper()
	s, err := sdk.NewServer(p, sdk.WithLogger(Logger(tb)))
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := s.Configure(tb.Context(), config.request())
	if err != nil {
		tb.Fatal(err)
	}
	return resp.GetComplaints()
}

// FuzzStep fuzzes a plugin with what strangers control: one text frame after another on a session,
// cut out of the fuzzer's input at zero bytes. Each must lead to one step, in order, and none to an
// internal error (1011) but for those that may, behind the first of which nothing is looked at: the session
// is closed.
func FuzzStep[S any, P sdk.Plugin[S]](f *testing.F, newPlugin func() P, config Config, seeds ...string) {
	f.Helper()
	for _, seed := range seeds {
		f.Add([]byte(seed), false)
	}
	f.Add([]byte(strings.Join(seeds, "\x00")), true)
	f.Fuzz(func(t *testing.T, data []byte, binary bool) {
		b := NewBench[S](t, newPlugin(), config)
		b.Send(Opened())
		var events []*pluginv1.Event
		mayFail := false
		for frame := range bytes.SplitSeq(data, []byte{0}) {
			e := Text(string(frame))
			e.GetFrame().Binary = binary
			events = append(events, e)
		}
		for i, step := range b.Send(append(events, Closed(1000))...) {
			mayFail = mayFail || !binary && config.MayFail != nil && i < len(events) && config.MayFail(string(events[i].GetFrame().GetData()))
			if step.GetSeq() != uint64(i+2) {
				t.Fatalf("step %d is for event %d", i, step.GetSeq())
			}
			for _, c := range step.GetCommands() {
				if !mayFail && c.GetClose().GetCode() == uint32(sdk.CloseInternal.Code) {
					t.Fatalf("frame %d of %q failed", i, data)
				}
			}
		}
	})
}
