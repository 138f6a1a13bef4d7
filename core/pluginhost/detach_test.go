package pluginhost

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// held is a back-end that answers nothing until it is told to.
type held struct {
	mu    sync.Mutex
	asked []string
	open  map[string]chan *pluginv1.Answer
	free  bool // it answers at once
}

func newHeld() *held { return &held{open: make(map[string]chan *pluginv1.Answer)} }

func (h *held) ask(ask *pluginv1.Ask, emit func(*pluginv1.Answer)) {
	text := string(ask.GetPayload())
	c := make(chan *pluginv1.Answer)
	h.mu.Lock()
	h.asked = append(h.asked, text)
	if h.free {
		h.mu.Unlock()
		emit(&pluginv1.Answer{Last: true})
		return
	}
	h.open[text] = c
	h.mu.Unlock()
	for {
		a := <-c
		emit(a)
		if a.GetLast() {
			return
		}
	}
}

// answer waits until that was asked.
func (h *held) answer(t *testing.T, text string, last bool) {
	t.Helper()
	var c chan *pluginv1.Answer
	eventually(t, "the question "+text, func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		c = h.open[text]
		return c != nil
	})
	c <- &pluginv1.Answer{Last: last, Outcome: pluginv1.Outcome_OUTCOME_OK}
}

func (h *held) sofar() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(slices.Values(h.asked))
}

// caller is a plugin that calls, detaches and cancels as its client says, and tells of each answer.
// "call TAG PARALLEL NAME" asks for NAME in the one order there is.
func caller(_ *fakeProcess, ev *wire.Event) []wire.Command {
	var out []wire.Command
	add := func(c wire.Command) {
		c.Session = ev.Session
		out = append(out, c)
	}
	if a, ok := ev.Cold.(*pluginv1.Answer); ok {
		add(say(fmt.Sprintf("%s %v %d", a.GetTag(), a.GetLast(), a.GetOutcome())))
		return out
	}
	if ev.Kind == wire.Bound {
		add(say("bound"))
	}
	if ev.Kind != wire.Frame {
		return out
	}
	for text := range strings.SplitSeq(string(ev.Data), ";") {
		f := strings.Fields(text)
		switch f[0] {
		case "call":
			var parallel uint32
			_, _ = fmt.Sscan(f[2], &parallel)
			add(wire.Command{Kind: wire.Call, Cold: &pluginv1.Call{
				Tag: f[1], Order: "o", Parallel: parallel, Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{Payload: []byte(f[3])}},
			}})
		case "detach":
			add(wire.Command{Kind: wire.Detach, Key: f[1]})
		case "cancel":
			add(wire.Command{Kind: wire.Cancel, Key: f[1]})
		case "bind":
			add(wire.Command{Kind: wire.Bind, Key: f[1]})
		case "say":
			add(say(f[1]))
		}
	}
	return out
}

func (c *client) wants(t *testing.T, w *world, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%q", want), func() bool { return slices.Equal(c.got(), want) }, w.dump, func() string { return fmt.Sprintf("got %q", c.got()) })
}

// TestDetach: a detached call lets the next one start, goes on answering, and stays in the window until
// its last answer; one that was not started keeps its place.
func TestDetach(t *testing.T) {
	for _, bound := range []bool{false, true} {
		t.Run(fmt.Sprintf("bound %v", bound), func(t *testing.T) {
			w := newWorld(t, nil, caller, nil)
			back := newHeld()
			w.host.answer = back.ask
			c := w.open()
			var seen []string
			if bound {
				c.say("bind k")
				seen = append(seen, "bound")
				c.wants(t, w, seen...)
			}
			next := func(text string) {
				t.Helper()
				seen = append(seen, text)
				c.wants(t, w, seen...)
			}
			asked := func(want ...string) {
				t.Helper()
				eventually(t, fmt.Sprintf("asked %q", want), func() bool { return slices.Equal(back.sofar(), want) }, w.dump)
			}
			c.say("call a 1 1;call b 1 2;call a 1 3;call c 1 4")
			asked("1")
			c.say("detach b;say nothing") // waits: nothing happens
			next("nothing")
			asked("1")
			c.say("detach a;say one")
			next("one")
			asked("1", "2") // but not 3, which has the tag but had not started
			back.answer(t, "1", false)
			next("a false 1")
			c.say("detach b;say two")
			next("two")
			asked("1", "2", "3")
			if n := c.InFlight(); n != 4 {
				t.Errorf("%d in the window, want all four calls", n)
			}
			back.answer(t, "1", true) // a detached one's end is nothing to the order
			next("a true 1")
			c.say("say three")
			next("three")
			asked("1", "2", "3")
			eventually(t, "three in the window", func() bool { return c.InFlight() == 3 })
			back.answer(t, "3", true)
			next("a true 1")
			asked("1", "2", "3", "4")
			back.answer(t, "4", true)
			next("c true 1")
			back.answer(t, "2", true)
			next("b true 1")
			eventually(t, "an empty window", func() bool { return c.InFlight() == 0 })
			if n := w.queues(); n != 0 {
				t.Errorf("%d orders are kept", n)
			}
		})
	}
}

// TestDetachParallel: each detached call gives one place of those that run at a time.
func TestDetachParallel(t *testing.T) {
	w := newWorld(t, nil, caller, nil)
	back := newHeld()
	w.host.answer = back.ask
	c := w.open()
	// In the step of the calls, and more places than there are calls that wait.
	c.say("call a 2 1;call a 2 2;call b 2 3;call b 2 4;call b 2 5;detach a;say x")
	c.wants(t, w, "x")
	eventually(t, "four questions", func() bool { return slices.Equal(back.sofar(), []string{"1", "2", "3", "4"}) }, w.dump)
	c.say("detach b;say y")
	c.wants(t, w, "x", "y")
	eventually(t, "five questions", func() bool { return len(back.sofar()) == 5 }, w.dump)
	for i := range 5 {
		back.answer(t, fmt.Sprint(i+1), true)
	}
	eventually(t, "an empty window", func() bool { return c.InFlight() == 0 }, w.dump)
	if n := w.queues(); n != 0 {
		t.Errorf("%d orders are kept", n)
	}
}

func (w *world) queues() (n int) {
	w.actors.each(func(a *Actor) {
		a.mu.Lock()
		defer a.mu.Unlock()
		n += len(a.calls)
	})
	return n
}

// TestCancelInOrder: what waits is answered in the order in which it was asked, and only that.
func TestCancelInOrder(t *testing.T) {
	w := newWorld(t, nil, func(in *fakeProcess, ev *wire.Event) []wire.Command {
		if ev.Kind != wire.Frame || string(ev.Data) != "go" {
			return caller(in, ev)
		}
		var out []wire.Command
		for i := range 20 { // ten orders, of which each runs its first
			out = append(out, wire.Command{Kind: wire.Call, Cold: &pluginv1.Call{
				Tag: "t", Order: fmt.Sprint(i % 10), Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{Payload: fmt.Append(nil, i)}},
			}})
		}
		return out
	}, nil)
	back := newHeld()
	w.host.answer = back.ask
	var order []uint32
	brain := w.launcher.brain
	w.launcher.brain = func(in *fakeProcess, ev *wire.Event) []wire.Command {
		if a, ok := ev.Cold.(*pluginv1.Answer); ok && a.GetOutcome() == pluginv1.Outcome_OUTCOME_CANCELLED {
			order = append(order, a.GetCallIndex())
		}
		return brain(in, ev)
	}
	c := w.open()
	c.say("go")
	c.say("cancel t")
	eventually(t, "ten cancelled", func() bool { return len(c.got()) == 10 }, w.dump)
	for i := range 10 {
		back.answer(t, fmt.Sprint(i), true)
	}
	eventually(t, "ten answered", func() bool { return len(c.got()) == 20 && c.InFlight() == 0 }, w.dump)
	for i, text := range c.got() {
		want := "t true 6"
		if i >= 10 {
			want = "t true 1"
		}
		if text != want {
			t.Errorf("answer %d is %q, want %q", i, text, want)
		}
	}
	if want := []uint32{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}; !slices.Equal(order, want) {
		t.Errorf("cancelled in the order %v", order)
	}
}

// TestAnswersAfterTheSession: a call that a named actor made for a bound session is answered there when
// the session has gone, and the actor goes when there is nothing more.
func TestAnswersAfterTheSession(t *testing.T) {
	var mu sync.Mutex
	var heard []string
	w := newWorld(t, nil, func(in *fakeProcess, ev *wire.Event) []wire.Command {
		if a, ok := ev.Cold.(*pluginv1.Answer); ok {
			mu.Lock()
			heard = append(heard, fmt.Sprintf("%s %v of %d at %q", a.GetTag(), a.GetLast(), ev.Session, in.actors[ev.Actor].snapshot.GetKey()))
			mu.Unlock()
		}
		return caller(in, ev)
	}, nil)
	back := newHeld()
	w.host.answer = back.ask
	c := w.open()
	c.say("bind k")
	c.say("call a 1 1;call b 1 2;say done")
	c.wants(t, w, "bound", "done")
	back.answer(t, "1", false)
	eventually(t, "an answer", func() bool { mu.Lock(); defer mu.Unlock(); return len(heard) == 1 })
	c.Ended(1006, "", true)
	eventually(t, "the end", func() bool {
		w.host.mu.Lock()
		defer w.host.mu.Unlock()
		return w.host.ended[c.ID] == 1
	})
	if err := w.Replace(); err != nil { // the next instance knows of no such session
		t.Fatal(err)
	}
	back.answer(t, "1", false)
	back.answer(t, "1", true)
	back.answer(t, "2", true)
	eventually(t, "all answers", func() bool { mu.Lock(); defer mu.Unlock(); return len(heard) == 4 }, w.dump)
	for i, want := range []string{"a false", "a false", "a true", "b true"} {
		if want += fmt.Sprintf(" of %d at \"k\"", c.ID); heard[i] != want {
			t.Errorf("answer %d is %q, want %q", i, heard[i], want)
		}
	}
	eventually(t, "the named actor's end", func() bool { return w.actors.len() == 1 }, w.dump) // the hub's is left
	if c.InFlight() != 0 {
		t.Errorf("%d in the window of a session that has gone", c.InFlight())
	}
}

// TestNamedActorGoesWithItsLastCall: also when the answer is handled before the call is over.
func TestNamedActorGoesWithItsLastCall(t *testing.T) {
	w := newWorld(t, nil, caller, nil)
	release := make(chan struct{})
	w.host.answer = func(_ *pluginv1.Ask, emit func(*pluginv1.Answer)) {
		emit(&pluginv1.Answer{Last: true})
		<-release
	}
	c := w.open()
	c.say("bind k")
	c.say("call a 1 1")
	c.wants(t, w, "bound", "a true 0")
	c.Ended(1000, "", true)
	eventually(t, "the session's end", func() bool { return w.actors.len() == 2 }, w.dump)
	close(release)
	eventually(t, "the named actor's end", func() bool { return w.actors.len() == 1 }, w.dump)
}
