package logux

import (
	"cmp"
	"math"
	"strconv"
	"strings"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// Subprotocols are versions of an application: SemVer up to version 4 of the WebSocket protocol, numbers
// from 5 on. Back-ends know SemVer alone, so n is n.0.0 to them, and 1.2.0 is 1 to a client of 5.

// semverOf is a subprotocol as SemVer: what a string says, whatever it is, and n.0.0 for a number. ok is
// false for any other JSON value.
func semverOf(raw []byte) (text string, ok bool) {
	if s, ok := rawjson.Text(raw); ok {
		return string(s), true
	}
	if n, ok := parseInt(raw); ok && n >= 0 {
		return strconv.FormatInt(n, 10) + ".0.0", true
	}
	plain, ok := plainNumber(raw)
	if !ok {
		return "", false
	}
	f, _ := strconv.ParseFloat(plain, 64)
	return strconv.FormatFloat(math.Max(math.Floor(f), 0), 'f', -1, 64) + ".0.0", true
}

// majorOf is the number that a SemVer is to a client of version 5, as JSON; ok is false for what is none.
func majorOf(text string) (raw []byte, ok bool) {
	v, ok := parseVersion(text)
	if !ok {
		return nil, false
	}
	return strconv.AppendUint(nil, v.number[0], 10), true
}

// version is a SemVer without its build, which has no order.
type version struct {
	number [3]uint64
	pre    string // "" of a release
}

const (
	maxVersionText = 256
	mostNumber     = 1<<53 - 1
)

// parseVersion reads a version as npm does.
func parseVersion(text string) (v version, ok bool) {
	if len(text) > maxVersionText {
		return v, false
	}
	p, rest, ok := parsePartial(strings.TrimPrefix(strings.TrimSpace(text), "v"))
	return p.version, ok && rest == "" && p.given == 3
}

// partial is a version of which the last numbers may be missing, or written x.
type partial struct {
	version
	given int // numbers that are there
}

// parsePartial reads what a range may name and returns what follows it.
func parsePartial(text string) (p partial, rest string, ok bool) {
	wild := false
	for i := range p.number {
		if i > 0 {
			if !strings.HasPrefix(text, ".") {
				return p, text, true
			}
			text = text[1:]
		}
		if text != "" && strings.ContainsRune("xX*", rune(text[0])) {
			text, wild = text[1:], true
			continue
		}
		n := len(text) - len(strings.TrimLeft(text, "0123456789"))
		number, err := strconv.ParseUint(text[:n], 10, 64)
		if err != nil || number > mostNumber || n > 1 && text[0] == '0' {
			return p, text, false
		}
		text = text[n:]
		if !wild {
			p.number[i], p.given = number, i+1
		}
	}
	if p.pre, text, ok = suffix(text, '-'); !ok || p.pre != "" && !validPre(p.pre) {
		return p, text, false
	}
	_, text, ok = suffix(text, '+')
	return p, text, ok
}

// suffix reads identifiers behind a mark; without the mark there is none.
func suffix(text string, mark byte) (ids, rest string, ok bool) {
	if text == "" || text[0] != mark {
		return "", text, true
	}
	text = text[1:]
	n := 0
	for n < len(text) && (text[n] == '.' || text[n] == '-' || isAlphanumeric(text[n])) {
		n++
	}
	ids = text[:n]
	for id := range strings.SplitSeq(ids, ".") {
		if id == "" {
			return "", text, false
		}
	}
	return ids, text[n:], true
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// validPre refuses numbers with zeros in front.
func validPre(ids string) bool {
	for id := range strings.SplitSeq(ids, ".") {
		if len(id) > 1 && id[0] == '0' && strings.Trim(id, "0123456789") == "" {
			return false
		}
	}
	return true
}

func (v version) compare(w version) int {
	for i := range v.number {
		if c := cmp.Compare(v.number[i], w.number[i]); c != 0 {
			return c
		}
	}
	switch {
	case v.pre == w.pre:
		return 0
	case v.pre == "":
		return 1
	case w.pre == "":
		return -1
	}
	for a, b := v.pre, w.pre; ; {
		if a == "" || b == "" {
			return cmp.Compare(len(a), len(b))
		}
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		if c := compareIDs(x, y); c != 0 {
			return c
		}
	}
}

func compareIDs(x, y string) int {
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	switch nx, ny := digits(x), digits(y); {
	case nx && ny:
		if c := cmp.Compare(len(x), len(y)); c != 0 {
			return c
		}
	case nx:
		return -1
	case ny:
		return 1
	}
	return strings.Compare(x, y)
}
