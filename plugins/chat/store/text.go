package store

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

var (
	loginForm = regexp.MustCompile(`^[a-z0-9_-]{3,22}\z`)
	passForm  = regexp.MustCompile(`^[A-Fa-f0-9]{64}\z`)
	tokenForm = regexp.MustCompile(`^[a-f0-9]{64}[a-z0-9_-]{3,22}\z`)
)

// maxEvent bounds the id of an event in bytes.
const maxEvent = 512

// isText reports whether both databases can hold a text, of so many bytes.
func isText(s string, least, most int) bool {
	return len(s) >= least && len(s) <= most && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0
}

// lower lowers ASCII letters only, as the original compares.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
