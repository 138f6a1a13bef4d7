package pluginhost

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pgregory.net/rapid"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// modelKeys are the named actors of the model.
var modelKeys = []string{"k1", "k2"}

// checkOrders compares what was asked of the calls that are held, and what actors were told, with what
// an order is and a mailbox. Then it lets the calls end.
func checkOrders(t *rapid.T, w *world, back *held, clients []*modelClient) {
	eventually(t, "all events handled", func() bool {
		idle := true
		w.actors.each(func(a *Actor) {
			a.mu.Lock()
			idle = idle && a.box.Len() == 0
			a.mu.Unlock()
		})
		return idle
	}, w.dump)
	var want []string
	for _, c := range clients {
		own := c.sent
		if c.bound != "" {
			own = c.sent[:c.before]
		}
		want = append(want, started(own)...)
	}
	for _, key := range modelKeys {
		want = append(want, started(strings.Fields(w.cellOf(key, "holds")))...)
		checkTold(t, key, strings.Fields(w.cellOf(key, "told")), clients)
	}
	slices.Sort(want)
	eventually(t, fmt.Sprintf("asked %q", want), func() bool { return slices.Equal(back.sofar(), want) },
		w.dump, func() string { return fmt.Sprintf("asked %q", back.sofar()) })
	back.letGo()
}

// started says which of the calls were started, none of which ended: the first, and the next of those
// that wait for each that was detached while it ran.
func started(frames []string) []string {
	var running string
	var all, waiting []string
	for _, f := range frames {
		switch tag, free := strings.CutPrefix(f, "free-"); {
		case strings.HasPrefix(f, "hold"):
			waiting = append(waiting, f)
		case free && tag == running:
			running = ""
		}
		if running == "" && len(waiting) > 0 {
			running, waiting = waiting[0], waiting[1:]
			all = append(all, running)
		}
	}
	return all
}

// checkTold: each once, and those of one client in its order.
func checkTold(t *rapid.T, key string, got []string, clients []*modelClient) {
	n := 0
	for i, c := range clients {
		want := slices.DeleteFunc(slices.Clone(c.told), func(s string) bool { return !strings.HasPrefix(s, "tell-"+key+"-") })
		heard := slices.DeleteFunc(slices.Clone(got), func(s string) bool { return !slices.Contains(want, s) })
		if !slices.Equal(heard, want) {
			t.Fatalf("actor %s heard %q of client %d, want %q", key, heard, i, want)
		}
		n += len(want)
	}
	if len(got) != n {
		t.Fatalf("actor %s heard %d, want %d", key, len(got), n)
	}
}

// cellOf is a cell of a named actor.
func (w *world) cellOf(key, cell string) (text string) {
	w.actors.each(func(a *Actor) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.key() != key {
			return
		}
		a.cells.Range(func(k string, v []byte) {
			if k == cell {
				text = string(v)
			}
		})
	})
	return text
}

// letGo answers all that is asked from now on, and what was asked before.
func (h *held) letGo() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.free = true
	for _, c := range maps.All(h.open) {
		go func() { c <- &pluginv1.Answer{Last: true} }()
	}
	clear(h.open)
}
