package pluginhost

import (
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// counting is the plugin of the model: it numbers what it hears in a cell and says it again; "ask"
// makes a call whose answer it says, "pub" publishes, "bind K" moves the session to the actor K,
// which numbers for all its sessions. "hold" makes a call that is not answered until the end, "free-hold"
// detaches it, "tell-K-" tells the actor K; an actor notes in cells what it did of these, and what it
// was told.
func counting(in *fakeProcess, ev *wire.Event) []wire.Command {
	n, _ := strconv.Atoi(in.cell(ev, "n"))
	target := func(c wire.Command) wire.Command {
		c.Session = ev.Session
		return c
	}
	switch ev.Kind {
	case wire.Frame:
		text := string(ev.Data)
		if key, ok := strings.CutPrefix(text, "bind "); ok && ev.Session == 0 {
			return []wire.Command{{Kind: wire.Bind, Key: key}}
		}
		n++
		out := []wire.Command{in.put(ev, "n", strconv.Itoa(n)), target(say(fmt.Sprintf("%d %s", n, text)))}
		if strings.HasPrefix(text, "ask") {
			out = append(out, target(wire.Command{Kind: wire.Call, Cold: &pluginv1.Call{
				Tag: text, Order: "o", Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{Payload: []byte(text)}},
			}}))
		}
		if strings.HasPrefix(text, "hold") {
			out = append(out, in.note(ev, "holds", text), target(wire.Command{Kind: wire.Call, Cold: &pluginv1.Call{
				Tag: text, Order: "h", Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{Payload: []byte(text)}},
			}}))
		}
		if tag, ok := strings.CutPrefix(text, "free-"); ok {
			out = append(out, in.note(ev, "holds", text), wire.Command{Kind: wire.Detach, Key: tag})
		}
		if rest, ok := strings.CutPrefix(text, "tell-"); ok {
			key, _, _ := strings.Cut(rest, "-")
			out = append(out, wire.Command{Kind: wire.Tell, Key: key, Data: []byte(text)})
		}
		if strings.HasPrefix(text, "pub") {
			out = append(out, wire.Command{Kind: wire.Publish, Cold: &pluginv1.Publish{
				Channels: []string{"c"}, Content: &pluginv1.Content{Payload: []byte(text)},
			}})
		}
		return out
	case wire.Told:
		return []wire.Command{in.note(ev, "told", string(ev.Data))}
	case wire.Answer:
		return []wire.Command{target(say("answer " + ev.Cold.(*pluginv1.Answer).GetTag()))}
	}
	return nil
}

// note appends to a cell.
func (p *fakeProcess) note(ev *wire.Event, key, text string) wire.Command {
	return p.put(ev, key, p.cell(ev, key)+text+" ")
}

// modelClient is what the model knows of a session.
type modelClient struct {
	*client
	sent   []string // frames that are echoed
	asks   []string
	early  int // how many asks came before the bind
	before int // how many frames did
	holds  []string
	told   []string // what it told
	bound  string
	closed bool
}

// TestModel drives sessions with random frames, calls, publishes and binds while instances die at
// random places or are replaced, and compares with what a plugin that never dies would have done: no
// effect lost, doubled or out of order.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cleanups []func()
		defer func() {
			for _, f := range slices.Backward(cleanups) {
				f()
			}
		}()
		w := newWorld(rapidT{t, &cleanups}, nil, counting, nil)
		back := newHeld()
		w.host.answer = func(ask *pluginv1.Ask, emit func(*pluginv1.Answer)) {
			if strings.HasPrefix(string(ask.GetPayload()), "hold") {
				back.ask(ask, emit)
				return
			}
			emit(&pluginv1.Answer{Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK})
		}
		cleanups = append(cleanups, back.letGo)
		for _, key := range modelKeys { // there from beginning to end, so that nothing told is dropped
			keeper := w.open()
			keeper.say("bind " + key)
			keeper.say("here")
			eventually(t, "an actor", func() bool { return len(keeper.got()) == 1 }, w.dump)
		}
		var clients []*modelClient
		var published []string
		number := 0
		var busy sync.WaitGroup
		pick := func(t *rapid.T) *modelClient {
			var open []*modelClient
			for _, c := range clients {
				if !c.closed {
					open = append(open, c)
				}
			}
			if len(open) == 0 {
				t.Skip("nobody")
			}
			return rapid.SampledFrom(open).Draw(t, "client")
		}
		t.Repeat(map[string]func(*rapid.T){
			"open": func(*rapid.T) { clients = append(clients, &modelClient{client: w.open()}) },
			"frame": func(t *rapid.T) {
				c := pick(t)
				for range rapid.IntRange(1, 8).Draw(t, "frames") {
					number++
					verb := rapid.SampledFrom([]string{"say", "ask", "pub", "hold", "free", "tell"}).Draw(t, "verb")
					text := fmt.Sprintf("%s%d", verb, number)
					switch verb {
					case "free":
						if len(c.holds) == 0 {
							continue
						}
						text = "free-" + rapid.SampledFrom(c.holds).Draw(t, "hold")
					case "tell":
						text = fmt.Sprintf("tell-%s-%d", rapid.SampledFrom(modelKeys).Draw(t, "key"), number)
						c.told = append(c.told, text)
					case "hold":
						c.holds = append(c.holds, text)
					}
					c.sent = append(c.sent, text)
					switch verb {
					case "ask":
						c.asks = append(c.asks, text)
					case "pub":
						published = append(published, text)
					}
					c.say(text)
				}
			},
			"bind": func(t *rapid.T) {
				c := pick(t)
				if c.bound != "" {
					t.Skip("bound")
				}
				number++
				c.early, c.before = len(c.asks), len(c.sent)
				c.bound = rapid.SampledFrom(modelKeys).Draw(t, "key")
				c.say("bind " + c.bound)
			},
			"close": func(t *rapid.T) {
				c := pick(t)
				c.closed = true
				c.Ended(1000, "", true)
			},
			"kill": func(t *rapid.T) { w.serving(t).Kill() },
			"dieAt": func(t *rapid.T) {
				p := w.serving(t)
				p.dieBefore.Store(rapid.Bool().Draw(t, "before"))
				p.dieAt.Store(p.handled.Load() + int64(rapid.IntRange(1, 5).Draw(t, "events")))
			},
			"replace": func(*rapid.T) {
				busy.Go(func() { _ = w.Replace() })
			},
			"": func(*rapid.T) {},
		})
		busy.Wait()
		check(t, w, back, clients, published)
	})
}

// serving is the process that takes new events. The one that tries suspects is not killed here: too
// often alone with one event, and that is taken for the culprit.
func (w *world) serving(t *rapid.T) *fakeProcess {
	in := w.current.Load()
	if in == nil {
		t.Skip("nobody")
	}
	return in.process.(*fakeProcess)
}

func check(t *rapid.T, w *world, back *held, clients []*modelClient, published []string) {
	checkOrders(t, w, back, clients)
	for _, c := range clients {
		eventually(t, "all frames and answers", func() bool {
			return c.closed || len(c.got()) >= len(c.sent)+len(c.asks)+len(c.holds)
		}, w.dump)
	}
	eventually(t, "nothing in flight", func() bool {
		idle := true
		w.actors.each(func(a *Actor) {
			a.mu.Lock()
			idle = idle && a.box.Len() == 0 && a.running == 0
			a.mu.Unlock()
		})
		return idle
	})
	for i, c := range clients {
		checkClient(t, i, c)
		ends := func() (ended, gone int) {
			w.host.mu.Lock()
			defer w.host.mu.Unlock()
			return w.host.ended[c.ID], w.host.gone[c.ID]
		}
		if c.closed {
			// Its end is told of just behind its last event.
			eventually(t, "a closed session's end", func() bool { ended, _ := ends(); return ended > 0 }, w.dump)
		}
		want := 0
		if c.closed {
			want = 1
		}
		if ended, gone := ends(); ended != want || gone != want {
			t.Fatalf("client %d: ended %d times, gone %d times, want %d", i, ended, gone, want)
		}
	}
	want := 0
	for _, c := range clients {
		want += len(c.asks) + len(c.holds)
	}
	// Calls of sessions that have gone are made all the same, and may be on their way still.
	eventually(t, fmt.Sprintf("%d calls", want), func() bool {
		w.host.mu.Lock()
		defer w.host.mu.Unlock()
		return len(w.host.asked) >= want
	}, w.dump)
	w.host.mu.Lock()
	asked, got := maps.Clone(w.host.asked), slices.Clone(w.host.published)
	w.host.mu.Unlock()
	for id, n := range asked {
		if n != 1 {
			t.Fatalf("call %v was made %d times", id, n)
		}
	}
	if len(asked) != want {
		t.Fatalf("%d calls, want %d", len(asked), want)
	}
	slices.Sort(published)
	slices.Sort(got)
	if !slices.Equal(got, published) {
		t.Fatalf("published %q, want %q", got, published)
	}
	if n := w.culprits.Load(); n != 0 {
		t.Fatalf("%d sessions condemned", n)
	}
}

// checkClient compares the frames a client got with those it sent: each once, in order, the numbers
// of a session without a gap, and rising where sessions share an actor.
func checkClient(t *rapid.T, i int, c *modelClient) {
	var echoes, answers []string
	last, held := 0, 0
	for _, f := range c.got() {
		if strings.HasPrefix(f, "answer hold") {
			held++
			continue
		}
		if tag, ok := strings.CutPrefix(f, "answer "); ok {
			answers = append(answers, tag)
			continue
		}
		num, text, _ := strings.Cut(f, " ")
		n, _ := strconv.Atoi(num)
		if c.bound == "" && n != last+1 {
			t.Fatalf("client %d: frame %q after number %d", i, f, last)
		}
		last = n
		echoes = append(echoes, text)
	}
	if !isPrefix(echoes, c.sent) || !c.closed && len(echoes) != len(c.sent) {
		t.Fatalf("client %d got %q, want %q", i, echoes, c.sent)
	}
	// Calls are in order for each actor, so those from before a bind and those from behind it are
	// not in order with each other.
	for _, asks := range [][]string{c.asks[:c.early], c.asks[c.early:]} {
		got := slices.DeleteFunc(slices.Clone(answers), func(a string) bool { return !slices.Contains(asks, a) })
		if !isPrefix(got, asks) {
			t.Fatalf("client %d got answers %q, want %q", i, answers, c.asks)
		}
	}
	if held > len(c.holds) || !c.closed && held != len(c.holds) {
		t.Fatalf("client %d got %d answers of those held, want %d", i, held, len(c.holds))
	}
	if len(answers) > len(c.asks) || !c.closed && len(answers) != len(c.asks) {
		t.Fatalf("client %d got answers %q, want %q", i, answers, c.asks)
	}
}

func isPrefix(a, b []string) bool { return len(a) <= len(b) && slices.Equal(a, b[:len(a)]) }

// rapidT gives a rapid.T the Cleanup that newWorld needs.
type rapidT struct {
	*rapid.T
	cleanups *[]func()
}

func (r rapidT) Cleanup(f func()) { *r.cleanups = append(*r.cleanups, f) }
