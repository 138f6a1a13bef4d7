package plugins

import (
	"slices"
	"strings"
	"testing"
)

func TestBuiltin(t *testing.T) {
	if !slices.IsSortedFunc(Builtin, func(a, b Plugin) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the list is not sorted")
	}
	for _, p := range Builtin {
		if got, ok := Find(p.Name); !ok || got.Name != p.Name || got.Main == nil {
			t.Errorf("%q is not found", p.Name)
		}
	}
	if _, ok := Find("nobody"); ok {
		t.Error("an unknown plugin is found")
	}
}

// A plugin that is started by hand says where it belongs, whatever its name.
func TestStartedByHand(t *testing.T) {
	for _, p := range Builtin {
		if status := p.Main(); status != 1 {
			t.Errorf("%s: status %d, want 1", p.Name, status)
		}
	}
}
