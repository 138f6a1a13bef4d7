package pluginhost

import (
	"context"
	"sync/atomic"
	"testing"
	"time"
)

// heldLauncher holds launches, once armed, until it is told to let them go.
type heldLauncher struct {
	Launcher
	armed atomic.Bool
	begun chan struct{} // gets one for each that is held
	hold  chan struct{} // closed: they go on
}

func (l *heldLauncher) Launch(ctx context.Context) (Process, error) {
	if l.armed.Load() {
		l.begun <- struct{}{}
		<-l.hold
	}
	return l.Launcher.Launch(ctx)
}

// TestStopDuringLaunch: an instance that is there only after Stop looked for instances is ended all
// the same, whoever launched it.
func TestStopDuringLaunch(t *testing.T) {
	tests := map[string]func(w *world){
		"restart": func(w *world) { w.launcher.last().Kill() },
		"replace": func(w *world) { go func() { _ = w.Replace(context.Background()) }() },
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			held := &heldLauncher{begun: make(chan struct{}, 1), hold: make(chan struct{})}
			w := newWorld(t, nil, echo, func(c *Config) { held.Launcher, c.Launcher = c.Launcher, held })
			held.armed.Store(true)
			old := w.launcher.last()
			begin(w)
			<-held.begun
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				w.Stop()
			}()
			<-w.ctx.Done()
			<-old.exited
			eventually(t, "Stop to have looked", func() bool { return len(w.live()) == 0 })
			close(held.hold)
			select {
			case <-stopped:
			case <-time.After(10 * time.Second):
				t.Fatal("Stop does not return")
			}
			eventually(t, "the end of all instances", func() bool { return len(w.live()) == 0 })
		})
	}
}
