package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2"
)

// prefixes takes networks and single addresses.
func (d *decoder) prefixes(attr *hcl.Attribute, into *[]netip.Prefix) {
	var list []string
	if !d.texts(attr, &list) {
		return
	}
	for i, s := range list {
		p, why := parsePrefix(s)
		if why != "" {
			d.error(elementRange(attr.Expr, i), "Invalid network", "%q %s", s, why)
			continue
		}
		*into = append(*into, p)
	}
}

// parsePrefix reads "10.0.0.0/8", or an address for itself; why says what it is instead.
func parsePrefix(s string) (p netip.Prefix, why string) {
	const such = `is not a network or an address, such as "10.0.0.0/8" or "192.0.2.7".`
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" {
			return p, such
		}
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), ""
	}
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil || p.Addr().Is4In6():
		return p, such
	case p != p.Masked():
		return p, fmt.Sprintf("is an address in a network. Write %q for that address alone, or %q for the network.", p.Addr(), p.Masked())
	}
	return p, ""
}

// origins takes the origins of pages, as browsers send them, or with "*." before the host.
func (d *decoder) origins(attr *hcl.Attribute, into *[]string) {
	var list []string
	if !d.texts(attr, &list) {
		return
	}
	for i, s := range list {
		origin, why := parseOrigin(s)
		if why != "" {
			d.error(elementRange(attr.Expr, i), "Invalid origin", "%s", why)
			continue
		}
		*into = append(*into, origin)
	}
}

// parseOrigin returns an origin in the form in which browsers send it, or what is wrong with it.
func parseOrigin(s string) (origin, why string) {
	const is = `An origin is a scheme, a host and perhaps a port, such as "https://app.example" or "https://*.example.com".`
	if s == "*" {
		return "", `With "*" every page in the world could connect as the user who looks at it. Name the hosts of your pages. ` + is
	}
	scheme, rest, _ := strings.Cut(s, "://")
	scheme = strings.ToLower(scheme)
	u, err := url.Parse(scheme + "://" + strings.Replace(rest, "*.", "", 1))
	switch {
	case scheme != "http" && scheme != "https" || rest == "":
		return "", fmt.Sprintf("%q does not begin with https:// or http:// and a host. %s", s, is)
	case strings.ContainsAny(rest, "/?#@"):
		return "", "There is more than a scheme, a host and a port here. " + is
	case strings.Count(rest, "*") > 1 || strings.Contains(rest, "*") && (!strings.HasPrefix(rest, "*.") || !strings.Contains(rest[2:], ".")):
		return "", `A "*" stands only for the whole first part of a host of three parts or more, as in "https://*.example.com".`
	case strings.ContainsFunc(rest, func(r rune) bool { return r > unicode.MaxASCII }):
		return "", fmt.Sprintf(`The host of %q has other letters than ASCII's. Browsers send such a host in the form that begins with "xn--": write that.`, s)
	case err != nil || strings.HasSuffix(u.Host, ":") || !isHost(u.Host, u.Hostname()):
		return "", fmt.Sprintf("The host of %q cannot be read. %s", s, is)
	}
	if port := u.Port(); scheme == "http" && port == "80" || scheme == "https" && port == "443" {
		rest = strings.TrimSuffix(rest, ":"+port)
	}
	return scheme + "://" + strings.ToLower(rest), ""
}

// isHost reports whether name is the name of a host, or an address as it stands in brackets in host.
func isHost(host, name string) bool {
	if strings.HasPrefix(host, "[") {
		a, err := netip.ParseAddr(name)
		return err == nil && a.Is6() && a.Zone() == ""
	}
	return hostPattern.MatchString(name)
}

var hostPattern = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// address takes a host and a port.
func (d *decoder) address(attr *hcl.Attribute, into *string) bool {
	var s string
	if !d.text(attr, &s) {
		return false
	}
	host, port, err := net.SplitHostPort(s)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || strings.ContainsAny(host, " /\t") {
		d.error(attr.Expr.Range(), "Invalid address",
			`%q needs a host and a port, such as "127.0.0.1:6789", or ":6789" for all addresses of this machine.`, attr.Name)
		return false
	}
	*into = net.JoinHostPort(host, strconv.FormatUint(n, 10))
	return true
}

// taken are the addresses that something listens on, and where that was written.
type taken []struct {
	address string
	at      hcl.Range
}

// own sees to it that nothing else listens on an address.
func (t *taken) own(d *decoder, address string, attr *hcl.Attribute) {
	for _, other := range *t {
		if !overlap(address, other.address) {
			continue
		}
		text := "This address is taken already, at " + place(other.at) + "."
		if address != other.address {
			text = fmt.Sprintf("This address and %s, at %s, cannot both be listened on: one includes the other.", other.address, place(other.at))
		}
		d.error(attr.Expr.Range(), "Duplicate address", "%s", text)
		return
	}
	*t = append(*t, struct {
		address string
		at      hcl.Range
	}{address, attr.Expr.Range()})
}

// overlap reports whether two processes could not listen on both addresses.
func overlap(a, b string) bool {
	hostA, portA, _ := net.SplitHostPort(a)
	hostB, portB, _ := net.SplitHostPort(b)
	if portA != portB || portA == "0" { // 0: any free port
		return false
	}
	local := func(host string) bool { return host == "localhost" || host == "127.0.0.1" }
	everywhere := []string{"", "0.0.0.0", "::"}
	return hostA == hostB || local(hostA) && local(hostB) || slices.Contains(everywhere, hostA) || slices.Contains(everywhere, hostB)
}
