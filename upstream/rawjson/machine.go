package rawjson

// state is where a reader stands. Those before stFirst are before the array, those up to stBroken
// between elements, the others inside one.
type state uint8

const (
	stStart state = iota
	stMark2       // inside a byte order mark
	stMark3
	stFirst // behind the opening bracket
	stNext  // behind a comma
	stAfter // behind an element
	stEnded
	stBroken

	stValue
	stValueOrClose
	stKey
	stKeyOrClose
	stColon
	stComma // behind a value inside a container
	stString
	stEscape
	stHex
	stLiteral
	stMinus
	stZero
	stInt
	stPoint
	stFraction
	stE
	stSign
	stExponent
)

// machine checks one JSON value that comes in pieces.
type machine struct {
	state   state
	key     bool   // the string being read is a key
	hex     uint8  // digits still due of a \u escape
	literal string // what is still due of true, false or null
	depth   int    // containers open
	objects [MaxDepth / 64]uint64
}

func (m *machine) inside() bool { return m.state > stBroken }

// open notes that a container begins; objects remembers of which kind each is.
func (m *machine) open(object bool) bool {
	if m.depth == MaxDepth {
		return false
	}
	bit := uint64(1) << (m.depth % 64)
	if object {
		m.objects[m.depth/64] |= bit
	} else {
		m.objects[m.depth/64] &^= bit
	}
	m.depth++
	return true
}

// inObject reports whether the innermost container is an object.
func (m *machine) inObject() bool {
	i := m.depth - 1
	return m.objects[i/64]>>(i%64)&1 == 1
}

// value reads from piece[i], which is the value's first byte or continues it. It returns where it
// stopped: behind the value when done, else at the faulty byte or the end of piece.
func (m *machine) value(piece []byte, i int) (next int, done bool, fault error) {
	for i < len(piece) {
		c := piece[i]
		switch m.state {
		case stString:
			for c != '"' && c != '\\' && c >= ' ' {
				i++
				if i == len(piece) {
					return i, false, nil
				}
				c = piece[i]
			}
			switch {
			case c == '\\':
				m.state = stEscape
			case c < ' ':
				return i, false, ErrSyntax
			case m.key:
				m.key = false
				m.state = stColon
			case m.finish():
				return i + 1, true, nil
			}
		case stEscape:
			switch c {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
				m.state = stString
			case 'u':
				m.state = stHex
				m.hex = 4
			default:
				return i, false, ErrSyntax
			}
		case stHex:
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F') {
				return i, false, ErrSyntax
			}
			if m.hex--; m.hex == 0 {
				m.state = stString
			}
		case stLiteral:
			if c != m.literal[0] {
				return i, false, ErrSyntax
			}
			m.literal = m.literal[1:]
			if m.literal == "" && m.finish() {
				return i + 1, true, nil
			}
		case stMinus, stZero, stInt, stPoint, stFraction, stE, stSign, stExponent:
			switch next := m.number(c); next {
			case stBroken:
				return i, false, ErrSyntax
			case stAfter:
				if m.finish() {
					return i, true, nil
				}
				continue // c belongs to what follows the number
			default:
				m.state = next
			}
		default:
			if isSpace(c) {
				break
			}
			closed, err := m.structure(c)
			if err != nil {
				return i, false, err
			}
			if closed && m.finish() {
				return i + 1, true, nil
			}
		}
		i++
	}
	return i, false, nil
}

// finish notes the end of a value and says whether it was the outermost one.
func (m *machine) finish() bool {
	if m.depth == 0 {
		m.state = stAfter
		return true
	}
	m.state = stComma
	return false
}

// structure takes a byte outside strings, numbers and literals; closed means it ended a container.
func (m *machine) structure(c byte) (closed bool, err error) {
	switch m.state {
	case stColon:
		if c != ':' {
			return false, ErrSyntax
		}
		m.state = stValue
		return false, nil
	case stComma:
		object := m.inObject()
		switch {
		case c == '}' && object || c == ']' && !object:
			m.depth--
			return true, nil
		case c != ',':
			return false, ErrSyntax
		case object:
			m.state = stKey
		default:
			m.state = stValue
		}
		return false, nil
	case stKey, stKeyOrClose:
		switch {
		case c == '"':
			m.key = true
			m.state = stString
		case c == '}' && m.state == stKeyOrClose:
			m.depth--
			return true, nil
		default:
			return false, ErrSyntax
		}
		return false, nil
	}

	// A value begins.
	switch {
	case c == '"':
		m.state = stString
	case c == '{' || c == '[':
		if !m.open(c == '{') {
			return false, ErrTooDeep
		}
		m.state = stValueOrClose
		if c == '{' {
			m.state = stKeyOrClose
		}
	case c == ']' && m.state == stValueOrClose:
		m.depth--
		return true, nil
	case c == '-':
		m.state = stMinus
	case c == '0':
		m.state = stZero
	case c >= '1' && c <= '9':
		m.state = stInt
	case c == 't':
		m.state, m.literal = stLiteral, "rue"
	case c == 'f':
		m.state, m.literal = stLiteral, "alse"
	case c == 'n':
		m.state, m.literal = stLiteral, "ull"
	default:
		return false, ErrSyntax
	}
	return false, nil
}

// number says where a byte leads inside a number: stAfter when the number ended before it, stBroken
// when it may neither go on nor end so.
func (m *machine) number(c byte) state {
	digit := c >= '0' && c <= '9'
	switch m.state {
	case stMinus:
		switch {
		case c == '0':
			return stZero
		case digit:
			return stInt
		}
		return stBroken
	case stPoint:
		if digit {
			return stFraction
		}
		return stBroken
	case stE:
		if c == '+' || c == '-' {
			return stSign
		}
		fallthrough
	case stSign:
		if digit {
			return stExponent
		}
		return stBroken
	case stInt, stFraction, stExponent:
		if digit {
			return m.state
		}
	}
	switch {
	case c == '.' && (m.state == stZero || m.state == stInt):
		return stPoint
	case (c == 'e' || c == 'E') && m.state != stExponent:
		return stE
	case c == ',' || c == ']' || c == '}' || isSpace(c):
		return stAfter
	}
	return stBroken
}

// Valid reports whether raw is exactly one JSON value, with white space around it or not, of at
// most MaxDepth levels.
func Valid(raw []byte) bool {
	m := machine{state: stValue}
	i, done, fault := m.value(raw, 0)
	if fault != nil {
		return false
	}
	if !done {
		// A number at the very end is complete only when something ends it.
		if _, done, fault = m.value([]byte{' '}, 0); fault != nil || !done {
			return false
		}
	}
	for ; i < len(raw); i++ {
		if !isSpace(raw[i]) {
			return false
		}
	}
	return true
}
