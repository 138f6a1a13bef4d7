package listen

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
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
		if !ctx.Hijacked() {
			s.meter.answered(ctx.Response.StatusCode())
		}
	}()
	var e *route.Entry
	defer func() { shape(ctx, e) }()
	conn := ctx.Conn().(*accepted)
	conn.busy.Store(true)
	conn.begun++
	if !sameAuthority(&ctx.Request.Header) {
		conn.fault = errAuthority
		s.meter.refused(malformed)
		refuse(ctx, errAuthority.status, errAuthority.text)
		ctx.SetConnectionClose()
		return
	}
	if !utf8.Valid(ctx.Path()) { // as it is without its escapes
		s.meter.refused(malformed)
		s.reject(ctx, fasthttp.StatusBadRequest, "the path is not UTF-8")
		return
	}
	e = s.cfg.Routes.Load().Lookup(ctx.Path())
	if e == nil {
		s.reject(ctx, fasthttp.StatusNotFound, "not found")
		return
	}
	upgrade := wantsWebSocket(&ctx.Request.Header)
	// What can be told from the request itself comes first: an auth backend is asked last.
	if !s.takes(ctx, e, upgrade) {
		return
	}
	from := s.client(ctx)
	if !s.checkLocal(ctx, e, from) || !s.checkOrigin(ctx, upgrade, from) {
		return
	}
	if !s.opener.Ready(e) {
		s.meter.refused(notReady)
		s.later(ctx)
		return
	}
	if !s.seated(ctx, e) {
		return
	}
	info := newInfo(ctx, e, upgrade, from)
	seated := e.Seats
	defer func() { seated.Give() }() // behind a panic as well
	var who *session.Admission
	if e.Handshake {
		if who = s.admission(ctx, e, info); who == nil {
			return
		}
	}
	var kept bool
	if upgrade {
		kept = s.upgrade(ctx, e, info, who)
	} else {
		kept = s.request(ctx, e, info, who)
	}
	if kept {
		seated = nil
	}
}

// seated takes a seat of the route for the session to come, or answers that there is none.
func (s *Server) seated(ctx *fasthttp.RequestCtx, e *route.Entry) bool {
	if e.Seats.Take() {
		return true
	}
	s.meter.refused(tooManySessions)
	if dropped, ok := s.quiet.Allow(time.Now()); ok {
		s.log.Warn("too many sessions", "route", e.ID, "limit", e.Seats.Taken(), "remedy", "raise max_sessions in the route's limits", "dropped", dropped)
	}
	s.later(ctx)
	return false
}

// takes says whether the route takes such a request; if not, the client was answered.
func (s *Server) takes(ctx *fasthttp.RequestCtx, e *route.Entry, upgrade bool) bool {
	switch {
	case upgrade && !e.WebSocket:
		s.reject(ctx, fasthttp.StatusBadRequest, "this path takes plain requests only")
	case !upgrade && !e.HTTP:
		setUpgrade(ctx)
		s.reject(ctx, fasthttp.StatusUpgradeRequired, "this path takes WebSocket connections only")
	case upgrade:
		return s.checkHandshake(ctx)
	default:
		return true
	}
	return false
}

// checkLocal keeps everybody else from what is for this machine only; it answers them.
func (s *Server) checkLocal(ctx *fasthttp.RequestCtx, e *route.Entry, from client) bool {
	if !e.LocalOnly {
		return true
	}
	if from.elsewhere == "" {
		return true
	}
	s.meter.refused(notFromHere)
	if dropped, ok := s.quiet.Allow(time.Now()); ok {
		s.log.Warn("route without auth is for this machine only", "route", e.ID, "path", cut(ctx.Path()),
			"peer", from.address, "reason", from.elsewhere, "remedy", "add auth to the route, or auth = auth.none where everyone may come",
			"dropped", dropped)
	}
	s.reject(ctx, fasthttp.StatusForbidden, "this route has no auth: it is served to this machine only")
	return false
}

// checkOrigin holds for whatever may have an effect; it answers the pages that may not come.
func (s *Server) checkOrigin(ctx *fasthttp.RequestCtx, upgrade bool, from client) bool {
	if !upgrade && (ctx.IsGet() || ctx.IsHead() || ctx.IsOptions()) {
		return true
	}
	text := string(ctx.Request.Header.Peek("Origin"))
	if allowedOrigin(text, string(from.host), s.policy.Load().origins) {
		return true
	}
	s.meter.refused(badOrigin)
	if dropped, ok := s.quiet.Allow(time.Now()); ok {
		s.log.Warn("origin refused", "origin", cut(text), "host", cut(from.host), "path", cut(ctx.Path()),
			"remedy", s.originRemedy(text), "dropped", dropped)
	}
	s.reject(ctx, fasthttp.StatusForbidden, "origin not allowed")
	return false
}

// originRemedy says how the operator lets an origin in.
func (s *Server) originRemedy(text string) string {
	if a, err := parseAllowed(text); err != nil || !a.web() || a.below || len(text) > longestText {
		return "none: this is no origin that could be listed"
	}
	var line strings.Builder
	for _, o := range s.policy.Load().listed {
		line.WriteString(strconv.Quote(o) + ", ")
	}
	return fmt.Sprintf("put origins = [%s%q] into listener %q", &line, text, s.cfg.Name)
}

// longestText is how much of what a stranger sends goes into one attribute of the log.
const longestText = 256

func cut[T string | []byte](text T) string { return string(text[:min(len(text), longestText)]) }

// later answers what cannot be served just now.
func (s *Server) later(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Retry-After", retryAfter)
	s.reject(ctx, fasthttp.StatusServiceUnavailable, "try again later")
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
	ctx.SetUserValue(refused{}, true)
}

// refused marks a request that refuse answered.
type refused struct{}

// shape gives the answer to a request that was refused the form that its route has for that.
func shape(ctx *fasthttp.RequestCtx, e *route.Entry) {
	if e == nil || e.Refusal == "" || ctx.UserValue(refused{}) == nil {
		return
	}
	form := e.Refusal
	if ctx.Response.StatusCode() == fasthttp.StatusServiceUnavailable {
		path := string(ctx.Path())
		form = cmp.Or(e.Unavailable[path[strings.LastIndexByte(path, '/')+1:]], form)
	}
	why := strconv.Quote(strings.ToLower(http.StatusText(ctx.Response.StatusCode())))
	ctx.SetContentType("application/json")
	ctx.SetBodyString(strings.Replace(form, "%s", why, 1))
}

func hasBody(h *fasthttp.RequestHeader) bool {
	n := h.ContentLength()
	return n > 0 || n == -1
}

// badRequest answers what is not HTTP, too large or too slow.
func (s *Server) badRequest(ctx *fasthttp.RequestCtx, err error) {
	var small *fasthttp.ErrSmallBuffer
	var timeout net.Error
	var f *faultError
	switch {
	case errors.As(err, &f):
		refuse(ctx, f.status, f.text)
	case errors.As(err, &small):
		refuse(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge, "request header too large")
	case errors.As(err, &timeout) && timeout.Timeout():
		refuse(ctx, fasthttp.StatusRequestTimeout, "request timeout")
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		refuse(ctx, fasthttp.StatusRequestEntityTooLarge, "request body too large")
	default:
		refuse(ctx, fasthttp.StatusBadRequest, "bad request")
	}
	s.meter.refused(malformed)
	s.meter.answered(ctx.Response.StatusCode())
}

// sameAuthority says whether a target that names a host names that of the Host header.
func sameAuthority(h *fasthttp.RequestHeader) bool {
	target := h.RequestURI()
	if len(target) == 0 || target[0] == '/' {
		return true
	}
	_, rest, ok := bytes.Cut(target, []byte("://"))
	if !ok {
		return true // the star of OPTIONS
	}
	if end := bytes.IndexAny(rest, "/?"); end >= 0 {
		rest = rest[:end]
	}
	return bytes.EqualFold(rest, h.Host())
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
