package pluginhost

import (
	"slices"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/core/session"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// framer notes how it was told to cut, and how many events were in the window then.
type framer struct {
	fakeTransport
	mu    sync.Mutex
	calls []uint64
	held  []int
	sess  *session.Session
}

func (f *framer) SetFraming(_ bool, bytes uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, bytes)
	if f.sess != nil {
		f.held = append(f.held, f.sess.InFlight())
	}
}

func (f *framer) told() ([]uint64, []int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls), slices.Clone(f.held)
}

// TestFraming: a session of TCP is told how to cut before the event that led to it leaves the window,
// also by its first event, and by the one that binds it.
func TestFraming(t *testing.T) {
	cut := func(bytes uint64) wire.Command {
		return wire.Command{Kind: wire.Framing, Cold: &pluginv1.Framing{Raw: true, RawBytes: bytes}}
	}
	w := newWorld(t, nil, func(_ *fakeProcess, ev *wire.Event) []wire.Command {
		switch {
		case ev.Kind == wire.Opened:
			return []wire.Command{cut(1)}
		case ev.Kind == wire.Frame && string(ev.Data) == "bind":
			return []wire.Command{{Kind: wire.Bind, Key: "k"}}
		case ev.Kind == wire.Bound:
			c := cut(3)
			c.Session = ev.Session
			return []wire.Command{c}
		case ev.Kind == wire.Frame:
			return []wire.Command{cut(2)}
		}
		return nil
	}, nil)
	f := new(framer)
	f.mu.Lock() // the step of the first event waits for the session to be known
	s := w.OpenSession(&session.Info{Route: "r", TCP: true}, nil, f, session.NewLimits(session.Limits{}))
	f.sess = s
	f.mu.Unlock()
	for i, text := range []string{"", "frame", "bind"} {
		if text != "" {
			s.Frame([]byte(text), false)
		}
		eventually(t, "framing "+text, func() bool { calls, _ := f.told(); return len(calls) == i+1 && s.Settled() }, w.dump)
	}
	calls, held := f.told()
	if !slices.Equal(calls, []uint64{1, 2, 3}) || slices.Contains(held, 0) {
		t.Errorf("told %v with %v in the window, want 1, 2, 3 and one at least", calls, held)
	}
}
