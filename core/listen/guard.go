package listen

import (
	"bytes"

	"github.com/valyala/fasthttp"
)

// guard reads along with what a client sends before fasthttp sees it, and finds where each request
// ends. It is stricter than fasthttp and than anything that may stand in front of us: what two
// readers could take for two different things is a fault. It takes bytes as they come, one at a time
// or many requests at once, keeps none of them, and skips bodies.
//
// Stricter than RFC 9112 are: a method is in capitals; Content-Length, Transfer-Encoding and Host
// have at most one space in front of their value and none behind it; the only coding is "chunked";
// Content-Length comes once; a chunk's size is followed by ";" or the end of the line.
type guard struct {
	state guardState
	kind  fieldKind
	word  [longestWord]byte // the method, the start of the target, or a field's name in lower case
	pos   int               // bytes of what is being read
	head  int               // bytes of the head, of the trailer, or of a chunk's line

	fields   int
	old      bool // HTTP/1.0
	spaced   bool // a space stands in front of the value
	trailer  bool
	skipped  bool // the empty line that may stand in front of a request
	upgrade  bool
	chunked  bool
	hosted   bool
	measured bool

	left  uint64 // of the body or the chunk
	ended uint64 // requests that came whole
}

type guardState uint8

const (
	atStart guardState = iota
	atEmptyLine
	inMethod
	inTarget
	inVersion
	atRequestLineEnd
	atField
	inName
	inValue
	atFieldEnd
	atHeadEnd
	inBody
	inChunkSize
	inExtension
	atChunkLineEnd
	inChunk
	atChunkEnd
	atChunkEndLine
)

type fieldKind uint8

const (
	lengthField fieldKind = iota
	encodingField
	hostField
	otherField // and what follows may have any text
	upgradeField
)

const (
	longestWord  = 20
	mostFields   = 100 // a head of many short ones costs much more than its bytes
	mostDigits   = 18  // of a Content-Length
	mostHex      = 15  // of a chunk's size
	mostChunkExt = 256
)

// faultError is why a request is refused. The connection ends with it.
type faultError struct {
	status int
	text   string
}

func (f *faultError) Error() string { return f.text }

var (
	errSyntax    = &faultError{fasthttp.StatusBadRequest, "bad request"}
	errFraming   = &faultError{fasthttp.StatusBadRequest, "bad message framing"}
	errChunks    = &faultError{fasthttp.StatusBadRequest, "bad request body"}
	errLength    = &faultError{fasthttp.StatusRequestEntityTooLarge, "request body too large"}
	errTarget    = &faultError{fasthttp.StatusRequestURITooLong, "request target too long"}
	errHeader    = &faultError{fasthttp.StatusRequestHeaderFieldsTooLarge, "request header too large"}
	errVersion   = &faultError{fasthttp.StatusHTTPVersionNotSupported, "HTTP/1.1 is spoken here"}
	errAuthority = &faultError{fasthttp.StatusBadRequest, "the target and the Host header name different hosts"}
)

// take looks at what came and returns how much of it may go on. That is all of it, but for a fault,
// and for a request that asks for another protocol: what follows its head is for later.
func (g *guard) take(p []byte) (n int, _ *faultError) {
	for n < len(p) {
		switch g.state {
		case inBody, inChunk:
			part := min(g.left, uint64(len(p)-n))
			g.left -= part
			n += int(part)
			if g.left == 0 {
				g.bodyRead()
			}
		default:
			whole, f := g.step(p[n])
			if f != nil {
				return n, f
			}
			n++
			if whole && g.upgrade {
				g.upgrade = false
				return n, nil
			}
			if g.state == inValue && g.kind >= otherField {
				n += g.skipText(p[n:])
			}
		}
	}
	return n, nil
}

// skipText takes what has no meaning here, as long as it is what it may be.
func (g *guard) skipText(p []byte) (n int) {
	if room := headerLimit - 1 - g.head; len(p) > room {
		p = p[:room]
	}
	for n < len(p) && p[n] >= ' ' && p[n] != 0x7f {
		n++
	}
	g.head += n
	return n
}

// end is called where a request ends.
func (g *guard) end() { *g = guard{ended: g.ended + 1} }

// bodyRead is called when nothing is left of a body or of a chunk.
func (g *guard) bodyRead() {
	if g.state == inChunk {
		g.state = atChunkEnd
		return
	}
	g.end()
}

// step takes one byte that is not of a body; whole says that it ends a head without a body.
func (g *guard) step(c byte) (whole bool, _ *faultError) {
	g.head++
	switch g.state {
	case atStart, atEmptyLine, inMethod, inTarget, inVersion:
		return false, g.requestLine(c)
	case atRequestLineEnd, atFieldEnd:
		return false, g.expect(c, '\n', atField, errSyntax)
	case atField, inName, inValue:
		return false, g.field(c)
	case atHeadEnd:
		return g.headEnd(c)
	default:
		return false, g.chunk(c)
	}
}

func (g *guard) expect(c, want byte, next guardState, otherwise *faultError) *faultError {
	if c != want {
		return otherwise
	}
	g.state, g.pos = next, 0
	return nil
}

func (g *guard) requestLine(c byte) *faultError {
	if g.head >= headerLimit {
		return errTarget
	}
	switch g.state {
	case atStart:
		if c == '\r' && !g.skipped {
			g.skipped, g.state = true, atEmptyLine
			return nil
		}
		g.state = inMethod
		return g.method(c)
	case atEmptyLine:
		return g.expect(c, '\n', atStart, errSyntax)
	case inMethod:
		return g.method(c)
	case inTarget:
		return g.target(c)
	default:
		return g.version(c)
	}
}

func (g *guard) method(c byte) *faultError {
	switch {
	case (c >= 'A' && c <= 'Z' || c == '-' && g.pos > 0) && g.pos < longestWord:
		g.word[g.pos] = c
		g.pos++
	case c == ' ' && g.pos > 0 && string(g.word[:g.pos]) != "CONNECT":
		g.state, g.pos = inTarget, 0
	default:
		return errSyntax
	}
	return nil
}

func (g *guard) target(c byte) *faultError {
	switch {
	case c > ' ' && c < 0x7f && c != '#':
		if g.pos < longestWord {
			g.word[g.pos] = lower(c)
		}
		g.pos++
		return nil
	case c != ' ' || g.pos == 0:
		return errSyntax
	}
	start := g.word[:min(g.pos, longestWord)]
	if start[0] != '/' && string(start) != "*" &&
		!bytes.HasPrefix(start, []byte("http://")) && !bytes.HasPrefix(start, []byte("https://")) {
		return errSyntax
	}
	g.state, g.pos = inVersion, 0
	return nil
}

func (g *guard) version(c byte) *faultError {
	const form = "HTTP/0.0"
	switch {
	case c == '\r' && g.pos == len(form):
		major, minor := g.word[5], g.word[7]
		if major != '1' || minor > '1' {
			return errVersion
		}
		g.old = minor == '0'
		g.state = atRequestLineEnd
		return nil
	case g.pos >= len(form) || c != form[g.pos] && (form[g.pos] != '0' || c < '0' || c > '9'):
		return errSyntax
	}
	g.word[g.pos] = c
	g.pos++
	return nil
}

func (g *guard) field(c byte) *faultError {
	if g.head >= headerLimit {
		return errHeader
	}
	switch {
	case g.state == inValue:
		return g.value(c)
	case g.state == atField && c == '\r':
		g.state = atHeadEnd
		return nil
	case g.state == atField:
		if g.fields++; g.fields > mostFields {
			return errHeader
		}
		g.state, g.pos = inName, 0
	case c == ':':
		return g.named()
	}
	if !tokenBytes[c] { // white space, too: a folded line, or a space in front of the colon
		return errSyntax
	}
	if g.pos < longestWord {
		g.word[g.pos] = lower(c)
	}
	g.pos++
	return nil
}

// named is called behind the colon.
func (g *guard) named() *faultError {
	var seen *bool
	switch string(g.word[:min(g.pos, longestWord)]) {
	case "content-length":
		g.kind, seen = lengthField, &g.measured
	case "transfer-encoding":
		g.kind, seen = encodingField, &g.chunked
	case "host":
		g.kind, seen = hostField, &g.hosted
	case "upgrade":
		g.kind = upgradeField
	default:
		g.kind = otherField
	}
	if seen != nil {
		if *seen || g.trailer {
			return errFraming
		}
		*seen = true
	}
	g.state, g.pos, g.spaced = inValue, 0, false
	return nil
}

func (g *guard) value(c byte) *faultError {
	switch {
	case c == '\r':
		return g.valueEnd()
	case g.kind < otherField && c == ' ' && g.pos == 0 && !g.spaced:
		g.spaced = true
		return nil
	case c < ' ' && c != '\t' || c == 0x7f:
		return errSyntax
	}
	switch g.kind {
	case lengthField:
		if c < '0' || c > '9' {
			return errFraming
		}
		if g.pos == mostDigits {
			return errLength
		}
		g.left = 10*g.left + uint64(c-'0')
	case encodingField:
		if g.pos >= len(chunkedCoding) || lower(c) != chunkedCoding[g.pos] {
			return errFraming
		}
	case hostField:
		if !hostBytes[c] {
			return errSyntax
		}
	default:
	}
	g.pos++
	return nil
}

const chunkedCoding = "chunked"

func (g *guard) valueEnd() *faultError {
	switch {
	case g.kind < otherField && g.pos == 0, g.kind == encodingField && g.pos != len(chunkedCoding):
		return errFraming
	case g.kind == upgradeField:
		g.upgrade = true
	}
	g.state = atFieldEnd
	return nil
}

func (g *guard) headEnd(c byte) (whole bool, _ *faultError) {
	switch {
	case c != '\n':
		return false, errSyntax
	case g.trailer:
		g.end()
		return false, nil
	case g.chunked && (g.measured || g.old):
		return false, errFraming
	case !g.old && !g.hosted:
		return false, errSyntax
	case g.chunked:
		*g = guard{state: inChunkSize, ended: g.ended}
		return false, nil
	case g.left > 0:
		*g = guard{state: inBody, left: g.left, ended: g.ended}
		return false, nil
	}
	upgrade := g.upgrade
	g.end()
	g.upgrade = upgrade
	return true, nil
}
