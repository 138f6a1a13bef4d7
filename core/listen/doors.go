package listen

import (
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// doors count the connections of a listener, and those of each address.
type doors struct {
	most, mostOf int // negative: no bound
	open         int
	of           map[netip.Addr]int // by addressKey
}

// enter counts a connection; ok is false when there are too many.
func (d *doors) enter(key netip.Addr) (why reason, ok bool) {
	if d.most >= 0 && d.open >= d.most {
		return tooManyConnections, false
	}
	if d.mostOf >= 0 && key.IsValid() {
		if d.of[key] >= d.mostOf {
			return tooManyOfAddress, false
		}
		if d.of == nil {
			d.of = make(map[netip.Addr]int)
		}
		d.of[key]++
	}
	d.open++
	return 0, true
}

// leave counts one less.
func (d *doors) leave(key netip.Addr) {
	d.open--
	if d.mostOf < 0 || !key.IsValid() {
		return
	}
	if d.of[key]--; d.of[key] <= 0 {
		delete(d.of, key)
	}
}

// addressKey is what the connections of an address are counted by: an IPv6 network of 64 bits is one
// customer's. It is zero for this machine and for trusted proxies, behind which many are.
func (s *Server) addressKey(nc net.Conn) netip.Addr {
	a, ok := nc.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return s.keyOf(a.AddrPort().Addr().Unmap().WithZone(""))
}

func (s *Server) keyOf(ip netip.Addr) netip.Addr {
	if ip.IsLoopback() || s.trusts(ip) {
		return netip.Addr{}
	}
	if ip.Is6() {
		const network = 64
		if p, err := ip.Prefix(network); err == nil {
			return p.Addr()
		}
	}
	return ip
}

// turnOff closes a connection that came to a full house, without a word: there may be many of them.
func (s *Server) turnOff(nc net.Conn, why reason) {
	_ = nc.Close()
	s.meter.refused(why)
	dropped, ok := s.quiet.Allow(time.Now())
	if !ok {
		return
	}
	s.mu.Lock()
	most, mostOf := s.doors.most, s.doors.mostOf
	s.mu.Unlock()
	if why == tooManyOfAddress {
		s.log.Warn("too many connections of one address", "peer", nc.RemoteAddr().String(), "limit", mostOf,
			"remedy", "if it is a proxy, name it in trusted_proxies; else raise max_per_address", "dropped", dropped)
		return
	}
	s.log.Warn("too many connections", "limit", most, "remedy", "raise the limit of open files, or max_connections", "dropped", dropped)
}

// mostConnections is a bound that leaves descriptors for back-ends, plugins and files.
func mostConnections() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil || l.Cur > 1<<30 {
		return -1
	}
	return int(l.Cur / 10 * 9)
}
