package listen

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
)

// proxySignature begins a header of version 2 of the PROXY protocol.
const proxySignature = "\r\n\r\n\x00\r\nQUIT\n"

// proxyLine is the longest header of version 1, with its end.
const proxyLine = 107

var errProxyHeader = errors.New("bad header of the PROXY protocol")

// readProxyHeader reads a header of the PROXY protocol, and nothing behind it. It returns whom the
// connection comes from; the zero value where that is the proxy itself, or not said.
func readProxyHeader(r io.Reader) (netip.AddrPort, error) {
	// Shorter than any header.
	var start [len(proxySignature)]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read a header of the PROXY protocol: %w", err)
	}
	switch {
	case string(start[:]) == proxySignature:
		return readProxyBinary(r)
	case bytes.HasPrefix(start[:], []byte("PROXY ")):
		return readProxyText(r, start[:])
	}
	return netip.AddrPort{}, errProxyHeader
}

// readProxyText reads the rest of a header of version 1. It reads byte by byte, since the length is
// known at the end alone, and what follows is not its own.
func readProxyText(r io.Reader, start []byte) (netip.AddrPort, error) {
	line := append(make([]byte, 0, proxyLine), start...)
	for !bytes.HasSuffix(line, []byte("\r\n")) {
		if len(line) == proxyLine {
			return netip.AddrPort{}, errProxyHeader
		}
		if _, err := io.ReadFull(r, line[len(line):len(line)+1]); err != nil {
			return netip.AddrPort{}, fmt.Errorf("read a header of the PROXY protocol: %w", err)
		}
		line = line[:len(line)+1]
	}
	return parseProxyText(line[len("PROXY ") : len(line)-len("\r\n")])
}

// parseProxyText reads what stands between "PROXY " and the line's end.
func parseProxyText(text []byte) (netip.AddrPort, error) {
	if bytes.Equal(text, []byte("UNKNOWN")) || bytes.HasPrefix(text, []byte("UNKNOWN ")) {
		return netip.AddrPort{}, nil
	}
	fields := bytes.Split(text, []byte{' '})
	if len(fields) != 5 {
		return netip.AddrPort{}, errProxyHeader
	}
	four := string(fields[0]) == "TCP4"
	if !four && string(fields[0]) != "TCP6" {
		return netip.AddrPort{}, errProxyHeader
	}
	from, ok := proxyEnd(fields[1], fields[3], four)
	if _, also := proxyEnd(fields[2], fields[4], four); !ok || !also {
		return netip.AddrPort{}, errProxyHeader
	}
	return from, nil
}

// proxyEnd is an address and a port as version 1 writes them.
func proxyEnd(address, port []byte, four bool) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(string(address))
	if err != nil || ip.Is4() != four || ip.Zone() != "" {
		return netip.AddrPort{}, false
	}
	if len(port) > 1 && port[0] == '0' {
		return netip.AddrPort{}, false
	}
	n, err := strconv.ParseUint(string(port), 10, 16)
	return netip.AddrPortFrom(ip.Unmap(), uint16(n)), err == nil
}

// The first bytes of version 2 behind the signature.
const (
	proxyLocal = 0x20 // version and command: the proxy's own connection, such as a health check
	proxyFor   = 0x21 // for somebody
	proxyTCP4  = 0x11 // family and protocol
	proxyTCP6  = 0x21
)

// readProxyBinary reads what comes behind the signature. What is longer than the addresses (TLVs) is
// skipped; addresses of other families count as not said.
func readProxyBinary(r io.Reader) (netip.AddrPort, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read a header of the PROXY protocol: %w", err)
	}
	command, family := head[0], head[1]
	if command != proxyLocal && command != proxyFor || family>>4 > 3 || family&0xf > 2 {
		return netip.AddrPort{}, errProxyHeader
	}
	size := 0 // of an address
	switch {
	case command == proxyLocal:
	case family == proxyTCP4:
		size = 4
	case family == proxyTCP6:
		size = 16
	}
	left := int64(binary.BigEndian.Uint16(head[2:]))
	var from netip.AddrPort
	if size > 0 {
		var ends [2*16 + 4]byte // both addresses, then both ports
		n := 2*size + 4
		if left < int64(n) {
			return netip.AddrPort{}, errProxyHeader
		}
		if _, err := io.ReadFull(r, ends[:n]); err != nil {
			return netip.AddrPort{}, fmt.Errorf("read a header of the PROXY protocol: %w", err)
		}
		left -= int64(n)
		ip, _ := netip.AddrFromSlice(ends[:size])
		from = netip.AddrPortFrom(ip.Unmap(), binary.BigEndian.Uint16(ends[2*size:]))
	}
	if _, err := io.CopyN(io.Discard, r, left); err != nil {
		return netip.AddrPort{}, fmt.Errorf("read a header of the PROXY protocol: %w", err)
	}
	return from, nil
}
