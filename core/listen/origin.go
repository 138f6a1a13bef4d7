package listen

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// origin is where a browser's page is from. All of it is in lower case.
type origin struct {
	scheme, host string
	port         string // the scheme's own where none is written; empty: it has none
}

// parseOrigin reads what browsers send. "null" is none, nor is anything with a path.
func parseOrigin(text string) (origin, bool) {
	u, err := url.Parse(strings.ToLower(text))
	if err != nil || u.Scheme == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) {
		return origin{}, false
	}
	o := origin{scheme: u.Scheme, host: u.Hostname(), port: u.Port()}
	if !validHost(o.host, strings.HasPrefix(u.Host, "[")) {
		return origin{}, false
	}
	if o.port == "" {
		o.port = defaultPort(o.scheme)
	}
	return o, true
}

// web says whether it is of a page rather than of an app or an extension.
func (o origin) web() bool { return o.scheme == "http" || o.scheme == "https" }

// validHost says whether a host is a name, possibly with the star of [parseAllowed], or an address.
// url.Parse lets more through.
func validHost(host string, bracketed bool) bool {
	if bracketed {
		ip, err := netip.ParseAddr(host)
		return err == nil && ip.Is6() && ip.Zone() == ""
	}
	return host != "" && strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-._*") == ""
}

// same says whether the origin is what the client asked for, as host or host:port. A proxy may have
// taken TLS off, so the origin's scheme tells the default port of both.
func (o origin) same(hostport string) bool {
	if !o.web() {
		return false // an app's own scheme has names of its own
	}
	host, port := splitHost(hostport)
	if port == "" {
		port = defaultPort(o.scheme)
	}
	return strings.EqualFold(o.host, host) && o.port == port
}

// allowed is an origin that the configuration lists. below says that it stands for any subdomain of
// host, at any depth, and not for host itself.
type allowed struct {
	origin
	below bool
}

func parseAllowed(text string) (allowed, error) {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return allowed{}, fmt.Errorf(`origin %q is to be written in ASCII, as browsers send it ("xn--…")`, text)
		}
	}
	o, ok := parseOrigin(text)
	if !ok {
		return allowed{}, fmt.Errorf(`origin %q is not a scheme and a host, as "https://app.example"`, text)
	}
	host, below := strings.CutPrefix(o.host, "*.")
	if host == "" || strings.Contains(host, "*") {
		return allowed{}, fmt.Errorf(`origin %q has a star that stands for more than subdomains, as in "https://*.example.com"`, text)
	}
	o.host = host
	return allowed{o, below}, nil
}

func (a allowed) match(o origin) bool {
	if a.scheme != o.scheme || a.port != o.port {
		return false
	}
	if !a.below {
		return a.host == o.host
	}
	sub, ok := strings.CutSuffix(o.host, "."+a.host)
	return ok && sub != ""
}

// allowedOrigin says whether a browser's page may talk to us: from what it asked for, from this
// machine to this machine, or from an origin on the list. text is the Origin header, empty when there
// is none; host is what the client asked for.
func allowedOrigin(text, host string, list []allowed) bool {
	if text == "" {
		return true
	}
	o, ok := parseOrigin(text)
	if !ok {
		return false
	}
	if to, _ := splitHost(host); isLoopback(o.host) && isLoopback(to) || o.same(host) {
		return true
	}
	for _, a := range list {
		if a.match(o) {
			return true
		}
	}
	return false
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
