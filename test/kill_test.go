//go:build linux

package test

import (
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// ctproto is a plugin block "ctproto" in front of the back-end, on the route /client.
func ctproto(backend *harness.Backend, attributes string) string {
	return harness.AuthBlock + backend.Upstream() + `
plugin "ctproto" {
` + attributes + `
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.logux.app
    channels = ["user/${user.id}"]
    config {
      token = payload.token
    }
  }
}
`
}

// The load of the stories about a plugin that goes away.
const (
	loadSessions = 200
	loadPipeline = 6
	loadEvery    = 50 * time.Millisecond
	killEvery    = 400 * time.Millisecond
)

func startLoad(t *testing.T, url string, backend *harness.Backend) *harness.Load {
	t.Helper()
	return harness.StartLoad(t, harness.LoadConfig{
		URL: url, Backend: backend, Sessions: loadSessions, Pipeline: loadPipeline, Every: loadEvery,
		Slow: size(2*time.Second, 500*time.Millisecond),
	})
}

// Whoever kills the plugin, again and again, closes no connection: every request is answered once,
// and the back-end is asked each once.
func TestKillUnderLoad(t *testing.T) {
	backend := harness.StartBackend(t)
	b := harness.Start(t, harness.Config{File: ctproto(backend, "")})
	load := startLoad(t, b.URL("/client"), backend)

	kills := 0
	every := time.NewTicker(killEvery)
	defer every.Stop()
	for end := time.Now().Add(size(10*time.Second, time.Second)); time.Now().Before(end); {
		<-every.C
		// All processes, so that one which tries suspected events is not spared.
		for _, pid := range b.Children() {
			if err := syscall.Kill(pid, syscall.SIGKILL); err == nil {
				kills++
			}
		}
	}
	report := load.Finish(t)
	t.Logf("%d kills: %v", kills, report)
	if restarts := b.Plugin("ctproto").Restarts; restarts == 0 {
		t.Error("no process was ever replaced: the story did not take place")
	}
}
