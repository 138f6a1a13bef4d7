package http1

// framing is how the end of a body is found.
type framing uint8

const (
	none framing = iota
	sized
	chunked
	untilClose
)

// maxLine bounds what a chunked body may have beside its data in one place: a chunk's extensions, or
// all trailers.
const maxLine = 8 << 10

// body finds the data in the bytes that follow a head.
type body struct {
	framing  framing
	complete bool
	left     int64 // bytes of the body, or of the current chunk, still to come
	at       chunkState
	line     int // bytes of the current line, or of the trailers
	err      error
}

type chunkState uint8

const (
	chunkSize chunkState = iota // before the first digit
	chunkDigits
	chunkExtension
	chunkLF // behind the CR of the line of the size
	chunkData
	chunkEnd   // behind the data
	chunkEndLF // behind the CR that follows the data
	trailerStart
	trailerLine
	trailerLF // behind a CR at the start of a line
)

func newBody(h *head) body {
	switch {
	case h.status == 204 || h.status == 304:
		return body{framing: none, complete: true}
	case h.chunked:
		return body{framing: chunked}
	case h.length >= 0:
		return body{framing: sized, left: h.length, complete: h.length == 0}
	}
	h.keep = false
	return body{framing: untilClose}
}

// take returns the data among what the connection has read, and uses that up. An error is for what
// follows the data, and comes again.
func (b *body) take(n *conn) ([]byte, error) {
	if b.complete || b.err != nil {
		return nil, b.err
	}
	from := n.r
	switch b.framing {
	case sized:
		n.r += int(min(b.left, int64(n.w-n.r)))
		b.left -= int64(n.r - from)
		b.complete = b.left == 0
		return n.in[from:n.r], nil
	case untilClose:
		n.r = n.w
		return n.in[from:n.w], nil
	}
	// The data of several chunks are moved together: what came as one is handed over as one.
	to := from
	for n.r < n.w && !b.complete {
		if b.at == chunkData {
			size := int(min(b.left, int64(n.w-n.r)))
			to += copy(n.in[to:], n.in[n.r:n.r+size])
			n.r += size
			if b.left -= int64(size); b.left == 0 {
				b.at = chunkEnd
			}
			continue
		}
		if !b.step(n.in[n.r]) {
			b.err = malformed("chunk", n.in[n.r:min(n.r+16, n.w)])
			return n.in[from:to], b.err
		}
		n.r++
	}
	return n.in[from:to], nil
}

// step takes a byte outside the data.
func (b *body) step(c byte) bool {
	switch b.at {
	case chunkSize, chunkDigits:
		digit, ok := hex(c)
		switch {
		case ok:
			if b.left >= 1<<58 {
				return false
			}
			b.left = b.left<<4 | digit
			b.at = chunkDigits
			return true
		case b.at == chunkSize:
			return false
		case c == '\r':
			b.at = chunkLF
		case c == '\n':
			b.data()
		case c == ';' || c == ' ' || c == '\t':
			b.at, b.line = chunkExtension, 0
		default:
			return false
		}
	case chunkExtension:
		if b.line++; b.line > maxLine {
			return false
		}
		if c == '\n' {
			b.data()
		}
	case chunkLF:
		if c != '\n' {
			return false
		}
		b.data()
	case chunkEnd:
		switch c {
		case '\r':
			b.at = chunkEndLF
		case '\n':
			b.at = chunkSize
		default:
			return false
		}
	case chunkEndLF:
		if c != '\n' {
			return false
		}
		b.at = chunkSize
	case trailerStart:
		switch c {
		case '\r':
			b.at = trailerLF
		case '\n':
			b.complete = true
		default:
			b.at = trailerLine
		}
	case trailerLine:
		if b.line++; b.line > maxLine {
			return false
		}
		if c == '\n' {
			b.at = trailerStart
		}
	case trailerLF:
		b.complete = c == '\n'
		return b.complete
	}
	return true
}

// data is for the end of a size's line.
func (b *body) data() {
	b.at = chunkData
	if b.left == 0 {
		b.at, b.line = trailerStart, 0
	}
}

func hex(c byte) (int64, bool) {
	switch {
	case c >= '0' && c <= '9':
		return int64(c - '0'), true
	case c >= 'a' && c <= 'f':
		return int64(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return int64(c-'A') + 10, true
	}
	return 0, false
}
