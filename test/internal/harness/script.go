//go:build linux

package harness

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// Script is a program in JavaScript in a process of its own: it is told a line at a time, and says events, each
// a JSON array on a line.
type Script struct {
	t      testing.TB
	stdin  io.WriteCloser
	events chan []json.RawMessage
	exited chan struct{}

	mu     sync.Mutex // guards errors
	errors []byte     // what it wrote there
}

// RequirePackages skips the test where Node or one of the packages is not installed in a folder, as after a fresh
// clone. In CI that is a failure.
func RequirePackages(t testing.TB, folder string, names ...string) {
	t.Helper()
	_, err := exec.LookPath("node")
	for _, name := range names {
		if err == nil {
			_, err = os.Stat(filepath.Join(folder, "node_modules", name))
		}
	}
	if err == nil {
		return
	}
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skipf("what is in JavaScript cannot run, try npm ci in %s: %v", folder, err)
}

// mostEvents is how many events of a script may wait.
const mostEvents = 4096

// StartScript runs one, by its file and arguments, until the test ends.
func StartScript(t testing.TB, args ...string) *Script {
	t.Helper()
	cmd := exec.Command("node", args...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s := &Script{t: t, stdin: stdin, events: make(chan []json.RawMessage, mostEvents), exited: make(chan struct{})}
	cmd.Stderr = s
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.exited)
		defer close(s.events)
		lines := bufio.NewScanner(stdout)
		lines.Buffer(nil, 16<<20)
		for lines.Scan() {
			var event []json.RawMessage
			if json.Unmarshal(lines.Bytes(), &event) == nil {
				s.events <- event
			}
		}
		_ = cmd.Wait() // it is killed where it does not end by itself
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		late := time.AfterFunc(AnswerLimit, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		for range s.events {
			continue // nobody looks at them any more
		}
		<-s.exited
		if t.Failed() {
			t.Logf("%v wrote:\n%s", args, s.Errors())
		}
	})
	return s
}

// Write keeps what the script says of errors.
func (s *Script) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.errors = append(s.errors, text...)
	return len(text), nil
}

// Errors is what it has written of errors so far.
func (s *Script) Errors() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.errors)
}

// Tell gives it a command, as JSON on a line.
func (s *Script) Tell(command any) {
	s.t.Helper()
	line, err := json.Marshal(command)
	if err == nil {
		_, err = s.stdin.Write(append(line, '\n'))
	}
	if err != nil {
		s.t.Fatalf("%v\n%s", err, s.Errors())
	}
}

// Event waits for the next one.
func (s *Script) Event() []json.RawMessage {
	s.t.Helper()
	select {
	case e, ok := <-s.events:
		if !ok {
			s.t.Fatalf("the script ended:\n%s", s.Errors())
		}
		return e
	case <-time.After(AnswerLimit):
		s.t.Fatalf("the script says nothing:\n%s", s.Errors())
	}
	return nil
}

// Events are those that come, until it has ended. Whoever takes them has none from [Script.Event].
func (s *Script) Events() <-chan []json.RawMessage { return s.events }
