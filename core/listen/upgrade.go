package listen

import (
	"bufio"
	"encoding/base64"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// checkHandshake answers a handshake that gorilla would refuse, before anybody else is bothered.
func (s *Server) checkHandshake(ctx *fasthttp.RequestCtx) bool {
	h := &ctx.Request.Header
	switch {
	case !one(h, "Sec-WebSocket-Version") || string(h.Peek("Sec-WebSocket-Version")) != "13":
		setUpgrade(ctx)
		s.reject(ctx, fasthttp.StatusUpgradeRequired, "WebSocket version 13 is needed")
	case !ctx.IsGet() || !h.IsHTTP11() || hasBody(h):
		s.reject(ctx, fasthttp.StatusBadRequest, "a WebSocket handshake is a GET of HTTP/1.1 without a body")
	case !hasToken(h.PeekAll("Connection"), "upgrade") || !one(h, "Sec-WebSocket-Key") || !validKey(h.Peek("Sec-WebSocket-Key")):
		s.reject(ctx, fasthttp.StatusBadRequest, badHandshake)
	default:
		return true
	}
	return false
}

// one says whether there is one field of a name.
func one(h *fasthttp.RequestHeader, name string) bool { return len(h.PeekAll(name)) == 1 }

const badHandshake = "bad WebSocket handshake"

// validKey says whether a key is 16 bytes in base64 (RFC 6455, 4.1).
func validKey(key []byte) bool {
	const length = 24
	var nonce [length]byte
	if len(key) != length {
		return false
	}
	n, err := base64.StdEncoding.Decode(nonce[:], key)
	return err == nil && n == 16
}

// upgrade answers a WebSocket handshake and takes the connection from fasthttp, with its seat; false
// when it did not come to that.
func (s *Server) upgrade(ctx *fasthttp.RequestCtx, e *route.Entry, info *session.Info, who *session.Admission) bool {
	from := ctx.Conn().(*accepted)
	c := newConn(s, e, from.Conn)

	hs := handshakes.Get().(*handshake)
	defer handshakes.Put(hs)
	if err := hs.do(ctx, c); err != nil {
		if hs.hijacked {
			// The answer could not be written; nobody is left to be told.
			s.drop(ctx)
			return false
		}
		s.reject(ctx, fasthttp.StatusBadRequest, badHandshake)
		return false
	}
	s.meter.answered(fasthttp.StatusSwitchingProtocols)
	ctx.HijackSetNoResponse(true)
	// It runs in a goroutine of its own once fasthttp is through with the request. It returns soon, so
	// that the context and its buffers are freed for others.
	ctx.Hijack(func(net.Conn) {
		// A client may send its first frames without waiting for the answer.
		early := from.held
		from.held, from.taken = nil, true
		s.begin(c, info, who, early)
	})
	return true
}

// begin makes the session of an upgraded connection and has it read. early is what came together with the
// handshake.
func (s *Server) begin(c *conn, info *session.Info, who *session.Admission, early []byte) {
	defer func() {
		if p := recover(); p != nil {
			s.panicked(c, p)
			c.end()
		}
	}()
	sess, err := s.opener.Open(c.entry, info, who, c)
	if err != nil {
		s.meter.refused(notReady)
		if dropped, ok := s.quiet.Allow(time.Now()); ok {
			s.log.Warn("session refused", "route", c.entry.ID, "err", err, "dropped", dropped)
		}
		_ = c.SetWriteDeadline(time.Now().Add(time.Second))
		_, _ = c.Write(c.AppendClose(nil, session.CloseUnavailable.Code, session.CloseUnavailable.Reason))
		_ = c.Close()
		c.end()
		return
	}
	c.sess = sess
	c.start(early)
}

// handshake is what gorilla's upgrader is given instead of net/http's request and response.
type handshake struct {
	ctx      *fasthttp.RequestCtx
	conn     *conn
	request  http.Request
	upgrader websocket.Upgrader
	reader   *bufio.Reader // nothing is read by it
	writer   *bufio.Writer
	hijacked bool
}

var handshakes = sync.Pool{New: func() any {
	return &handshake{
		request: http.Request{Method: http.MethodGet, Header: make(http.Header)},
		upgrader: websocket.Upgrader{
			WriteBufferPool: noBuffers{},
			CheckOrigin:     func(*http.Request) bool { return true }, // was checked
			Error:           func(http.ResponseWriter, *http.Request, int, error) {},
		},
		reader: bufio.NewReaderSize(nil, 512), // gorilla takes over one above 256 bytes
		writer: bufio.NewWriterSize(nil, 512), // and makes its answer there
	}
}}

// do answers 101 on the connection, or fails with hijacked saying whether it can still be answered
// otherwise.
func (hs *handshake) do(ctx *fasthttp.RequestCtx, c *conn) error {
	hs.ctx, hs.conn, hs.hijacked = ctx, c, false
	clear(hs.request.Header)
	for _, name := range []string{"Connection", "Upgrade", "Sec-Websocket-Version", "Sec-Websocket-Key"} {
		for _, v := range ctx.Request.Header.PeekAll(name) {
			hs.request.Header[name] = append(hs.request.Header[name], string(v))
		}
	}
	var answer http.Header
	if c.srv.compression.Load() {
		accepted := acceptDeflate(ctx.Request.Header.PeekAll("Sec-WebSocket-Extensions"))
		if c.deflates = accepted != ""; c.deflates {
			// In the RFC's spelling: gorilla refuses Go's, since it would answer by itself, without all
			// parameters.
			answer = http.Header{"Sec-WebSocket-Extensions": {accepted}}
		}
	}
	hs.upgrader.HandshakeTimeout = c.srv.cfg.HandshakeTimeout
	_, err := hs.upgrader.Upgrade(hs, &hs.request, answer)
	hs.ctx, hs.conn = nil, nil
	return err
}

// Hijack implements http.Hijacker.
func (hs *handshake) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	hs.hijacked = true
	return hs.conn.net, bufio.NewReadWriter(hs.reader, hs.writer), nil
}

// Header implements http.ResponseWriter; refusals are written by fasthttp.
func (hs *handshake) Header() http.Header { return http.Header{} }

// Write implements http.ResponseWriter.
func (hs *handshake) Write([]byte) (int, error) { return 0, errHandshake }

// WriteHeader implements http.ResponseWriter.
func (hs *handshake) WriteHeader(int) {}

var errHandshake = errors.New("handshake is answered elsewhere")

// noBuffers keeps gorilla from holding a write buffer: it does not write.
type noBuffers struct{}

func (noBuffers) Get() any { return nil }
func (noBuffers) Put(any)  {}
