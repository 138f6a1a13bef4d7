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

	"github.com/valyala/fasthttp"

	"github.com/protocol-bridge/bridge/core/session"
)

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
// at the same byte, as fasthttp does. Pieces of any size make no difference.
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
			if left := asFastHTTP(sent); left != "" {
				t.Fatalf("of %q, which passes the guard as one request, fasthttp leaves %q", sent, left)
			}
		}
	})
}

// asFastHTTP has fasthttp read one request and returns what it leaves; nothing where it refuses it,
// which ends the connection.
func asFastHTTP(text string) (left string) {
	r := bufio.NewReaderSize(strings.NewReader(text), headerLimit)
	req := fasthttp.AcquireRequest()
	defer fasthttp.ReleaseRequest(req)
	if req.Read(r) != nil || req.MayContinue() { // who waits for a 100 sends the body later
		return ""
	}
	rest, _ := io.ReadAll(r)
	return string(rest)
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
