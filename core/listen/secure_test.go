package listen

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// newCertificate makes one for 127.0.0.1 with that serial number.
func newCertificate(tb testing.TB, serial int64) *tls.Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// clientTLS takes whatever certificate it is shown: which one that was is compared by its number.
func clientTLS() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true}
}

// dialTLS connects and shakes hands.
func (f *fixture) dialTLS(t *testing.T, cfg *tls.Config) (*raw, tls.ConnectionState) {
	t.Helper()
	c, err := tls.Dial("tcp", f.addr, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(patience))
	return &raw{Conn: c, r: bufio.NewReader(c)}, c.ConnectionState()
}

func serialOf(state tls.ConnectionState) int64 {
	return state.PeerCertificates[0].SerialNumber.Int64()
}

func TestTLSWebSocket(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{Certificate: newCertificate(t, 1)})
	dialer := websocket.Dialer{TLSClientConfig: clientTLS()}
	ws, res, err := dialer.Dial("wss://"+f.addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	defer ws.Close()
	s := p.session1(t)
	if !s.Info.TLS {
		t.Error("the session is not marked as one over TLS")
	}
	// Longer than the buffers, and than a record.
	for _, size := range []int{1, 500, 70_000, 900_000} {
		text := strings.Repeat("x", size)
		if err := ws.WriteMessage(websocket.TextMessage, []byte(text)); err != nil {
			t.Fatal(err)
		}
		p.want(t, line(text))
		if _, got, err := ws.ReadMessage(); err != nil || string(got) != text {
			t.Fatalf("echo of %d bytes: %d, %v", size, len(got), err)
		}
	}
	// Many small ones, so that writes queue behind one another.
	for range 1000 {
		if err := ws.WriteMessage(websocket.BinaryMessage, []byte("small")); err != nil {
			t.Fatal(err)
		}
	}
	for range 1000 {
		if _, got, err := ws.ReadMessage(); err != nil || string(got) != "small" {
			t.Fatalf("got %q, %v", got, err)
		}
		p.want(t, event{kind: "frame", data: "small", binary: true})
	}
	s.Close(4001, "bye")
	wantClose(t, ws, 4001, "bye")
}

// A client that breaks the protocol gets the close frame and then the end, without having to answer.
func TestTLSWebSocketFault(t *testing.T) {
	p := newPeer()
	p.limits.CloseTimeout = time.Hour
	f := start(t, p, Config{Certificate: newCertificate(t, 1)})
	c, _ := f.dialTLS(t, clientTLS())
	c.send(t, handshakeText)
	c.head(t)
	c.send(t, clientFrame(0xf1, "reserved bits"))
	c.wantEnd(t, "\x88\x10\x03\xeaprotocol error")
	_ = c.Close()
	p.want(t, closedBy(session.CloseProtocol, false))
}

// A client that does not read is closed as one without TLS, and holds up nobody.
func TestTLSSlowConsumer(t *testing.T) {
	p := newPeer()
	p.limits.OutboxBytes = 1 << 20
	f := start(t, p, Config{Certificate: newCertificate(t, 1)})
	c, _ := f.dialTLS(t, clientTLS())
	c.send(t, handshakeText)
	c.head(t)
	s := p.session1(t)
	part := make([]byte, 256<<10)
	var err error
	for i := 0; err == nil; i++ {
		if i == 1000 {
			t.Fatal("everything is taken for a client that reads nothing")
		}
		err = s.Offer(part, true)
		s.Flush()
	}
	if !errors.Is(err, session.ErrSlowConsumer) {
		t.Errorf("got %v", err)
	}
	p.want(t, closedBy(session.CloseSlowConsumer, false))
}

func TestTLSVersionsAndProtocols(t *testing.T) {
	f := start(t, newPeer(), Config{Certificate: newCertificate(t, 1)})
	for name, tt := range map[string]struct {
		change func(*tls.Config)
		want   string // protocol; "no" for none
	}{
		"the newest":         {func(*tls.Config) {}, ""},
		"1.2":                {func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 }, ""},
		"1.1":                {func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }, "no"},
		"HTTP/1.1":           {func(c *tls.Config) { c.NextProtos = []string{"http/1.1"} }, "http/1.1"},
		"HTTP/2 or HTTP/1.1": {func(c *tls.Config) { c.NextProtos = []string{"h2", "http/1.1"} }, "http/1.1"},
		"HTTP/2 alone":       {func(c *tls.Config) { c.NextProtos = []string{"h2"} }, "no"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := clientTLS()
			tt.change(cfg)
			c, err := tls.Dial("tcp", f.addr, cfg)
			if tt.want == "no" {
				if err == nil {
					_ = c.Close()
					t.Fatal("connected")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if got := c.ConnectionState().NegotiatedProtocol; got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A new certificate is shown to those who come from then on; those who are there notice nothing.
func TestSetCertificate(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{Certificate: newCertificate(t, 1)}, socket, &route.Entry{ID: "plain", Path: "/plain", HTTP: true})
	p.onRequest = func(_ *session.Session, _ []byte, w session.ResponseWriter) {
		_ = w.Respond(200, nil, []byte("x"), true)
	}
	old, state := f.dialTLS(t, clientTLS())
	if n := serialOf(state); n != 1 {
		t.Errorf("certificate %d, want 1", n)
	}
	f.SetCertificate(newCertificate(t, 2))
	f.SetCertificate(nil) // changes nothing
	if _, state = f.dialTLS(t, clientTLS()); serialOf(state) != 2 {
		t.Errorf("certificate %d, want 2", serialOf(state))
	}
	for range 2 { // and the connection goes on between requests as well
		old.send(t, "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
		if head := old.head(t); !strings.HasPrefix(head, "HTTP/1.1 200 ") {
			t.Fatalf("got %s", head)
		}
		old.read(t, 1)
	}
}

func TestTLSLines(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{Certificate: newCertificate(t, 1), Lines: true}, lineEntry)
	c, _ := f.dialTLS(t, clientTLS())
	c.send(t, "a\nb")
	c.closeWrite(t)
	p.want(t, line("a"), line("b"), endOfInput)
	s := p.session1(t)
	if !s.Info.TLS || !s.Info.TCP {
		t.Errorf("info %+v", s.Info)
	}
	answer := strings.Repeat("x", 1<<20)
	_ = s.Send([]byte(answer), false)
	s.CloseWith(session.CloseNormal)
	c.wantEnd(t, "a\nb\n"+answer+"\n")
	p.want(t, closedBy(session.CloseNormal, false))
}

// A stream that ends without the word of TLS for it may have been cut by somebody else.
func TestTLSLinesCutOff(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{Certificate: newCertificate(t, 1), Lines: true}, lineEntry)
	c, _ := f.dialTLS(t, clientTLS())
	c.send(t, "a\nunfinished")
	p.want(t, line("a"))
	if got := c.read(t, 2); got != "a\n" { // unread, it would make a reset of the end
		t.Errorf("got %q", got)
	}
	_ = c.Conn.(*tls.Conn).NetConn().Close()
	p.want(t, closedBy(session.CloseLost, true))
}

func TestPlainAndTLSDoNotMeet(t *testing.T) {
	for name, lines := range map[string]bool{"HTTP": false, "lines": true} {
		entry := socket
		if lines {
			entry = lineEntry
		}
		t.Run("plain bytes to a TLS port of "+name, func(t *testing.T) {
			p := newPeer()
			m := NewMetrics(prometheus.NewRegistry())
			f := start(t, p, Config{Certificate: newCertificate(t, 1), Lines: lines, Metrics: m}, entry)
			c := f.raw(t)
			c.send(t, "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n")
			got, _ := io.ReadAll(c.r) // perhaps an alert
			if strings.Contains(string(got), "HTTP/1.1 ") || len(p.events) > 0 {
				t.Errorf("answered %q", got)
			}
			m.wantRefused(t, 1, malformed)
		})
		t.Run("TLS to a plain port of "+name, func(t *testing.T) {
			p := newPeer()
			f := start(t, p, Config{Lines: lines, BodyTimeout: 100 * time.Millisecond, HandshakeTimeout: 100 * time.Millisecond}, entry)
			c, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", f.addr, clientTLS())
			if err == nil {
				_ = c.Close()
				t.Fatal("a handshake with a plain port")
			}
			healthy := f.raw(t) // others are served on
			if lines {
				healthy.send(t, "a\n")
				if got := healthy.read(t, 2); got != "a\n" {
					t.Errorf("got %q", got)
				}
				return
			}
			healthy.send(t, "GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
			if head := healthy.head(t); !strings.HasPrefix(head, "HTTP/1.1 404 ") {
				t.Errorf("got %s", head)
			}
		})
	}
}

// Handshakes that are never finished hold up nobody, and end in time.
func TestHalfOpenHandshakes(t *testing.T) {
	p := newPeer()
	f := start(t, p, Config{Certificate: newCertificate(t, 1), HandshakeTimeout: 2 * time.Second, Lines: true}, lineEntry)
	var stuck []*raw
	for i := range 100 {
		c := f.raw(t)
		if i%2 == 0 {
			c.send(t, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc") // the beginning of a hello
		}
		stuck = append(stuck, c)
	}
	for range 5 {
		c, _ := f.dialTLS(t, clientTLS())
		c.send(t, "a\n")
		if got := c.read(t, 2); got != "a\n" {
			t.Fatalf("got %q", got)
		}
	}
	for _, c := range stuck {
		if _, err := io.ReadAll(c.r); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal("a handshake without an end")
		}
	}
}

// Stop ends handshakes that are under way.
func TestStopDuringHandshake(t *testing.T) {
	f := start(t, newPeer(), Config{Certificate: newCertificate(t, 1), HandshakeTimeout: time.Hour})
	c := f.raw(t)
	c.send(t, "\x16\x03\x01")
	poll(t, "the handshake begins", func() bool { f.mu.Lock(); defer f.mu.Unlock(); return len(f.plain) == 1 })
	f.Stop()
	if _, err := io.ReadAll(c.r); err != nil && errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("it goes on")
	}
}

// A client that leaves while an auth backend is asked is seen to leave under TLS as well, whether it
// says so or not, and also behind a request that it sent in vain.
func TestTLSClientLeaves(t *testing.T) {
	for name, leave := range map[string]func(*tls.Conn) error{
		"in order":              (*tls.Conn).Close,
		"without a word":        func(c *tls.Conn) error { return c.NetConn().Close() },
		"behind more requests":  func(c *tls.Conn) error { _, _ = io.WriteString(c, "GET / HTTP/1.1\r\n\r\n"); return c.Close() },
		"with a reset of bytes": func(c *tls.Conn) error { _ = c.NetConn().(*net.TCPConn).SetLinger(0); return c.NetConn().Close() },
	} {
		t.Run("admission, "+name, func(t *testing.T) {
			p := newPeer()
			asked, left := make(chan struct{}), make(chan struct{})
			p.onAdmit = func(ctx context.Context, _ *session.Info) (*session.Admission, *Refusal) {
				close(asked)
				<-ctx.Done()
				close(left)
				return nil, nil
			}
			f := start(t, p, Config{Certificate: newCertificate(t, 1)}, &route.Entry{ID: "socket", Path: "/ws", WebSocket: true, Handshake: true})
			c, _ := f.dialTLS(t, clientTLS())
			c.send(t, handshakeText)
			<-asked
			if err := leave(c.Conn.(*tls.Conn)); err != nil {
				t.Fatal(err)
			}
			wait(t, left)
		})
		t.Run("request, "+name, func(t *testing.T) {
			p := newPeer()
			p.onRequest = func(*session.Session, []byte, session.ResponseWriter) {}
			f := start(t, p, Config{Certificate: newCertificate(t, 1)}, &route.Entry{ID: "plain", Path: "/plain", HTTP: true})
			c, _ := f.dialTLS(t, clientTLS())
			c.send(t, "GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
			p.session1(t)
			if err := leave(c.Conn.(*tls.Conn)); err != nil {
				t.Fatal(err)
			}
			p.want(t, closedBy(session.CloseLost, true))
		})
	}
}

func wait(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatal("it does not come")
	}
}

// Under TLS an admission ends as it does without.
func TestTLSAdmission(t *testing.T) {
	p := newPeer()
	p.onAdmit = func(context.Context, *session.Info) (*session.Admission, *Refusal) { return &session.Admission{}, nil }
	f := start(t, p, Config{Certificate: newCertificate(t, 1)}, &route.Entry{ID: "socket", Path: "/ws", WebSocket: true, Handshake: true})
	c, _ := f.dialTLS(t, clientTLS())
	c.send(t, handshakeText+clientFrame(final|opText, "early"))
	if head := c.head(t); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("got %s", head)
	}
	p.want(t, line("early"))
	if got := c.read(t, 7); got != "\x81\x05early" {
		t.Errorf("got %q", got)
	}
}
