//go:build linux

package logux

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Clients are Logux clients of npm, all in one process.
type Clients struct {
	t      testing.TB
	script *harness.Script

	mu     sync.Mutex // guards what follows
	byName map[string]*RealClient
}

// StartClients runs the clients of a package of test/logux until the test ends.
func StartClients(t testing.TB, from string) *Clients {
	t.Helper()
	cs := &Clients{t: t, script: startScript(t, "clients.mjs", from), byName: make(map[string]*RealClient)}
	go cs.dispatch()
	return cs
}

func (cs *Clients) dispatch() {
	for e := range cs.script.Events() {
		var name string
		if len(e) < 3 || json.Unmarshal(e[0], &name) != nil {
			cs.t.Errorf("a client says %s", e)
			continue
		}
		cs.mu.Lock()
		c := cs.byName[name]
		cs.mu.Unlock()
		c.events <- event(e[1:])
	}
}

// event is something that the application is told, as words of JSON.
func event(parts []json.RawMessage) string {
	words := make([]string, 0, len(parts))
	for _, p := range parts {
		words = append(words, strings.Trim(string(p), `"`))
	}
	return strings.Join(words, " ")
}

// RealClient is a client of npm.
type RealClient struct {
	cs     *Clients
	name   string
	events chan string
}

// Start makes a client with options of its constructor, connects it, and waits until it has connected.
func (cs *Clients) Start(name string, options Options) *RealClient {
	cs.t.Helper()
	c := cs.Connect(name, options)
	c.Expect("state synchronized")
	return c
}

// Connect makes a client with options of its constructor, and connects it.
func (cs *Clients) Connect(name string, options Options) *RealClient {
	cs.t.Helper()
	c := &RealClient{cs: cs, name: name, events: make(chan string, waiting)}
	cs.mu.Lock()
	cs.byName[name] = c
	cs.mu.Unlock()
	c.do("start", "options", options)
	return c
}

func (c *RealClient) do(what, key string, value any) {
	c.cs.t.Helper()
	c.cs.script.Tell(map[string]any{"client": c.name, "do": what, key: value})
}

// Sync sends an action, given as JSON.
func (c *RealClient) Sync(action string) {
	c.cs.t.Helper()
	c.do("sync", "action", json.RawMessage(action))
}

// Subscribe subscribes to a channel and waits until that is done.
func (c *RealClient) Subscribe(channel string) {
	c.cs.t.Helper()
	action := fmt.Sprintf(`{"type":"logux/subscribe","channel":%q}`, channel)
	c.Sync(action)
	c.Expect("processed " + action)
}

// Headers sets its headers.
func (c *RealClient) Headers(headers map[string]string) {
	c.cs.t.Helper()
	c.do("headers", "headers", headers)
}

// Cut ends its connection as a network does.
func (c *RealClient) Cut() {
	c.cs.t.Helper()
	c.do("cut", "now", true)
}

// Expect waits until the application is told this, and returns what it was told before: "state STATE",
// "add ACTION", "processed ACTION", "undone ACTION REASON" or "error TEXT".
func (c *RealClient) Expect(want string) (before []string) {
	c.cs.t.Helper()
	before, ok := c.Within(harness.AnswerLimit, want)
	if !ok {
		c.cs.t.Fatalf("client %s was told %q, and not %q\n%s", c.name, before, want, c.cs.script.Errors())
	}
	return before
}

// Within is Expect where it may not come.
func (c *RealClient) Within(limit time.Duration, want string) (before []string, ok bool) {
	late := time.After(limit)
	for {
		select {
		case got := <-c.events:
			if got == want {
				return before, true
			}
			before = append(before, got)
		case <-late:
			return before, false
		}
	}
}

// Told is what it was told and nobody has looked at.
func (c *RealClient) Told() (all []string) {
	for {
		select {
		case e := <-c.events:
			all = append(all, e)
		default:
			return all
		}
	}
}
