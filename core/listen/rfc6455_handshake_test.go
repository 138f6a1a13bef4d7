package listen

import (
	"net/http"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/route"
)

// TestRFC6455Handshake holds sections 4.1 and 4.2: what a client's handshake has to be, and how it is
// answered.
func TestRFC6455Handshake(t *testing.T) {
	const key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
	const version = "Sec-WebSocket-Version: 13\r\n"
	edit := func(old, with string) string { return strings.Replace(handshakeText, old, with, 1) }
	add := func(fields string) string { return edit("\r\n\r\n", "\r\n"+fields+"\r\n") }
	const needs = "Sec-Websocket-Version: 13"
	tests := []struct {
		section, name, in string
		status            int
		header            string // name: value; a minus in front: there is no such header
	}{
		{"4.2.2", "the sample", handshakeText, 101, "Sec-Websocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="},
		{"4.2.2", "Upgrade is answered", handshakeText, 101, "Upgrade: websocket"},
		{"4.2.2", "Connection is answered", handshakeText, 101, "Connection: Upgrade"},
		{"4.1", "fields in lower case", strings.ToLower(edit("dGhlIHNhbXBsZSBub25jZQ==", "aaaaaaaaaaaaaaaaaaaaaa=="))[len("get /ws http/1.1"):], 0, ""},
		{"4.2.1", "Upgrade in capitals", edit("Upgrade: websocket", "Upgrade: WEBSOCKET"), 101, ""},
		{"4.2.1", "Connection in lower case", edit("Connection: Upgrade", "Connection: upgrade"), 101, ""},
		{"4.2.1", "Connection with more tokens", edit("Connection: Upgrade", "Connection: keep-alive, Upgrade"), 101, ""},
		{"4.2.1", "Connection in two lines", edit("Connection: Upgrade", "Connection: keep-alive\r\nConnection: Upgrade"), 101, ""},
		{"4.2.1", "Upgrade with more tokens", edit("Upgrade: websocket", "Upgrade: h2c, websocket"), 101, ""},
		{"4.2.1", "a query", edit("/ws", "/ws?a=b"), 101, ""},
		{"4.2.1", "an absolute target", edit("GET /ws", "GET http://example/ws"), 101, ""},
		{"4.2.1", "POST", edit("GET", "POST"), 400, ""},
		{"4.2.1", "HEAD", edit("GET", "HEAD"), 400, ""},
		{"4.2.1", "HTTP/1.0", edit("HTTP/1.1", "HTTP/1.0"), 400, ""},
		{"4.2.1", "HTTP/2.0", edit("HTTP/1.1", "HTTP/2.0"), 505, ""},
		{"4.2.1", "a body", add("Content-Length: 3\r\n") + "abc", 400, ""},
		{"4.2.1", "a body in chunks", add("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400, ""},
		{"4.2.1", "no Host", edit("Host: example\r\n", ""), 400, ""},
		{"4.2.1", "no Upgrade", edit("Upgrade: websocket\r\n", ""), 426, "Upgrade: websocket"},
		{"4.2.1", "another Upgrade", edit("Upgrade: websocket", "Upgrade: websockets"), 426, "Upgrade: websocket"},
		{"4.2.1", "no Connection", edit("Connection: Upgrade\r\n", ""), 400, ""},
		{"4.2.1", "another Connection", edit("Connection: Upgrade", "Connection: keep-alive"), 400, ""},
		{"4.2.1", "a Connection that begins so", edit("Connection: Upgrade", "Connection: Upgrades"), 400, ""},
		{"4.2.1", "no key", edit(key, ""), 400, ""},
		{"4.2.1", "an empty key", edit(key, "Sec-WebSocket-Key:\r\n"), 400, ""},
		{"4.2.1", "two keys", add(key), 400, ""},
		{"4.2.1", "a key of 15 bytes", edit("dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAA"), 400, ""},
		{"4.2.1", "a key of 17 bytes", edit("dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAAA="), 400, ""},
		{"4.2.1", "a key that is not base64", edit("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25j!Q=="), 400, ""},
		{"4.2.1", "a key without its end", edit("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ"), 400, ""},
		{"4.4", "no version", edit(version, ""), 426, needs},
		{"4.4", "an empty version", edit(version, "Sec-WebSocket-Version:\r\n"), 426, needs},
		{"4.4", "version 8", edit("Version: 13", "Version: 8"), 426, needs},
		{"4.4", "version 14", edit("Version: 13", "Version: 14"), 426, needs},
		{"4.4", "version 013", edit("Version: 13", "Version: 013"), 426, needs},
		{"4.4", "a list of versions", edit("Version: 13", "Version: 13, 8"), 426, needs},
		{"4.4", "two versions", add("Sec-WebSocket-Version: 8\r\n"), 426, needs},
		{"4.2.2", "subprotocols are offered", add("Sec-WebSocket-Protocol: chat, superchat\r\n"), 101, "-Sec-Websocket-Protocol"},
		{"9.1", "compression is offered", add("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"), 101, "-Sec-Websocket-Extensions"},
		{"9.1", "an extension nobody knows", add("Sec-WebSocket-Extensions: x-none\r\n"), 101, "-Sec-Websocket-Extensions"},
		{"10.2", "the page's own origin", add("Origin: http://example\r\n"), 101, ""},
		{"10.2", "another origin", add("Origin: http://other\r\n"), 403, ""},
	}
	f := start(t, newPeer(), Config{}, &route.Entry{ID: "socket", Path: "/ws", WebSocket: true})
	for _, tt := range tests {
		t.Run(tt.section+" "+tt.name, func(t *testing.T) {
			if tt.status == 0 { // names of fields have no case
				tt.in, tt.status = "GET /ws HTTP/1.1"+tt.in, 101
			}
			for _, size := range []int{len(tt.in), 1} {
				c := f.raw(t)
				for at := 0; at < len(tt.in); at += size {
					c.send(t, tt.in[at:at+size])
				}
				method, _, _ := strings.Cut(tt.in, " ")
				res, err := http.ReadResponse(c.r, &http.Request{Method: method})
				if err != nil {
					t.Fatal(err)
				}
				_ = res.Body.Close()
				if res.StatusCode != tt.status {
					t.Errorf("%q\ngot %d, want %d", tt.in, res.StatusCode, tt.status)
				}
				name, value, _ := strings.Cut(tt.header, ": ")
				if without, ok := strings.CutPrefix(name, "-"); ok {
					name, value = without, ""
				}
				if name != "" && res.Header.Get(name) != value {
					t.Errorf("headers %v, want %s", res.Header, tt.header)
				}
				_ = c.Close()
			}
		})
	}
}
