//go:build linux

package logux

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Whoever kills the plugin, again and again, while 200 clients have actions in flight closes no connection:
// each action ends in one outcome, and the back-end is asked each once.
func TestLoguxKills(t *testing.T) {
	const (
		clients   = 200
		inFlight  = 4
		killEvery = 300 * time.Millisecond
		answerIn  = 40 * time.Millisecond // and as long again behind approved
		every     = 25                    // of which the back-end forbids one
	)
	var mu sync.Mutex
	asked := make(map[string]int)
	backend := startLoguxBackend(t, func(w http.ResponseWriter, _ *http.Request, c *loguxCommand) {
		mu.Lock()
		asked[c.Meta.ID]++
		mu.Unlock()
		harness.Pause(answerIn)
		if c.Action.Type == "no" {
			fmt.Fprintf(w, `[{"answer":"forbidden","id":%q}]`, c.Meta.ID)
			return
		}
		fmt.Fprintf(w, `[{"answer":"approved","id":%q},`, c.Meta.ID)
		_ = http.NewResponseController(w).Flush()
		harness.Pause(answerIn)
		fmt.Fprintf(w, `{"answer":"processed","id":%q}]`, c.Meta.ID)
	})
	b := startLogux(t, backend.url, "max_connections = 512\n  connect_timeout = \"30s\"\n  timeout = \"30s\"", "")
	bots := startBots(t, b, clients, func(i int) string { return fmt.Sprintf("%d:c:t", i) })

	var over atomic.Bool
	var acting sync.WaitGroup
	for i, bt := range bots {
		acting.Go(func() {
			for n := i; !over.Load(); n++ {
				action := `{"type":"yes"}`
				if n%every == 0 {
					action = `{"type":"no"}`
				}
				if err := bt.do(action); err != nil {
					t.Errorf("client %d: %v", i, err)
					return
				}
				for {
					bt.mu.Lock()
					full := bt.open >= inFlight && bt.end == nil
					bt.mu.Unlock()
					if !full {
						break
					}
					select {
					case <-bt.changed:
					case <-bt.read:
					}
				}
			}
		})
	}
	kills := 0
	ticks := time.NewTicker(killEvery)
	defer ticks.Stop()
	for end := time.Now().Add(harness.Size(8*time.Second, 1500*time.Millisecond)); time.Now().Before(end); {
		<-ticks.C
		for _, pid := range b.Children() {
			if syscall.Kill(pid, syscall.SIGKILL) == nil {
				kills++
			}
		}
	}
	over.Store(true)
	acting.Wait()

	counts := make(map[string]int)
	for i, bt := range bots {
		if err := bt.settle(); err != nil {
			t.Errorf("client %d: %v", i, err)
			continue
		}
		for id, outcomes := range bt.outcomes {
			if len(outcomes) != 1 {
				t.Errorf("%s had the outcomes %q", id, outcomes)
				continue
			}
			counts[outcomes[0]]++
			want := 1
			if outcomes[0] == "undo error" {
				want = 0 // it waited behind one that was undone
			}
			mu.Lock()
			times := asked[id]
			mu.Unlock()
			if times != want {
				t.Errorf("the back-end was asked %s %d times; its outcome is %q", id, times, outcomes)
			}
		}
	}
	t.Logf("%d kills, outcomes: %v", kills, counts)
	if b.Plugin("logux").Restarts == 0 {
		t.Error("no process was ever replaced: the story did not take place")
	}
	if counts["processed"] == 0 || counts["undo denied"] == 0 || counts["undo error"] == 0 {
		t.Error("an outcome never occurred: the story did not take place")
	}
}
