package pluginhost

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// heldLauncher holds launches, once armed, until it is told to let them go.
type heldLauncher struct {
	Launcher
	armed atomic.Bool
	hold  chan struct{} // closed: they go on
}

func (l *heldLauncher) Launch(ctx context.Context) (Process, error) {
	if l.armed.Load() {
		<-l.hold
	}
	return l.Launcher.Launch(ctx)
}

// TestStopDuringLaunch: an instance that is there only after Stop looked for instances is ended all
// the same.
func TestStopDuringLaunch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := &heldLauncher{hold: make(chan struct{})}
		w := newWorld(t, nil, echo, func(c *Config) { held.Launcher, c.Launcher = c.Launcher, held })
		held.armed.Store(true)
		w.launcher.last().Kill()
		time.Sleep(time.Second) // now the next one is being launched
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			w.Stop()
		}()
		synctest.Wait() // Stop has looked, and waits
		close(held.hold)
		<-stopped
		if n := len(w.live()); n > 0 {
			t.Errorf("%d instances live on", n)
		}
	})
}
