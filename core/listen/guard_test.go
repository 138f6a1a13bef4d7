package listen

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/core/session"
)

const (
	getHead  = "GET /api/ HTTP/1.1\r\nHost: h\r\n"
	postHead = "POST /api/ HTTP/1.1\r\nHost: h\r\n"
	chunks   = "Transfer-Encoding: chunked\r\n\r\n"
	follower = "GET /api/smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
)

type smuggling struct {
	name, sent string
	status     int
}

var smugglings = []smuggling{
	{"length and encoding", postHead + "Content-Length: 5\r\n" + chunks + "0\r\n\r\n", 400},
	{"encoding and length", postHead + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
	{"length of nothing and encoding", postHead + "Content-Length: 0\r\n" + chunks + "0\r\n\r\n", 400},
	{"encoding on 1.0", "POST /api/ HTTP/1.0\r\nHost: h\r\n" + chunks + "0\r\n\r\n", 400},
	{"encoding on 1.0, kept alive", "POST /api/ HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n" + chunks + "0\r\n\r\n", 400},

	{"two lengths, the same", postHead + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
	{"two lengths, different", postHead + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 400},
	{"two lengths, in other case", postHead + "Content-Length: 5\r\ncontent-length: 0\r\n\r\nhello", 400},
	{"length with a plus", postHead + "Content-Length: +5\r\n\r\nhello", 400},
	{"length with a minus", postHead + "Content-Length: -5\r\n\r\nhello", 400},
	{"length of minus one", postHead + "Content-Length: -1\r\n\r\nhello", 400},
	{"a list of lengths", postHead + "Content-Length: 5, 5\r\n\r\nhello", 400},
	{"a tight list of lengths", postHead + "Content-Length: 5,5\r\n\r\nhello", 400},
	{"length in hex", postHead + "Content-Length: 0x5\r\n\r\nhello", 400},
	{"length with a fraction", postHead + "Content-Length: 5.0\r\n\r\nhello", 400},
	{"length with an exponent", postHead + "Content-Length: 1e1\r\n\r\nhello", 400},
	{"length with an underscore", postHead + "Content-Length: 1_0\r\n\r\nhello", 400},
	{"length with a space inside", postHead + "Content-Length: 1 0\r\n\r\nhello", 400},
	{"length with a space behind", postHead + "Content-Length: 5 \r\n\r\nhello", 400},
	{"length with two spaces", postHead + "Content-Length:  5\r\n\r\nhello", 400},
	{"length with a tab", postHead + "Content-Length:\t5\r\n\r\nhello", 400},
	{"length with a vertical tab", postHead + "Content-Length: \v5\r\n\r\nhello", 400},
	{"empty length", postHead + "Content-Length:\r\n\r\nhello", 400},
	{"blank length", postHead + "Content-Length: \r\n\r\nhello", 400},
	{"length that is none", postHead + "Content-Length: five\r\n\r\nhello", 400},
	{"length in other digits", postHead + "Content-Length: \u0665\r\n\r\nhello", 400},
	{"huge length", postHead + "Content-Length: 99999999999999999999\r\n\r\nhello", 413},
	{"length around 64 bits", postHead + "Content-Length: 18446744073709551621\r\n\r\nhello", 413},
	{"length beyond the limit", postHead + "Content-Length: 999999999999999999\r\n\r\nhello", 413},

	{"gzip, chunked", postHead + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked, gzip", postHead + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", 400},
	{"chunked, chunked", postHead + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked, identity", postHead + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400},
	{"chunked twice", postHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked and identity", postHead + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400},
	{"identity", postHead + "Transfer-Encoding: identity\r\n\r\n", 400},
	{"identity with a length", postHead + "Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello", 400},
	{"xchunked", postHead + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 400},
	{"chunkedx", postHead + "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", 400},
	{"chunke", postHead + "Transfer-Encoding: chunke\r\n\r\n0\r\n\r\n", 400},
	{"chunked behind two spaces", postHead + "Transfer-Encoding:  chunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked behind a tab", postHead + "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked behind a vertical tab", postHead + "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 400},
	{"chunked and a tab", postHead + "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", 400},
	{"chunked and a vertical tab", postHead + "Transfer-Encoding: chunked\v\r\n\r\n0\r\n\r\n", 400},
	{"chunked and a space", postHead + "Transfer-Encoding: chunked \r\n\r\n0\r\n\r\n", 400},
	{"chunked and a comma", postHead + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", 400},
	{"chunked with a parameter", postHead + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 400},
	{"quoted chunked", postHead + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 400},
	{"empty encoding", postHead + "Transfer-Encoding:\r\n\r\n", 400},
	{"encoding with a space before the colon", postHead + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
	{"encoding with a tab before the colon", postHead + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400},
	{"encoding behind a bare CR", postHead + "X: a\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"encoding behind a bare LF", postHead + "X: a\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{"folded encoding", postHead + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 400},

	{"bare LF everywhere", "GET /api/ HTTP/1.1\nHost: h\n\n", 400},
	{"bare LF behind the request line", "GET /api/ HTTP/1.1\nHost: h\r\n\r\n", 400},
	{"bare LF behind a field", "GET /api/ HTTP/1.1\r\nHost: h\nX: y\r\n\r\n", 400},
	{"bare LF at the end of the head", getHead + "\n", 400},
	{"bare CR in a value", getHead + "X: a\rb\r\n\r\n", 400},
	{"bare CR in the request line", "GET /api/\r HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"two CR", getHead + "X: a\r\r\n\r\n", 400},
	{"CR at the end of the head", getHead + "\r\r\n", 400},
	{"NUL in a value", getHead + "X: a\x00b\r\n\r\n", 400},
	{"NUL in a name", getHead + "X\x00: a\r\n\r\n", 400},
	{"NUL in the target", "GET /api/\x00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"DEL in a value", getHead + "X: a\x7fb\r\n\r\n", 400},
	{"escape in a value", getHead + "X: \x1b[31m\r\n\r\n", 400},
	{"space before the colon", getHead + "X : y\r\n\r\n", 400},
	{"space before the first field", "GET /api/ HTTP/1.1\r\n Host: h\r\n\r\n", 400},
	{"tab before the first field", "GET /api/ HTTP/1.1\r\n\tHost: h\r\n\r\n", 400},
	{"folded field", getHead + "X: a\r\n b\r\n\r\n", 400},
	{"folded field with a tab", getHead + "X: a\r\n\tb\r\n\r\n", 400},
	{"empty name", getHead + ": y\r\n\r\n", 400},
	{"no colon", getHead + "X\r\n\r\n", 400},
	{"name with a space", getHead + "X Y: z\r\n\r\n", 400},
	{"name with brackets", getHead + "X[]: z\r\n\r\n", 400},
	{"name with a slash", getHead + "X/Y: z\r\n\r\n", 400},
	{"name with an at", getHead + "X@Y: z\r\n\r\n", 400},
	{"quoted name", getHead + "\"X\": z\r\n\r\n", 400},
	{"name beyond ASCII", getHead + "Ü: z\r\n\r\n", 400},
	{"length under a name beyond ASCII", postHead + "Content\u2010Length: 5\r\n\r\nhello", 400},

	{"byte beyond ASCII in the target", "GET /api/\xff HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"DEL in the target", "GET /api/\x7f HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"tab in the request line", "GET\t/api/\tHTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"two spaces behind the method", "GET  /api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"two spaces behind the target", "GET /api/  HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"space in the target", "GET /api/ x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"space behind the version", "GET /api/ HTTP/1.1 \r\nHost: h\r\n\r\n", 400},
	{"fragment in the target", "GET /api/#x HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"target without a slash", "GET api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"target of another scheme", "GET gopher://h/api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"target of one slash", "GET http:/h/api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"no method", " /api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"lower-case method", "get /api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"mixed-case method", "Get /api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"method with a colon", "GET: /api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"endless method", strings.Repeat("G", 100) + " /api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"tunnel", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 400},
	{"tunnel to a path", "CONNECT /api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400},
	{"frames without a handshake", clientFrame(final|opText, "hello"), 400},
	{"two empty lines in front", "\r\n\r\n" + getHead + "\r\n", 400},
	{"bare LF in front", "\n" + getHead + "\r\n", 400},

	{"another authority", "GET http://other/api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"another port", "GET http://h:81/api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"a user in the authority", "GET http://u@h/api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"no authority", "GET http:///api/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
	{"two hosts, the same", getHead + "Host: h\r\n\r\n", 400},
	{"two hosts, different", getHead + "Host: other\r\n\r\n", 400},
	{"no host", "GET /api/ HTTP/1.1\r\n\r\n", 400},
	{"no host, other fields", "GET /api/ HTTP/1.1\r\nX: y\r\n\r\n", 400},
	{"empty host", "GET /api/ HTTP/1.1\r\nHost:\r\n\r\n", 400},
	{"host with a path", "GET /api/ HTTP/1.1\r\nHost: h/x\r\n\r\n", 400},
	{"host with a user", "GET /api/ HTTP/1.1\r\nHost: u@h\r\n\r\n", 400},
	{"host with a space", "GET /api/ HTTP/1.1\r\nHost: h x\r\n\r\n", 400},
	{"host with a quote", "GET /api/ HTTP/1.1\r\nHost: h\"\r\n\r\n", 400},
	{"host beyond ASCII", "GET /api/ HTTP/1.1\r\nHost: hü\r\n\r\n", 400},

	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	{"HTTP/2.0", "GET /api/ HTTP/2.0\r\nHost: h\r\n\r\n", 505},
	{"HTTP/1.2", "GET /api/ HTTP/1.2\r\nHost: h\r\n\r\n", 505},
	{"HTTP/0.9", "GET /api/ HTTP/0.9\r\nHost: h\r\n\r\n", 505},
	{"HTTP/0.9 as it was", "GET /api/\r\n", 400},
	{"no version", "GET /api/ \r\nHost: h\r\n\r\n", 400},
	{"version of many digits", "GET /api/ HTTP/1.10\r\nHost: h\r\n\r\n", 400},
	{"version of one digit", "GET /api/ HTTP/1\r\nHost: h\r\n\r\n", 400},
	{"version in lower case", "GET /api/ http/1.1\r\nHost: h\r\n\r\n", 400},
	{"another protocol", "OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400},

	{"oversize target", "GET /api/" + strings.Repeat("x", headerLimit) + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
	{"oversize field", getHead + "X: " + strings.Repeat("x", headerLimit) + "\r\n\r\n", 431},
	{"oversize name", getHead + strings.Repeat("x", headerLimit) + ": y\r\n\r\n", 431},
	{"too many fields", getHead + strings.Repeat("X: y\r\n", mostFields) + "\r\n", 431},

	{"chunk size in C", postHead + chunks + "0x5\r\nhello\r\n0\r\n\r\n", 400},
	{"chunk size with a plus", postHead + chunks + "+5\r\nhello\r\n0\r\n\r\n", 400},
	{"chunk size with a minus", postHead + chunks + "-5\r\nhello\r\n0\r\n\r\n", 400},
	{"chunk size with an underscore", postHead + chunks + "0_5\r\nhello\r\n0\r\n\r\n", 400},
	{"chunk size with a space in front", postHead + chunks + " 5\r\nhello\r\n0\r\n\r\n", 400},
	{"chunk size with a space behind", postHead + chunks + "5 \r\nhello\r\n0\r\n\r\n", 400},
	{"empty chunk size", postHead + chunks + "\r\nhello\r\n0\r\n\r\n", 400},
	{"extension without a size", postHead + chunks + ";x\r\nhello\r\n0\r\n\r\n", 400},
	{"huge chunk size", postHead + chunks + "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", 400},
	{"chunk size around 64 bits", postHead + chunks + "10000000000000005\r\nhello\r\n0\r\n\r\n", 400},
	{"extension that ends in a bare LF", postHead + chunks + "5;ext=\nhello\r\n0\r\n\r\n", 400},
	{"extension with a bare CR", postHead + chunks + "5;a\rb\r\nhello\r\n0\r\n\r\n", 400},
	{"extension with NUL", postHead + chunks + "5;\x00\r\nhello\r\n0\r\n\r\n", 400},
	{"endless extension", postHead + chunks + "5;" + strings.Repeat("x", 300) + "\r\nhello\r\n0\r\n\r\n", 400},
	{"chunk size that ends in a bare LF", postHead + chunks + "5\nhello\r\n0\r\n\r\n", 400},
	{"chunk size that ends in a bare CR", postHead + chunks + "5\rhello\r\n0\r\n\r\n", 400},
	{"chunk that ends in a bare LF", postHead + chunks + "5\r\nhello\n0\r\n\r\n", 400},
	{"chunk longer than its size", postHead + chunks + "5\r\nhello!\r\n0\r\n\r\n", 400},
	{"chunk shorter than its size", postHead + chunks + "6\r\nhello\r\n0\r\n\r\n", 400},
	{"last chunk that ends in a bare LF", postHead + chunks + "5\r\nhello\r\n0\n\r\n", 400},
	{"trailer that ends in a bare LF", postHead + chunks + "0\r\nX: y\n\r\n", 400},
	{"bare LF behind the last chunk", postHead + chunks + "0\r\n\n", 400},
	{"length in the trailer", postHead + chunks + "0\r\nContent-Length: 5\r\n\r\n", 400},
	{"encoding in the trailer", postHead + chunks + "0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
	{"host in the trailer", postHead + chunks + "0\r\nHost: other\r\n\r\n", 400},
	{"no colon in the trailer", postHead + chunks + "0\r\nGET /api/ HTTP/1.1\r\n\r\n", 400},
	{"folded trailer", postHead + chunks + "0\r\n X: y\r\n\r\n", 400},
	{"oversize trailer", postHead + chunks + "0\r\nX: " + strings.Repeat("x", headerLimit) + "\r\n\r\n", 431},
}

// TestSmuggling has requests that two readers could take for two different things. Each is refused,
// the connection ends, and neither it nor what follows it reaches a session: alone, a byte at a time,
// and behind a good request that came with it.
func TestSmuggling(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	send := map[string]func(t *testing.T, c *raw, text string){
		"at once": func(t *testing.T, c *raw, text string) { c.send(t, text) },
		"a byte at a time": func(t *testing.T, c *raw, text string) {
			for i := range len(text) {
				if _, err := io.WriteString(c, text[i:i+1]); err != nil {
					return // refused before the end
				}
			}
		},
		"behind another": func(t *testing.T, c *raw, text string) {
			c.send(t, getHead+"\r\n"+text)
			if res, _ := c.response(t, "GET"); res.StatusCode != http.StatusOK {
				t.Fatalf("the good one got %d", res.StatusCode)
			}
			f.peer.session1(t)
		},
		"behind a body": func(t *testing.T, c *raw, text string) {
			c.send(t, postHead+chunks+"3\r\nabc\r\n0\r\nX: y\r\n\r\n"+text)
			if res, _ := c.response(t, "POST"); res.StatusCode != http.StatusOK {
				t.Fatalf("the good one got %d", res.StatusCode)
			}
			f.peer.session1(t)
		},
	}
	for _, tt := range smugglings {
		for how, send := range send {
			t.Run(tt.name+"/"+how, func(t *testing.T) {
				c := f.raw(t)
				send(t, c, tt.sent+follower)
				res, body := c.response(t, "POST")
				if res.StatusCode != tt.status || !res.Close {
					t.Errorf("%.200q\ngot %d %q %v, want %d and the end", tt.sent, res.StatusCode, body, res.Header, tt.status)
				}
				c.wantEnd(t, "")
				if n := len(f.peer.opened); n != 0 {
					t.Fatalf("%.200q\n%d sessions", tt.sent, n)
				}
			})
		}
	}
}

// TestGoodRequests has what must go on working, in the same ways; all of a way on one connection.
func TestGoodRequests(t *testing.T) {
	full := getHead + "X: " + strings.Repeat("x", headerLimit-len(getHead)-len("X: \r\n\r\n")) + "\r\n\r\n"
	tests := []struct{ name, sent, want string }{
		{"get", getHead + "\r\n", "GET /api/? "},
		{"query", "GET /api/?a=%20&b=[]{}|\"<>^` HTTP/1.1\r\nHost: h\r\n\r\n", "GET /api/?a=%20&b=[]{}|\"<>^` "},
		{"no space behind the colon", "GET /api/ HTTP/1.1\r\nHost:h\r\nX:y\r\n\r\n", "GET /api/? "},
		{"white space around a value", getHead + "X: \t y \t \r\n\r\n", "GET /api/? "},
		{"empty value", getHead + "X:\r\n\r\n", "GET /api/? "},
		{"value beyond ASCII", getHead + "X: Grüße \xff\r\n\r\n", "GET /api/? "},
		{"odd name", getHead + "!#$%&'*+-.^_`|~09: y\r\n\r\n", "GET /api/? "},
		{"host with a port", "GET /api/ HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "GET /api/? "},
		{"as many fields as may be", "GET /api/ HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", mostFields-1) + "\r\n", "GET /api/? "},
		{"as large as may be", full, "GET /api/? "},
		{"absolute target", "GET http://h/api/x HTTP/1.1\r\nHost: H\r\n\r\n", "GET /api/x? "},
		{"absolute target of TLS", "GET HTTPS://h:443/api/x?y HTTP/1.1\r\nHost: h:443\r\n\r\n", "GET /api/x?y "},
		{"empty line in front", "\r\n" + getHead + "\r\n", "GET /api/? "},
		{"own method", "VERSION-CONTROL /api/ HTTP/1.1\r\nHost: h\r\n\r\n", "VERSION-CONTROL /api/? "},
		{"length", postHead + "Content-Length: 5\r\n\r\nhello", "POST /api/? hello"},
		{"length of nothing", postHead + "Content-Length: 0\r\n\r\n", "POST /api/? "},
		{"length with zeros", postHead + "Content-Length: 00005\r\n\r\nhello", "POST /api/? hello"},
		{"length, tight and in lower case", postHead + "content-length:5\r\n\r\nhello", "POST /api/? hello"},
		{"body that looks like a request", postHead + "Content-Length: 39\r\n\r\n" + follower, "POST /api/? " + follower},
		{"get with a body", getHead + "Content-Length: 5\r\n\r\nhello", "GET /api/? hello"},
		{"long body", postHead + "Content-Length: 30000\r\n\r\n" + strings.Repeat("\r\nX", 10000), "POST /api/? " + strings.Repeat("\r\nX", 10000)},
		{"chunks", postHead + chunks + "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "POST /api/? hello!"},
		{"chunked in other case", postHead + "transfer-encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "POST /api/? hello"},
		{"get in chunks", getHead + chunks + "5\r\nhello\r\n0\r\n\r\n", "GET /api/? hello"},
		{"no chunks", postHead + chunks + "0\r\n\r\n", "POST /api/? "},
		{"chunk size with zeros, in capitals", postHead + chunks + "0000A\r\n0123456789\r\n000\r\n\r\n", "POST /api/? 0123456789"},
		{"extensions", postHead + chunks + "5;a=b;c=\"d e\"\r\nhello\r\n0;x\r\n\r\n", "POST /api/? hello"},
		{"trailer", postHead + "Trailer: X-Sum\r\n" + chunks + "5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n", "POST /api/? hello"},
		{"chunks that look like requests", postHead + chunks + "27\r\n" + follower + "\r\n0\r\n\r\n", "POST /api/? " + follower},
		{"long chunks", postHead + chunks + strings.Repeat("2710\r\n"+strings.Repeat("x", 10000)+"\r\n", 3) + "0\r\n\r\n", "POST /api/? " + strings.Repeat("x", 30000)},
		{"another protocol", getHead + "Upgrade: h2c\r\nConnection: upgrade\r\n\r\n", "GET /api/? "},
		{"another protocol with a body", postHead + "Upgrade: h2c\r\nContent-Length: 5\r\n\r\nhello", "POST /api/? hello"},
	}
	f := startPlain(t, Config{}, repeats)
	check := func(t *testing.T, c *raw, name, sent, want string) {
		method, _, _ := strings.Cut(strings.TrimSpace(sent), " ")
		res, body := c.response(t, method)
		if res.StatusCode != http.StatusOK || body != want || res.Close {
			t.Fatalf("%s: %.200q\ngot %d %.200q, want %.200q", name, sent, res.StatusCode, body, want)
		}
		f.peer.session1(t)
	}
	t.Run("at once", func(t *testing.T) {
		c := f.raw(t)
		for _, tt := range tests {
			c.send(t, tt.sent)
			check(t, c, tt.name, tt.sent, tt.want)
		}
	})
	t.Run("a byte at a time", func(t *testing.T) {
		c := f.raw(t)
		for _, tt := range tests {
			for i := range len(tt.sent) {
				c.send(t, tt.sent[i:i+1])
			}
			check(t, c, tt.name, tt.sent, tt.want)
		}
	})
	t.Run("pipelined", func(t *testing.T) {
		c := f.raw(t)
		var all strings.Builder
		for _, tt := range tests {
			all.WriteString(tt.sent)
		}
		go func() { _, _ = io.WriteString(c, all.String()) }()
		for _, tt := range tests {
			check(t, c, tt.name, tt.sent, tt.want)
		}
	})
	t.Run("1.0", func(t *testing.T) {
		for _, sent := range []string{"GET /api/ HTTP/1.0\r\n\r\n", "GET /api/ HTTP/1.0\r\nHost: h\r\n\r\n"} {
			c := f.raw(t)
			c.send(t, sent)
			if res, body := c.response(t, "GET"); res.StatusCode != http.StatusOK || body != "GET /api/? " || !res.Close {
				t.Errorf("%q: got %d %q", sent, res.StatusCode, body)
			}
			f.peer.session1(t)
		}
	})
}

// TestRefusedUpgradeIsHTTP has what follows a handshake that is refused read as requests again.
func TestRefusedUpgradeIsHTTP(t *testing.T) {
	f := startPlain(t, Config{}, repeats)
	c := f.raw(t)
	refused := strings.Replace(handshakeText, "Version: 13", "Version: 8", 1)
	c.send(t, refused+getHead+"\r\n"+refused+clientFrame(final|opText, "hello"))
	for i, want := range []int{426, 200, 426, 400} {
		if res, _ := c.response(t, "GET"); res.StatusCode != want {
			t.Fatalf("request %d: got %d, want %d", i, res.StatusCode, want)
		}
	}
	c.wantEnd(t, "")
	if n := len(f.peer.opened); n != 1 {
		t.Errorf("%d sessions, want 1", n)
	}
}

// TestStreamedBodyWithAFault has a fault behind the beginning of a body, which a session has by then.
func TestStreamedBodyWithAFault(t *testing.T) {
	f := startPlain(t, Config{MaxBody: 100}, func(*session.Session, []byte, session.ResponseWriter) {})
	f.peer.onFrame = func(s *session.Session, data []byte, _ bool) { s.Release(len(data)) }
	c := f.raw(t)
	c.send(t, "POST /upload HTTP/1.1\r\nHost: h\r\n"+chunks+"c8\r\n"+strings.Repeat("x", 200)+"\r\n+5\r\nhello\r\n0\r\n\r\n")
	if res, _ := c.response(t, "POST"); res.StatusCode != http.StatusBadRequest || !res.Close {
		t.Errorf("got %d %v", res.StatusCode, res.Header)
	}
	c.wantEnd(t, "")
}

func TestGuardDoesNotAllocate(t *testing.T) {
	text := []byte(postHead + "Cookie: a=b\r\n" + chunks + "5\r\nhello\r\n0\r\nX: y\r\n\r\n" + getHead + "\r\n")
	var g guard
	if n := testing.AllocsPerRun(100, func() {
		if n, f := g.take(text); n != len(text) || f != nil {
			t.Fatalf("got %d, %v", n, f)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkGuard(b *testing.B) {
	text := []byte(strings.TrimSuffix(handshakeText, "\r\n") + "User-Agent: " + strings.Repeat("x", 100) +
		"\r\nCookie: " + strings.Repeat("y", 100) + "\r\n\r\n")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var g guard
		if _, f := g.take(text); f != nil {
			b.Fatal(f)
		}
	}
}

// requests splits what a guard lets through into requests: heads and bodies as they were sent.
func requests(text []byte, pieces []byte) (whole []string, _ *faultError) {
	var g guard
	at, from := 0, 0
	for i := 0; at < len(text); i++ {
		size := 1
		if len(pieces) > 0 {
			size += int(pieces[i%len(pieces)])
		}
		// One byte at a time tells where one ends; the rest of the piece must make no difference.
		for _, c := range text[at:min(at+size, len(text))] {
			_, f := g.take([]byte{c})
			if f != nil {
				return whole, f
			}
			at++
			if g.ended > uint64(len(whole)) {
				whole = append(whole, string(text[from:at]))
				from = at
			}
		}
	}
	return whole, nil
}

// FuzzGuard holds the guard against net/http: what it lets through, net/http takes as well and ends
// at the same byte. Pieces of any size make no difference.
func FuzzGuard(f *testing.F) {
	for _, tt := range smugglings {
		f.Add([]byte(tt.sent+follower), uint8(0))
		f.Add([]byte(getHead+"\r\n"+tt.sent+follower), uint8(7))
	}
	f.Add([]byte(postHead+chunks+"5;a\r\nhello\r\n0\r\nX: y\r\n\r\n"+follower), uint8(3))
	f.Add([]byte("POST / HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc"+follower), uint8(1))
	f.Fuzz(func(t *testing.T, text []byte, piece uint8) {
		whole, first := requests(text, nil)
		var g guard
		var second *faultError
		for at := 0; at < len(text) && second == nil; {
			var n int
			n, second = g.take(text[at:min(at+1+int(piece), len(text))])
			at += n
		}
		if first != second {
			t.Fatalf("%q\na byte at a time: %v\nin pieces: %v", text, first, second)
		}
		for _, sent := range whole {
			sent = strings.TrimPrefix(sent, "\r\n")
			if err := asNetHTTP(sent); err != nil {
				t.Fatalf("%q passes the guard, but net/http says: %v", sent, err)
			}
		}
	})
}

// asNetHTTP has net/http read one request, which is to end where the text does.
func asNetHTTP(text string) error {
	r := bufio.NewReader(strings.NewReader(text))
	req, err := http.ReadRequest(r)
	if err != nil {
		if strings.Contains(err.Error(), "parse \"") || strings.Contains(err.Error(), "invalid URI") {
			return nil // a target that it reads more strictly; no matter of framing
		}
		return err
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return fmt.Errorf("body: %w", err)
	}
	rest, _ := io.ReadAll(r)
	if len(rest) > 0 {
		return fmt.Errorf("%q is left behind the body %q", rest, body)
	}
	if req.ContentLength > 0 && int64(len(body)) != req.ContentLength || bytes.Count(body, nil) == 0 {
		return errors.New("body of another length")
	}
	return nil
}
