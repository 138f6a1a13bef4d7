package nearest_test

import (
	"testing"

	"github.com/protocol-bridge/bridge/internal/nearest"
)

func TestDistance(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		want int
	}{
		{"", "", 0},
		{"", "abc", 3},
		{"abc", "", 3},
		{"abc", "abc", 0},
		{"abc", "abd", 1},
		{"abc", "acb", 1},
		{"kitten", "sitting", 3},
		{"listner", "listener", 1},
		{"größe", "grösse", 2},
	}
	for _, tt := range tests {
		if got := nearest.Distance(tt.a, tt.b); got != tt.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", tt.a, tt.b, got, tt.want)
		}
		if got := nearest.Distance(tt.b, tt.a); got != tt.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", tt.b, tt.a, got, tt.want)
		}
	}
}

func TestName(t *testing.T) {
	t.Parallel()
	candidates := []string{"user", "claims", "request", "session", "api"}
	tests := []struct{ name, want string }{
		{"usr", "user"},
		{"users", "user"},
		{"USER", "user"},
		{"claim", "claims"},
		{"reqest", "request"},
		{"sesion", "session"},
		{"ap", "api"},
		{"pi", "api"},
		{"x", ""},
		{"", ""},
		{"payload", ""},
	}
	for _, tt := range tests {
		if got := nearest.Name(tt.name, candidates); got != tt.want {
			t.Errorf("Name(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}
