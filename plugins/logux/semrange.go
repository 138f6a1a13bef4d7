package logux

import (
	"strconv"
	"strings"
)

// versionRange is a range of versions as npm writes them: sets of which one must fit.
type versionRange [][]comparator

// comparator is a bound: its operator is one of ">=", ">", "<", "<=" and "=".
type comparator struct {
	op string
	version
}

// never is a bound that nothing fits.
var never = comparator{"<", version{pre: "0"}}

// parseRange reads a range; ok is false for what npm takes for none.
func parseRange(text string) (r versionRange, ok bool) {
	for set := range strings.SplitSeq(text, "||") {
		list, ok := parseSet(strings.TrimSpace(set))
		if !ok {
			return nil, false
		}
		r = append(r, list)
	}
	return r, true
}

func parseSet(text string) (list []comparator, ok bool) {
	if from, to, ok := strings.Cut(text, " - "); ok {
		return hyphen(strings.TrimSpace(from), strings.TrimSpace(to))
	}
	list = []comparator{} // no bound: everything
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		n := len(text) - len(strings.TrimLeft(text, "<>=~^"))
		op := text[:n]
		p, rest, ok := parsePartial(strings.TrimLeft(text[n:], " \tv="))
		if !ok || rest != "" && rest[0] != ' ' && rest[0] != '\t' {
			return nil, false
		}
		bounds, ok := p.bounds(op)
		if !ok {
			return nil, false
		}
		list, text = append(list, bounds...), rest
	}
	return list, true
}

// hyphen is "from - to", both included, and all that a shorter one stands for.
func hyphen(from, to string) (list []comparator, ok bool) {
	low, rest1, ok1 := parsePartial(strings.TrimLeft(from, "v="))
	high, rest2, ok2 := parsePartial(strings.TrimLeft(to, "v="))
	if !ok1 || !ok2 || rest1 != "" || rest2 != "" {
		return nil, false
	}
	if low.given > 0 {
		list = append(list, comparator{">=", low.version})
	}
	if high.given > 0 {
		bounds, _ := high.bounds("<=")
		list = append(list, bounds...)
	}
	return list, true
}

// bounds are what an operator before a version that may be partial means.
func (p partial) bounds(op string) (list []comparator, ok bool) {
	if p.given < len(p.number) {
		p.pre = ""
	}
	switch op {
	case "", "=":
		if p.given == len(p.number) {
			return []comparator{{"=", p.version}}, true
		}
		return p.within(p.given), true
	case "~", "~>":
		return p.within(min(p.given, 2)), true
	case "^":
		return p.within(p.caret()), true
	case ">", "<", ">=", "<=":
	default:
		return nil, false
	}
	switch {
	case p.given == len(p.number):
		return []comparator{{op, p.version}}, true
	case p.given == 0 && (op == ">" || op == "<"):
		return []comparator{never}, true
	case p.given == 0:
		return nil, true
	case op == ">":
		v := p.next(p.given)
		v.pre = ""
		return []comparator{{">=", v}}, true
	case op == "<=":
		return []comparator{{"<", p.next(p.given)}}, true
	case op == "<":
		p.pre = "0"
	}
	return []comparator{{op, p.version}}, true
}

// caret is how many numbers stay with a caret in front: up to the first that is not zero.
func (p partial) caret() int {
	for i := range p.given {
		if p.number[i] != 0 {
			return i + 1
		}
	}
	return p.given
}

// within are the versions from this one on that have its first n numbers.
func (p partial) within(n int) []comparator {
	if n == 0 {
		return nil
	}
	return []comparator{{">=", p.version}, {"<", p.next(n)}}
}

// next is in front of all versions that come after those with the same first n numbers.
func (p partial) next(n int) version {
	v := version{pre: "0"}
	copy(v.number[:n], p.number[:n])
	v.number[n-1]++
	return v
}

// has says whether a version is in the range. One before a release fits only where a bound of its very
// numbers is one as well.
func (r versionRange) has(v version) bool {
	for _, set := range r {
		fits, named := true, v.pre == ""
		for _, c := range set {
			fits = fits && c.fits(v)
			named = named || c.pre != "" && c.number == v.number
		}
		if fits && named {
			return true
		}
	}
	return false
}

func (c comparator) fits(v version) bool {
	switch d := v.compare(c.version); c.op {
	case ">=":
		return d >= 0
	case ">":
		return d > 0
	case "<":
		return d < 0
	case "<=":
		return d <= 0
	default:
		return d == 0
	}
}

// lowest is the first number of the lowest version in the range, which is what a client of version 5 is
// told and held to; ok is false when the range is empty.
func (r versionRange) lowest() (major uint64, ok bool) {
	for _, set := range r {
		var low version
		for _, c := range set {
			if c.op != "<" && c.op != "<=" && c.compare(low) > 0 {
				low = c.version
			}
		}
		possible := true
		for _, c := range set {
			possible = possible && (c.op != "<" && c.op != "<=" || c.fits(low))
		}
		if possible && (!ok || low.number[0] < major) {
			major, ok = low.number[0], true
		}
	}
	return major, ok
}

// supportedBy is a range as a client of version 5 is told of it: as a number where it can be read.
func supportedBy(text string) []byte {
	if r, ok := parseRange(text); ok {
		if major, ok := r.lowest(); ok {
			return strconv.AppendUint(nil, major, 10)
		}
	}
	return nil
}
