//go:build linux

package logux

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// While the back-end is down for five seconds real clients lose their connections and try to come back: none is
// told that its credentials are wrong, each is back soon after the back-end is, and each of its actions had one
// outcome.
func TestLoguxOutage(t *testing.T) { //nolint:tparallel // beside each other, and nothing else
	for _, client := range loguxClients {
		t.Run(client.name, func(t *testing.T) {
			t.Parallel()
			clients := logux.StartClients(t, client.from)
			backend := logux.StartBackend(t)
			b := startLogux(t, backend.URL(), `timeout = "1s"`, "")
			backend.Play(map[string]logux.Script{"good": answers("authenticated"), "ok": granted})
			all := make([]*logux.RealClient, harness.Size(20, 5))
			told := make([][]string, len(all))
			for i := range all {
				all[i] = clients.Start(fmt.Sprint(i), logux.Options{
					"server": b.URL("/"), "subprotocol": client.subprotocol, "userId": fmt.Sprint(10 + i), "token": "good",
					"minDelay": 100, "maxDelay": 1000,
				})
			}
			hears := func(i int, want string) {
				t.Helper()
				told[i] = append(append(told[i], all[i].Expect(want)...), want)
			}
			backend.Down()
			down := time.Now()
			for i, c := range all {
				c.Sync(fmt.Sprintf(`{"type":"ok","before":%d}`, i))
				hears(i, "state synchronized") // it was taken
				c.Cut()
				hears(i, "state disconnected")
			}
			harness.Pause(harness.Size(5*time.Second, 2*time.Second) - time.Since(down))
			backend.Up()
			up := time.Now()
			for i, c := range all {
				hears(i, "state synchronized")
				c.Sync(`{"type":"ok"}`)
				hears(i, `processed {"type":"ok"}`)
			}
			t.Logf("all are back %v after the back-end", time.Since(up))
			for i, c := range all {
				told[i] = append(told[i], c.Told()...)
				before := 0
				for _, event := range told[i] {
					if strings.HasPrefix(event, "error") {
						t.Errorf("client %d was told %q", i, event)
					}
					if ending := fmt.Sprintf(`{"type":"ok","before":%d}`, i); event == "processed "+ending || strings.HasPrefix(event, "undone "+ending) {
						before++
					}
				}
				if before != 1 {
					t.Errorf("client %d was told %d times what became of its action", i, before)
				}
			}
		})
	}
}

// A thousand clients whose connections ended come back in one moment: each is let in, and its actions are done.
func TestLoguxStampede(t *testing.T) {
	n := harness.Size(1000, 200)
	backend := startLoguxBackend(t, approve)
	b := startLogux(t, backend.url, "connect_timeout = \"30s\"\n  timeout = \"30s\"", "")
	node := func(i int) string { return fmt.Sprintf("%d:c:t", i) }
	bots := startBots(t, b, n, node)
	for _, bt := range bots {
		bt.cut()
	}
	took := make([]time.Duration, n)
	moment := make(chan struct{})
	var all sync.WaitGroup
	for i := range bots {
		all.Go(func() {
			<-moment
			began := time.Now()
			bt, err := startBot(b, node(i))
			took[i] = time.Since(began)
			if err != nil {
				t.Errorf("client %d after %v: %v", i, took[i], err)
				return
			}
			defer bt.cut()
			if err := bt.do(`{"type":"a"}`); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			if err := bt.settle(); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			for id, outcomes := range bt.outcomes {
				if len(outcomes) != 1 || outcomes[0] != "processed" {
					t.Errorf("%s had the outcomes %q", id, outcomes)
				}
			}
		})
	}
	close(moment)
	all.Wait()
	slices.Sort(took)
	t.Logf("half of %d are connected within %v, all within %v", n, took[n/2], took[n-1])
	if restarts := b.Plugin("logux").Restarts; restarts != 0 {
		t.Errorf("the plugin was started again %d times", restarts)
	}
}
