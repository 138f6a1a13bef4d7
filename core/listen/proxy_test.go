package listen

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// proxyV2 is a header of version 2.
func proxyV2(command, family byte, body string) string {
	head := append([]byte(proxySignature), command, family)
	return string(binary.BigEndian.AppendUint16(head, uint16(len(body)))) + body
}

const (
	fourEnds = "\xc0\x00\x02\x07\x7f\x00\x00\x01\x30\x39\x00\x50" // 192.0.2.7:12345 to 127.0.0.1:80
	sixEnds  = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x30\x39\x00\x50" // [2001:db8::7]:12345 to [::1]:80
)

// proxyHeaders are headers and whom they name: "" is nobody, "bad" that they are refused.
var proxyHeaders = map[string]struct{ header, want string }{
	"1, TCP4":                       {"PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n", "192.0.2.7:12345"},
	"1, TCP4, longest":              {"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255:65535"},
	"1, TCP6":                       {"PROXY TCP6 2001:db8::7 ::1 12345 80\r\n", "[2001:db8::7]:12345"},
	"1, TCP6, longest":              {"PROXY TCP6 ffff:f..f:ffff\r\n", "bad"},
	"1, TCP6, mapped":               {"PROXY TCP6 ::ffff:192.0.2.7 ::1 12345 80\r\n", "192.0.2.7:12345"},
	"1, port 0":                     {"PROXY TCP4 192.0.2.7 127.0.0.1 0 0\r\n", "192.0.2.7:0"},
	"1, unknown":                    {"PROXY UNKNOWN\r\n", ""},
	"1, unknown with words":         {"PROXY UNKNOWN ffff:ffff::1 ffff::1 65535 65535\r\n", ""},
	"1, unknown, as long as can be": {"PROXY UNKNOWN " + strings.Repeat("x", proxyLine-16) + "\r\n", ""},
	"1, unknown, too long":          {"PROXY UNKNOWN " + strings.Repeat("x", proxyLine-15) + "\r\n", "bad"},
	"1, without an end":             {"PROXY TCP4 192.0.2.7 127.0.0.1 12345 80", "bad"},
	"1, LF alone":                   {"PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\n", "bad"},
	"1, in small letters":           {"proxy TCP4 192.0.2.7 127.0.0.1 12345 80\r\n", "bad"},
	"1, another family":             {"PROXY UDP4 192.0.2.7 127.0.0.1 12345 80\r\n", "bad"},
	"1, families mixed":             {"PROXY TCP4 2001:db8::7 127.0.0.1 12345 80\r\n", "bad"},
	"1, families mixed at the end":  {"PROXY TCP6 2001:db8::7 127.0.0.1 12345 80\r\n", "bad"},
	"1, port too large":             {"PROXY TCP4 192.0.2.7 127.0.0.1 65536 80\r\n", "bad"},
	"1, other port too large":       {"PROXY TCP4 192.0.2.7 127.0.0.1 1 65536\r\n", "bad"},
	"1, port with a sign":           {"PROXY TCP4 192.0.2.7 127.0.0.1 +1 80\r\n", "bad"},
	"1, port with a zero":           {"PROXY TCP4 192.0.2.7 127.0.0.1 01 80\r\n", "bad"},
	"1, address with a zero":        {"PROXY TCP4 192.0.2.07 127.0.0.1 1 80\r\n", "bad"},
	"1, address with a zone":        {"PROXY TCP6 fe80::1%eth0 ::1 1 80\r\n", "bad"},
	"1, a name":                     {"PROXY TCP4 localhost 127.0.0.1 1 80\r\n", "bad"},
	"1, a field less":               {"PROXY TCP4 192.0.2.7 127.0.0.1 80\r\n", "bad"},
	"1, a field more":               {"PROXY TCP4 192.0.2.7 127.0.0.1 1 80 1\r\n", "bad"},
	"1, two spaces":                 {"PROXY TCP4  192.0.2.7 127.0.0.1 1 80\r\n", "bad"},
	"1, empty":                      {"PROXY \r\n       \r\n", "bad"},

	"2, TCP4":                    {proxyV2(0x21, 0x11, fourEnds), "192.0.2.7:12345"},
	"2, TCP6":                    {proxyV2(0x21, 0x21, sixEnds), "[2001:db8::7]:12345"},
	"2, TCP4 with TLVs":          {proxyV2(0x21, 0x11, fourEnds+"\x04\x00\x03abc"), "192.0.2.7:12345"},
	"2, TCP6 with many TLVs":     {proxyV2(0x21, 0x21, sixEnds+strings.Repeat("\x04\x00\x03abc", 5000)), "[2001:db8::7]:12345"},
	"2, as long as can be":       {proxyV2(0x21, 0x11, fourEnds+strings.Repeat("x", 65535-12)), "192.0.2.7:12345"},
	"2, local":                   {proxyV2(0x20, 0x00, ""), ""},
	"2, local with addresses":    {proxyV2(0x20, 0x11, fourEnds), ""},
	"2, local with anything":     {proxyV2(0x20, 0x11, "x"), ""},
	"2, unspecified":             {proxyV2(0x21, 0x00, "x"), ""},
	"2, UDP":                     {proxyV2(0x21, 0x12, fourEnds), ""},
	"2, unix":                    {proxyV2(0x21, 0x31, strings.Repeat("/", 216)), ""},
	"2, an unknown family":       {proxyV2(0x21, 0x41, fourEnds), "bad"},
	"2, an unknown protocol":     {proxyV2(0x21, 0x13, fourEnds), "bad"},
	"2, an unknown command":      {proxyV2(0x22, 0x11, fourEnds), "bad"},
	"2, another version":         {proxyV2(0x31, 0x11, fourEnds), "bad"},
	"2, too short for TCP4":      {proxyV2(0x21, 0x11, fourEnds[:11]), "bad"},
	"2, too short for TCP6":      {proxyV2(0x21, 0x21, fourEnds), "bad"},
	"2, cut in the head":         {proxyV2(0x21, 0x11, fourEnds)[:14], "bad"},
	"2, cut in the addresses":    {proxyV2(0x21, 0x11, fourEnds)[:20], "bad"},
	"2, cut in the TLVs":         {proxyV2(0x21, 0x11, fourEnds+"tlv")[:30], "bad"},
	"2, a signature with a slip": {strings.Replace(proxyV2(0x21, 0x11, fourEnds), "QUIT", "QUIZ", 1), "bad"},

	"nothing":        {"", "bad"},
	"HTTP":           {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bad"},
	"TLS":            {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00\x00\x00", "bad"},
	"almost nothing": {"PROXY UNKNO", "bad"},
}

func TestReadProxyHeader(t *testing.T) {
	for name, tt := range proxyHeaders {
		t.Run(name, func(t *testing.T) {
			for how, wrap := range map[string]func(io.Reader) io.Reader{
				"at once":      func(r io.Reader) io.Reader { return r },
				"byte by byte": iotest.OneByteReader,
			} {
				rest := "rest"
				if tt.want == "bad" {
					rest = ""
				}
				in := strings.NewReader(tt.header + rest)
				got, err := readProxyHeader(wrap(in))
				if tt.want == "bad" {
					if err == nil {
						t.Errorf("%s: %q names %v, want an error", how, tt.header, got)
					}
					continue
				}
				want, _ := netip.ParseAddrPort(tt.want)
				left, _ := io.ReadAll(in)
				if err != nil || got != want || string(left) != rest {
					t.Errorf("%s: %q: got %v, %v and %q left, want %v and %q", how, tt.header, got, err, left, want, rest)
				}
			}
		})
	}
}

func FuzzReadProxyHeader(f *testing.F) {
	for _, tt := range proxyHeaders {
		f.Add([]byte(tt.header + "rest"))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		in := bytes.NewReader(data)
		got, err := readProxyHeader(in)
		used := data[:len(data)-in.Len()]
		if err != nil {
			if got.IsValid() {
				t.Errorf("%q: %v and %v", data, got, err)
			}
			return
		}
		again, err := readProxyHeader(iotest.OneByteReader(bytes.NewReader(used)))
		if err != nil || again != got {
			t.Errorf("%q: %v at once, %v, %v byte by byte", used, got, again, err)
		}
		if got.IsValid() && (got.Addr().Is4In6() || got.Addr().Zone() != "") {
			t.Errorf("%q: address %v", used, got)
		}
		if v1 := bytes.HasPrefix(used, []byte("PROXY ")); v1 && (len(used) > proxyLine || !bytes.HasSuffix(used, []byte("\r\n"))) {
			t.Errorf("%q is no line of version 1", used)
		}
	})
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// Whom the header names is the peer for everything, whatever the connection speaks.
func TestProxyProtocol(t *testing.T) {
	plain := &route.Entry{ID: "plain", Path: "/plain", HTTP: true}
	for name, tt := range map[string]struct {
		sent    []string // writes in front of what the connection speaks
		forward string   // an X-Forwarded-For header
		want    string   // remote address; "" is the connection's own
	}{
		"version 1":                     {[]string{"PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n"}, "", "192.0.2.7:12345"},
		"version 1 in parts":            {strings.SplitAfter("PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n", " "), "", "192.0.2.7:12345"},
		"version 2":                     {[]string{proxyV2(0x21, 0x21, sixEnds+"tlv")}, "", "[2001:db8::7]:12345"},
		"unknown":                       {[]string{"PROXY UNKNOWN\r\n"}, "", ""},
		"local":                         {[]string{proxyV2(0x20, 0, "")}, "", ""},
		"a client that forwards":        {[]string{proxyV2(0x21, 0x11, fourEnds)}, "203.0.113.9", "192.0.2.7:12345"},
		"a trusted client that does":    {[]string{"PROXY TCP4 127.0.0.2 127.0.0.1 12345 80\r\n"}, "203.0.113.9", "203.0.113.9:0"},
		"the proxy itself that does so": {[]string{"PROXY UNKNOWN\r\n"}, "203.0.113.9", "203.0.113.9:0"},
	} {
		for kind, cfg := range map[string]Config{
			"HTTP": {}, "HTTPS": {Certificate: newCertificate(t, 1)}, "lines": {Lines: true}, "lines over TLS": {Lines: true, Certificate: newCertificate(t, 1)},
		} {
			if cfg.Lines && tt.forward != "" {
				continue
			}
			t.Run(name+", "+kind, func(t *testing.T) {
				p := newPeer()
				p.onRequest = func(_ *session.Session, _ []byte, w session.ResponseWriter) { _ = w.Respond(200, nil, nil, true) }
				cfg.ProxyProtocol, cfg.TrustedProxies = true, loopback
				f := start(t, p, cfg, lineEntry, plain)
				c := f.raw(t)
				for _, part := range tt.sent {
					c.send(t, part)
				}
				var w io.Writer = c
				if cfg.Certificate != nil {
					w = tls.Client(c.Conn, clientTLS())
				}
				said := "GET /plain HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + tt.forward + "\r\n\r\n"
				if cfg.Lines {
					said = "a\n"
				}
				if _, err := io.WriteString(w, said); err != nil {
					t.Fatal(err)
				}
				want := tt.want
				if want == "" {
					want = c.LocalAddr().String()
				}
				if got := p.session1(t).Info.RemoteAddress; got != want {
					t.Errorf("remote address %s, want %s", got, want)
				}
			})
		}
	}
}

func TestProxyProtocolIsRequired(t *testing.T) {
	elsewhere := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	const good = "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n"
	for name, tt := range map[string]struct {
		trusted []netip.Prefix
		sent    string
	}{
		"a header of a stranger":   {elsewhere, good},
		"a stranger without":       {elsewhere, "a\n"},
		"a proxy without":          {loopback, "a\n" + strings.Repeat("x", 20)},
		"garbage":                  {loopback, strings.Repeat("\x00", 200)},
		"a header that never ends": {loopback, "PROXY TCP4 192.0.2.7 "},
		"nothing":                  {loopback, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeer()
			m := NewMetrics(prometheus.NewRegistry())
			f := start(t, p, Config{Lines: true, ProxyProtocol: true, TrustedProxies: tt.trusted, HandshakeTimeout: 200 * time.Millisecond, Metrics: m}, lineEntry)
			c := f.raw(t)
			_, _ = io.WriteString(c, tt.sent)
			if got, _ := io.ReadAll(c.r); len(got) > 0 {
				t.Errorf("answered %q", got)
			}
			if len(p.opened) > 0 {
				t.Error("a session was opened")
			}
			m.wantRefused(t, 1, malformed)
		})
	}
	t.Run("from now on", func(t *testing.T) {
		f := start(t, newPeer(), Config{Lines: true, ProxyProtocol: true, TrustedProxies: elsewhere}, lineEntry)
		if err := f.SetPolicy(nil, loopback); err != nil {
			t.Fatal(err)
		}
		c := f.raw(t)
		c.send(t, good+"a\n")
		if got := c.read(t, 2); got != "a\n" {
			t.Errorf("got %q", got)
		}
	})
}
