package listen

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/route"
)

func TestNotLocal(t *testing.T) {
	loopback := client{peer: netip.MustParseAddr("127.0.0.1")}
	tests := map[string]struct {
		from    client
		headers []string
		local   bool
	}{
		"from here":            {loopback, nil, true},
		"from here by 6":       {client{peer: netip.MustParseAddr("::1")}, []string{"Host: [::1]:80"}, true},
		"elsewhere in 127":     {client{peer: netip.MustParseAddr("127.9.9.9")}, nil, true},
		"another machine":      {client{peer: netip.MustParseAddr("192.0.2.1")}, nil, false},
		"nobody knows":         {client{}, nil, false},
		"every address":        {client{peer: netip.MustParseAddr("0.0.0.0")}, nil, false},
		"a trusted proxy":      {client{peer: loopback.peer, proxy: true}, nil, false},
		"Forwarded":            {loopback, []string{"Forwarded: for=127.0.0.1"}, false},
		"X-Forwarded-For":      {loopback, []string{"X-Forwarded-For: 127.0.0.1"}, false},
		"in other case":        {loopback, []string{"x-FORWARDED-for: 127.0.0.1"}, false},
		"an empty one":         {loopback, []string{"X-Forwarded-For: "}, false},
		"X-Forwarded-Anything": {loopback, []string{"X-Forwarded-Port: 80"}, false},
		"X-Forwarded":          {loopback, []string{"X-Forwarded: for=127.0.0.1"}, false},
		"X-Real-IP":            {loopback, []string{"X-Real-IP: 127.0.0.1"}, false},
		"X-Client-IP":          {loopback, []string{"X-Client-IP: 127.0.0.1"}, false},
		"CF-Connecting-IP":     {loopback, []string{"CF-Connecting-IP: 127.0.0.1"}, false},
		"True-Client-IP":       {loopback, []string{"True-Client-IP: 127.0.0.1"}, false},
		"Via":                  {loopback, []string{"Via: 1.1 proxy"}, false},
		"a header of its own":  {loopback, []string{"X-Forward: 1", "X-Request-Id: 2"}, true},
		"localhost":            {loopback, []string{"Host: localhost:6789"}, true},
		"LOCALHOST":            {loopback, []string{"Host: LOCALHOST"}, true},
		"a name":               {loopback, []string{"Host: evil.example:6789"}, false},
		"a name that looks so": {loopback, []string{"Host: localhost.evil.example"}, false},
		"an address":           {loopback, []string{"Host: 192.0.2.1"}, false},
		"all addresses":        {loopback, []string{"Host: 0.0.0.0:6789"}, false},
		"no host":              {loopback, []string{"Host: "}, false},
		"a page from here":     {loopback, []string{"Origin: http://localhost:3000"}, true},
		"a page of 6":          {loopback, []string{"Origin: http://[::1]:3000"}, true},
		"a page of localhost to 127.0.0.1": {
			loopback,
			[]string{"Origin: http://localhost:3000", "Sec-Fetch-Site: cross-site"},
			true,
		},
		"a page from elsewhere":           {loopback, []string{"Origin: https://evil.example"}, false},
		"a page from nowhere":             {loopback, []string{"Origin: null"}, false},
		"a page that has our name":        {loopback, []string{"Origin: http://localhost@evil.example"}, false},
		"no page":                         {loopback, []string{"Sec-Fetch-Site: none"}, true},
		"the same site":                   {loopback, []string{"Sec-Fetch-Site: same-site"}, true},
		"an image of another site's page": {loopback, []string{"Sec-Fetch-Site: cross-site"}, false},
		"the same, shouted":               {loopback, []string{"Sec-Fetch-Site: Cross-Site"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var h fasthttp.RequestHeader
			h.SetHost("127.0.0.1:6789")
			for _, line := range tt.headers {
				name, value, _ := strings.Cut(line, ": ")
				h.Set(name, value)
			}
			if reason := notLocal(&h, tt.from); (reason == "") != tt.local {
				t.Errorf("%+v %q: got %q", tt.from, tt.headers, reason)
			}
		})
	}
}

// toHome is a request to a route for this machine only, in the three ways there are.
func toHome(headers string) []string {
	return []string{
		"GET /home HTTP/1.1\r\n" + headers + "\r\n",
		"POST /home HTTP/1.1\r\nContent-Length: 2\r\n" + headers + "\r\nhi",
		"GET /home HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + headers + "\r\n",
	}
}

func (f *fixture) wantHome(t *testing.T, headers string, let bool) {
	t.Helper()
	for _, sent := range toHome(headers) {
		res, body := f.answer(t, sent)
		if let && res.StatusCode >= 400 {
			t.Errorf("%q: got %d %q", sent, res.StatusCode, body)
		}
		if !let && (res.StatusCode != http.StatusForbidden || body != "this route has no auth: it is served to this machine only\n") {
			t.Errorf("%q: got %d %q", sent, res.StatusCode, body)
		}
	}
}

// TestDNSRebinding has a stranger's name lead to this machine: its page is of the same origin then,
// and only the Host header tells.
func TestDNSRebinding(t *testing.T) {
	f := startGuarded(t, Config{}, nil)
	f.wantHome(t, "Host: evil.example:6789\r\nOrigin: http://evil.example:6789\r\nSec-Fetch-Site: same-origin\r\n", false)
	f.wantHome(t, "Host: evil.example\r\n", false)
	f.wantHome(t, "Host: "+f.addr+"\r\nOrigin: http://"+f.addr+"\r\nSec-Fetch-Site: same-origin\r\n", true)
	logs := f.logs.String()
	for _, want := range []string{"route without auth is for this machine only", "its Host header does not name this machine", "auth = auth.none"} {
		if n := strings.Count(logs, want); n == 0 || n > 5 {
			t.Errorf("%q is there %d times:\n%s", want, n, logs)
		}
	}
}

// TestCrossSitePost has pages from elsewhere send what a browser lets them send without asking.
func TestCrossSitePost(t *testing.T) {
	f := startGuarded(t, Config{}, nil)
	for _, headers := range []string{
		"Origin: https://evil.example\r\nSec-Fetch-Site: cross-site\r\nContent-Type: text/plain\r\n",
		"Origin: https://evil.example\r\n",
		"Origin: null\r\nSec-Fetch-Site: cross-site\r\n",
		"Sec-Fetch-Site: cross-site\r\n",
	} {
		f.wantHome(t, "Host: "+f.addr+"\r\n"+headers, false)
	}
	// With auth a page's origin still counts for whatever may have an effect.
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		for _, origin := range []string{"https://evil.example", "null"} {
			sent := method + " /api/ HTTP/1.1\r\nHost: " + f.addr + "\r\nOrigin: " + origin + "\r\nContent-Length: 0\r\n\r\n"
			if res, _ := f.answer(t, sent); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s from %s: got %d", method, origin, res.StatusCode)
			}
		}
	}
	if n := len(f.peer.opened); n != 0 {
		t.Errorf("%d sessions", n)
	}
	f.wantHome(t, "Host: "+f.addr+"\r\n", true)
}

// TestInfoSaysWhoIsLocal has a session know whether its peer is this machine, also where its route is for
// others too.
func TestInfoSaysWhoIsLocal(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for name, tt := range map[string]struct {
		cfg  Config
		sent string // in front of what the connection speaks
		head string // of a request
		want bool
	}{
		"from here":               {Config{}, "", "", true},
		"with a proxy's header":   {Config{}, "", "X-Forwarded-For: 127.0.0.1\r\n", false},
		"by a page from here":     {Config{}, "", "Origin: http://localhost:1\r\n", true},
		"by a trusted proxy":      {Config{TrustedProxies: proxies}, "", "", false},
		"whom a proxy names":      {Config{TrustedProxies: proxies, ProxyProtocol: true}, "PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\n", "", false},
		"a proxy's own":           {Config{TrustedProxies: proxies, ProxyProtocol: true}, proxyV2(0x20, 0, ""), "", false},
		"over TLS":                {Config{Certificate: newCertificate(t, 1)}, "", "", true},
		"a stranger by the proxy": {Config{TrustedProxies: proxies, ProxyProtocol: true}, "PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n", "", false},
	} {
		said := map[string]string{"lines": "a\n"}
		if tt.head != "" {
			delete(said, "lines")
		}
		for kind, sent := range map[string]string{
			"request": "GET /both HTTP/1.1\r\n", "upgrade": "GET /both HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
		} {
			said[kind] = sent + "Host: 127.0.0.1\r\n" + tt.head + "\r\n"
		}
		for kind, sent := range said {
			t.Run(name+", "+kind, func(t *testing.T) {
				p := newPeer()
				p.onRequest = repeats
				cfg := tt.cfg
				cfg.Lines = kind == "lines"
				f := start(t, p, cfg, lineEntry, &route.Entry{ID: "both", Path: "/both", HTTP: true, WebSocket: true})
				c := f.raw(t)
				if tt.sent != "" {
					c.send(t, tt.sent)
				}
				var w io.Writer = c
				if cfg.Certificate != nil {
					w = tls.Client(c.Conn, clientTLS())
				}
				if _, err := io.WriteString(w, sent); err != nil {
					t.Fatal(err)
				}
				if info := p.session1(t).Info; info.Local != tt.want || info.HTTP != (kind == "request") || info.TCP != (kind == "lines") {
					t.Errorf("%+v", *info)
				}
			})
		}
	}
}

// TestNamedPeerIsNotLocal: who is named by the PROXY protocol gets nothing that is for this machine alone.
func TestNamedPeerIsNotLocal(t *testing.T) {
	const named = "PROXY TCP4 127.0.0.9 127.0.0.1 1 2\r\n"
	cfg := Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, ProxyProtocol: true}
	f := startGuarded(t, cfg, nil)
	if res, _ := f.answer(t, named+"GET /home HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"); res.StatusCode != http.StatusForbidden {
		t.Errorf("a request is answered with %d", res.StatusCode)
	}
	p := newPeer()
	cfg.Lines = true
	own := *lineEntry
	own.LocalOnly = true
	c := start(t, p, cfg, &own).raw(t)
	c.send(t, named+"a\n")
	if got, _ := io.ReadAll(c.r); len(got) > 0 || len(p.opened) > 0 {
		t.Errorf("a line is answered with %q, and %d sessions", got, len(p.opened))
	}
}
