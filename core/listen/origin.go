package listen

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// allowedOrigin says whether a browser's page may talk to us: from the same host and port, or from
// this machine to this machine. origin is the header's value, "" when there is none; host is the
// Host header.
func allowedOrigin(origin, host string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" { // "null" as well
		return false
	}
	from, fromPort := splitHost(u.Host)
	to, toPort := splitHost(host)
	if isLoopback(from) && isLoopback(to) {
		return true
	}
	if !strings.EqualFold(from, to) {
		return false
	}
	// A proxy may have taken TLS off, so the origin's scheme tells both default ports.
	def := defaultPort(u.Scheme)
	if fromPort == "" {
		fromPort = def
	}
	if toPort == "" {
		toPort = def
	}
	return fromPort == toPort
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

func splitHost(hostport string) (host, port string) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		host, port = hostport, ""
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]"), port
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
