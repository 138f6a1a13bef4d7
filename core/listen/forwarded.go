package listen

import (
	"bytes"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"
)

// xForwardedFor lists the nodes of X-Forwarded-For from right to left. h is not read otherwise
// meanwhile.
func xForwardedFor(h *fasthttp.RequestHeader) iter.Seq[hop] {
	return func(yield func(hop) bool) {
		for e := range fromRight(h.PeekAll("X-Forwarded-For")) {
			if !yield(hop{node: e}) {
				return
			}
		}
	}
}

// forwarded lists the hops of Forwarded (RFC 7239) from right to left. h is not read otherwise
// meanwhile. A comma within quotes ends an element too: what that leaves has a quote too many and is
// no hop, so that a client's open quote cannot swallow what a proxy adds.
func forwarded(h *fasthttp.RequestHeader) iter.Seq[hop] {
	return func(yield func(hop) bool) {
		for e := range fromRight(h.PeekAll("Forwarded")) {
			if !yield(parseHop(e)) {
				return
			}
		}
	}
}

// parseHop reads one element of Forwarded; what is none is an empty hop.
func parseHop(text []byte) hop {
	var found hop
	for {
		pair, rest, more := cutPair(text)
		if len(pair) > 0 {
			name, value, _ := bytes.Cut(pair, []byte{'='})
			value, ok := unquote(value)
			if !ok || !isToken(name) || !found.set(name, value) {
				return hop{}
			}
		}
		if !more {
			return found
		}
		text = rest
	}
}

// set says whether the value is the first of its name.
func (p *hop) set(name, value []byte) bool {
	var field *[]byte
	switch strings.ToLower(string(name)) {
	case "for":
		field = &p.node
	case "proto":
		field = &p.proto
	case "host":
		field = &p.host
	default:
		return true
	}
	if *field != nil {
		return false
	}
	*field = value
	return true
}

// cutPair cuts at the first semicolon that is not within quotes.
func cutPair(text []byte) (pair, rest []byte, more bool) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\' && quoted:
			i++
		case c == ';' && !quoted:
			return bytes.TrimSpace(text[:i]), text[i+1:], true
		}
	}
	return bytes.TrimSpace(text), nil, false
}

// unquote reads a token or a quoted string. Tokens may have what addresses have, since not everybody
// quotes them.
func unquote(text []byte) (value []byte, ok bool) {
	if !bytes.HasPrefix(text, []byte{'"'}) {
		return text, isToken(text)
	}
	value = make([]byte, 0, len(text))
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return value, i == len(text)-1
		case c == '\\' && i+1 < len(text):
			i++
			value = append(value, text[i])
		default:
			value = append(value, c)
		}
	}
	return nil, false
}

func isToken(text []byte) bool { return len(text) > 0 && !bytes.ContainsAny(text, "\"\\ \t") }

// longestNode is the longest address with brackets, a port and a zone that is worth looking at.
const longestNode = 80

// parseNode reads an address as proxies write it: of either family, with or without port, brackets
// and zone. A port that is hidden is 0.
func parseNode(text []byte) (node netip.AddrPort, ok bool) {
	if len(text) > longestNode {
		return netip.AddrPort{}, false
	}
	host, port := string(text), ""
	bracketed := strings.HasPrefix(host, "[")
	switch {
	case bracketed:
		end := strings.IndexByte(host, ']')
		if end < 0 {
			return netip.AddrPort{}, false
		}
		host, port = host[1:end], host[end+1:]
	case strings.Count(host, ":") == 1:
		end := strings.IndexByte(host, ':')
		host, port = host[:end], host[end:]
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || bracketed && ip.Is4() {
		return netip.AddrPort{}, false
	}
	n, ok := parsePort(port)
	return netip.AddrPortFrom(ip.WithZone("").Unmap(), n), ok
}

func parsePort(text string) (uint16, bool) {
	if text == "" {
		return 0, true
	}
	digits, ok := strings.CutPrefix(text, ":")
	if !ok {
		return 0, false
	}
	if strings.HasPrefix(digits, "_") {
		return 0, true
	}
	n, err := strconv.ParseUint(digits, 10, 16)
	return uint16(n), err == nil
}

// fromRight lists the elements of a comma-separated list from right to left, without the empty ones.
// Its lines are one list.
func fromRight(lines [][]byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for _, line := range slices.Backward(lines) {
			for end := len(line); end >= 0; {
				at := bytes.LastIndexByte(line[:end], ',')
				e := bytes.TrimSpace(line[at+1 : end])
				if len(e) > 0 && !yield(e) {
					return
				}
				end = at
			}
		}
	}
}

// fromRightAt is an element of a list, counted from the right; of a shorter list the leftmost, and
// nil of none.
func fromRightAt(lines [][]byte, n int) []byte {
	var found []byte
	for e := range fromRight(lines) {
		found = e
		if n == 0 {
			break
		}
		n--
	}
	return found
}
