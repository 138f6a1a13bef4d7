package listen

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"
	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// script is a connection from which bytes come in pieces, and then the end.
type script struct {
	net.Conn
	bytes  string
	pieces []byte // sizes of the pieces, again and again; none: all at once
	next   int
	closed int // of the close frame that was written last
}

func (s *script) Read(p []byte) (int, error) {
	if s.bytes == "" {
		return 0, io.EOF
	}
	n := len(s.bytes)
	if len(s.pieces) > 0 {
		n = min(n, 1+int(s.pieces[s.next%len(s.pieces)]))
		s.next++
	}
	n = copy(p, s.bytes[:n])
	s.bytes = s.bytes[n:]
	return n, nil
}

func (s *script) Write(p []byte) (int, error) {
	if len(p) >= 4 && p[0] == final|opClose {
		s.closed = int(binary.BigEndian.Uint16(p[2:]))
	}
	return len(p), nil
}
func (s *script) RemoteAddr() net.Addr             { return nil }
func (s *script) SetDeadline(time.Time) error      { return nil }
func (s *script) SetReadDeadline(time.Time) error  { return nil }
func (s *script) SetWriteDeadline(time.Time) error { return nil }
func (s *script) Close() error                     { return nil }

// story is what became of a connection.
type story struct {
	frames []string
	code   int
	reason string
	done   chan struct{}
}

func (s *story) Frame(on *session.Session, data []byte, binary bool) {
	s.frames = append(s.frames, fmt.Sprintf("%v %q", binary, data))
	on.Release(len(data))
}
func (s *story) Eof(*session.Session) {}
func (s *story) Closed(_ *session.Session, code int, reason string, _ bool) {
	s.code, s.reason = code, reason
	close(s.done)
}

// ours reads the bytes with this package.
func ours(t *testing.T, e *route.Entry, text string, pieces []byte, compression bool) *story {
	t.Helper()
	srv := New(Config{Routes: new(atomic.Pointer[route.Table]), Compression: compression}, nil)
	srv.doors.open = 1
	c := newConn(srv, e, &script{bytes: text, pieces: pieces})
	var ctx fasthttp.RequestCtx
	for _, h := range [][2]string{{"Connection", "Upgrade"}, {"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}, {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}, {"Sec-WebSocket-Extensions", "permessage-deflate"}} {
		ctx.Request.Header.Set(h[0], h[1])
	}
	if err := handshakes.Get().(*handshake).do(&ctx, c); err != nil {
		t.Fatal(err)
	}
	s := &story{done: make(chan struct{})}
	c.sess = session.New(1, &session.Info{}, c, s, session.NewLimits(session.Limits{}))
	c.serve(nil, goOn)
	select {
	case <-s.done:
	case <-time.After(patience):
		t.Fatalf("%q never ends", text)
	}
	return s
}

// hijacker hands gorilla a connection.
type hijacker struct {
	http.ResponseWriter
	conn net.Conn
}

func (h hijacker) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return h.conn, bufio.NewReadWriter(bufio.NewReader(h.conn), bufio.NewWriter(h.conn)), nil
}

// gorillas reads the bytes with gorilla alone.
func gorillas(t *testing.T, limit int64, text string, compression bool) *story {
	t.Helper()
	conn := &script{bytes: text}
	req := &http.Request{Method: http.MethodGet, Header: http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Extensions": {"permessage-deflate"},
	}}
	ws, err := (&websocket.Upgrader{EnableCompression: compression}).Upgrade(hijacker{conn: conn}, req, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(limit)
	ws.SetCloseHandler(func(int, string) error { return nil })
	s := &story{}
	for {
		kind, data, err := ws.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case err == nil && kind == websocket.TextMessage && !utf8.Valid(data):
			s.code, s.reason = 1007, "invalid UTF-8"
			return s
		case err == nil:
			s.frames = append(s.frames, fmt.Sprintf("%v %q", kind == websocket.BinaryMessage, data))
			continue
		case errors.Is(err, websocket.ErrReadLimit):
			s.code, s.reason = 1009, "frame too large"
		case errors.As(err, &closed) && closed.Code != 1006:
			s.code, s.reason = closed.Code, closed.Text
		case conn.closed == 1002:
			s.code, s.reason = 1002, "protocol error"
		default:
			s.code = 1006
		}
		return s
	}
}

// lenient is where gorilla begins to take what RFC 6455 does not: a length in more bytes than it
// needs, one of 64 bits, a close of one byte. Behind a close nothing counts.
func lenient(text string) (at int) {
	for at < len(text) {
		rest := text[at:]
		if len(rest) < 2 {
			break
		}
		n, head, least := uint64(rest[1]&0x7f), 6, uint64(0)
		switch {
		case n == 126 && len(rest) >= 4:
			n, head, least = uint64(binary.BigEndian.Uint16([]byte(rest[2:]))), 8, 126
		case n == 127 && len(rest) >= 10:
			n, head, least = binary.BigEndian.Uint64([]byte(rest[2:])), 14, 1<<16
		case n >= 126:
			return len(text)
		}
		isClose := rest[0]&opMask == opClose
		if n < least || n>>63 != 0 || isClose && n == 1 {
			return at
		}
		if isClose || n+uint64(head) > uint64(len(rest)) {
			break
		}
		at += head + int(n)
	}
	return len(text)
}

// FuzzFrames compares what is read from any bytes, in any pieces, with what gorilla reads by itself.
func FuzzFrames(f *testing.F) {
	for _, text := range []string{
		clientFrame(final|opText, "hello"),
		clientFrame(opText, "Gr\xc3") + clientFrame(final|opPing, "x") + clientFrame(final, "\xbc\xc3\x9fe"),
		clientFrame(final|opBinary, strings.Repeat("x", 600)) + clientFrame(final|opText, strings.Repeat("y", 506)),
		clientFrame(final|opText, strings.Repeat("z", 990)) + clientFrame(final|opClose, "\x03\xe8bye"),
		clientFrame(final|opText, "\xff"), "\x81\x01x", clientFrame(0xc1, "x"), clientFrame(final, "x"),
		clientFrame(final|opClose, ""), clientFrame(final|opPing, strings.Repeat("x", 126)),
		"\x81\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x02\x03\x04", clientFrame(final|opText, strings.Repeat("x", 1001)),
	} {
		f.Add(text, []byte{})
		f.Add(text, []byte{0})
		f.Add(text+text, []byte{5, 0, 250})
	}
	entry := &route.Entry{ID: "fuzz", Path: "/ws", WebSocket: true, MaxFrame: 1000}
	f.Fuzz(func(t *testing.T, text string, pieces []byte) {
		if at := lenient(text); at < len(text) {
			if got := ours(t, entry, text, pieces, false); got.code == 1006 || got.code == 1000 {
				t.Errorf("%q: got %q %d", text, got.frames, got.code)
			}
			text = text[:at]
		}
		want := gorillas(t, 1000, text, false)
		got := ours(t, entry, text, pieces, false)
		if got.code == 1007 && want.code == 1002 && got.reason == "invalid UTF-8" {
			want.code, want.reason = 1007, got.reason // a close's reason
		}
		if got.code == 1009 && want.code == 1006 {
			return // gorilla waits for the mask before it looks at the limit
		}
		if !slices.Equal(got.frames, want.frames) || got.code != want.code || got.reason != want.reason {
			t.Errorf("%q\ngot  %q %d %q\nwant %q %d %q", text, got.frames, got.code, got.reason, want.frames, want.code, want.reason)
		}
	})
}
