package listen

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

func TestInfo(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	c := f.raw(t)
	c.send(t, "GET /api/x?q=1 HTTP/1.1\r\nHost: Example:1\r\nCookie: a=b; c=d\r\nX-One: 1\r\nauthorization: Bearer T\r\n"+
		"X-ONE: 2\r\nUser-Agent: U\r\nConnection: keep-alive\r\n\r\n")
	c.response(t, "GET")
	info := f.peer.session1(t).Info
	want := session.Info{
		Route: "plain", RemoteAddress: c.LocalAddr().String(), Method: "GET", Path: "/api/x", Query: "q=1",
		Host: "Example:1", HTTP: true,
		Headers: []session.Header{
			{Name: "host", Value: "Example:1"},
			{Name: "cookie", Value: "a=b; c=d"},
			{Name: "x-one", Value: "1"},
			{Name: "authorization", Value: "Bearer T"},
			{Name: "x-one", Value: "2"},
			{Name: "user-agent", Value: "U"},
			{Name: "connection", Value: "keep-alive"},
		},
	}
	if got, want := fmt.Sprintf("%+v", *info), fmt.Sprintf("%+v", want); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}

	f.dial(t, "/both?token=x", "Cookie: s=1")
	info = f.peer.session1(t).Info
	for _, h := range info.Headers {
		if strings.HasPrefix(h.Name, "sec-") || h.Name == "upgrade" || h.Name == "connection" {
			t.Errorf("header %s is of the handshake", h.Name)
		}
	}
	if info.HTTP || info.Path != "/both" || info.Query != "token=x" || info.Host != f.addr {
		t.Errorf("got %+v", *info)
	}
}

func TestRefusedHandshakes(t *testing.T) {
	upgrade := func(remove string, add ...string) string {
		head := strings.ReplaceAll(handshakeText, remove, "")
		return strings.TrimSuffix(head, "\r\n") + strings.Join(add, "") + "\r\n"
	}
	tests := map[string]struct {
		sent   string
		status int
		header string
	}{
		"request to a socket":     {"GET /ws HTTP/1.1\r\nHost: h\r\n\r\n", 426, "Upgrade: websocket"},
		"post to a socket":        {"POST /ws HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx", 426, "Upgrade: websocket"},
		"upgrade of a request":    {strings.Replace(handshakeText, "/ws", "/api/", 1), 400, ""},
		"old version":             {strings.Replace(handshakeText, "Version: 13", "Version: 8", 1), 426, "Sec-Websocket-Version: 13"},
		"no version":              {upgrade("Sec-WebSocket-Version: 13\r\n"), 426, "Sec-Websocket-Version: 13"},
		"no key":                  {upgrade("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"), 400, ""},
		"bad key":                 {strings.Replace(handshakeText, "dGhl", "", 1), 400, ""},
		"no connection header":    {upgrade("Connection: Upgrade\r\n"), 400, ""},
		"not a GET":               {strings.Replace(handshakeText, "GET", "PUT", 1), 400, ""},
		"with a body":             {upgrade("", "Content-Length: 3\r\n") + "abc", 400, ""},
		"HTTP/1.0":                {strings.Replace(handshakeText, "HTTP/1.1", "HTTP/1.0", 1), 400, ""},
		"other origin":            {upgrade("", "Origin: https://evil.example\r\n"), 403, ""},
		"null origin":             {upgrade("", "Origin: null\r\n"), 403, ""},
		"other origin, post":      {"POST /api/ HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\nContent-Length: 0\r\n\r\n", 403, ""},
		"other origin, get":       {"GET /api/ HTTP/1.1\r\nHost: h\r\nOrigin: http://x\r\n\r\n", 200, ""},
		"same origin":             {upgrade("", "Origin: http://example\r\n"), 101, ""},
		"several tokens":          {strings.Replace(handshakeText, "Connection: Upgrade", "Connection: keep-alive, upgrade", 1), 101, ""},
		"a request where both go": {"GET /both HTTP/1.1\r\nHost: h\r\n\r\n", 200, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f := startPlain(t, Config{}, repeats)
			c := f.raw(t)
			c.send(t, tt.sent)
			method, _, _ := strings.Cut(tt.sent, " ")
			res, body := c.response(t, method)
			if res.StatusCode != tt.status {
				t.Errorf("got %d %q, want %d", res.StatusCode, body, tt.status)
			}
			if name, value, ok := strings.Cut(tt.header, ": "); ok && res.Header.Get(name) != value {
				t.Errorf("headers %v, want %s", res.Header, tt.header)
			}
		})
	}
}

// TestUnknownPath has a path that nobody serves answered before the upgrade, whatever else is wrong
// with the request; a route for the rest takes it.
func TestUnknownPath(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	upgrade := strings.Replace(handshakeText, "/ws", "/nothing", 1)
	tests := map[string]struct {
		sent    string
		without int // status
		rest    int // with a route for the rest
	}{
		"request":       {"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404, 200},
		"upgrade":       {upgrade, 404, 101},
		"root":          {strings.Replace(handshakeText, "/ws", "/", 1), 404, 101},
		"below another": {strings.Replace(handshakeText, "/ws", "/ws/x", 1), 404, 101},
		"bad handshake": {strings.Replace(upgrade, "Version: 13", "Version: 8", 1), 404, 426},
		"bad origin":    {strings.Replace(upgrade, "\r\n\r\n", "\r\nOrigin: null\r\n\r\n", 1), 404, 403},
	}
	try := func(status func(name string) int) {
		for name, tt := range tests {
			if res, body := f.answer(t, tt.sent); res.StatusCode != status(name) {
				t.Errorf("%s: got %d %q, want %d", name, res.StatusCode, body, status(name))
			}
		}
	}
	try(func(name string) int { return tests[name].without })
	if n := len(f.peer.opened); n != 0 {
		t.Errorf("%d sessions", n)
	}
	table, err := route.New([]*route.Entry{{ID: "rest", Path: "/*", HTTP: true, WebSocket: true}})
	if err != nil {
		t.Fatal(err)
	}
	f.routes.Store(table)
	try(func(name string) int { return tests[name].rest })
}

func TestNotReady(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	f.peer.notReady.Store(true)
	for _, sent := range []string{"GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n", handshakeText} {
		c := f.raw(t)
		c.send(t, sent)
		if res, _ := c.response(t, "GET"); res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("got %d %v", res.StatusCode, res.Header)
		}
	}
	f.peer.notReady.Store(false)
	f.dial(t, "/ws")
}

func TestOpenRequestFails(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	f.peer.openErr = errors.New("no room")
	c := f.raw(t)
	c.send(t, "GET /api/ HTTP/1.1\r\nHost: h\r\n\r\n")
	if res, _ := c.response(t, "GET"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("got %d", res.StatusCode)
	}
}

func TestRoutesAreSwapped(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	c := f.raw(t)
	for _, tt := range []struct {
		path   string
		status int
	}{{"/api/", 200}, {"/v2", 404}} {
		c.send(t, "GET "+tt.path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if res, _ := c.response(t, "GET"); res.StatusCode != tt.status {
			t.Errorf("%s: %d", tt.path, res.StatusCode)
		}
	}
	table, err := route.New([]*route.Entry{{ID: "v2", Path: "/v2", HTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	f.routes.Store(table)
	for _, tt := range []struct {
		path   string
		status int
	}{{"/api/", 404}, {"/v2", 200}} {
		c.send(t, "GET "+tt.path+" HTTP/1.1\r\nHost: h\r\n\r\n")
		if res, _ := c.response(t, "GET"); res.StatusCode != tt.status {
			t.Errorf("%s: %d", tt.path, res.StatusCode)
		}
	}
}

func TestLogsHoldNothingOfRequests(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	for _, sent := range []string{
		"GET /api/ HTTP/1.1\r\nHost: h\r\nAuthorization SECRET\r\n\r\n",
		"GET /api/ HTTP/1.1\r\nHost: h\r\nCookie: SECRET\x00\r\n\r\n",
		"SECRET\r\n\r\n",
		"GET /api/?SECRET HTTP/9.9\r\nHost: h\r\n\r\n",
		"POST /api/ HTTP/1.1\r\nHost: h\r\nContent-Length: SECRET\r\n\r\n",
		"POST /api/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nSECRET\r\n",
		"GET /api/ HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("SECRET", 2000) + "\r\n\r\n",
		handshakeText + "\x81\xffSECRETSECRETSECRET",
	} {
		c := f.raw(t)
		c.send(t, sent)
		_, _ = c.r.Peek(1)
		_ = c.Close()
	}
	if strings.Contains(f.logs.String(), "SECRET") {
		t.Errorf("logs:\n%s", f.logs)
	}
}
