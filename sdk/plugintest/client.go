package plugintest

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/session"
)

// client is a client in memory: the transport under a session, and what came over it. Each entry of
// got is written as a transcript has it, its mark included.
type client struct {
	name    string
	tcp     bool             // what it sends is cut into lines or raw bytes
	session *session.Session // set before ready is closed
	ready   chan struct{}
	changed func()
	did     uint64 // events it caused; of the goroutine that plays

	mu     sync.Mutex
	got    []string
	status string // of a response that goes on
	ended  bool   // Ended was called, or is about to be
}

func newClient(name string, changed func()) *client {
	return &client{name: name, changed: changed, ready: make(chan struct{}), did: 1} // it opened
}

// What AppendFrame and AppendClose write: kind, length, bytes.
const (
	kindText   = 't'
	kindBinary = 'b'
	kindClose  = 'x'
)

func record(dst []byte, kind byte, data []byte) []byte {
	dst = binary.BigEndian.AppendUint32(append(dst, kind), uint32(len(data)))
	return append(dst, data...)
}

// AppendFrame implements session.Transport.
func (c *client) AppendFrame(dst, data []byte, binary bool) []byte {
	if binary {
		return record(dst, kindBinary, data)
	}
	return record(dst, kindText, data)
}

// AppendClose implements session.Transport.
func (c *client) AppendClose(dst []byte, code int, reason string) []byte {
	return record(dst, kindClose, fmt.Appendf(nil, "%d %s", code, reason))
}

// TryWrite implements session.Transport. What comes is whole records.
func (c *client) TryWrite(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := 5 + int(binary.BigEndian.Uint32(rest[1:]))
		data := rest[5:n]
		switch rest[0] {
		case kindText:
			c.take("< " + string(data))
		case kindBinary:
			c.take(fmt.Sprintf("<b %x", data))
		case kindClose:
			c.take(trimmed("<x " + string(data)))
			var code int
			_, _ = fmt.Sscan(string(data), &code) // written above
			c.end(code, "", true)
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// Write implements session.Transport.
func (c *client) Write(p []byte) (int, error) { return c.TryWrite(p) }

// SetWriteDeadline implements session.Transport.
func (c *client) SetWriteDeadline(time.Time) error { return nil }

// CloseWrite implements session.Transport.
func (c *client) CloseWrite() error { return nil }

// Close implements session.Transport.
func (c *client) Close() error { return nil }

// request is a client that made an HTTP request.
type request struct{ *client }

// Respond implements session.ResponseWriter.
func (r request) Respond(status int, _ []session.Header, body []byte, last bool) error {
	if status == 0 {
		status = 200
	}
	head := "<r "
	switch {
	case r.status == "" && last:
		head += fmt.Sprint(status)
	case r.status == "":
		head += fmt.Sprintf("%d+", status)
	case last:
		head += "."
	default:
		head += "+"
	}
	r.status = head
	r.take(trimmed(head + " " + string(body)))
	if last {
		r.end(1000, "", false)
	}
	return nil
}

func trimmed(s string) string {
	for s != "" && s[len(s)-1] == ' ' {
		s = s[:len(s)-1]
	}
	return s
}

func (c *client) take(entry string) {
	c.mu.Lock()
	c.got = append(c.got, entry)
	c.mu.Unlock()
	c.changed()
}

// end tells the session that the connection is over, as its reader does: not at once, as it is called
// while the session writes.
func (c *client) end(code int, reason string, byClient bool) {
	if c.over() {
		go func() {
			<-c.ready
			c.session.Ended(code, reason, byClient)
		}()
	}
}

// frame sends a frame.
func (c *client) frame(data []byte, binary bool) {
	c.did++
	c.session.Frame(data, binary)
}

// gone says whether the connection is over.
func (c *client) gone() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// close ends the connection from the client's side.
func (c *client) close(code int, reason string) {
	if c.over() {
		c.session.Ended(code, reason, true)
	}
}

// over notes that the connection is, and says whether it was not before.
func (c *client) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	first := !c.ended
	c.ended = true
	return first
}

// next takes the first entry that was not taken yet.
func (c *client) next() (entry string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.got) == 0 {
		return "", false
	}
	entry = c.got[0]
	c.got = c.got[1:]
	return entry, true
}
