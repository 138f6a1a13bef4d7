package channel_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/internal/channel"
)

func TestPattern(t *testing.T) {
	for _, tc := range []struct {
		pattern channel.Pattern
		name    string
		want    bool
	}{
		{"news", "news", true},
		{"news", "news/1", false},
		{"news", "new", false},
		{"chat/*", "chat/1", true},
		{"chat/*", "chat/1/2", true},
		{"chat/*", "chat/", true},
		{"chat/*", "chat", false},
		{"chat/*", "chats/1", false},
		{"*", "anything", true},
		{"a*b", "a*b", true},
		{"a*b", "axb", false},
		{"a**", "a*b", true},
		{"a**", "ab", false},
		{"", "", false},
		{"", "a", false},
	} {
		if got := tc.pattern.Match(tc.name); got != tc.want {
			t.Errorf("%q on %q: %v, want %v", tc.pattern, tc.name, got, tc.want)
		}
	}
	if !channel.MatchAny([]channel.Pattern{"a", "b/*"}, "b/1") || channel.MatchAny(nil, "a") {
		t.Error("MatchAny")
	}
}

func TestCheckPattern(t *testing.T) {
	long := channel.Pattern(strings.Repeat("x", channel.MaxLength))
	for _, tc := range []struct {
		pattern channel.Pattern
		want    error
	}{
		{"news", nil},
		{"users/*", nil},
		{"*", nil},
		{long, nil},
		{long + "*", channel.ErrPattern},
		{"", channel.ErrEmpty},
		{"$core/*", channel.ErrReserved},
		{"a b*", channel.ErrSpace},
		{"a\x00", channel.ErrControl},
	} {
		if got := channel.CheckPattern(tc.pattern); !errors.Is(got, tc.want) {
			t.Errorf("%.20q: %v, want %v", tc.pattern, got, tc.want)
		}
	}
}
