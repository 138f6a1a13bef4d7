package sdk_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func at(actor uint64, e *pluginv1.Event) *pluginv1.Event { e.Actor = actor; return e }

func from(session uint64, e *pluginv1.Event) *pluginv1.Event { e.Session = session; return e }

func TestOrderOfAnActorIsKept(t *testing.T) {
	const actors, frames = 50, 200
	p := &funcs[state]{step: func(s *sdk.Session[state], ev sdk.Event) error {
		if f, ok := ev.(sdk.Frame); ok {
			s.State.N++
			s.Textf("%d %s", s.State.N, f.Data)
		}
		return nil
	}}
	b := plugintest.NewBench(t, p, plugintest.Config{})
	var events []*pluginv1.Event
	for id := range uint64(actors) {
		events = append(events, at(id+1, plugintest.Opened()))
	}
	b.Send(events...)
	next := make(map[uint64]int)
	total := 0
	for total < actors*frames {
		events = events[:0]
		for range min(1+rand.IntN(100), actors*frames-total) {
			id := uint64(1 + rand.IntN(actors))
			next[id]++
			total++
			events = append(events, at(id, plugintest.Textf("%d", next[id])))
		}
		// Two batches in flight, so that mailboxes fill while lanes empty them.
		b.Post(events...)
	}
	seen := make(map[uint64]int)
	for got := 0; got < total; {
		for _, s := range b.Receive() {
			got++
			seen[s.GetActor()]++
			n := seen[s.GetActor()]
			if want := fmt.Sprintf("%d %d", n, n); string(s.GetCommands()[0].GetSend().GetData()) != want {
				t.Fatalf("actor %d: got %s, want %s", s.GetActor(), plugintest.Format(s), want)
			}
			if s.GetSeq() != uint64(n+1) {
				t.Fatalf("actor %d: step for event %d, want %d", s.GetActor(), s.GetSeq(), n+1)
			}
		}
	}
}

func TestHandlerThatBlocksHoldsUpNobody(t *testing.T) {
	const blocked = 20
	release := make(chan struct{})
	var waiting atomic.Int32
	p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
		"block": func(s *sdk.Session[struct{}], _ string) error {
			waiting.Add(1)
			<-release
			s.Text("done")
			return nil
		},
		"go": func(s *sdk.Session[struct{}], _ string) error { s.Text("went"); return nil },
	})
	b := plugintest.NewBench(t, p, plugintest.Config{})
	for id := range uint64(blocked + 1) {
		b.Send(at(id+1, plugintest.Opened()))
	}
	for id := range uint64(blocked) {
		b.Post(at(id+1, plugintest.Text("block")), at(id+1, plugintest.Text("go")))
	}
	check(t, b.Send(at(blocked+1, plugintest.Text("go"))), "send went")
	close(release)
	for left := 2 * blocked; left > 0; {
		left -= len(b.Receive())
	}
	if n := waiting.Load(); n != blocked {
		t.Errorf("%d handlers blocked, want %d", n, blocked)
	}
}

func TestLanesEndWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
			"block": func(*sdk.Session[struct{}], string) error { <-release; return nil },
		})
		b := plugintest.NewBench(t, p, plugintest.Config{})
		const actors = 30
		for id := range uint64(actors) {
			b.Send(at(id+1, plugintest.Opened()))
			b.Post(at(id+1, plugintest.Text("block")))
		}
		close(release)
		for left := actors; left > 0; {
			left -= len(b.Receive())
		}
		many := runtime.NumGoroutine()
		<-time.After(3 * time.Second) // of the bubble's clock
		synctest.Wait()
		if few := runtime.NumGoroutine(); few > many-actors/2 {
			t.Errorf("%d goroutines under load, %d after a pause", many, few)
		}
	})
}

func TestUnknownActorsAreDropped(t *testing.T) {
	b := plugintest.NewBench(t, verbs(stateVerbs()), plugintest.Config{})
	b.Post(at(7, plugintest.Text("add")))
	check(t, b.Send(plugintest.Opened(), plugintest.Text("add"))[1:], "send 1\nput $={\"N\":1,\"Text\":\"\"}")
}

func TestForgottenActorsAreDropped(t *testing.T) {
	b := plugintest.NewBench(t, verbs(stateVerbs()), plugintest.Config{})
	b.Send(plugintest.Opened(), plugintest.Text("add"))
	b.Post(&pluginv1.Event{Kind: &pluginv1.Event_Forget{Forget: &pluginv1.Forget{}}}, at(1, plugintest.Text("add")))
	// It comes back, and the events of its new life are handled.
	check(t, b.Send(plugintest.Resumed(map[string]string{"$": `{"N":5}`}), plugintest.Text("look")), "send 5")
}

func TestUnknownKindIsAcked(t *testing.T) {
	// An event of kind 1000, as a later contract may have.
	var ev []byte
	ev = protowire.AppendTag(ev, 1, protowire.VarintType)
	ev = protowire.AppendVarint(ev, 1)
	ev = protowire.AppendTag(ev, 2, protowire.VarintType)
	ev = protowire.AppendVarint(ev, 2)
	ev = protowire.AppendTag(ev, 1000, protowire.BytesType)
	ev = protowire.AppendBytes(ev, []byte("later"))
	var unknown pluginv1.Event
	if err := proto.Unmarshal(ev, &unknown); err != nil {
		t.Fatal(err)
	}
	b := plugintest.NewBench(t, verbs(stateVerbs()), plugintest.Config{})
	b.Send(plugintest.Opened())
	steps := b.Send(&unknown)
	check(t, steps, "")
	if steps[0].GetSeq() != 2 {
		t.Errorf("acked event %d, want 2", steps[0].GetSeq())
	}
}

func TestClosedSessionHandlesNothingMore(t *testing.T) {
	var events []string
	p := &funcs[struct{}]{step: func(s *sdk.Session[struct{}], ev sdk.Event) error {
		events = append(events, fmt.Sprintf("%T", ev))
		if _, ok := ev.(sdk.Frame); ok {
			s.Close(sdk.CloseNormal)
		}
		return nil
	}}
	check(t, plugintest.Step(t, p, plugintest.Text("x"), plugintest.Text("y"), plugintest.Timer("t"), plugintest.Closed(1000)),
		"close 1000", "", "", "")
	if got := strings.Join(events, " "); got != "sdk.Opened sdk.Frame sdk.Closed" {
		t.Errorf("events handled: %s", got)
	}
}

func TestBind(t *testing.T) {
	const session, room = 1, 100
	p := &funcs[state]{step: func(s *sdk.Session[state], ev sdk.Event) error {
		switch e := ev.(type) {
		case sdk.Frame:
			s.State.N++
			if !s.Named() {
				s.Put("k", []byte("v"))
				s.Bind(string(e.Data))
				return nil
			}
			s.Textf("%s %d", s.Key(), s.State.N)
			for c := range s.Sessions() {
				if c.ID() != s.ID() {
					c.Text("also")
				}
			}
			s.Timer("later", 1e9)
		case sdk.Bound:
			s.Textf("%s %s %s", s.Key(), e.Cell("k"), s.Info().Path)
		case sdk.Timer:
			if s.ID() != 0 || s.To(session) == nil || s.To(77) != nil {
				return errors.New("a timer came from a session, or sessions are lost")
			}
			s.To(session).Text("timer")
		case sdk.Closed:
			s.State.N = -1
		}
		return nil
	}}
	b := plugintest.NewBench(t, p, plugintest.Config{})
	b.Send(plugintest.Opened())
	// The second frame is dropped: it comes again at the named actor.
	b.Post(plugintest.Text("room"), plugintest.Text("dropped"))
	check(t, b.Receive(), "put k=v\nput $={\"N\":1,\"Text\":\"\"}\nbind room")

	named := plugintest.Snapshot()
	named.ActorKind, named.Session, named.Key = pluginv1.ActorKind_ACTOR_KIND_NAMED, nil, "room"
	resumed := &pluginv1.Event{Actor: room, Kind: &pluginv1.Event_Resumed{Resumed: &pluginv1.Resumed{Snapshot: named}}}
	snapshot := plugintest.Snapshot()
	snapshot.State = []*pluginv1.Entry{{Key: "k", Value: []byte("v")}}
	bound := func(id uint64) *pluginv1.Event {
		return from(id, at(room, &pluginv1.Event{Kind: &pluginv1.Event_Bound{Bound: &pluginv1.Bound{Snapshot: snapshot}}}))
	}
	check(t, b.Send(resumed, bound(session), from(session, at(room, plugintest.Text("x")))),
		"1: send room v /", "1: send room 1\ntimer later 1000\nput $={\"N\":1,\"Text\":\"\"}")
	check(t, b.Send(bound(2), from(2, at(room, plugintest.Text("y"))), at(room, plugintest.Timer("later"))),
		"2: send room v /", "2: send room 2\n1: send also\ntimer later 1000\nput $={\"N\":2,\"Text\":\"\"}", "1: send timer")
	check(t, b.Send(from(2, at(room, plugintest.Closed(1000))), from(session, at(room, plugintest.Text("z")))),
		"put $={\"N\":-1,\"Text\":\"\"}", "1: send room 0\ntimer later 1000\nput $={\"N\":0,\"Text\":\"\"}")
}

func TestBindIsTheLastCommand(t *testing.T) {
	p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
		"bind": func(s *sdk.Session[struct{}], _ string) error { s.Bind("k"); s.Text("too late"); return nil },
	})
	check(t, plugintest.Step(t, p, plugintest.Text("bind"), plugintest.Text("bind")), "close 1011 internal error", "")
}

func TestNamedActorHasNoConnection(t *testing.T) {
	p := &funcs[struct{}]{step: func(s *sdk.Session[struct{}], _ sdk.Event) error { s.Text("x"); return nil }}
	named := &pluginv1.Snapshot{ActorKind: pluginv1.ActorKind_ACTOR_KIND_NAMED, Key: "k"}
	b := plugintest.NewBench(t, p, plugintest.Config{})
	check(t, b.Send(&pluginv1.Event{Kind: &pluginv1.Event_Resumed{Resumed: &pluginv1.Resumed{Snapshot: named}}}, plugintest.Timer("t")), "")
}

func TestLargeBatchesAreCut(t *testing.T) {
	const frames, size = 40, 100 << 10
	p := &funcs[struct{}]{step: func(s *sdk.Session[struct{}], ev sdk.Event) error {
		if _, ok := ev.(sdk.Frame); ok {
			s.Send(bytes.Repeat([]byte("x"), size))
		}
		return nil
	}}
	s, err := sdk.NewServer(p)
	if err != nil {
		t.Fatal(err)
	}
	events := []*pluginv1.Event{plugintest.Opened()}
	for range frames {
		events = append(events, plugintest.Text("x"))
	}
	for i, e := range events {
		e.Actor, e.Seq = 1, uint64(i+1)
	}
	data, err := proto.Marshal(&pluginv1.LinkRequest{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	st := &recorder{in: [][]byte{data}}
	if err := s.Serve(t.Context(), st); err != nil {
		t.Fatal(err)
	}
	steps := 0
	for _, b := range st.out {
		if len(b) > wire.MaxBatch {
			t.Errorf("a batch has %d bytes", len(b))
		}
		if err := wire.Steps(b, new(wire.Step), func(*wire.Step) error { steps++; return nil }); err != nil {
			t.Error(err)
		}
	}
	if steps != frames+1 {
		t.Errorf("%d steps, want %d", steps, frames+1)
	}
}

// recorder is a stream that gives out batches and then ends.
type recorder struct {
	in  [][]byte
	err error // instead of io.EOF

	mu  sync.Mutex
	out [][]byte
}

func (r *recorder) Recv(b *wire.Batch) error {
	if len(r.in) == 0 {
		if r.err != nil {
			return r.err
		}
		return io.EOF
	}
	b.B, r.in = r.in[0], r.in[1:]
	return nil
}

func (r *recorder) Send(b *wire.Batch) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = append(r.out, b.B)
	return nil
}

func TestServeEnds(t *testing.T) {
	lost := errors.New("lost")
	tests := []struct {
		name string
		in   *recorder
		want error
	}{
		{"orderly", &recorder{}, nil},
		{"lost", &recorder{err: lost}, lost},
		{"malformed", &recorder{in: [][]byte{{0xff}}}, wire.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := sdk.NewServer(verbs(stateVerbs()))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Serve(t.Context(), tt.in); !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

func TestServeEndsWithItsContextThoughAHandlerHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	p := verbs(map[string]func(*sdk.Session[struct{}], string) error{
		"hang": func(s *sdk.Session[struct{}], _ string) error { cancel(); <-s.Ctx().Done(); <-release; return nil },
	})
	s, err := sdk.NewServer(p)
	if err != nil {
		t.Fatal(err)
	}
	events := []*pluginv1.Event{plugintest.Opened(), plugintest.Text("hang")}
	for i, e := range events {
		e.Actor, e.Seq = 1, uint64(i+1)
	}
	data, err := proto.Marshal(&pluginv1.LinkRequest{Events: events})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Serve(ctx, &recorder{in: [][]byte{data}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(release)
}
