package channel

import (
	"errors"
	"strings"
)

// Pattern stands for channels in bridge.hcl: a name for itself, or, with "*" at its end, all names
// that begin with what comes before. A "*" elsewhere means itself. The zero Pattern matches nothing.
type Pattern string

// ErrPattern is returned for a pattern that is not the beginning of any name.
var ErrPattern = errors.New("pattern cannot match any channel")

// CheckPattern returns nil when some channel can match, and else why none can.
func CheckPattern(p Pattern) error {
	prefix, open := strings.CutSuffix(string(p), "*")
	switch {
	case open && prefix == "":
		return nil
	case open && len(prefix) >= MaxLength:
		return ErrPattern
	case open:
		return Check(prefix)
	}
	return Check(string(p))
}

// Match reports whether the pattern stands for the channel.
func (p Pattern) Match(name string) bool {
	if prefix, open := strings.CutSuffix(string(p), "*"); open {
		return strings.HasPrefix(name, prefix)
	}
	return p != "" && string(p) == name
}

// MatchAny reports whether one of the patterns stands for the channel.
func MatchAny(patterns []Pattern, name string) bool {
	for _, p := range patterns {
		if p.Match(name) {
			return true
		}
	}
	return false
}
