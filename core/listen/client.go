package listen

import (
	"net"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"
)

// client is where a request comes from, as far as can be told.
type client struct {
	peer    netip.Addr // the other end of the connection; zero: not known
	proxy   bool       // the peer is a trusted proxy
	named   bool       // a proxy named the peer, by the PROXY protocol
	address string     // ip:port of the client; port 0: not known
	tls     bool
	host    []byte // what the client asked for, of the request's head

	elsewhere string // why it may not be this machine that asks; empty: it is
}

// peer is the other end of a connection, or whom the PROXY protocol named.
func (a *accepted) peer() (ip netip.Addr, address string) {
	switch addr := a.RemoteAddr().(type) {
	case nil:
		return netip.Addr{}, ""
	case *net.TCPAddr:
		return addr.AddrPort().Addr().Unmap().WithZone(""), addr.String()
	default:
		return netip.Addr{}, addr.String()
	}
}

// client believes what trusted proxies say, and nobody else.
func (s *Server) client(ctx *fasthttp.RequestCtx) client {
	from := ctx.Conn().(*accepted)
	c := client{tls: from.secure, named: from.named != nil, host: ctx.Request.Header.Host()}
	c.peer, c.address = from.peer()
	if c.proxy = s.trusts(c.peer); c.proxy {
		s.believe(&c, &ctx.Request.Header)
	}
	c.elsewhere = notLocal(&ctx.Request.Header, c)
	return c
}

func (s *Server) trusts(a netip.Addr) bool {
	for _, p := range s.policy.Load().trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// believe takes over what a trusted proxy says. Lists grow to the right: each proxy adds whom it was
// asked by. So they are read from the right, up to the first that is not trusted, which is the
// client; what stands left of that is the client's own story. An element that names nobody hides the
// one that the proxy to its right was asked by; the address is then that proxy's own.
func (s *Server) believe(c *client, h *fasthttp.RequestHeader) {
	told := xForwardedFor(h)
	standard := len(h.PeekAll("X-Forwarded-For")) == 0 && len(h.PeekAll("Forwarded")) > 0
	if standard {
		told = forwarded(h)
	}
	var address netip.AddrPort
	var last hop
	at := 0 // of last, from the right
	i := 0
	for e := range told {
		last, at = e, i
		i++
		node, ok := parseNode(e.node)
		if !ok {
			break
		}
		if address = node; !s.trusts(node.Addr()) {
			break
		}
	}
	if address.IsValid() {
		c.address = address.String()
	}
	if !standard {
		last.proto = fromRightAt(h.PeekAll("X-Forwarded-Proto"), at)
		last.host = fromRightAt(h.PeekAll("X-Forwarded-Host"), at)
	}
	switch strings.ToLower(string(last.proto)) {
	case "https", "wss":
		c.tls = true
	case "http", "ws":
		c.tls = false
	}
	if len(last.host) > 0 {
		c.host = last.host
	}
}

// hop is what a proxy says of whom it was asked by; nil is nothing.
type hop struct{ node, proto, host []byte }
