package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// brain is a plugin in a test: what it makes of an event. It gets what an instance would know.
type brain func(in *fakeProcess, ev *wire.Event) []wire.Command

// fakeLauncher starts instances inside the test.
type fakeLauncher struct {
	desc  *pluginv1.DescribeResponse
	brain brain
	// queues is what instances answer to Configure; nil: they use none.
	queues *pluginv1.Queues

	mu        sync.Mutex
	processes []*fakeProcess
	fail      error // of the next launches
}

func (l *fakeLauncher) Launch(context.Context) (Process, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return nil, l.fail
	}
	p := &fakeProcess{
		launcher: l, number: len(l.processes) + 1, dead: make(chan struct{}), exited: make(chan struct{}),
		actors: make(map[uint64]*fakeActor), wake: make(chan struct{}, 1), out: make(chan []byte, 1<<16),
	}
	l.processes = append(l.processes, p)
	return p, nil
}

func (l *fakeLauncher) last() *fakeProcess {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.processes[len(l.processes)-1]
}

// fakeActor is what an instance keeps of an actor.
type fakeActor struct {
	snapshot *pluginv1.Snapshot
	cells    map[string]string
}

// fakeProcess handles events one after another, in batches as they came.
type fakeProcess struct {
	launcher *fakeLauncher
	number   int
	actors   map[uint64]*fakeActor
	handled  atomic.Int64
	// dieAt kills the process at its n-th acked event, before or after its step is sent; 0 never.
	dieAt     atomic.Int64
	dieBefore atomic.Bool
	byItself  atomic.Bool // the next death is its own

	mu   sync.Mutex
	in   [][]byte
	wake chan struct{}
	out  chan []byte
	lent []byte // of the batch that was received last

	once   sync.Once
	dead   chan struct{}
	linked bool
	exited chan struct{}
}

func (p *fakeProcess) Describe(context.Context, *pluginv1.DescribeRequest) (*pluginv1.DescribeResponse, error) {
	if p.launcher.desc == nil {
		return &pluginv1.DescribeResponse{Name: "fake", Version: "1", StateVersion: 1}, nil
	}
	return p.launcher.desc, nil
}

func (p *fakeProcess) Configure(context.Context, *pluginv1.ConfigureRequest) (*pluginv1.ConfigureResponse, error) {
	return &pluginv1.ConfigureResponse{Queues: p.launcher.queues}, nil
}

func (p *fakeProcess) OpenLink() (Link, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case <-p.dead:
		return nil, io.ErrClosedPipe
	default:
	}
	p.linked = true
	go p.serve()
	return p, nil
}

func (p *fakeProcess) Pid() int { return p.number }

func (p *fakeProcess) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.once.Do(func() {
		close(p.dead)
		if !p.linked {
			close(p.exited)
		}
	})
}

func (p *fakeProcess) Stop()                   { p.Kill() }
func (p *fakeProcess) Exited() <-chan struct{} { return p.exited }
func (p *fakeProcess) Exit() Exit              { return Exit{Killed: !p.byItself.Load(), Text: "fake"} }
func (p *fakeProcess) Abort()                  { p.Kill() }

func (p *fakeProcess) Send(b *wire.Batch) error {
	select {
	case <-p.dead:
		return io.ErrClosedPipe
	default:
	}
	p.mu.Lock()
	p.in = append(p.in, b.B)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return nil
}

// Recv gives the memory of a batch to others once the next one is asked for, as a link does.
func (p *fakeProcess) Recv(b *wire.Batch) error {
	for i := range p.lent {
		p.lent[i] = 0xFF
	}
	if data, ok := <-p.out; ok {
		b.B, p.lent = data, data
		return nil
	}
	return io.EOF
}

func (p *fakeProcess) serve() {
	defer close(p.exited)
	defer close(p.out)
	for {
		select {
		case <-p.dead:
			return
		case <-p.wake:
		}
		p.mu.Lock()
		in := p.in
		p.in = nil
		p.mu.Unlock()
		for _, b := range in {
			if wire.Events(b, p.handle) != nil {
				p.Kill()
				return
			}
		}
	}
}

var errDead = errors.New("dead")

func (p *fakeProcess) handle(ev *wire.Event) error {
	select {
	case <-p.dead:
		return errDead
	default:
	}
	switch cold := ev.Cold.(type) {
	case *pluginv1.Opened:
		p.know(ev.Actor, cold.GetSnapshot())
	case *pluginv1.Request:
		p.know(ev.Actor, cold.GetSnapshot())
	case *pluginv1.Resumed:
		p.know(ev.Actor, cold.GetSnapshot())
		return nil
	}
	if ev.Kind == wire.Forget {
		delete(p.actors, ev.Actor)
		return nil
	}
	a := p.actors[ev.Actor]
	if a == nil {
		return nil // it was bound
	}
	st := wire.Step{Actor: ev.Actor, Seq: ev.Seq, Commands: p.launcher.brain(p, ev)}
	if p.byItself.Load() {
		select {
		case <-p.dead: // of what it was just at
			return errDead
		default:
		}
	}
	if ev.Kind == wire.Closed && ev.Session == 0 {
		delete(p.actors, ev.Actor)
	}
	n := p.handled.Add(1)
	if n == p.dieAt.Load() && p.dieBefore.Load() {
		return errDead
	}
	if n := len(st.Commands); n > 0 && st.Commands[n-1].Kind == wire.Bind {
		delete(p.actors, ev.Actor)
	}
	b, err := wire.AppendStep(nil, &st)
	if err != nil {
		return err
	}
	p.out <- b
	if n == p.dieAt.Load() {
		return errDead
	}
	return nil
}

func (p *fakeProcess) know(id uint64, sn *pluginv1.Snapshot) {
	a := &fakeActor{snapshot: sn, cells: make(map[string]string)}
	for _, e := range sn.GetState() {
		a.cells[e.GetKey()] = string(e.GetValue())
	}
	p.actors[id] = a
}

// put changes a cell as the brain knows it, and makes the command for it.
func (p *fakeProcess) put(ev *wire.Event, key, value string) wire.Command {
	p.actors[ev.Actor].cells[key] = value
	return wire.Command{Kind: wire.PutState, Key: key, Data: []byte(value)}
}

func (p *fakeProcess) cell(ev *wire.Event, key string) string { return p.actors[ev.Actor].cells[key] }

func say(text string) wire.Command { return wire.Command{Kind: wire.Send, Data: []byte(text)} }

// fakeTransport keeps what was written, a line a frame.
type fakeTransport struct {
	mu     sync.Mutex
	frames []string
	closed bool
	code   int
}

func (t *fakeTransport) AppendFrame(dst, data []byte, _ bool) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.frames = append(t.frames, string(data))
	return append(append(dst, data...), '\n')
}

func (t *fakeTransport) AppendClose(dst []byte, code int, _ string) []byte {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.code = code
	return append(dst, 0)
}

func (t *fakeTransport) TryWrite(p []byte) (int, error)   { return len(p), nil }
func (t *fakeTransport) Write(p []byte) (int, error)      { return len(p), nil }
func (t *fakeTransport) SetWriteDeadline(time.Time) error { return nil }
func (t *fakeTransport) CloseWrite() error                { return nil }

func (t *fakeTransport) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	return nil
}

func (t *fakeTransport) got() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]string(nil), t.frames...)
}

// fakeHost keeps what was asked of it.
type fakeHost struct {
	mu        sync.Mutex
	asked     map[[3]uint64]int
	published []string
	joined    []string
	ended     map[uint64]int
	gone      map[uint64]int
	answer    func(ask *pluginv1.Ask, emit func(*pluginv1.Answer))
	encoded   int
}

func newFakeHost() *fakeHost {
	return &fakeHost{asked: make(map[[3]uint64]int), ended: make(map[uint64]int), gone: make(map[uint64]int)}
}

func (h *fakeHost) Join(_ *session.Session, channel string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.joined = append(h.joined, channel)
	return true
}

func (h *fakeHost) Leave(*session.Session, string) {}

func (h *fakeHost) Publish(_ *session.Identity, _ string, pub *pluginv1.Publish, _ *session.Dirty) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.published = append(h.published, string(pub.GetContent().GetPayload()))
}

func (h *fakeHost) Count(_ context.Context, by *session.Identity, route string, pub *pluginv1.Publish, _ *session.Dirty) (session.Reached, error) {
	h.Publish(by, route, pub, nil)
	return session.Reached{Took: 1}, nil
}

func (h *fakeHost) Tell(string, []byte) {}

func (h *fakeHost) Told(s *session.Session, what session.Order) { s.Mark(what) }

func (h *fakeHost) Encoded([]string, []*pluginv1.Variant, *session.Dirty) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.encoded++
}
func (h *fakeHost) Opened(*session.Session, *session.Admission) []string { return nil }

func (h *fakeHost) Gone(s *session.Session, _ int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.gone[s.ID]++
}

func (h *fakeHost) Ended(s *session.Session) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended[s.ID]++
}

func (h *fakeHost) Ask(_ context.Context, info *CallInfo, ask *pluginv1.Ask, emit func(*pluginv1.Answer)) {
	h.mu.Lock()
	h.asked[[3]uint64{info.Actor, info.Seq, uint64(info.Index)}]++
	answer := h.answer
	h.mu.Unlock()
	if answer != nil {
		answer(ask, emit)
		return
	}
	emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Payload: ask.GetPayload(), HasPayload: true})
}

func (h *fakeHost) Authenticate(context.Context, *CallInfo, *pluginv1.Authenticate) *pluginv1.Answer {
	return &pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK}
}

func (h *fakeHost) Act(context.Context, *session.Identity, *pluginv1.Act) (session.Reached, error) {
	return session.Reached{}, nil
}

func (h *fakeHost) Select(context.Context, *session.Identity, *pluginv1.Select) (uint64, error) {
	return 0, nil
}

func (h *fakeHost) Nodes() ([]*pluginv1.Node, error) { return nil, ErrAway }

func (h *fakeHost) Claim(context.Context, *session.Session, *pluginv1.Claim) (bool, error) {
	return true, nil
}
func (h *fakeHost) Release(*session.Session, string) {}

// world is a plugin in a test with its host.
type world struct {
	*Plugin
	launcher *fakeLauncher
	host     *fakeHost
	ids      atomic.Uint64
}

func newWorld(t interface {
	Helper()
	Cleanup(func())
	Fatal(...any)
}, desc *pluginv1.DescribeResponse, b brain, change func(*Config),
) *world {
	t.Helper()
	w := &world{launcher: &fakeLauncher{desc: desc, brain: b}, host: newFakeHost()}
	cfg := Config{
		Label: "fake", Host: w.host, Logger: discard(),
		NewID: func() uint64 { return w.ids.Add(1) },
		Settings: Settings{Launcher: w.launcher, Configure: func(*pluginv1.DescribeResponse) (*pluginv1.ConfigureRequest, error) {
			return &pluginv1.ConfigureRequest{}, nil
		}},
	}
	if change != nil {
		change(&cfg)
	}
	w.Plugin = New(cfg)
	t.Cleanup(w.Stop)
	if err := w.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	return w
}

// client is a session in a test.
type client struct {
	*session.Session
	*fakeTransport
}

func (w *world) open() *client {
	t := &fakeTransport{}
	return &client{w.OpenSession(&session.Info{Route: "r"}, nil, t, session.NewLimits(session.Limits{})), t}
}

func (c *client) say(text string) { c.Frame([]byte(text), false) }

// eventually polls until ok, or fails with what it says.
func eventually(t interface {
	Helper()
	Fatalf(string, ...any)
}, what string, ok func() bool, dump ...func() string,
) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			for _, d := range dump {
				what += "\n" + d()
			}
			t.Fatalf("not within 10 s: %s", what)
		}
		<-time.After(time.Millisecond)
	}
}

// dump says where everything waits.
func (w *world) dump() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%+v current %v\n", w.Status(), w.current.Load() != nil)
	w.actors.each(func(a *Actor) {
		a.mu.Lock()
		defer a.mu.Unlock()
		at := 0
		if a.inst != nil {
			at = a.inst.number
		}
		fmt.Fprintf(&b, "actor %d %q kind %d: %d events, %d in flight, instance %d, suspect %v, parked %v, closed %v, gone %v, home %v, running %d\n",
			a.id, a.key(), a.kind, a.box.Len(), a.box.InFlight(), at, a.suspect, a.parked, a.closed, a.gone, a.home != nil, a.running)
	})
	return b.String()
}
