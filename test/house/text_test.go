package house

import (
	"path"
	"regexp"
	"strings"
	"testing"
)

// The patterns are written so that they do not match themselves.
var (
	machinePath = regexp.MustCompile(`/(?:work|root|Users)/`)
	marker      = regexp.MustCompile(`\b(?:TO[D]O|FIX[M]E|XX[X])\b`)
)

// A path of one machine means nothing on the next.
func TestNoMachinePaths(t *testing.T) {
	for _, f := range files(t, "*") {
		report(t, f, machinePath, "a path of somebody's machine")
	}
}

// What is left to do is done, or written down where it is planned.
func TestNoMarkers(t *testing.T) {
	for _, f := range files(t, "*") {
		if isOthers(f.path) {
			continue
		}
		report(t, f, marker, "a marker of unfinished work")
	}
}

// isOthers reports whether a file's words are not ours: checksums, and what fuzzing found.
func isOthers(name string) bool {
	switch path.Base(name) {
	case "go.sum", "package-lock.json":
		return true
	}
	return strings.Contains(name, "testdata/fuzz/")
}

func report(t *testing.T, f file, pattern *regexp.Regexp, what string) {
	t.Helper()
	number := 0
	for line := range strings.Lines(string(f.data)) {
		number++
		if found := pattern.FindString(line); found != "" {
			t.Errorf("%s:%d: %s: %s", f.path, number, what, found)
		}
	}
}
