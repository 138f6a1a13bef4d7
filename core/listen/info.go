package listen

import (
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// newInfo copies what a session may want to know of its request; nothing of ctx is kept. The headers
// of the WebSocket handshake itself are left out: a connection keeps its info for life.
func newInfo(ctx *fasthttp.RequestCtx, e *route.Entry, upgrade bool, from client) *session.Info {
	uri := ctx.URI()
	path, query, host := uri.Path(), uri.QueryString(), ctx.Request.Header.Host()
	method := ctx.Method()

	// One allocation for all that is copied.
	count, size := 0, len(from.address)+len(path)+len(query)+len(host)+len(method)
	for k, v := range ctx.Request.Header.AllInOrder() {
		if upgrade && ofHandshake(k) {
			continue
		}
		count++
		if string(k) != "Host" { // it is copied once
			size += len(v)
		}
		if knownHeader(k) == "" {
			size += len(k)
		}
	}
	var buf arena
	buf.Grow(size)
	info := &session.Info{
		Route:         e.ID,
		RemoteAddress: buf.copy([]byte(from.address)),
		TLS:           from.tls,
		Local:         from.elsewhere == "",
		HTTP:          !upgrade,
		Headers:       make([]session.Header, 0, count),
	}
	if info.Method = knownMethod(method); info.Method == "" {
		info.Method = buf.copy(method)
	}
	if info.Path = e.Path; info.Path != string(path) {
		info.Path = buf.copy(path)
	}
	info.Query = buf.copy(query)
	info.Host = buf.copy(host)
	for k, v := range ctx.Request.Header.AllInOrder() {
		if upgrade && ofHandshake(k) {
			continue
		}
		name := knownHeader(k)
		if name == "" {
			name = buf.copyLower(k)
		}
		value := info.Host
		if name != "host" {
			value = buf.copy(v)
		}
		info.Headers = append(info.Headers, session.Header{Name: name, Value: value})
	}
	return info
}

func ofHandshake(name []byte) bool {
	switch string(name) {
	case "Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions":
		return true
	}
	return false
}

func knownMethod(m []byte) string {
	switch string(m) {
	case "GET":
		return "GET"
	case "POST":
		return "POST"
	}
	return ""
}

// knownHeader saves every connection its own copies of the usual names. fasthttp has put the name
// into canonical form.
func knownHeader(name []byte) string {
	switch string(name) {
	case "Host":
		return "host"
	case "User-Agent":
		return "user-agent"
	case "Origin":
		return "origin"
	case "Cookie":
		return "cookie"
	case "Authorization":
		return "authorization"
	case "Accept":
		return "accept"
	case "Accept-Encoding":
		return "accept-encoding"
	case "Accept-Language":
		return "accept-language"
	case "Cache-Control":
		return "cache-control"
	case "Pragma":
		return "pragma"
	case "Content-Type":
		return "content-type"
	case "Content-Length":
		return "content-length"
	case "X-Forwarded-For":
		return "x-forwarded-for"
	case "X-Forwarded-Proto":
		return "x-forwarded-proto"
	}
	return ""
}

// arena turns bytes into strings that share one allocation, made by Grow.
type arena struct{ strings.Builder }

func (a *arena) copy(b []byte) string {
	n := a.Len()
	a.Write(b)
	return a.String()[n:]
}

func (a *arena) copyLower(b []byte) string {
	n := a.Len()
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		a.WriteByte(c)
	}
	return a.String()[n:]
}
