package http1

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// FuzzResponse reads what a server could send, in pieces: that must neither fail nor depend on how
// it is cut, and where net/http reads a whole response too, the bodies must be the same.
func FuzzResponse(f *testing.F) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n02;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n",
		"HTTP/1.0 500 Oops\n\nuntil the end",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nKeep-Alive: timeout=5\r\n\r\n",
		"HTTP/1.1 429 Busy\r\nRetry-After: 3\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
	} {
		f.Add(text, 3)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		if size <= 0 || size > len(text) {
			size = 1
		}
		status, body, whole, fault := receive(text, len(text)+1)
		status2, body2, whole2, fault2 := receive(text, size)
		if status != status2 || body != body2 || whole != whole2 || (fault == nil) != (fault2 == nil) {
			t.Errorf("%q: %d, %q, %v, %v; by %d bytes: %d, %q, %v, %v",
				text, status, body, whole, fault, size, status2, body2, whole2, fault2)
		}
		if !whole {
			return
		}
		var resp *http.Response
		r := bufio.NewReader(strings.NewReader(text))
		for resp == nil || resp.StatusCode < 200 {
			var err error
			if resp, err = http.ReadResponse(r, &http.Request{Method: http.MethodPost}); err != nil {
				return
			}
		}
		want, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err == nil && (resp.StatusCode != status || string(want) != body) {
			t.Errorf("%q: %d, %q, want %d, %q", text, status, body, resp.StatusCode, want)
		}
	})
}

func receive(text string, size int) (status int, body string, whole bool, err error) {
	c := New(Config{URL: &url.URL{Scheme: "http", Host: "x"}, MaxIdle: 1, IdleTimeout: time.Second})
	defer c.Close()
	n := newConn(c, &pieces{rest: text, size: size}, nil)
	n.begin(context.Background())
	if err := n.readHead(); err != nil {
		return 0, "", false, err
	}
	r := (*Response)(n)
	defer r.Close()
	body, err = readAll(r)
	return r.Status(), body, err == nil, err
}
