package files

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxName bounds a name in bytes.
const maxName = 100

// CleanName returns what is shown of the name that a client gave a file: its last element, without
// control characters and leading dots, cut to 100 bytes, "file" if nothing is left.
func CleanName(name string) string {
	name = strings.ToValidUTF8(name[strings.LastIndexAny(name, `/\`)+1:], "\uFFFD")
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, name)
	name = strings.TrimLeft(name, ".")
	if len(name) > maxName {
		end := maxName
		for !utf8.RuneStart(name[end]) {
			end--
		}
		name = name[:end]
	}
	if name == "" {
		return "file"
	}
	return name
}
