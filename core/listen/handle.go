package listen

import (
	"bytes"
	"errors"
	"net"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// retryAfter is what a client is told that comes while a plugin cannot take it, in seconds.
const retryAfter = "1"

// handle takes every request. A panic costs that request alone.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("request failed", "panic", p, "stack", string(debug.Stack()))
			ctx.Response.Reset()
			refuse(ctx, fasthttp.StatusInternalServerError, "internal error")
			ctx.SetConnectionClose()
		}
		if s.stopping.Load() && !ctx.Hijacked() {
			ctx.SetConnectionClose()
		}
	}()
	ctx.Conn().(*accepted).busy.Store(true)
	e := s.cfg.Routes.Load().Lookup(ctx.Path())
	if e == nil {
		s.reject(ctx, fasthttp.StatusNotFound, "not found")
		return
	}
	upgrade := wantsWebSocket(&ctx.Request.Header)
	switch {
	case upgrade && !e.WebSocket:
		s.reject(ctx, fasthttp.StatusBadRequest, "this path takes plain requests only")
		return
	case !upgrade && !e.HTTP:
		setUpgrade(ctx)
		s.reject(ctx, fasthttp.StatusUpgradeRequired, "this path takes WebSocket connections only")
		return
	}
	if !s.checkOrigin(ctx, upgrade) {
		s.reject(ctx, fasthttp.StatusForbidden, "origin not allowed")
		return
	}
	if !s.opener.Ready(e) {
		ctx.Response.Header.Set("Retry-After", retryAfter)
		s.reject(ctx, fasthttp.StatusServiceUnavailable, "try again later")
		return
	}
	if upgrade {
		s.upgrade(ctx, e)
	} else {
		s.request(ctx, e)
	}
}

// checkOrigin holds for whatever may have an effect.
func (s *Server) checkOrigin(ctx *fasthttp.RequestCtx, upgrade bool) bool {
	h := &ctx.Request.Header
	if !upgrade && (ctx.IsGet() || ctx.IsHead() || ctx.IsOptions()) {
		return true
	}
	origin := h.Peek("Origin")
	if len(origin) == 0 || allowedOrigin(string(origin), string(h.Host())) {
		return true
	}
	if dropped, ok := s.quiet.allow(time.Now()); ok {
		s.log.Warn("origin refused", "origin", string(origin), "host", string(h.Host()),
			"path", string(ctx.Path()), "remedy", "origins = ["+strconv.Quote(string(origin))+"]", "dropped", dropped)
	}
	return false
}

// reject answers with a line of text. A body that was not read yet ends the connection, since what
// follows could not be told from it.
func (s *Server) reject(ctx *fasthttp.RequestCtx, status int, text string) {
	refuse(ctx, status, text)
	if hasBody(&ctx.Request.Header) {
		ctx.SetConnectionClose()
	}
}

func refuse(ctx *fasthttp.RequestCtx, status int, text string) {
	ctx.SetStatusCode(status)
	ctx.SetContentType("text/plain; charset=utf-8")
	ctx.SetBodyString(text + "\n")
}

func hasBody(h *fasthttp.RequestHeader) bool {
	n := h.ContentLength()
	return n > 0 || n == -1
}

// badRequest answers what is not HTTP, too large or too slow.
func (s *Server) badRequest(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	switch {
	case errors.As(err, &small):
		refuse(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge, "request header too large")
	case errors.As(err, &timeout) && timeout.Timeout():
		refuse(ctx, fasthttp.StatusRequestTimeout, "request timeout")
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		refuse(ctx, fasthttp.StatusRequestEntityTooLarge, "request body too large")
	default:
		refuse(ctx, fasthttp.StatusBadRequest, "bad request")
	}
}

// wantsWebSocket says whether the request asks for an upgrade to WebSocket, however badly.
func wantsWebSocket(h *fasthttp.RequestHeader) bool {
	return hasToken(h.PeekAll("Upgrade"), "websocket")
}

// hasToken says whether a comma-separated list holds a token, in any case.
func hasToken(values [][]byte, token string) bool {
	for _, v := range values {
		for part := range bytes.SplitSeq(v, []byte{','}) {
			if bytes.EqualFold(bytes.TrimSpace(part), []byte(token)) {
				return true
			}
		}
	}
	return false
}

func setUpgrade(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Upgrade", "websocket")
	ctx.Response.Header.Set("Connection", "Upgrade")
	ctx.Response.Header.Set("Sec-WebSocket-Version", "13")
}
