package listen

import (
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/session"
)

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, p := range list {
		all = append(all, netip.MustParsePrefix(p))
	}
	return all
}

// told is what a server that trusts 10/8 and fd00/8 believes of a peer in them.
func told(lines ...string) client {
	s := New(Config{TrustedProxies: prefixes("10.0.0.0/8", "fd00::/8")}, nil)
	var h fasthttp.RequestHeader
	for _, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		h.Add(name, value)
	}
	c := client{address: "10.0.0.1:1", host: []byte("inner")}
	s.believe(&c, &h)
	return c
}

func TestForwardedByTrustedProxy(t *testing.T) {
	const proxy = "10.0.0.1:1"
	long := strings.Repeat("1.2.3.4, ", 800)
	tests := map[string]struct {
		headers []string
		address string
		tls     bool
		host    string
	}{
		"nothing said":          {nil, proxy, false, "inner"},
		"one":                   {[]string{"X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0", false, "inner"},
		"with a port":           {[]string{"X-Forwarded-For: 192.0.2.1:4711"}, "192.0.2.1:4711", false, "inner"},
		"no such port":          {[]string{"X-Forwarded-For: 192.0.2.1:70000"}, proxy, false, "inner"},
		"an empty port":         {[]string{"X-Forwarded-For: 192.0.2.1:"}, proxy, false, "inner"},
		"a port with a sign":    {[]string{"X-Forwarded-For: 192.0.2.1:+1"}, proxy, false, "inner"},
		"IPv6":                  {[]string{"X-Forwarded-For: 2001:db8::1"}, "[2001:db8::1]:0", false, "inner"},
		"IPv6 in brackets":      {[]string{"X-Forwarded-For: [2001:db8::1]"}, "[2001:db8::1]:0", false, "inner"},
		"IPv6 with a port":      {[]string{"X-Forwarded-For: [2001:db8::1]:4711"}, "[2001:db8::1]:4711", false, "inner"},
		"IPv6 with a zone":      {[]string{"X-Forwarded-For: fe80::1%eth0"}, "[fe80::1]:0", false, "inner"},
		"trusted with a zone":   {[]string{"X-Forwarded-For: 192.0.2.1, fd00::1%x"}, "192.0.2.1:0", false, "inner"},
		"mapped":                {[]string{"X-Forwarded-For: ::ffff:192.0.2.1"}, "192.0.2.1:0", false, "inner"},
		"trusted and mapped":    {[]string{"X-Forwarded-For: 192.0.2.1, ::ffff:10.0.0.2"}, "192.0.2.1:0", false, "inner"},
		"IPv4 in brackets":      {[]string{"X-Forwarded-For: [192.0.2.1]"}, proxy, false, "inner"},
		"an open bracket":       {[]string{"X-Forwarded-For: [2001:db8::1"}, proxy, false, "inner"},
		"text behind a bracket": {[]string{"X-Forwarded-For: [2001:db8::1]x"}, proxy, false, "inner"},
		"a name":                {[]string{"X-Forwarded-For: localhost"}, proxy, false, "inner"},
		"unknown":               {[]string{"X-Forwarded-For: unknown"}, proxy, false, "inner"},
		"empty":                 {[]string{"X-Forwarded-For: "}, proxy, false, "inner"},
		"commas alone":          {[]string{"X-Forwarded-For: ,, ,"}, proxy, false, "inner"},
		"odd numbers":           {[]string{"X-Forwarded-For: 0x7f.1"}, proxy, false, "inner"},
		"leading zeros":         {[]string{"X-Forwarded-For: 127.0.0.01"}, proxy, false, "inner"},
		"too long":              {[]string{"X-Forwarded-For: fe80::1%" + strings.Repeat("x", 100)}, proxy, false, "inner"},

		"from the right":          {[]string{"X-Forwarded-For: 127.0.0.1, 6.6.6.6, 192.0.2.1, 10.0.0.3,10.0.0.2"}, "192.0.2.1:0", false, "inner"},
		"all trusted":             {[]string{"X-Forwarded-For: 10.0.0.4, 10.0.0.3, fd00::2"}, "10.0.0.4:0", false, "inner"},
		"garbage in the middle":   {[]string{"X-Forwarded-For: 192.0.2.1, who, 10.0.0.3"}, "10.0.0.3:0", false, "inner"},
		"garbage on the left":     {[]string{"X-Forwarded-For: <script>, 192.0.2.1"}, "192.0.2.1:0", false, "inner"},
		"empty elements":          {[]string{"X-Forwarded-For: 192.0.2.1,, 10.0.0.3,"}, "192.0.2.1:0", false, "inner"},
		"two lines are one list":  {[]string{"X-Forwarded-For: 6.6.6.6", "X-Forwarded-For: 192.0.2.1, 10.0.0.3"}, "192.0.2.1:0", false, "inner"},
		"the last of many":        {[]string{"X-Forwarded-For: " + long + "192.0.2.1"}, "192.0.2.1:0", false, "inner"},
		"none of many is a proxy": {[]string{"X-Forwarded-For: " + strings.Repeat("10.0.0.2,", 800)}, "10.0.0.2:0", false, "inner"},

		"TLS and host":              {[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: HTTPS", "X-Forwarded-Host: app.example"}, "192.0.2.1:0", true, "app.example"},
		"TLS without an address":    {[]string{"X-Forwarded-Proto: wss"}, proxy, true, "inner"},
		"no TLS":                    {[]string{"X-Forwarded-Proto: http"}, proxy, false, "inner"},
		"no such scheme":            {[]string{"X-Forwarded-Proto: gopher"}, proxy, false, "inner"},
		"a client's TLS":            {[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https, http"}, "192.0.2.1:0", false, "inner"},
		"a client's host":           {[]string{"X-Forwarded-For: 192.0.2.1", "X-Forwarded-Host: evil.example, app.example"}, "192.0.2.1:0", false, "app.example"},
		"of the proxy it came from": {[]string{"X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https, http", "X-Forwarded-Host: app.example, mid"}, "192.0.2.1:0", true, "app.example"},
		"said once by two proxies":  {[]string{"X-Forwarded-For: 192.0.2.1, 10.0.0.2", "X-Forwarded-Proto: https"}, "192.0.2.1:0", true, "inner"},

		"standard":                {[]string{`Forwarded: for=192.0.2.1;proto=https;host=app.example;by=10.0.0.1`}, "192.0.2.1:0", true, "app.example"},
		"standard, IPv6":          {[]string{`Forwarded: For="[2001:db8::1]:4711"`}, "[2001:db8::1]:4711", false, "inner"},
		"standard, a hidden port": {[]string{`Forwarded: for="192.0.2.1:_x"`}, "192.0.2.1:0", false, "inner"},
		"standard, unquoted":      {[]string{`Forwarded: for=192.0.2.1:80`}, "192.0.2.1:80", false, "inner"},
		"standard, hidden":        {[]string{`Forwarded: for=192.0.2.1, for=_gazonk;proto=https`}, proxy, true, "inner"},
		"standard, hidden left":   {[]string{`Forwarded: for=_gazonk, for=10.0.0.2`}, "10.0.0.2:0", false, "inner"},
		"standard, unknown":       {[]string{`Forwarded: for=unknown`}, proxy, false, "inner"},
		"standard, no for":        {[]string{`Forwarded: for=192.0.2.1, proto=https`}, proxy, true, "inner"},
		"standard, from the right": {
			[]string{`Forwarded: for=6.6.6.6;host=evil.example`, `Forwarded: for=192.0.2.1;host=app.example, for=10.0.0.2;host=mid`},
			"192.0.2.1:0", false, "app.example",
		},
		"standard, escaped":          {[]string{`Forwarded: for="192.0.\2.1"`}, "192.0.2.1:0", false, "inner"},
		"standard, spaces":           {[]string{`Forwarded: for=192.0.2.1 ; proto=https ;`}, "192.0.2.1:0", true, "inner"},
		"standard, twice":            {[]string{`Forwarded: for=192.0.2.1;for=6.6.6.6`}, proxy, false, "inner"},
		"standard, an open quote":    {[]string{`Forwarded: for="192.0.2.1`}, proxy, false, "inner"},
		"standard, a client's quote": {[]string{`Forwarded: for="6.6.6.6, for=192.0.2.1`}, "192.0.2.1:0", false, "inner"},
		"standard, a comma within":   {[]string{`Forwarded: for=192.0.2.1;host="a, for=6.6.6.6"`}, proxy, false, "inner"},
		"standard, a pair within":    {[]string{`Forwarded: for=192.0.2.1;host="a,for=6.6.6.6;x=";by=""`}, proxy, false, "inner"},
		"standard, a quoted name":    {[]string{`Forwarded: a"b"=c;for=192.0.2.1`}, proxy, false, "inner"},
		"standard, no value":         {[]string{`Forwarded: for=`}, proxy, false, "inner"},
		"standard, only a name":      {[]string{`Forwarded: 192.0.2.1`}, proxy, false, "inner"},
		"the other one counts":       {[]string{`Forwarded: for=6.6.6.6;proto=https;host=evil.example`, "X-Forwarded-For: 192.0.2.1"}, "192.0.2.1:0", false, "inner"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := told(tt.headers...)
			if got.address != tt.address || got.tls != tt.tls || string(got.host) != tt.host {
				t.Errorf("%.300q:\ngot  %s, TLS %v, %s\nwant %s, TLS %v, %s", tt.headers, got.address, got.tls, got.host, tt.address, tt.tls, tt.host)
			}
		})
	}
}

// TestForwardedHeadersFromStrangers has nobody believed who is not in TrustedProxies, and nobody
// taken for local who carries a proxy's header, or is one.
func TestForwardedHeadersFromStrangers(t *testing.T) {
	said := "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: app.example\r\n"
	for name, tt := range map[string]struct {
		proxies []netip.Prefix
		trusted bool
	}{
		"nobody is trusted": {nil, false},
		"others are":        {prefixes("10.0.0.0/8", "::1/128"), false},
		"this one is":       {prefixes("127.0.0.0/8"), true},
	} {
		t.Run(name, func(t *testing.T) {
			f := startGuarded(t, Config{TrustedProxies: tt.proxies}, nil)
			c := f.raw(t)
			want := session.Info{RemoteAddress: c.LocalAddr().String()}
			if tt.trusted {
				want = session.Info{RemoteAddress: "192.0.2.1:0", TLS: true}
			}
			c.send(t, "GET /api/ HTTP/1.1\r\nHost: inner\r\n"+said+"\r\n")
			c.response(t, "GET")
			got := f.peer.session1(t).Info
			if got.RemoteAddress != want.RemoteAddress || got.TLS != want.TLS || got.Host != "inner" {
				t.Errorf("got %+v, want %+v", *got, want)
			}
			// Of the origin's host only a trusted proxy can say that it was asked for.
			status := map[bool]int{true: 200, false: 403}[tt.trusted]
			res, _ := f.answer(t, "POST /api/ HTTP/1.1\r\nHost: inner\r\nOrigin: https://app.example\r\nContent-Length: 0\r\n"+said+"\r\n")
			if res.StatusCode != status {
				t.Errorf("same origin by X-Forwarded-Host: got %d, want %d", res.StatusCode, status)
			}
			// And nobody else's page comes in by saying so of itself.
			res, _ = f.answer(t, "POST /api/ HTTP/1.1\r\nHost: inner\r\nOrigin: http://inner\r\nContent-Length: 0\r\n"+said+"\r\n")
			if status = 603 - status; res.StatusCode != status {
				t.Errorf("same origin by Host: got %d, want %d", res.StatusCode, status)
			}
			for _, line := range strings.SplitAfter(said, "\r\n")[:3] {
				if res, _ := f.answer(t, "GET /home HTTP/1.1\r\nHost: localhost\r\n"+line+"\r\n"); res.StatusCode != http.StatusForbidden {
					t.Errorf("%q is served what is for this machine only: %d", line, res.StatusCode)
				}
			}
		})
	}
}

// FuzzForwarded has a client send what it likes to a proxy: behind what the proxy adds it must not
// matter.
func FuzzForwarded(f *testing.F) {
	for _, seed := range []string{
		"", "10.0.0.2", "192.0.2.1, 10.0.0.2", "[::1]:1", "for=10.0.0.2;proto=http", `for="[fd00::1]:_x";host="a\",b"`, `for="`, `x=";`, ",,,", "%", `\`,
	} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, sent, value string) {
		alone := told("X-Forwarded-For: "+sent, "X-Forwarded-Proto: "+value, "X-Forwarded-Host: "+value)
		if _, err := netip.ParseAddrPort(alone.address); err != nil {
			t.Errorf("X-Forwarded-For %q: address %q", sent, alone.address)
		}
		if got := told("Forwarded: " + sent); got.address != "10.0.0.1:1" {
			if _, err := netip.ParseAddrPort(got.address); err != nil {
				t.Errorf("Forwarded %q: address %q", sent, got.address)
			}
		}
		const genuine = "203.0.113.7:0"
		for _, lines := range [][]string{
			{"X-Forwarded-For: " + sent + ",203.0.113.7, 10.0.0.2", "X-Forwarded-Proto: " + value + ",https,http", "X-Forwarded-Host: " + value + ", app, mid"},
			{"X-Forwarded-For: " + sent, "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: " + value, "X-Forwarded-Proto: https", "X-Forwarded-Host: app"},
			{"Forwarded: " + sent + ",for=203.0.113.7;proto=https;host=app, for=10.0.0.2;proto=http"},
			{"Forwarded: " + sent, `Forwarded: for="203.0.113.7";proto=https;host=app`},
		} {
			if got := told(lines...); got.address != genuine || !got.tls || string(got.host) != "app" {
				t.Errorf("%q:\ngot %s, TLS %v, %s", lines, got.address, got.tls, got.host)
			}
		}
		if node, ok := parseNode([]byte(sent)); ok {
			if again, ok := parseNode([]byte(node.String())); !ok || again != node {
				t.Errorf("%q is %v, and that is %v", sent, node, again)
			}
		}
	})
}
