package pluginhost

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// teller is a plugin whose clients say "tell KEY TEXT", or "bind KEY". Actors keep what they are told.
type teller struct {
	mu    sync.Mutex
	heard []string
	bound int
	stuck chan struct{} // closed: told actors go on; nil: they never wait
}

func (p *teller) step(in *fakeProcess, ev *wire.Event) []wire.Command {
	switch ev.Kind {
	case wire.Bound:
		p.mu.Lock()
		p.bound++
		p.mu.Unlock()
	case wire.Told:
		if p.stuck != nil {
			<-p.stuck
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.heard = append(p.heard, fmt.Sprintf("%d %s %s", ev.Session, in.actors[ev.Actor].snapshot.GetKey(), ev.Data))
	case wire.Frame:
		var out []wire.Command
		for text := range strings.SplitSeq(string(ev.Data), ";") {
			verb, rest, _ := strings.Cut(text, " ")
			key, rest, _ := strings.Cut(rest, " ")
			switch verb {
			case "bind":
				out = append(out, wire.Command{Kind: wire.Bind, Key: key})
			case "tell":
				out = append(out, wire.Command{Kind: wire.Tell, Key: key, Data: []byte(rest)})
			}
		}
		return out
	}
	return nil
}

func (p *teller) all() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard)
}

func (p *teller) bind(t *testing.T, w *world, key string) *client {
	t.Helper()
	p.mu.Lock()
	before := p.bound
	p.mu.Unlock()
	c := w.open()
	c.say("bind " + key)
	eventually(t, "bound", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.bound > before }, w.dump)
	return c
}

func TestTell(t *testing.T) {
	p := &teller{}
	w := newWorld(t, nil, p.step, nil)
	a := p.bind(t, w, "a")
	free := w.open()
	free.say("tell nobody x;tell a 1;tell a 2") // in order, and where there is nobody it is dropped
	eventually(t, "two", func() bool { return len(p.all()) == 2 }, w.dump)
	a.say("tell a 3;tell a ") // to itself, and nothing
	eventually(t, "four", func() bool { return len(p.all()) == 4 }, w.dump)
	if want := []string{"0 a 1", "0 a 2", "0 a 3", "0 a "}; !slices.Equal(p.all(), want) {
		t.Errorf("heard %q, want %q", p.all(), want)
	}
	a.Ended(1000, "", true)
	eventually(t, "its end", func() bool { return w.actors.len() == 2 }, w.dump)
	free.say("tell a gone")
	p.bind(t, w, "a") // handled behind it
	free.say("tell a new")
	eventually(t, "five", func() bool { return len(p.all()) == 5 }, w.dump)
	if got := p.all()[4]; got != "0 a new" {
		t.Errorf("heard %q of an actor made after it was told", got)
	}
}

// TestTellBounds: what waits at an actor is bounded in bytes, also where each is nearly none; what is
// beyond is dropped, counted, and logged once.
func TestTellBounds(t *testing.T) {
	for name, tt := range map[string]struct{ size, tells, want int }{
		"exactly full":    {1 << 18, 4, 4},
		"one beyond":      {1 << 18, 5, 4},
		"one too large":   {1<<20 + 1, 1, 0},
		"one that fits":   {1 << 20, 2, 1},
		"many of nothing": {0, 10000, 1 << 20 / 128},
	} {
		t.Run(name, func(t *testing.T) {
			p := &teller{stuck: make(chan struct{})}
			var mu sync.Mutex
			var log strings.Builder
			w := newWorld(t, nil, p.step, func(c *Config) {
				c.Logger = slog.New(slog.NewTextHandler(writer(func(b []byte) (int, error) {
					mu.Lock()
					defer mu.Unlock()
					return log.Write(b)
				}), nil))
			})
			p.bind(t, w, "a")
			free := w.open()
			free.say(strings.TrimSuffix(strings.Repeat("tell a "+strings.Repeat("x", tt.size)+";", tt.tells), ";"))
			dropped := uint64(tt.tells - tt.want)
			eventually(t, fmt.Sprintf("%d dropped", dropped), func() bool { return w.Counts().Untold == dropped }, w.dump)
			close(p.stuck)
			eventually(t, fmt.Sprintf("%d heard", tt.want), func() bool { return len(p.all()) == tt.want }, w.dump)
			lines := func() int {
				mu.Lock()
				defer mu.Unlock()
				return strings.Count(log.String(), "too much waiting")
			}
			eventually(t, "a line in the log", func() bool { return lines() > 0 || dropped == 0 })
			if n := lines(); n > 3 || dropped == 0 && n > 0 { // one a second
				t.Errorf("%d lines for %d dropped", n, dropped)
			}
			free.say("tell a again") // there is room again
			eventually(t, "one more", func() bool { return len(p.all()) == tt.want+1 }, w.dump)
		})
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

// TestToldPoison: what ends the process at an actor without a session costs nobody anything but a pause.
func TestToldPoison(t *testing.T) {
	p := &teller{}
	w := newWorld(t, nil, func(in *fakeProcess, ev *wire.Event) []wire.Command {
		if ev.Kind == wire.Told && string(ev.Data) == "die" {
			in.byItself.Store(true)
			in.Kill()
			return nil
		}
		return p.step(in, ev)
	}, nil)
	a := p.bind(t, w, "a")
	free := w.open()
	free.say("tell a die;tell a 2")
	eventually(t, "the culprit", func() bool { return w.culprits.Load() == 1 && slices.Equal(p.all(), []string{"0 a 2"}) }, w.dump)
	free.say("tell a 3")
	eventually(t, "another", func() bool { return len(p.all()) == 2 }, w.dump)
	if a.code != 0 || free.code != 0 {
		t.Errorf("closed with %d and %d", a.code, free.code)
	}
}

// TestToldKeepsItsActor: what was not handled when the last session left is still handled.
func TestToldKeepsItsActor(t *testing.T) {
	p := &teller{stuck: make(chan struct{})}
	w := newWorld(t, &pluginv1.DescribeResponse{Name: "fake", Version: "1"}, p.step, nil)
	a := p.bind(t, w, "a")
	w.open().say("tell a 1;tell a 2")
	eventually(t, "what waits", func() bool {
		n := 0
		w.actors.each(func(a *Actor) {
			a.mu.Lock()
			defer a.mu.Unlock()
			if a.key() == "a" {
				n = a.box.Len()
			}
		})
		return n == 2
	}, w.dump)
	a.Ended(1000, "", true)
	close(p.stuck)
	eventually(t, "both", func() bool { return len(p.all()) == 2 }, w.dump)
	eventually(t, "the actor's end", func() bool { return w.actors.len() == 2 }, w.dump)
}
