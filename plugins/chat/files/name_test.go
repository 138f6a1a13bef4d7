package files

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCleanName(t *testing.T) {
	for name, want := range map[string]string{
		"note.txt":                     "note.txt",
		"../../etc/x":                  "x",
		`a\b`:                          "b",
		`a/b\c/d`:                      "d",
		"..hidden":                     "hidden",
		"a\x00b\nc\x7f\u0085":          "abc",
		"":                             "file",
		"...":                          "file",
		"a/":                           "file",
		"\xff":                         "\uFFFD",
		"\x01..x":                      "x",
		strings.Repeat("é", 60):        strings.Repeat("é", 50),
		"x" + strings.Repeat("é", 60):  "x" + strings.Repeat("é", 49),
		strings.Repeat("a", 101):       strings.Repeat("a", 100),
		"a__b":                         "a__b",
		"C:\\Users\\x\\mein Bild.jpeg": "mein Bild.jpeg",
	} {
		if got := CleanName(name); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func FuzzCleanName(f *testing.F) {
	f.Add("../x")
	f.Add("\xff\x00é")
	f.Fuzz(func(t *testing.T, name string) {
		clean := CleanName(name)
		if clean == "" || len(clean) > maxName || !utf8.ValidString(clean) || strings.ContainsAny(clean, "/\\\x00\n") || clean[0] == '.' {
			t.Errorf("%q: got %q", name, clean)
		}
		if again := CleanName(clean); again != clean {
			t.Errorf("%q: got %q, then %q", name, clean, again)
		}
	})
}
