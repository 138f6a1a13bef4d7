package logux

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/protocol-bridge/bridge/sdk"
)

// addressMask is a list of blocks of addresses.
type addressMask []netip.Prefix

// parseMask reads blocks as "127.0.0.1/8", of which the bits behind the length do not count, and single
// addresses.
func parseMask(list []string) (addressMask, error) {
	var mask addressMask
	for _, text := range list {
		p, err := parsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("%q is no block of addresses", text)
		}
		mask = append(mask, p)
	}
	return mask, nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		a, err := netip.ParseAddr(text)
		if err != nil {
			return netip.Prefix{}, err
		}
		a = a.Unmap().WithZone("")
		return a.Prefix(a.BitLen())
	}
	p, err := netip.ParsePrefix(text)
	const mapped = 96 // bits in front of an IPv4 address in IPv6
	if err == nil && p.Addr().Is4In6() && p.Bits() >= mapped {
		return p.Addr().Unmap().Prefix(p.Bits() - mapped)
	}
	return p, err
}

// allows says whether somebody is in one of the blocks. Who comes from loopback counts as this machine
// only when nothing says that it speaks for another: else a proxy here would let everybody in.
func (m addressMask) allows(info *sdk.SessionInfo) bool {
	ap, err := netip.ParseAddrPort(info.RemoteAddress)
	if err != nil {
		return false
	}
	a := ap.Addr().Unmap().WithZone("")
	if a.IsLoopback() && !info.Local {
		return false
	}
	for _, p := range m {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
