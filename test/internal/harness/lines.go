//go:build linux

package harness

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// LinesPlugin is the plugin block "lines" of bridge.hcl, on the route /lines; attributes are those
// that the story adds to it.
func LinesPlugin(attributes string) string {
	return fmt.Sprintf("plugin \"lines\" {\n  command = [%q]\n%s\n  route \"/lines\" {\n    auth = auth.none\n  }\n}\n",
		Program("lines"), attributes)
}

// Lines is a client of the plugin lines.
type Lines struct{ ws *websocket.Conn }

// DialLines opens a session and takes the greeting.
func DialLines(url string) (*Lines, error) {
	ws, err := Dial(url)
	if err != nil {
		return nil, err
	}
	l := &Lines{ws}
	if greeting, err := l.Read(AnswerLimit); err != nil || greeting != "hello" {
		_ = ws.Close()
		return nil, fmt.Errorf("greeting %q: %w", greeting, err)
	}
	return l, nil
}

// MustDialLines is DialLines for the test's own goroutine; the session is closed when it ends.
func MustDialLines(t testing.TB, url string) *Lines {
	t.Helper()
	l, err := DialLines(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

// Send sends a line.
func (l *Lines) Send(line string) error { return Send(l.ws, line) }

// Read returns the next line.
func (l *Lines) Read(limit time.Duration) (string, error) {
	data, err := read(l.ws, limit)
	return string(data), err
}

// Ask sends a line and returns the next one that comes.
func (l *Lines) Ask(line string) (string, error) { return Ask(l.ws, line) }

// AwaitClose is AwaitClose of its connection.
func (l *Lines) AwaitClose(limit time.Duration) (code int, reason string, err error) {
	return AwaitClose(l.ws, limit)
}

// Close closes the connection.
func (l *Lines) Close() { Close(l.ws) }

// Neighbours are sessions of the plugin lines that echo one line after another and have nothing to
// do with what the story is about.
type Neighbours struct {
	stop    chan struct{}
	running sync.WaitGroup
	echoes  atomic.Int64
	worst   atomic.Int64 // ns

	mu     sync.Mutex
	faults []error // guarded by mu
}

// neighbourPause is between two echoes of a neighbour.
const neighbourPause = 5 * time.Millisecond

// StartNeighbours opens n sessions at url and lets them echo.
func StartNeighbours(t testing.TB, url string, n int) *Neighbours {
	t.Helper()
	all := &Neighbours{stop: make(chan struct{})}
	for i := range n {
		l := MustDialLines(t, url)
		all.running.Go(func() {
			if err := all.echo(l, i); err != nil {
				all.mu.Lock()
				all.faults = append(all.faults, fmt.Errorf("neighbour %d: %w", i, err))
				all.mu.Unlock()
			}
		})
	}
	return all
}

func (n *Neighbours) echo(l *Lines, number int) error {
	tick := time.NewTicker(neighbourPause)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case <-n.stop:
			return nil
		case <-tick.C:
		}
		want := fmt.Sprintf("%d of %d", i, number)
		asked := time.Now()
		got, err := l.Ask("ECHO " + want)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("echo %q, want %q", got, want)
		}
		Raise(&n.worst, int64(time.Since(asked)))
		n.echoes.Add(1)
	}
}

// Finish ends the neighbours' sessions and fails the test unless each stayed open, got each echo
// once and in order, and waited no longer than the bound. It returns the longest wait.
func (n *Neighbours) Finish(t testing.TB, bound time.Duration) time.Duration {
	t.Helper()
	close(n.stop)
	n.running.Wait()
	for _, err := range n.faults {
		t.Error(err)
	}
	worst := time.Duration(n.worst.Load())
	if worst > bound {
		t.Errorf("a neighbour waited %v, want at most %v", worst, bound)
	}
	if n.echoes.Load() == 0 {
		t.Error("the neighbours got no echo at all")
	}
	return worst.Round(time.Millisecond)
}
