package listen

import (
	"bytes"
	"strconv"
	"strings"
)

// How far back compress/flate looks and may be led, as the extension counts it.
const (
	windowBits = 15
	windowSize = 1 << windowBits
)

// extension is one that a client offers, with its parameters in their order.
type extension struct {
	name   string
	params []param
}

type param struct {
	name, value string
	hasValue    bool
}

// acceptDeflate takes the first offer of permessage-deflate that can be kept (RFC 7692, 7.1), and
// returns the value of the answer's header; empty where there is none. Neither side may then keep a
// window from message to message, so an idle connection holds none.
func acceptDeflate(fields [][]byte) string {
	for _, e := range parseExtensions(string(bytes.Join(fields, []byte(", ")))) {
		if answer := e.answer(); answer != "" {
			return answer
		}
	}
	return ""
}

// answer says how an offer is accepted; empty: it is declined.
func (e *extension) answer() string {
	if !strings.EqualFold(e.name, "permessage-deflate") {
		return ""
	}
	const accepted = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	ofWindow := ""
	for i, p := range e.params {
		for _, before := range e.params[:i] {
			if before.name == p.name {
				return ""
			}
		}
		fits := false
		switch p.name {
		case "server_no_context_takeover", "client_no_context_takeover":
			fits = !p.hasValue
		case "client_max_window_bits": // says that it could be told to use less
			fits = !p.hasValue || validWindow(p.value)
		case "server_max_window_bits":
			// compress/flate knows one window; a smaller one cannot be promised.
			fits = p.value == strconv.Itoa(windowBits)
			ofWindow = "; server_max_window_bits=" + p.value
		}
		if !fits {
			return ""
		}
	}
	return accepted + ofWindow
}

// validWindow says whether a value is a number from 8 to 15 without leading zeros.
func validWindow(value string) bool {
	n, err := strconv.Atoi(value)
	return err == nil && n >= 8 && n <= windowBits && strconv.Itoa(n) == value
}

// parseExtensions reads a list of extensions (RFC 6455, 9.1). One that breaks the grammar offers
// nothing.
func parseExtensions(list string) []extension {
	p := extensionParser{rest: list}
	var all []extension
	for {
		p.space()
		if p.rest == "" {
			return all
		}
		if p.skip(',') { // an empty element (RFC 9110, 5.6.1)
			continue
		}
		e, ok := p.extension()
		if !ok || p.rest != "" && !p.skip(',') {
			return nil
		}
		all = append(all, e)
	}
}

// extensionParser takes a list apart from its beginning.
type extensionParser struct{ rest string }

func (p *extensionParser) space() { p.rest = strings.TrimLeft(p.rest, " \t") }

// skip drops a byte, if that comes next.
func (p *extensionParser) skip(b byte) bool {
	if p.rest == "" || p.rest[0] != b {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *extensionParser) extension() (e extension, ok bool) {
	if e.name = p.token(); e.name == "" {
		return e, false
	}
	for p.space(); p.skip(';'); p.space() {
		p.space()
		it := param{name: p.token()}
		p.space()
		if it.hasValue = p.skip('='); it.hasValue {
			p.space()
			it.value = p.value()
		}
		if it.name == "" || it.hasValue && it.value == "" {
			return e, false
		}
		e.params = append(e.params, it)
	}
	return e, true
}

// token takes one; empty: there is none.
func (p *extensionParser) token() string {
	n := 0
	for n < len(p.rest) && tokenByte(p.rest[n]) {
		n++
	}
	token := p.rest[:n]
	p.rest = p.rest[n:]
	return token
}

// value takes a token, or one in quotes; empty: there is none.
func (p *extensionParser) value() string {
	if !p.skip('"') {
		return p.token()
	}
	var b strings.Builder
	for p.rest != "" && !p.skip('"') {
		p.skip('\\')
		if p.rest == "" || !tokenByte(p.rest[0]) { // what is in the quotes must be a token
			return ""
		}
		b.WriteByte(p.rest[0])
		if p.rest = p.rest[1:]; p.rest == "" {
			return "" // they are not closed
		}
	}
	return b.String()
}

// tokenByte says whether a token may hold it (RFC 9110, 5.6.2).
func tokenByte(b byte) bool {
	return b > ' ' && b < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, rune(b))
}
