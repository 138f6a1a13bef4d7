package rawjson

import (
	"encoding/json"
	"iter"
	"unicode/utf8"
)

// Kind is the kind of a JSON value.
type Kind uint8

// The kinds; Invalid is that of no value at all.
const (
	Invalid Kind = iota
	Object
	Array
	String
	Number
	Bool
	Null
)

// KindOf returns the kind of a valid value by its first byte.
func KindOf(raw []byte) Kind {
	i := skipSpace(raw, 0)
	if i == len(raw) {
		return Invalid
	}
	switch c := raw[i]; {
	case c == '{':
		return Object
	case c == '[':
		return Array
	case c == '"':
		return String
	case c == '-' || c >= '0' && c <= '9':
		return Number
	case c == 't' || c == 'f':
		return Bool
	case c == 'n':
		return Null
	}
	return Invalid
}

// Members yields the keys, as they are written with their quotes, and values of a valid object, in
// order, duplicates as well. Both point into raw. What is no object has none.
func Members(raw []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		i := skipSpace(raw, 0)
		if i == len(raw) || raw[i] != '{' {
			return
		}
		for i = skipSpace(raw, i+1); i < len(raw) && raw[i] == '"'; {
			end := skipValue(raw, i)
			key := raw[i:end:end]
			i = skipSpace(raw, end)
			if i == len(raw) { // only in what was not valid
				return
			}
			i = skipSpace(raw, i+1)
			end = skipValue(raw, i)
			if end == i || !yield(key, raw[i:end:end]) {
				return
			}
			if i = skipSpace(raw, end); i == len(raw) || raw[i] != ',' {
				return
			}
			i = skipSpace(raw, i+1)
		}
	}
}

// Elements yields the elements of a valid array in order; they point into raw. What is no array has
// none.
func Elements(raw []byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		i := skipSpace(raw, 0)
		if i == len(raw) || raw[i] != '[' {
			return
		}
		for i = skipSpace(raw, i+1); i < len(raw) && raw[i] != ']'; {
			end := skipValue(raw, i)
			if end == i || !yield(raw[i:end:end]) {
				return
			}
			if i = skipSpace(raw, end); i == len(raw) || raw[i] != ',' {
				return
			}
			i = skipSpace(raw, i+1)
		}
	}
}

// Cut returns the value at the beginning of raw, and what follows it: nothing but a part of a valid text
// may. Both point into raw; without a value the first is empty.
func Cut(raw []byte) (value, rest []byte) {
	from := skipSpace(raw, 0)
	end := skipValue(raw, from)
	return raw[from:end:end], raw[end:]
}

// CutElement is [Cut] for an element of an array: it also takes the comma behind it. Behind the last one
// follows the bracket.
func CutElement(raw []byte) (element, rest []byte) {
	element, rest = Cut(raw)
	if i := skipSpace(rest, 0); i < len(rest) && rest[i] == ',' {
		rest = rest[i+1:]
	}
	return element, rest
}

// Text returns what a valid string says; ok is false for what is no string. Without escapes it
// points into raw. Bytes that are not UTF-8 stay as they are unless there are escapes too.
func Text(raw []byte) (text []byte, ok bool) {
	if len(raw) < 2 || raw[0] != '"' || raw[len(raw)-1] != '"' {
		return nil, false
	}
	inner := raw[1 : len(raw)-1 : len(raw)-1]
	for _, c := range inner {
		if c == '\\' {
			var s string
			if json.Unmarshal(raw, &s) != nil {
				return nil, false
			}
			return []byte(s), true
		}
	}
	return inner, true
}

// Equal reports whether raw is a string that says text.
func Equal(raw []byte, text string) bool {
	got, ok := Text(raw)
	return ok && string(got) == text
}

// AppendString appends text as a JSON string with no escapes but the necessary; bytes that are not
// UTF-8 become U+FFFD.
func AppendString(dst []byte, text string) []byte {
	const digits = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(text[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, text[from:i]...)
				dst = append(dst, "\uFFFD"...)
				from = i + 1
			}
			i += size
			continue
		}
		dst = append(dst, text[from:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"')
}

func skipSpace(raw []byte, i int) int {
	for i < len(raw) && isSpace(raw[i]) {
		i++
	}
	return i
}

// skipValue returns the index behind the value that begins at i, or i when none does.
func skipValue(raw []byte, i int) int {
	if i == len(raw) {
		return i
	}
	switch raw[i] {
	case '"':
		return skipString(raw, i)
	case '{', '[':
		for depth := 0; i < len(raw); {
			switch raw[i] {
			case '"':
				i = skipString(raw, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return i
	}
	for i < len(raw) {
		switch raw[i] {
		case ',', ']', '}', ':', ' ', '\n', '\r', '\t':
			return i
		}
		i++
	}
	return i
}

func skipString(raw []byte, i int) int {
	for i++; i < len(raw); i++ {
		switch raw[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(raw)
}
