package listen

import (
	"bytes"
	"strings"

	"github.com/valyala/fasthttp"
)

// notLocal says why a request may come from elsewhere than this machine, or is made by a page that
// does; empty when it is from here.
func notLocal(h *fasthttp.RequestHeader, from client) string {
	if !from.peer.IsLoopback() {
		return "it comes from another machine"
	}
	if from.proxy || from.named {
		return "it comes from a trusted proxy"
	}
	for name := range h.All() {
		if ofProxy(name) {
			return "it has a header of a proxy: " + strings.ToLower(cut(name))
		}
	}
	// A page may have any name lead here, but its browser says by which name it came.
	if host, _ := splitHost(string(h.Host())); !isLoopback(host) {
		return "its Host header does not name this machine"
	}
	if text := h.Peek("Origin"); len(text) > 0 {
		if o, ok := parseOrigin(string(text)); !ok || !isLoopback(o.host) {
			return "it is made by a page from elsewhere"
		}
		return "" // localhost and 127.0.0.1 are two sites, and one machine
	}
	if bytes.EqualFold(h.Peek("Sec-Fetch-Site"), []byte("cross-site")) {
		return "it is made by a page from elsewhere"
	}
	return ""
}

// ofProxy says whether a header tells that somebody stands between the client and us.
func ofProxy(name []byte) bool {
	if n := knownHeader(name); n != "" {
		return strings.HasPrefix(n, "x-forwarded")
	}
	switch n := strings.ToLower(string(name)); n {
	case "forwarded", "x-real-ip", "x-client-ip", "cf-connecting-ip", "true-client-ip", "via":
		return true
	default:
		return strings.HasPrefix(n, "x-forwarded")
	}
}

// local says whether the peer of a connection without HTTP is this machine.
func (s *Server) local(a *accepted) bool {
	ip, _ := a.peer()
	return ip.IsLoopback() && a.named == nil && !s.trusts(ip)
}
