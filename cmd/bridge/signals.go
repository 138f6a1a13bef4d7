package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals are what the process is asked for from outside.
type signals struct {
	hurry  <-chan struct{} // closed by the second SIGTERM or SIGINT
	reload <-chan struct{} // SIGHUP; those that come while one is at work are one
}

// watchSignals takes signals until stop is called: from the very beginning, and until the end, so that
// none of them ends the process by itself but the third that asks it to end. The context ends with the
// first of these.
func watchSignals(ctx context.Context) (drain context.Context, s *signals, stop func()) {
	drain, end := context.WithCancel(ctx)
	hurry, reload, done := make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	// SIGPIPE too: that nobody reads the log any more is no reason to go.
	const few = 8
	came := make(chan os.Signal, few)
	signal.Notify(came, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	go func() {
		asked := 0
		for {
			select {
			case <-done:
				return
			case sig := <-came:
				switch sig {
				case syscall.SIGTERM, syscall.SIGINT:
					if asked++; asked == 1 {
						end()
						continue
					}
					signal.Reset(syscall.SIGTERM, syscall.SIGINT)
					if asked == 2 {
						close(hurry)
					}
				case syscall.SIGHUP:
					select {
					case reload <- struct{}{}:
					default:
					}
				}
			}
		}
	}()
	return drain, &signals{hurry, reload}, func() {
		signal.Stop(came)
		close(done)
		end()
	}
}
