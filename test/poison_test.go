//go:build linux

package test

import (
	"fmt"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const (
	neighbours = 20
	// restartBound is how long a neighbour may wait while a plugin that ended is started again, which
	// takes a tenth of a second where nothing else runs.
	restartBound = 5 * time.Second
	// Restarts that one poisonous event may cost: as often as it takes to suspect it, and to be sure.
	maxRestarts = 3
	internal    = 1011
)

// A line that ends the plugin each time costs the session that sent it, and nobody else.
func TestPoison(t *testing.T) {
	for _, verb := range []string{"CRASH", "BOOM"} {
		t.Run(verb, func(t *testing.T) {
			b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
			others := harness.StartNeighbours(t, b.URL("/lines"), neighbours)
			poison(t, b, verb)
			worst := others.Finish(t, restartBound)
			p := b.Plugin("lines")
			t.Logf("neighbours waited at most %v, %d restarts", worst, p.Restarts)
			if p.Restarts > maxRestarts {
				t.Errorf("%d restarts, want at most %d", p.Restarts, maxRestarts)
			}
			if !b.Names("lines", "its session is closed") {
				t.Error("the log does not say which event ends the plugin")
			}
		})
	}
}

// poison sends the line in a session of its own and waits for that to be closed.
func poison(t *testing.T, b *harness.Bridge, line string) {
	t.Helper()
	l := harness.MustDialLines(t, b.URL("/lines"))
	if err := l.Send(line); err != nil {
		t.Fatal(err)
	}
	code, reason, err := l.AwaitClose(harness.AnswerLimit)
	if code != internal || err != nil {
		t.Errorf("after %s: close %d %q, error %v; want %d", line, code, reason, err, internal)
	}
}

// Whoever comes back with the same poison, again and again, finds that it takes nobody along.
func TestPoisonAgainAndAgain(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	others := harness.StartNeighbours(t, b.URL("/lines"), neighbours)
	times := size(10, 3)
	for range times {
		poison(t, b, "CRASH")
	}
	worst := others.Finish(t, restartBound)
	p := b.Plugin("lines")
	t.Logf("poison %d times: neighbours waited at most %v, %d restarts", times, worst, p.Restarts)
	if limit := maxRestarts * times; p.Restarts > limit {
		t.Errorf("%d restarts, want at most %d", p.Restarts, limit)
	}
}

// A line at which the plugin hangs each time costs the session that sent it, and nobody else waits
// for longer than it takes to start another instance, while the plugin hangs four times as long.
func TestPoisonThatHangs(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin(`  event_timeout = "2s"`)})
	others := harness.StartNeighbours(t, b.URL("/lines"), neighbours)
	start := time.Now()
	poison(t, b, "HANG")
	took := time.Since(start)
	worst := others.Finish(t, restartBound)
	p := b.Plugin("lines")
	t.Logf("closed after %v; neighbours waited at most %v, %d restarts", took.Round(time.Millisecond), worst, p.Restarts)
	if p.Restarts > maxRestarts {
		t.Errorf("%d restarts, want at most %d", p.Restarts, maxRestarts)
	}
}

// What a session sent before the poison is answered, and state that it had dies with it alone.
func TestPoisonAfterAnswers(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	l := harness.MustDialLines(t, b.URL("/lines"))
	witness := harness.MustDialLines(t, b.URL("/lines"))
	if _, err := witness.Ask("STATE kept"); err != nil {
		t.Fatal(err)
	}
	const before = 50
	for i := range before {
		if err := l.Send(fmt.Sprintf("ECHO %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"CRASH", "ECHO never"} {
		if err := l.Send(line); err != nil {
			t.Fatal(err)
		}
	}
	for i := range before {
		got, err := l.Read(harness.AnswerLimit)
		if want := fmt.Sprint(i); got != want || err != nil {
			t.Fatalf("echo %q, error %v, want %q", got, err, want)
		}
	}
	if got, err := l.Read(harness.AnswerLimit); err == nil {
		t.Errorf("%q behind the poison, want the end", got)
	}
	if got, err := witness.Ask("STATE"); got != "kept" || err != nil {
		t.Errorf("state of another session %q, error %v, want %q", got, err, "kept")
	}
}
