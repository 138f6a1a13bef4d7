package expr

import (
	"bytes"
	"encoding/json"
	"errors"
	"unicode/utf8"
)

// step is one part of a path into a value: the name of a member, or the index of an element.
type step struct {
	name  string
	index int // of an element when name is not used
	isIdx bool
}

var errMalformed = errors.New("malformed JSON")

// find returns the JSON of the value at path in doc, or nil when there is none. It looks only at
// what lies between: doc is taken to be valid JSON. In a malformed one it finds something, nothing
// or an error, and never reads beyond its end. Of members of one name the last counts.
func find(doc []byte, path []step) ([]byte, error) {
	i := skipSpace(doc, 0)
	end := len(doc)
	for _, st := range path {
		if i >= end {
			return nil, errMalformed
		}
		var start, stop int
		var err error
		switch {
		case st.isIdx && doc[i] == '[':
			start, stop, err = element(doc[:end], i, st.index)
		case !st.isIdx && doc[i] == '{':
			start, stop, err = member(doc[:end], i, st.name)
		default:
			return nil, nil
		}
		if err != nil || start < 0 {
			return nil, err
		}
		i, end = start, stop
	}
	stop, err := skipValue(doc[:end], i)
	if err != nil {
		return nil, err
	}
	return doc[i:stop], nil
}

// member returns where the value of the last member of that name begins and ends in the object
// that begins at i; the beginning is -1 when there is none.
func member(b []byte, i int, name string) (start, stop int, err error) {
	start = -1
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == '}' {
		return start, stop, nil
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return 0, 0, errMalformed
		}
		keyEnd, err := skipString(b, i)
		if err != nil {
			return 0, 0, err
		}
		same := sameKey(b[i:keyEnd], name)
		i = skipSpace(b, keyEnd)
		if i >= len(b) || b[i] != ':' {
			return 0, 0, errMalformed
		}
		i = skipSpace(b, i+1)
		valueEnd, err := skipValue(b, i)
		if err != nil {
			return 0, 0, err
		}
		if same {
			start, stop = i, valueEnd
		}
		i = skipSpace(b, valueEnd)
		if i >= len(b) {
			return 0, 0, errMalformed
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case '}':
			return start, stop, nil
		default:
			return 0, 0, errMalformed
		}
	}
}

// element does for the n-th element of the array at i what member does for objects.
func element(b []byte, i, n int) (start, stop int, err error) {
	i = skipSpace(b, i+1)
	if i < len(b) && b[i] == ']' {
		return -1, 0, nil
	}
	for ; ; n-- {
		valueEnd, err := skipValue(b, i)
		if err != nil {
			return 0, 0, err
		}
		if n == 0 {
			return i, valueEnd, nil
		}
		i = skipSpace(b, valueEnd)
		if i >= len(b) {
			return 0, 0, errMalformed
		}
		switch b[i] {
		case ',':
			i = skipSpace(b, i+1)
		case ']':
			return -1, 0, nil
		default:
			return 0, 0, errMalformed
		}
	}
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// skipString returns where the string that begins at i ends, behind its closing quote.
func skipString(b []byte, i int) (int, error) {
	for from := i + 1; ; {
		n := bytes.IndexByte(b[from:], '"')
		if n < 0 {
			return 0, errMalformed
		}
		quote := from + n
		slash := quote
		for slash > from && b[slash-1] == '\\' {
			slash--
		}
		if (quote-slash)%2 == 0 {
			return quote + 1, nil
		}
		from = quote + 1
	}
}

func skipValue(b []byte, i int) (int, error) {
	if i >= len(b) {
		return 0, errMalformed
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		return skipNested(b, i)
	}
	start := i
	for i < len(b) && isScalar(b[i]) {
		i++
	}
	if i == start {
		return 0, errMalformed
	}
	return i, nil
}

func skipNested(b []byte, i int) (int, error) {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			end, err := skipString(b, i)
			if err != nil {
				return 0, err
			}
			i = end
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1, nil
			}
		}
		i++
	}
	return 0, errMalformed
}

// isScalar reports whether c can be in a number, true, false or null.
func isScalar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c == '-' || c == '+' || c == '.' || c == 'E'
}

func sameKey(quoted []byte, name string) bool {
	inner := quoted[1 : len(quoted)-1]
	if string(inner) == name {
		// A name never holds what would need an escape and stands there without.
		return true
	}
	if len(inner) < len(name) || bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return false
	}
	s, err := unquote(quoted)
	return err == nil && s == name
}

// unquote returns what a JSON string holds. As in encoding/json, bytes that are not UTF-8 and lone
// surrogates become U+FFFD.
func unquote(quoted []byte) (string, error) {
	inner := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), nil
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return "", errMalformed
	}
	return s, nil
}
