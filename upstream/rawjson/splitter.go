package rawjson

import (
	"errors"
	"fmt"
	"io"
)

const (
	// DefaultMaxElement is how many bytes an element of a [Splitter] may have by default.
	DefaultMaxElement = 1 << 20
	// MaxDepth is how many arrays and objects may be open inside each other in one value.
	MaxDepth = 512
)

// Errors of a [Splitter]; all but ErrEmpty and ErrTruncated come inside an [*Error] that says where.
var (
	ErrSyntax    = errors.New("not JSON")
	ErrNotArray  = errors.New("not an array")
	ErrTooLarge  = errors.New("element is too large")
	ErrTooDeep   = errors.New("element is nested too deeply")
	ErrEmpty     = errors.New("empty")
	ErrTruncated = errors.New("ends inside the array")
)

// Error says where the input is wrong.
type Error struct {
	Offset int64 // of the first byte that is not acceptable, counted from the first byte fed
	Err    error // one of the package's errors
}

func (e *Error) Error() string { return fmt.Sprintf("%v at byte %d", e.Err, e.Offset) }

func (e *Error) Unwrap() error { return e.Err }

// Splitter cuts a JSON array that comes in pieces into its elements. Pieces may be cut anywhere,
// also inside a character or an escape. A byte order mark in front and a comma behind the last
// element are accepted. Bytes are checked against the grammar of JSON, not for being UTF-8.
//
// The zero Splitter is ready, with the default limit. It is not safe for concurrent use.
type Splitter struct {
	MaxElement int // bytes of one element; 0 means DefaultMaxElement

	machine
	off   int64  // of the first byte of the piece being read
	begin int64  // of the current element
	buf   []byte // what earlier pieces had of the current element
	err   error
}

// keepBuffer is how much memory survives a Reset.
const keepBuffer = 64 << 10

// Reset makes the Splitter ready for another array. The limit is kept, and memory unless it is much.
func (s *Splitter) Reset() {
	buf := s.buf[:0]
	if cap(buf) > keepBuffer {
		buf = nil
	}
	*s = Splitter{MaxElement: s.MaxElement, buf: buf}
}

// Next reads piece up to the end of one element. It returns the element, without white space around
// it, and what is left of piece; or no element when all of piece was read. Call it with the rest
// until there is none.
//
// element points into piece or into memory of the Splitter and is good until the next call.
// err is io.EOF when the array has ended (rest is then whatever follows it), or an [*Error], after
// which the Splitter says the same for ever.
func (s *Splitter) Next(piece []byte) (element, rest []byte, err error) {
	if s.err != nil {
		return nil, piece, s.err
	}
	if s.state == stEnded {
		return nil, piece, io.EOF
	}
	limit := s.MaxElement
	if limit == 0 {
		limit = DefaultMaxElement
	}

	i := 0
	if s.state < stFirst {
		if i, err = s.start(piece); err != nil || i == len(piece) {
			return s.consumed(piece, i, err)
		}
	}
	from := 0 // where the current element begins in piece
	if !s.inside() {
		i = s.between(piece, i)
		if i == len(piece) || s.state == stEnded || s.state == stBroken {
			return s.consumed(piece, i, s.betweenErr())
		}
		from = i
		s.begin = s.off + int64(i)
		s.buf = s.buf[:0]
	}

	i, done, fault := s.value(piece, i)
	size := int64(len(s.buf)) + int64(i-from)
	// A fault behind the limit is one that a reader of single bytes would never get to.
	if size > int64(limit) || fault != nil && size >= int64(limit) {
		i = int(s.begin + int64(limit) - s.off)
		return s.fail(piece, max(i, 0), ErrTooLarge)
	}
	switch {
	case fault != nil:
		return s.fail(piece, i, fault)
	case !done:
		s.buf = append(s.buf, piece[from:i]...)
		return s.consumed(piece, i, nil)
	}
	s.off += int64(i)
	if len(s.buf) > 0 {
		s.buf = append(s.buf, piece[from:i]...)
		return s.buf, piece[i:], nil
	}
	return piece[from:i:i], piece[i:], nil
}

// End says whether the input may end here: nil after the array's closing bracket, else an error.
func (s *Splitter) End() error {
	switch {
	case s.err != nil:
		return s.err
	case s.state == stEnded:
		return nil
	case s.state == stStart:
		return ErrEmpty
	}
	return ErrTruncated
}

func (s *Splitter) consumed(piece []byte, i int, err error) (element, rest []byte, _ error) {
	if err != nil && !errors.Is(err, io.EOF) {
		return s.fail(piece, i, err)
	}
	s.off += int64(i)
	return nil, piece[i:], err
}

func (s *Splitter) fail(piece []byte, i int, err error) (element, rest []byte, _ error) {
	s.err = &Error{Offset: s.off + int64(i), Err: err}
	return nil, piece[min(i, len(piece)):], s.err
}

// start reads up to the array's opening bracket.
func (s *Splitter) start(piece []byte) (int, error) {
	for i, c := range piece {
		switch {
		case s.state == stMark2 && c == 0xBB:
			s.state = stMark3
		case s.state == stMark3 && c == 0xBF:
			s.state = stStart
		case s.state != stStart:
			return i, ErrSyntax
		case c == 0xEF && s.off+int64(i) == 0:
			s.state = stMark2
		case c == '[':
			s.state = stFirst
			return i + 1, nil
		case isSpace(c):
		case c == '{' || c == '"' || c == '-' || c >= '0' && c <= '9' || c == 't' || c == 'f' || c == 'n':
			return i, ErrNotArray
		default:
			return i, ErrSyntax
		}
	}
	return len(piece), nil
}

// between reads what stands between elements, up to the first byte of one.
func (s *Splitter) between(piece []byte, i int) int {
	for ; i < len(piece); i++ {
		c := piece[i]
		switch {
		case isSpace(c):
		case c == ']':
			s.state = stEnded
			return i + 1
		case s.state != stAfter:
			if c == ',' {
				s.state = stBroken
			}
			return i
		case c == ',':
			s.state = stNext
		default:
			s.state = stBroken
			return i
		}
	}
	return i
}

func (s *Splitter) betweenErr() error {
	switch s.state {
	case stEnded:
		return io.EOF
	case stBroken:
		return ErrSyntax
	}
	return nil
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }
