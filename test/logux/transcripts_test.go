//go:build linux

package logux

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write the transcripts of Logux scenes into testdata")

// transcripts are what came of scenes, by their names, in the order of the file.
type transcripts struct {
	file string

	mu    sync.Mutex // guards what follows
	names []string
	lines map[string][]string
}

const sceneMark = "== "

func newTranscripts(name string) *transcripts {
	return &transcripts{file: filepath.Join("testdata", name+".txt"), lines: make(map[string][]string)}
}

func readTranscripts(t *testing.T, name string) *transcripts {
	t.Helper()
	ts := newTranscripts(name)
	text, err := os.ReadFile(ts.file)
	if err != nil {
		t.Fatal(err)
	}
	scene := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, sceneMark); ok {
			scene = name
			ts.add(scene, []string{})
		} else if scene != "" && line != "" {
			ts.lines[scene] = append(ts.lines[scene], line)
		}
	}
	return ts
}

func (ts *transcripts) add(scene string, lines []string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.names = append(ts.names, scene)
	ts.lines[scene] = lines
}

// check fails the test where the lines of a scene are others.
func (ts *transcripts) check(t *testing.T, scene string, got []string) {
	t.Helper()
	if diff := unified(ts.lines[scene], got); diff != "" {
		t.Errorf("%s differs from %s by\n%s", scene, ts.file, diff)
	}
}

func (ts *transcripts) write(t *testing.T, title string) {
	t.Helper()
	var w strings.Builder
	fmt.Fprintf(&w, "%s `>` is from a client, `<` to it,\n`@` what the back-end was asked. Written by go test ./test/logux -update.\n", title)
	for _, name := range ts.names {
		fmt.Fprintf(&w, "\n%s%s\n%s\n", sceneMark, name, strings.Join(ts.lines[name], "\n"))
	}
	err := cmp.Or(os.MkdirAll(filepath.Dir(ts.file), 0o755), os.WriteFile(ts.file, []byte(w.String()), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}
