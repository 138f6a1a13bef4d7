package listen

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// SetCertificate replaces [Config.Certificate] from the next handshake on. On a server without one it
// does nothing, and nil changes nothing: what speaks TLS is fixed.
func (s *Server) SetCertificate(c *tls.Certificate) {
	if c != nil {
		s.certificate.Store(c)
	}
}

// tlsConfig is nil where nothing is encrypted.
func (s *Server) tlsConfig() *tls.Config {
	if s.certificate.Load() == nil {
		return nil
	}
	c := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.certificate.Load(), nil },
	}
	if !s.cfg.Lines {
		c.NextProtos = []string{"http/1.1"}
	}
	return c
}

// errStopping is of connections that came just before Stop.
var errStopping = errors.New("the listener is stopping")

// prepare does what comes before the first byte of a connection's protocol: it reads who the peer is,
// and shakes hands. It is called in the connection's own goroutine and bounded by
// [Config.HandshakeTimeout].
func (s *Server) prepare(a *accepted) error {
	if !s.cfg.ProxyProtocol && s.tls == nil {
		return nil
	}
	plain := a.Conn
	if err := plain.SetDeadline(time.Now().Add(s.cfg.HandshakeTimeout)); err != nil {
		return err
	}
	if s.cfg.ProxyProtocol {
		if err := s.readProxy(a); err != nil {
			return err
		}
	}
	if s.tls != nil {
		if err := s.handshake(a); err != nil {
			return fmt.Errorf("TLS handshake: %w", err)
		}
	}
	return plain.SetDeadline(time.Time{})
}

func (s *Server) readProxy(a *accepted) error {
	if ip, _ := a.peer(); !s.trusts(ip) {
		return errors.New("the peer is no trusted proxy")
	}
	from, err := readProxyHeader(a.Conn)
	if err == nil && from.IsValid() {
		a.named = net.TCPAddrFromAddrPort(from)
	}
	return err
}

func (s *Server) handshake(a *accepted) error {
	under := a.Conn
	if tcp, ok := under.(*net.TCPConn); ok {
		under = &beneath{TCPConn: tcp}
	}
	c := tls.Server(under, s.tls)
	if err := c.HandshakeContext(s.life); err != nil {
		return err
	}
	s.mu.Lock() // Stop closes what it finds
	defer s.mu.Unlock()
	if s.stopping.Load() {
		return errStopping
	}
	a.Conn, a.secure = c, true
	return nil
}

// beneath is a socket under TLS. It notes its end: package tls reports one between two records in the
// same way as the client's own word that it has said everything, and reads no further behind that.
type beneath struct {
	*net.TCPConn
	ended bool // of the one that reads
}

// Read implements net.Conn.
func (b *beneath) Read(p []byte) (int, error) {
	n, err := b.TCPConn.Read(p)
	if err == io.EOF { //nolint:errorlint // as io.Reader says
		b.ended = true
	}
	return n, err
}

// cutOff says whether a connection that came to its end did so without the client's word, where TLS
// has one: somebody else may have cut it.
func cutOff(c net.Conn) bool {
	secure, ok := c.(*tls.Conn)
	if !ok {
		return false
	}
	b, ok := secure.NetConn().(*beneath)
	return ok && b.ended
}

// RemoteAddr implements net.Conn: whom the PROXY protocol named, else the other end.
func (a *accepted) RemoteAddr() net.Addr {
	if a.named != nil {
		return a.named
	}
	return a.Conn.RemoteAddr()
}

// sealed is a socket under TLS. What waits in it cannot be told: that a client leaves is seen from the
// state of its connection, behind the last record that it sent.
type sealed struct{ syscall.RawConn }

// peek waits until the client has left, or for the read deadline.
func (r sealed) peek() (gone bool) {
	_ = r.Read(func(fd uintptr) bool {
		gone = hasLeft(int(fd))
		return gone
	}) // the deadline, or the connection was closed by us: who did so knows
	return gone
}
