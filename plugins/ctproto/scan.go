package ctproto

import "slices"

// maxDepth is how deep values may lie in each other, as in encoding/json.
const maxDepth = 10000

// members are the values of a frame's top-level members that matter, as they are written; nil for
// one that is absent. Of duplicates it is the last.
type members struct{ id, typ, payload []byte }

// scan checks that frame is one JSON value, in one pass and without decoding anything, and finds the
// members if it is an object.
func scan(frame []byte) (m members, ok bool) {
	s := scanner{frame, 0}
	s.space()
	if s.at('{') {
		ok = s.object(&m, 1)
	} else {
		ok = s.value(0)
	}
	if !ok {
		return members{}, false
	}
	s.space()
	return m, s.i == len(frame)
}

// scanner is at b[i]. Its methods step over what they are named after; false means that it is not
// there.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) at(c byte) bool { return s.i < len(s.b) && s.b[s.i] == c }

func (s *scanner) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\n', '\t', '\r':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) value(depth int) bool {
	if s.i == len(s.b) {
		return false
	}
	switch c := s.b[s.i]; c {
	case '"':
		return s.text()
	case '{':
		return s.object(nil, depth+1)
	case '[':
		return s.array(depth + 1)
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) literal(text string) bool {
	if len(s.b)-s.i < len(text) || string(s.b[s.i:s.i+len(text)]) != text {
		return false
	}
	s.i += len(text)
	return true
}

// object is at the opening brace. m, if not nil, takes note of members.
func (s *scanner) object(m *members, depth int) bool {
	if depth > maxDepth {
		return false
	}
	s.i++
	s.space()
	if s.at('}') {
		s.i++
		return true
	}
	for {
		key := s.i
		if !s.at('"') || !s.text() {
			return false
		}
		name := s.b[key:s.i]
		s.space()
		if !s.at(':') {
			return false
		}
		s.i++
		s.space()
		from := s.i
		if !s.value(depth) {
			return false
		}
		if m != nil {
			m.note(name, s.b[from:s.i:s.i])
		}
		s.space()
		switch {
		case s.at(','):
			s.i++
			s.space()
		case s.at('}'):
			s.i++
			return true
		default:
			return false
		}
	}
}

// array is at the opening bracket.
func (s *scanner) array(depth int) bool {
	if depth > maxDepth {
		return false
	}
	s.i++
	s.space()
	if s.at(']') {
		s.i++
		return true
	}
	for {
		if !s.value(depth) {
			return false
		}
		s.space()
		switch {
		case s.at(','):
			s.i++
			s.space()
		case s.at(']'):
			s.i++
			return true
		default:
			return false
		}
	}
}

// ends marks the bytes that are not simply part of a string.
var ends = func() (t [256]bool) {
	for c := range byte(' ') {
		t[c] = true
	}
	t['"'], t['\\'] = true, true
	return t
}()

// text is at the opening quote.
func (s *scanner) text() bool {
	b, i := s.b, s.i+1
	for {
		for i < len(b) && !ends[b[i]] {
			i++
		}
		if i == len(b) {
			return false
		}
		switch b[i] {
		case '"':
			s.i = i + 1
			return true
		case '\\':
			n := escape(b[i:])
			if n == 0 {
				return false
			}
			i += n
		default:
			return false
		}
	}
}

// escape returns the length of the escape that b begins with, 0 if it is none.
func escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		const length = len(`\u0000`)
		if len(b) < length {
			return 0
		}
		for _, c := range b[2:length] {
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return 0
			}
		}
		return length
	}
	return 0
}

func (s *scanner) number() bool {
	if s.at('-') {
		s.i++
	}
	if s.at('0') {
		s.i++
	} else if !s.digits() {
		return false
	}
	if s.at('.') {
		s.i++
		if !s.digits() {
			return false
		}
	}
	if s.at('e') || s.at('E') {
		s.i++
		if s.at('+') || s.at('-') {
			s.i++
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	from := s.i
	for s.i < len(s.b) && s.b[s.i] >= '0' && s.b[s.i] <= '9' {
		s.i++
	}
	return s.i > from
}

// note takes a member, whose name comes with its quotes.
func (m *members) note(name, value []byte) {
	switch string(name) {
	case `"messageId"`:
		m.id = value
	case `"type"`:
		m.typ = value
	case `"payload"`:
		m.payload = value
	default:
		if slices.Contains(name, '\\') {
			m.escaped(name, value)
		}
	}
}
