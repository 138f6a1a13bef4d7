//go:build linux

package logux

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// knownDifferences compares transcripts, and notes which rewrites were needed.
type knownDifferences struct {
	mu       sync.Mutex // guards what follows
	rewrites []int      // how often each was used
	played   map[string]bool
}

func newKnownDifferences() *knownDifferences {
	return &knownDifferences{rewrites: make([]int, len(loguxRewrites)), played: make(map[string]bool)}
}

// check fails the test where the transcripts of a scene differ otherwise than the tables say.
func (k *knownDifferences) check(t *testing.T, scene string, original, bridge []string) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.played[scene] = true
	original, bridge = k.rewrite(original, true), k.rewrite(bridge, false)
	want := ""
	if d := differenceOf(scene); d != nil {
		want = strings.Trim(d.lines, "\n")
	}
	if got := unified(original, bridge); got != want {
		t.Errorf("differs by\n%s\nand should by\n%s", got, want)
		t.Logf("the scene with Bridge:\n%s", strings.Join(bridge, "\n"))
	}
}

// ofBridge are the lines of a transcript with Bridge, as they are compared.
func (k *knownDifferences) ofBridge(lines []string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rewrite(lines, false)
}

func (k *knownDifferences) rewrite(lines []string, original bool) []string {
	lines = slices.Clone(lines)
	for i, r := range loguxRewrites {
		for j, line := range lines {
			if r.original == original && r.has.MatchString(line) {
				lines[j] = r.has.ReplaceAllString(line, r.means)
				k.rewrites[i]++
			}
		}
	}
	return lines
}

// unified writes what differs: "- " before what the original server has, "+ " before what Bridge has,
// and an empty line between places.
func unified(original, bridge []string) string {
	var places []string
	for _, h := range logux.Compare(original, bridge) {
		var lines []string
		for _, line := range h.Want {
			lines = append(lines, "- "+line)
		}
		for _, line := range h.Got {
			lines = append(lines, "+ "+line)
		}
		places = append(places, strings.Join(lines, "\n"))
	}
	return strings.Join(places, "\n\n")
}

// checkTables fails the test for what is in the tables and did not occur.
func (k *knownDifferences) checkTables(t *testing.T) {
	t.Helper()
	for i, times := range k.rewrites {
		if times == 0 {
			t.Errorf("nowhere is %v", loguxRewrites[i].has)
		}
	}
	for _, d := range loguxDifferences {
		for _, scene := range d.scenes {
			if !k.played[scene] {
				t.Errorf("there is no scene %s", scene)
			}
		}
	}
}
