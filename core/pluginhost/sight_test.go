package pluginhost

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/proto/wire"
)

// TestCounts: what is handled, timed and given to another instance, also across deaths.
func TestCounts(t *testing.T) {
	var mu sync.Mutex
	var times []time.Duration
	w := newWorld(t, nil, echo, func(c *Config) {
		c.Handled = func(d time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			times = append(times, d)
		}
	})
	good, bad := w.open(), w.open()
	for i := range 10 {
		good.say(fmt.Sprint(i))
	}
	eventually(t, "all answers", func() bool { return len(good.got()) == 10 })
	eventually(t, "all acks", func() bool { return w.Counts().Events == 12 }) // with both Opened
	if got := w.Counts(); got.Redelivered != 0 || got.Restarts != 0 {
		t.Errorf("before any death: %+v", got)
	}
	bad.say("die")
	eventually(t, "the culprit's end", func() bool {
		bad.mu.Lock()
		defer bad.mu.Unlock()
		return bad.code == 1011
	})
	good.say("after")
	eventually(t, "the last answer", func() bool { return len(good.got()) == 11 })
	eventually(t, "the last ack", func() bool { return w.Counts().Events >= 13 })
	if got := w.Counts(); got.Redelivered < 2 || got.Restarts < 1 || got.Events != 13 {
		t.Errorf("after deaths: %+v", got)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(times) == 0 || len(times) > 13 {
		t.Errorf("%d events were timed", len(times))
	}
	for _, d := range times {
		if d < 0 || d > time.Minute {
			t.Errorf("an event took %v", d)
		}
	}
}

// TestNotes: whoever watches a session sees what comes in and what its plugin does.
func TestNotes(t *testing.T) {
	w := newWorld(t, nil, echo, nil)
	c := w.open()
	var mu sync.Mutex
	var seen []string
	stop := c.Watch(func(what, kind string, bytes int) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, fmt.Sprint(what, " ", kind, " ", bytes))
	})
	c.say("four")
	eventually(t, "the answer", func() bool { return len(c.got()) == 1 })
	c.Eof()
	stop()
	mu.Lock()
	defer mu.Unlock()
	for _, want := range []string{"event frame 4", "event eof 0"} {
		if !slices.Contains(seen, want) {
			t.Errorf("no %q in %q", want, seen)
		}
	}
	for k, want := range map[wire.Kind]string{wire.Delivery: "delivery", wire.Resumed: "other"} {
		if got := eventName(k); got != want {
			t.Errorf("event %d is called %q, want %q", k, got, want)
		}
	}
	for k, want := range map[wire.Kind]string{wire.Join: "join", wire.Consume: "consume", 99: "other"} {
		if got := commandName(k); got != want {
			t.Errorf("command %d is called %q, want %q", k, got, want)
		}
	}
}
