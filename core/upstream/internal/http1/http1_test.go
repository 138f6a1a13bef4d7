package http1

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server runs a function for each connection, which it closes behind it.
func server(t *testing.T, serve func(c net.Conn, number int)) *url.URL {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for number := 1; ; number++ {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c, number)
			}()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return &url.URL{Scheme: "http", Host: ln.Addr().String(), Path: "/logux", RawQuery: "a=b"}
}

// request reads one request and returns its body; ok is false when there is none.
func request(c net.Conn, r *bufio.Reader) (body string, ok bool) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return "", false
	}
	b, err := io.ReadAll(req.Body)
	return string(b), err == nil
}

func client(t *testing.T, u *url.URL) *Client {
	t.Helper()
	c := New(Config{URL: u, ConnectTimeout: time.Minute, IdleTimeout: time.Minute, MaxIdle: 4})
	t.Cleanup(c.Close)
	return c
}

func soon() time.Time { return time.Now().Add(time.Minute) }

// ask makes a request and reads all of the response.
func ask(t *testing.T, c *Client, body string) (status int, answer string, err error) {
	t.Helper()
	r, err := c.Post(t.Context(), soon(), "", []byte(body))
	if err != nil {
		return 0, "", err
	}
	defer r.Close()
	answer, err = readAll(r)
	return r.Status(), answer, err
}

func readAll(r *Response) (string, error) {
	var all bytes.Buffer
	for {
		piece, err := r.Next()
		all.Write(piece)
		if errors.Is(err, io.EOF) {
			return all.String(), nil
		}
		if err != nil {
			return all.String(), err
		}
	}
}

func TestRequest(t *testing.T) {
	t.Parallel()
	got := make(chan string, 1)
	u := server(t, func(c net.Conn, _ int) {
		b := make([]byte, 4096)
		n, _ := c.Read(b)
		got <- string(b[:n])
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	})
	u.User = url.UserPassword("a", "b c")
	r, err := client(t, u).Post(t.Context(), soon(), "X-Extra: 1\r\n", []byte(`{"é":1}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	want := "POST /logux?a=b HTTP/1.1\r\nHost: " + u.Host + "\r\nUser-Agent: bridge\r\nContent-Type: application/json\r\n" +
		"Authorization: Basic YTpiIGM=\r\nContent-Length: 8\r\nX-Extra: 1\r\n\r\n{\"é\":1}"
	if g := <-got; g != want {
		t.Errorf("the request is %q, want %q", g, want)
	}
}

func TestResponses(t *testing.T) {
	t.Parallel()
	large := strings.Repeat("0123456789", 5000)
	tests := []struct {
		name, response string
		status         int
		body           string
		kept           bool
		fault          error // nil when all is well
	}{
		{"length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", true, nil},
		{"no reason", "HTTP/1.1 201\r\ncontent-length:2\r\n\r\nok", 201, "ok", true, nil},
		{"bare line ends", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", 200, "ok", true, nil},
		{"nothing", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, "", true, nil},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true, nil},
		{"large", "HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + large, 200, large, true, nil},
		{"chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n00002;x=\"y\"\r\nlo\r\n0\r\n\r\n", 200, "hello", true, nil},
		{"chunks and trailers", "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ: a\r\n\r\n", 200, "0123456789", true, nil},
		{"bare line ends in chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n", 200, "ok", true, nil},
		{"large chunk", fmt.Sprintf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(large), large), 200, large, true, nil},
		{"until the end", "HTTP/1.1 200 OK\r\n\r\nhello", 200, "hello", false, nil},
		{"version 1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false, nil},
		{"version 1.0 kept", "HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true, nil},
		{"close", "HTTP/1.1 200 OK\r\nConnection: x, close\r\nContent-Length: 2\r\n\r\nok", 200, "ok", false, nil},
		{"length and chunks", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok", false, nil},
		{"more than the length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokay", 200, "ok", false, nil},
		{"interim", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true, nil},
		{"redirect", "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", 302, "", true, nil},
		{"same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true, nil},
		{"folded header", "HTTP/1.1 200 OK\r\nX: a\r\n b: c\r\nContent-Length: 2\r\n\r\nok", 200, "ok", true, nil},

		{"short", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", 200, "hel", false, ErrLost},
		{"short chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", 200, "hel", false, ErrLost},
		{"no last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", 200, "ok", false, ErrLost},
		{"malformed chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok2\r\n", 200, "ok", false, ErrMalformed},
		{"chunk without size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", 200, "", false, ErrMalformed},
		{"monstrous chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 200, "", false, ErrMalformed},
		{"extension without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + large, 200, "", false, ErrMalformed},
		{"trailers without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("a: b\r\n", 9000), 200, "", false, ErrMalformed},
		{"no head", "", 0, "", false, ErrLost},
		{"half a head", "HTTP/1.1 200 OK\r\nContent-", 0, "", false, ErrLost},
		{"not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", 0, "", false, ErrMalformed},
		{"version 2", "HTTP/2.0 200 OK\r\n\r\n", 0, "", false, ErrMalformed},
		{"no status", "HTTP/1.1 OK it is\r\n\r\n", 0, "", false, ErrMalformed},
		{"small status", "HTTP/1.1 099 OK\r\n\r\n", 0, "", false, ErrMalformed},
		{"long status", "HTTP/1.1 2000 OK\r\n\r\n", 0, "", false, ErrMalformed},
		{"switching", "HTTP/1.1 101 Switching Protocols\r\n\r\n", 0, "", false, ErrMalformed},
		{"interim for ever", strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 20), 0, "", false, ErrMalformed},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", 0, "", false, ErrMalformed},
		{"negative length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", 0, "", false, ErrMalformed},
		{"folded length", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n 0\r\n\r\nok", 0, "", false, ErrMalformed},
		{"compressed", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 0, "", false, ErrMalformed},
		{"chunks in version 1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "", false, ErrMalformed},
		{"no colon", "HTTP/1.1 200 OK\r\nContent-Length 2\r\n\r\nok", 0, "", false, ErrMalformed},
		{"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok", 0, "", false, ErrMalformed},
		{"large head", "HTTP/1.1 200 OK\r\nX: " + large + "\r\n\r\n", 0, "", false, ErrMalformed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, size := range []int{len(test.response) + 1, 7, 1} {
				if size == 1 && len(test.response) > 5000 {
					continue
				}
				n := newConn(New(Config{URL: &url.URL{Scheme: "http", Host: "x"}, MaxIdle: 1, IdleTimeout: time.Second}),
					&pieces{rest: test.response, size: size}, nil)
				n.begin(t.Context())
				err := n.readHead()
				var body string
				if err == nil {
					body, err = readAll((*Response)(n))
				} else {
					err = n.explain(t.Context(), err)
				}
				if n.head.status != test.status && test.status != 0 || body != test.body || !errors.Is(err, test.fault) {
					t.Errorf("%.200q by %d bytes: status %d, %.100q, %v, want %d, %.100q, %v",
						test.response, size, n.head.status, body, err, test.status, test.body, test.fault)
				}
				(*Response)(n).Close()
				if kept := len(n.client.idle) == 1; kept != test.kept && size > len(test.response) {
					t.Errorf("%.200q: the connection is kept: %v, want %v", test.response, kept, test.kept)
				}
				n.client.Close()
			}
		})
	}
}

// pieces is a connection from which a text can be read, some bytes at a time.
type pieces struct {
	net.Conn
	rest string
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if p.rest == "" {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.size)], p.rest)
	p.rest = p.rest[n:]
	return n, nil
}

func (*pieces) SetDeadline(time.Time) error     { return nil }
func (*pieces) SetReadDeadline(time.Time) error { return nil }
func (*pieces) Close() error                    { return nil }

// What arrives together is handed over together, whatever the chunks.
func TestChunksAreJoined(t *testing.T) {
	t.Parallel()
	n := newConn(New(Config{URL: &url.URL{Scheme: "http", Host: "x"}}), &pieces{
		rest: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", size: 1000,
	}, nil)
	n.begin(t.Context())
	if err := n.readHead(); err != nil {
		t.Fatal(err)
	}
	r := (*Response)(n)
	if piece, complete := r.Buffered(); string(piece) != "hello" || !complete {
		t.Errorf("there is %q, complete %v, want %q", piece, complete, "hello")
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("behind the end comes %v", err)
	}
	r.Close()
}
