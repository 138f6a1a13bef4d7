package listen

// chunk takes what is between the data of chunks.
func (g *guard) chunk(c byte) *faultError {
	switch g.state {
	case inChunkSize:
		digit, ok := hexDigit(c)
		switch {
		case ok && g.pos < mostHex:
			g.left = g.left<<4 | digit
			g.pos++
		case c == '\r' && g.pos > 0:
			g.state = atChunkLineEnd
		case c == ';' && g.pos > 0:
			g.state, g.pos = inExtension, 0
		default:
			return errChunks
		}
		return nil
	case inExtension:
		switch {
		case c == '\r':
			g.state = atChunkLineEnd
		case g.pos == mostChunkExt || c < ' ' && c != '\t' || c == 0x7f:
			return errChunks
		}
		g.pos++
		return nil
	case atChunkLineEnd:
		if g.left > 0 {
			return g.expect(c, '\n', inChunk, errChunks)
		}
		*g = guard{state: g.state, trailer: true, ended: g.ended}
		return g.expect(c, '\n', atField, errChunks)
	case atChunkEnd:
		return g.expect(c, '\r', atChunkEndLine, errChunks)
	default:
		return g.expect(c, '\n', inChunkSize, errChunks)
	}
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

func hexDigit(c byte) (uint64, bool) {
	switch {
	case c >= '0' && c <= '9':
		return uint64(c - '0'), true
	case c >= 'a' && c <= 'f':
		return uint64(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return uint64(c-'A') + 10, true
	}
	return 0, false
}

const (
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits  = "0123456789"
)

var (
	tokenBytes = setOf(letters + digits + "!#$%&'*+-.^_`|~")     // of a field's name (RFC 9110, 5.6.2)
	hostBytes  = setOf(letters + digits + "-._~:[]!$&'()*+,;=%") // of a name, an address or a port
)

func setOf(list string) (set [256]bool) {
	for i := range len(list) {
		set[list[i]] = true
	}
	return set
}
