package logux

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// serverRoute has a route for clients.
func serverRoute() plugintest.Config {
	return plugintest.Config{Routes: []*pluginv1.RouteConfig{
		{Id: plugintest.Route, Path: "/", Role: "server", Upstream: "logux", Auth: true},
	}}
}

func TestTranscripts(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	plugintest.Run(t, New, "testdata/transcripts/*.txt", serverRoute())
}

// TestNeutral plays those of a route whose upstream is none that speaks the back-end protocol.
func TestNeutral(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	config := serverRoute()
	config.Routes[0].Upstream = "http"
	plugintest.Run(t, New, "testdata/neutral/*.txt", config)
}

// TestStatements plays the testable statements of the specification, each by its number.
func TestStatements(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	plugintest.Run(t, New, "testdata/statements/*.txt", serverRoute())
}

// bench drives a client's steps without a core: its session until it is authenticated, and then its actor.
type bench struct {
	t testing.TB
	*plugintest.Bench

	cells   map[uint64]map[string]string // by actor
	session uint64                       // the last that was opened
	now     int64                        // ms
}

// clientActor is the actor of the client of every bench.
const clientActor = 100

func newBench(t testing.TB) *bench {
	t.Helper()
	b := plugintest.NewBench(t, New(), serverRoute())
	return &bench{t: t, Bench: b, cells: make(map[uint64]map[string]string), now: 1_700_000_000_000}
}

// connect opens a session of the client 10:a and lets it in.
func (b *bench) connect(synced int64) (steps []string) {
	b.t.Helper()
	b.session++
	own := func(e *pluginv1.Event) string { return b.at(b.session, 0, e) }
	own(plugintest.Opened())
	own(plugintest.Textf(`["connect",4,"10:a:t",%d,{"token":"good"}]`, synced))
	own(plugintest.Answer(&pluginv1.Answer{
		Tag: authTag, Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Identity: &pluginv1.Identity{Realm: "test", UserId: "10"},
	}))
	snapshot := plugintest.Snapshot()
	for key, value := range b.cells[b.session] {
		snapshot.State = append(snapshot.State, &pluginv1.Entry{Key: key, Value: []byte(value)})
	}
	if b.cells[clientActor] == nil {
		b.cells[clientActor] = make(map[string]string)
		b.Post(&pluginv1.Event{Actor: clientActor, Kind: &pluginv1.Event_Resumed{Resumed: &pluginv1.Resumed{
			Snapshot: &pluginv1.Snapshot{ActorKind: pluginv1.ActorKind_ACTOR_KIND_NAMED, Key: clientKey("10:a"), Route: plugintest.Route},
		}}})
	}
	return []string{b.at(clientActor, b.session, &pluginv1.Event{Kind: &pluginv1.Event_Bound{Bound: &pluginv1.Bound{Snapshot: snapshot}}})}
}

// at hands an event over and returns the form of its step.
func (b *bench) at(actor, session uint64, e *pluginv1.Event) string {
	b.t.Helper()
	e.Actor, e.Session, e.Time = actor, session, b.now
	step := b.Send(e)[0]
	cells := b.cells[actor]
	if cells == nil {
		cells = make(map[string]string)
		b.cells[actor] = cells
	}
	for _, c := range step.GetCommands() {
		if put := c.GetPutState(); put != nil {
			cells[put.GetKey()] = string(put.GetValue())
		}
		if gone := c.GetDeleteState(); gone != nil {
			delete(cells, gone.GetKey())
		}
	}
	return plugintest.Format(step)
}

// frame is a frame of the client.
func (b *bench) frame(format string, args ...any) string {
	b.t.Helper()
	return b.at(clientActor, b.session, plugintest.Textf(format, args...))
}

// answer is an answer of the back-end: elements that came together.
func (b *bench) answer(id string, last bool, elements ...string) string {
	b.t.Helper()
	return b.at(clientActor, b.session, plugintest.Answer(&pluginv1.Answer{
		Tag: id, Last: last, Outcome: pluginv1.Outcome_OUTCOME_OK, Raw: []byte(strings.Join(elements, ",")),
	}))
}

// done approves an action and has it processed.
func (b *bench) done(id string) string {
	b.t.Helper()
	return b.answer(id, true, fmt.Sprintf(`["approved",%q]`, id), fmt.Sprintf(`["processed",%q]`, id))
}

// id is the id of an action of the bench's client whose shift is n.
func (b *bench) id(n int64) string { return fmt.Sprintf("%d 10:a:t 0", b.now+n) }

// lines are those of a step that begin like that, without what is in front of them.
func lines(step, start string) (list []string) {
	for line := range strings.Lines(step) {
		_, line, _ = strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if strings.HasPrefix(line, start) {
			list = append(list, line)
		}
	}
	return list
}

// A client of which too much waits is not read until most of it is done.
func TestPause(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(0)
	const size = 50 << 10
	sent := int64(0)
	for ; ; sent++ {
		step := b.frame(`["sync",%d,{"type":"a","x":"%s"},{"id":%d,"time":1}]`, sent, strings.Repeat("x", size), sent)
		if lines(step, "send late [\"synced\"") == nil {
			t.Fatalf("a sync is not confirmed: %.200s", step)
		}
		if lines(step, "pause") != nil {
			break
		}
		if sent*size > pauseAbove+size {
			t.Fatal("it is read on and on")
		}
	}
	for n := int64(0); ; n++ {
		step := b.done(b.id(n))
		if lines(step, "go on") != nil {
			if left := (sent - n) * size; left > resumeBelow {
				t.Errorf("it goes on with %d bytes waiting", left)
			}
			return
		}
		if n == sent {
			t.Fatal("it does not go on")
		}
	}
}

// Whoever sends on all the same is closed before the state is full.
func TestTooMuchWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(0)
	for n := range 100 {
		step := b.frame(`["sync",%d,{"type":"a","x":"%s"},{"id":%d,"time":1}]`, n, strings.Repeat("x", 100<<10), n)
		if got := lines(step, "close"); got != nil {
			if got[0] != "close 1013 too much is waiting" || lines(step, "send late [\"synced\"") != nil {
				t.Errorf("got %.200s", step)
			}
			return
		}
	}
	t.Error("it is never closed")
}

// What became of an action is forgotten after ten minutes, and all of a client that does not come back.
func TestForgetting(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(0)
	first := b.now
	b.frame(`["sync",1,{"type":"a"},{"id":1,"time":1}]`)
	b.done(fmt.Sprintf("%d 10:a:t 0", first+1))
	b.now += keepOutcomes.Milliseconds() - 1
	if step := b.frame(`["sync",1,{"type":"a"},{"id":1,"time":1}]`); lines(step, "send [\"sync\",") == nil || strings.Contains(step, "call") {
		t.Errorf("it is not told again: %s", step)
	}
	b.now += 2
	if step := b.frame(`["sync",1,{"type":"a"},{"id":1,"time":1}]`); !strings.Contains(step, "call") {
		t.Errorf("it is not asked again: %s", step)
	}
	b.at(clientActor, b.session, plugintest.Closed(1000))
	if len(b.cells[clientActor]) == 0 {
		t.Error("what runs is forgotten with the connection")
	}
	b.at(clientActor, 0, plugintest.Timer(tidyTimer))
	b.done(fmt.Sprintf("%d 10:a:t 0", first+1))
	b.at(clientActor, 0, plugintest.Timer(tidyTimer))
	if cells := b.cells[clientActor]; len(cells) != 0 {
		t.Errorf("of a client that has gone there is still %q", cells)
	}
	// One that did nothing leaves nothing behind.
	b.connect(0)
	b.at(clientActor, b.session, plugintest.Closed(1000))
	if cells := b.cells[clientActor]; len(cells) != 0 {
		t.Errorf("of a client that did nothing there is %q", cells)
	}
}

// A thousand outcomes are kept, of which a client that comes back is sent those it lacks.
func TestManyOutcomes(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.connect(0)
	const all = maxOutcomes + 10*chunkOutcomes
	for n := range int64(all) {
		b.frame(`["sync",%d,{"type":"a"},{"id":[7,%d],"time":1}]`, n, n)
		b.done(fmt.Sprintf("%d 10:a:t %d", b.now+7, n))
	}
	b.at(clientActor, b.session, plugintest.Closed(1000))
	step := strings.Join(b.connect(0), "\n")
	sent := strings.Count(step, processedType)
	if sent < maxOutcomes || sent > maxOutcomes+2*chunkOutcomes {
		t.Errorf("%d outcomes are kept, want %d", sent, maxOutcomes)
	}
	for _, last := range []string{`"id":"` + fmt.Sprintf("%d 10:a:t %d", b.now+7, all-1) + `"`, fmt.Sprintf(`["sync",%d,`, b.now*perMilli+all-1)} {
		if !strings.Contains(step, last) {
			t.Errorf("there is no %s", last)
		}
	}
	b.at(clientActor, b.session, plugintest.Closed(1000))
	if step := strings.Join(b.connect(b.now*perMilli+all-6), "\n"); strings.Count(step, processedType) != 5 {
		t.Errorf("five are lacking, sent are %s", step)
	}
	size := 0
	for key, value := range b.cells[clientActor] {
		size += len(key) + len(value)
	}
	if size > 32<<10 {
		t.Errorf("they take %d bytes", size)
	}
	// Those that were forgotten are asked again, the others answered.
	if step := b.frame(`["sync",1,{"type":"a"},{"id":[7,0],"time":1}]`); !strings.Contains(step, "call") {
		t.Errorf("the oldest is still known: %s", step)
	}
	if step := b.frame(`["sync",1,{"type":"a"},{"id":[7,%d],"time":1}]`, all-100); strings.Contains(step, "call") {
		t.Errorf("a new one is asked again: %s", step)
	}
}

func TestStateRoundTrip(t *testing.T) {
	t.Parallel()
	full := State{
		Phase: phaseOver, Held: 3, HeldBytes: 4000, Session: 1<<63 - 1, Heard: 1_700_000_000, Pinged: 1_700_000_000_000,
		Added: 1_700_000_000_000_000, Synced: -1, Paused: true,
		Conn: Conn{Version: 5, Base: 1, Start: 2, Node: "10:a:t", Given: 3, Realm: "logux.app", Subprotocol: "1.0.0", Server: "é"},
	}
	for _, s := range []State{{}, full, {Session: 1}, {mem: new(memory)}} {
		b, err := s.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if s.mem = nil; s == (State{}) {
			if len(b) > 0 {
				t.Errorf("a State that is as at first becomes %q", b)
			}
			continue
		}
		var got State
		if err := got.UnmarshalBinary(b); err != nil || got != s {
			t.Errorf("%+v became %+v, %v", s, got, err)
		}
		for n := range b {
			if new(State).UnmarshalBinary(b[:n]) == nil {
				t.Errorf("%d bytes of a state are taken for one", n)
			}
		}
	}
}

// FuzzClient has a client, its back-end and the control endpoint say anything: each event is one step, and
// none fails.
func FuzzClient(f *testing.F) {
	for _, seed := range []string{
		`>["sync",1,{"type":"a"},{"id":1,"time":1},{"type":"b"},{"id":[1,1],"time":2,"x":1}]` + "\x00" + `=["resend","$",{"channels":["c"]}],["approved","$"]` + "\x00" + `=["error","x"]`,
		`>["sync",1,{"type":"logux/subscribe","channel":"c","filter":{}},{"id":1,"time":1}]` + "\x00" + `=["action","$",{"type":"x"},{}],["approved","$"]` + "\x00" + `=["processed","$"]` + "\x00" + `>["sync",2,{"type":"logux/unsubscribe","channel":"c","filter":{}},{"id":2,"time":1}]`,
		`>["ping",1]` + "\x00" + `>["headers",{"a":1}]` + "\x00" + `>["synced",1e9]` + "\x00" + `!{"type":"logux/undo","id":"x","reason":"y"}`,
		`x` + "\x00" + `>["sync",1,{"type":"a"},{"id":1.5,"time":-1e3}]` + "\x00" + `c` + "\x00" + `=["processed","$"]` + "\x00" + `t`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b := newBench(t)
		b.connect(0)
		asked, open := "", true
		for act := range bytes.SplitSeq(data, []byte{0}) {
			if len(act) == 0 {
				continue
			}
			b.now++
			kind, rest := act[0], string(act[1:])
			var step string
			switch {
			case kind == '>' && open:
				step = b.frame("%s", rest)
			case kind == '=' && rawjson.Valid([]byte("["+rest+"]")):
				step = b.answer(asked, false, strings.ReplaceAll(rest, "$", asked))
			case kind == '!' && rawjson.Valid([]byte(rest)):
				step = b.at(clientActor, 0, &pluginv1.Event{Kind: &pluginv1.Event_Told{Told: &pluginv1.Told{Data: []byte(rest)}}})
			case kind == 'x' && open:
				step, open = b.at(clientActor, b.session, plugintest.Closed(1000)), false
			case kind == 'c':
				step, open = strings.Join(b.connect(0), "\n"), true
			case kind == 't':
				step = b.at(clientActor, 0, plugintest.Timer([]string{aliveTimer, tidyTimer}[len(rest)%2]))
			}
			if strings.Contains(step, "close 1011") {
				t.Fatalf("%q failed", act)
			}
			if lines(step, "close") != nil && kind != 'c' {
				open = false
			}
			for line := range strings.SplitSeq(step, "\n") {
				if _, call, ok := strings.Cut(line, "call "); ok && strings.Contains(call, " ask raw ") {
					asked, _, _ = strings.Cut(call, " ask raw ")
				}
			}
		}
	})
}
