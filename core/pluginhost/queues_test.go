package pluginhost

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// queuer is a plugin whose clients say "push TOPIC TEXT", "pop WINDOW TOPIC", or "bind KEY". It sends what
// it is delivered, and what pushes and pops led to.
func queuer(in *fakeProcess, ev *wire.Event) []wire.Command {
	to := func(c wire.Command) wire.Command {
		c.Session = ev.Session
		return c
	}
	switch ev.Kind {
	case wire.Frame:
		verb, rest, _ := strings.Cut(string(ev.Data), " ")
		first, second, _ := strings.Cut(rest, " ")
		switch verb {
		case "push":
			return []wire.Command{to(wire.Command{Kind: wire.Push, Cold: &pluginv1.Push{Tag: second, Topic: first, Data: []byte(second)}})}
		case "pop":
			n, _ := strconv.Atoi(first)
			return []wire.Command{{Kind: wire.Consume, Cold: &pluginv1.Consume{Tag: "pop", Topic: second, Window: uint32(n)}}}
		case "close":
			return []wire.Command{to(wire.Command{Kind: wire.Close})}
		}
	case wire.Answer:
		ans := ev.Cold.(*pluginv1.Answer)
		return []wire.Command{to(say(ans.GetTag() + " " + strings.ToLower(strings.TrimPrefix(ans.GetOutcome().String(), "OUTCOME_")) + ans.GetReason()))}
	case wire.Delivery:
		d := ev.Cold.(*pluginv1.Delivery)
		if strings.HasPrefix(string(d.GetData()), "ignore") {
			return nil
		}
		out := say(fmt.Sprintf("%s %d", d.GetData(), d.GetAttempt()))
		out.Number = int64(d.GetId())
		if strings.HasPrefix(string(d.GetData()), "twice") {
			return []wire.Command{out, out}
		}
		return []wire.Command{out}
	}
	return nil
}

// fakeQueues deliver what a test gives them, and note what becomes of it.
type fakeQueues struct {
	mu      sync.Mutex
	pushes  []string
	deliver func(Entry) // of the consumption that began last
	windows []int
	stopped int
	refuse  pluginv1.Outcome // of Open and Push; 0: OK
}

func (q *fakeQueues) Push(topic, id string, data []byte, done func(pluginv1.Outcome, string)) {
	q.mu.Lock()
	q.pushes = append(q.pushes, fmt.Sprintf("%s %s %s", topic, id, data))
	q.mu.Unlock()
	done(max(q.refuse, pluginv1.Outcome_OUTCOME_OK), "")
}

func (q *fakeQueues) Open(_ []string, done func(pluginv1.Outcome, string)) {
	done(max(q.refuse, pluginv1.Outcome_OUTCOME_OK), "")
}

func (q *fakeQueues) Consume(_ uint64, _ string, window int, deliver func(Entry)) Consumption {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.deliver = deliver
	q.windows = append(q.windows, window)
	return q
}

func (q *fakeQueues) SetWindow(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.windows = append(q.windows, n)
}

func (q *fakeQueues) Stop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stopped++
}

func (q *fakeQueues) consumed() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.deliver != nil
}

func (q *fakeQueues) give(text string) *fakeEntry {
	e := &fakeEntry{text: text}
	q.mu.Lock()
	deliver := q.deliver
	q.mu.Unlock()
	deliver(e)
	return e
}

type fakeEntry struct {
	text string

	mu   sync.Mutex
	fate []string
	late func()
}

func (e *fakeEntry) note(what string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fate = append(e.fate, what)
}

func (e *fakeEntry) became() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.fate, " ")
}

func (e *fakeEntry) Data() []byte    { return []byte(e.text) }
func (e *fakeEntry) Attempt() uint32 { return 1 }
func (e *fakeEntry) Sending() bool   { e.note("sending"); return true }
func (e *fakeEntry) Settle()         { e.note("settled") }
func (e *fakeEntry) GiveBack()       { e.note("back") }

func (e *fakeEntry) LetGo(late func()) {
	e.note("let-go")
	e.mu.Lock()
	defer e.mu.Unlock()
	e.late = late
}

func newQueueWorld(t *testing.T) (*world, *fakeQueues) {
	t.Helper()
	q := &fakeQueues{}
	w := newWorld(t, nil, queuer, func(cfg *Config) {
		cfg.Launcher.(*fakeLauncher).queues = &pluginv1.Queues{}
		cfg.Queues = func(context.Context, *pluginv1.Queues) (Queues, error) { return q, nil }
	})
	return w, q
}

func (c *client) hears(t *testing.T, w *world, want ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%q, had %q", want, c.got()), func() bool { return slices.Equal(c.got(), want) }, w.dump)
}

func TestPush(t *testing.T) {
	w, q := newQueueWorld(t)
	c := w.open()
	c.say("push a 1")
	c.hears(t, w, "1 ok") // an event too
	c.say("push a 2")
	c.hears(t, w, "1 ok", "2 ok")
	id := c.ID
	if want := []string{fmt.Sprintf("a %d-2-0 1", id), fmt.Sprintf("a %d-4-0 2", id)}; !slices.Equal(q.pushes, want) {
		t.Errorf("pushes %q, want %q", q.pushes, want)
	}
	q.refuse = pluginv1.Outcome_OUTCOME_DENIED
	c.say("push a 3")
	c.hears(t, w, "1 ok", "2 ok", "3 denied")
	if n := c.InFlight(); n != 0 {
		t.Errorf("%d in the window", n)
	}
}

func TestDeliveryIsSettledWhenWritten(t *testing.T) {
	w, q := newQueueWorld(t)
	c := w.open()
	c.say("pop 300 a")
	c.hears(t, w, "pop ok")
	if want := []int{maxWindow}; !slices.Equal(q.windows, want) {
		t.Errorf("windows %v", q.windows)
	}
	first, ignored, twice := q.give("x"), q.give("ignore"), q.give("twice")
	c.hears(t, w, "pop ok", "x 1", "twice 1") // the second is of no delivery any more
	eventually(t, "settled", func() bool {
		return first.became() == "sending let-go settled" || first.became() == "sending settled let-go"
	}, first.became)
	eventually(t, "let go", func() bool { return ignored.became() == "let-go" }, ignored.became)
	eventually(t, "settled once", func() bool { return strings.Count(twice.became(), "settled") == 1 }, twice.became)
	c.say("pop 5 a")
	c.hears(t, w, "pop ok", "x 1", "twice 1", "pop ok")
	c.say("pop 0 a")
	c.hears(t, w, "pop ok", "x 1", "twice 1", "pop ok", "pop ok")
	late := q.give("late")
	eventually(t, "back", func() bool { return late.became() == "back" }, late.became)
	if q.stopped != 1 || !slices.Equal(q.windows, []int{256, 5}) {
		t.Errorf("stopped %d times, windows %v", q.stopped, q.windows)
	}
}

// The death of the plugin changes nothing but who is given the event.
func TestDeliveryOutlivesPlugin(t *testing.T) {
	w, q := newQueueWorld(t)
	c := w.open()
	c.say("pop 9 a")
	c.hears(t, w, "pop ok")
	p := w.launcher.last()
	p.dieBefore.Store(true)
	p.dieAt.Store(p.handled.Load() + 2)
	one, two := q.give("1"), q.give("2")
	c.hears(t, w, "pop ok", "1 1", "2 1")
	for _, e := range []*fakeEntry{one, two} {
		eventually(t, "settled once", func() bool {
			return strings.Count(e.became(), "settled") == 1 && strings.Count(e.became(), "let-go") == 1
		}, e.became)
	}
	if q.stopped != 0 {
		t.Error("the consumption was stopped")
	}
}

// A session that ends, however it does, consumes no more.
func TestConsumptionEndsWithSession(t *testing.T) {
	for name, end := range map[string]func(*client){
		"lost":   func(c *client) { c.Ended(session.CloseLost.Code, "", true) },
		"closed": func(c *client) { c.say("close") },
	} {
		t.Run(name, func(t *testing.T) {
			w, q := newQueueWorld(t)
			c := w.open()
			c.say("pop 9 a")
			c.hears(t, w, "pop ok")
			end(c)
			eventually(t, "stopped", func() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.stopped == 1 }, w.dump)
			e := q.give("x")
			if e.became() != "back" {
				t.Errorf("became %q", e.became())
			}
		})
	}
}

func TestConsumeIsRefused(t *testing.T) {
	w, q := newQueueWorld(t)
	q.refuse = pluginv1.Outcome_OUTCOME_UNAVAILABLE
	c := w.open()
	c.say("pop 9 a")
	c.hears(t, w, "pop unavailable")
	if q.consumed() {
		t.Error("it is consumed")
	}
	q.refuse = 0
	c.say("pop 9 a")
	c.hears(t, w, "pop unavailable", "pop ok")
	eventually(t, "consumed", q.consumed)
}
