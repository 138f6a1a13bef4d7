//go:build linux

package test

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// pair are the files of a certificate.
type pair struct {
	t          *testing.T
	cert, key  string
	lastSerial int64
}

func newPair(t *testing.T) *pair {
	t.Helper()
	dir := t.TempDir()
	p := &pair{t: t, cert: filepath.Join(dir, "cert.pem"), key: filepath.Join(dir, "key.pem")}
	p.renew()
	return p
}

// renew replaces both files. Each certificate has the number behind that of the one before.
func (p *pair) renew() {
	p.t.Helper()
	p.lastSerial++
	harness.WritePair(p.t, p.cert, p.key, p.lastSerial)
}

func (p *pair) write(file string, text []byte) {
	p.t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) block() string {
	return fmt.Sprintf("  tls {\n    cert_file = %q\n    key_file  = %q\n  }\n", p.cert, p.key)
}

// secureClient is a client of a listener of lines over TLS.
type secureClient struct {
	*tls.Conn
	r *bufio.Reader
}

// secured connects, sends what comes before TLS, and shakes hands.
func secured(t *testing.T, address, before string) *secureClient {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, harness.AnswerLimit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * harness.AnswerLimit))
	if _, err := conn.Write([]byte(before)); err != nil {
		t.Fatal(err)
	}
	c := tls.Client(conn, &tls.Config{InsecureSkipVerify: true})
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return &secureClient{c, bufio.NewReader(c)}
}

// dialSecure opens a session of the plugin lines.
func dialSecure(t *testing.T, address string) *secureClient {
	t.Helper()
	s := secured(t, address, "")
	if got := s.line(t); got != "hello" {
		t.Fatalf("greeting %q", got)
	}
	return s
}

func (c *secureClient) line(t *testing.T) string {
	t.Helper()
	text, err := c.r.ReadString('\n')
	if err != nil {
		t.Fatalf("got %q, %v", text, err)
	}
	return strings.TrimSuffix(text, "\n")
}

func (c *secureClient) ask(t *testing.T, text string) string {
	t.Helper()
	if _, err := c.Write([]byte(text + "\n")); err != nil {
		t.Fatal(err)
	}
	return c.line(t)
}

func (c *secureClient) serial() int64 {
	return c.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// TestTLSReload: a certificate is renewed by a reload, under whoever is connected; one that does not go
// with its key changes nothing.
func TestTLSReload(t *testing.T) {
	p := newPair(t)
	file := legacy(p.block(), "")
	b := harness.Start(t, harness.Config{File: file})
	first := dialSecure(t, b.AddressOf("legacy"))
	check := func(want int64) {
		t.Helper()
		c := dialSecure(t, b.AddressOf("legacy"))
		if got := c.ask(t, "ECHO new"); got != "new" || c.serial() != want {
			t.Errorf("certificate %d, echo %q, want %d", c.serial(), got, want)
		}
		if got := first.ask(t, "ECHO old"); got != "old" {
			t.Errorf("the first connection echoes %q", got)
		}
	}
	check(1)
	p.renew()
	check(1) // nobody has asked for it
	if lines, ok := b.Reload(file); !ok || !slices.Contains(lines, "~ listener legacy: certificate") {
		t.Errorf("reloaded %v: %q", ok, lines)
	}
	check(2)
	if lines, ok := b.Reload(file); !ok || len(lines) > 0 {
		t.Errorf("reloaded %v without a difference: %q", ok, lines)
	}

	key, err := os.ReadFile(p.key)
	if err != nil {
		t.Fatal(err)
	}
	p.renew()
	p.write(p.key, key)
	if lines, ok := b.Reload(file); ok || !strings.Contains(strings.Join(lines, "\n"), `listener "legacy": certificate cannot be used`) {
		t.Errorf("a key of another certificate: reloaded %v: %q", ok, lines)
	}
	check(2)
	p.write(p.cert, []byte("nothing"))
	if lines, ok := b.Reload(file); ok || strings.Contains(strings.Join(lines, "\n"), "BEGIN") {
		t.Errorf("a broken file: reloaded %v: %q", ok, lines)
	}
	check(2)
	p.renew()
	if lines, ok := b.Reload(legacy("", "")); ok || !strings.Contains(strings.Join(lines, "\n"), `what listener "legacy" speaks`) {
		t.Errorf("without its tls block: reloaded %v: %q", ok, lines)
	}
	check(2)
	if _, ok := b.Reload(file); !ok {
		t.Error("mended, and not reloaded")
	}
	check(4)
}

// TestTLSWebSocket: a WebSocket over TLS, whose plugin is replaced meanwhile.
func TestTLSWebSocket(t *testing.T) {
	p := newPair(t)
	head := "data_dir = \"data\"\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n" + p.block() + "}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n"
	b := harness.Start(t, harness.Config{Head: head, File: harness.LinesPlugin("")})
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	ws, res, err := dialer.Dial("wss://"+b.Address()+"/lines", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer ws.Close()
	ask := func(line, want string) {
		t.Helper()
		if got, err := harness.Ask(ws, line); err != nil || got != want {
			t.Fatalf("%q: got %d bytes, %v, want %d", line, len(got), err, len(want))
		}
	}
	ask("ECHO a", "hello")
	ask("ECHO b", "a")
	for _, pid := range b.Children() {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	ask("BIG 2000000", "b")
	ask("CLOSE 4001 bye", strings.Repeat("x", 2_000_000))
	if code, reason, err := harness.AwaitClose(ws, harness.AnswerLimit); code != 4001 || reason != "bye" {
		t.Errorf("closed with %d %q, %v, want 4001", code, reason, err)
	}
}

// TestProxyProtocol: behind a proxy that says for whom it connects, before TLS, and no one else.
func TestProxyProtocol(t *testing.T) {
	p := newPair(t)
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("") +
		"listener \"balanced\" {\n  address = \"127.0.0.1:0\"\n  trusted_proxies = [\"127.0.0.0/8\"]\n  proxy_protocol = true\n" + p.block() + "}\n"})
	const request = "GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
	c := secured(t, b.AddressOf("balanced"), "PROXY TCP4 192.0.2.7 127.0.0.1 12345 80\r\n")
	if _, err := c.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	if got := c.line(t); got != "HTTP/1.1 404 Not Found\r" {
		t.Errorf("got %q", got)
	}
	bare := harness.DialTCP(t, b.AddressOf("balanced"))
	bare.Send(request)
	var one [1]byte
	if n, err := bare.Read(one[:]); n > 0 || err == nil {
		t.Errorf("answered %q, %v to who did not say who it is", one[:n], err)
	}
}
