//go:build linux

package harness

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"
)

// TCP is a client of a listener of lines.
type TCP struct {
	*net.TCPConn
	t testing.TB
	r *bufio.Reader
}

// DialTCP connects to an address, and disconnects when the test ends.
func DialTCP(t testing.TB, address string) *TCP {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, AnswerLimit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(2 * AnswerLimit)); err != nil {
		t.Fatal(err)
	}
	return &TCP{conn.(*net.TCPConn), t, bufio.NewReader(conn)}
}

// Send writes bytes as they are.
func (c *TCP) Send(text string) {
	c.t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		c.t.Fatal(err)
	}
}

// Want fails the test unless exactly these bytes come next.
func (c *TCP) Want(want string) {
	c.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(c.r, got); err != nil || string(got) != want {
		c.t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

// WantEnd fails the test unless these bytes come and then the end of the stream.
func (c *TCP) WantEnd(want string) {
	c.t.Helper()
	if got, err := io.ReadAll(c.r); err != nil || string(got) != want {
		c.t.Fatalf("got %q, %v, want %q and the end", got, err, want)
	}
}

// EndInput says that nothing more will be sent.
func (c *TCP) EndInput() {
	c.t.Helper()
	if err := c.CloseWrite(); err != nil {
		c.t.Fatal(err)
	}
}
