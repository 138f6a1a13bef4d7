package http1

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"syscall"
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
	c := New(Config{URL: u, ConnectTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, MaxIdle: 4})
	t.Cleanup(c.Close)
	return c
}

func soon() time.Time { return time.Now().Add(5 * time.Second) }

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

func TestKeepAlive(t *testing.T) {
	t.Parallel()
	u := server(t, func(c net.Conn, number int) {
		r := bufio.NewReader(c)
		for {
			body, ok := request(c, r)
			if !ok {
				return
			}
			answer := fmt.Sprintf("%d:%s", number, body)
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
		}
	})
	c := client(t, u)
	for i := range 5 {
		body := fmt.Sprint("q", i)
		if _, answer, err := ask(t, c, body); answer != "1:"+body || err != nil {
			t.Errorf("request %d is answered %q, %v, want by the first connection", i, answer, err)
		}
	}
}

// A request that was received may have been acted on: it must not be sent again.
func TestAskedOnce(t *testing.T) {
	t.Parallel()
	for _, answered := range []int{0, 1} { // on a new connection, and on one that was kept
		var asked atomic.Int32
		u := server(t, func(c net.Conn, _ int) {
			r := bufio.NewReader(c)
			for i := 0; ; i++ {
				if _, ok := request(c, r); !ok {
					return
				}
				asked.Add(1)
				if i >= answered {
					return
				}
				_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		c := client(t, u)
		for i := range answered {
			if _, _, err := ask(t, c, "fine"); err != nil {
				t.Fatalf("request %d: %v", i, err)
			}
		}
		if _, _, err := ask(t, c, "lost"); !errors.Is(err, ErrLost) {
			t.Errorf("the connection is closed instead of an answer: %v, want %v", err, ErrLost)
		}
		if got := int(asked.Load()); got != answered+1 {
			t.Errorf("the server was asked %d times, want %d", got, answered+1)
		}
	}
}

// A server that closes a connection which nobody uses must not cost a request.
func TestClosedWhileIdle(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	closed := make(chan struct{}, 10)
	u := server(t, func(c net.Conn, _ int) {
		if _, ok := request(c, bufio.NewReader(c)); ok {
			asked.Add(1)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
		_ = c.Close()
		closed <- struct{}{}
	})
	c := client(t, u)
	for i := range 5 {
		if _, answer, err := ask(t, c, "x"); answer != "ok" || err != nil {
			t.Fatalf("request %d: %q, %v", i, answer, err)
		}
		<-closed
		// The end must have got here: the kernel carries it over in its own time.
		poll(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.idle) == 1 && !c.idle[0].usable(soon())
		})
	}
	if got := asked.Load(); got != 5 {
		t.Errorf("the server was asked %d times, want 5", got)
	}
}

func poll(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(5 * time.Second); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("it did not come about in time")
		}
	}
}

// What a server says without being asked is not the answer to the next request.
func TestUnaskedAnswer(t *testing.T) {
	t.Parallel()
	u := server(t, func(c net.Conn, number int) {
		if _, ok := request(c, bufio.NewReader(c)); !ok {
			return
		}
		answer := fmt.Sprint(number)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%s", answer)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
		_, _ = io.Copy(io.Discard, c)
	})
	c := client(t, u)
	for want := range 3 {
		if _, answer, err := ask(t, c, "x"); answer != fmt.Sprint(want+1) || err != nil {
			t.Errorf("request %d is answered %q, %v", want, answer, err)
		}
		poll(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.idle) == 0 || !c.idle[0].usable(soon())
		})
	}
}

func TestKeptNotForLong(t *testing.T) {
	t.Parallel()
	u := server(t, func(c net.Conn, number int) {
		r := bufio.NewReader(c)
		for {
			if _, ok := request(c, r); !ok {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nKeep-Alive: max=5, timeout=3\r\nContent-Length: 1\r\n\r\n%d", number)
		}
	})
	c := client(t, u)
	if _, _, err := ask(t, c, "x"); err != nil {
		t.Fatal(err)
	}
	c.mu.Lock()
	left := time.Until(c.idle[0].expires)
	c.idle[0].expires = time.Now().Add(-1)
	c.mu.Unlock()
	if left > 2*time.Second || left < time.Second {
		t.Errorf("a connection that the server keeps for 3 s is kept for %v", left)
	}
	if _, answer, err := ask(t, c, "x"); answer != "2" || err != nil {
		t.Errorf("a connection that is too old is used: %q, %v", answer, err)
	}
	c.sweep()
	if len(c.idle) != 1 {
		t.Errorf("a young connection is swept away")
	}
	c.idle[0].expires = time.Now().Add(-1)
	if c.sweep(); len(c.idle) != 0 || len(c.all) != 0 {
		t.Errorf("an old connection is not swept away")
	}
}

func TestMaxIdle(t *testing.T) {
	t.Parallel()
	u := server(t, func(c net.Conn, _ int) {
		r := bufio.NewReader(c)
		for {
			if _, ok := request(c, r); !ok {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
		}
	})
	c := client(t, u)
	var list []*Response
	for range 6 {
		r, err := c.Post(t.Context(), soon(), "", nil)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	for _, r := range list {
		r.Close()
	}
	if len(c.idle) != 4 || len(c.all) != 4 {
		t.Errorf("%d connections are idle, %d there at all, want 4", len(c.idle), len(c.all))
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
	_, _, err = ask(t, client(t, &url.URL{Scheme: "http", Host: ln.Addr().String()}), "x")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("nobody listens: %v, want %v", err, syscall.ECONNREFUSED)
	}
}

func TestTimeLimits(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, response string
		want           error
	}{
		{"no head", "", ErrTimeout},
		{"no body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", ErrTimeout},
		{"half a body", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", ErrIdle},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			u := server(t, func(c net.Conn, _ int) {
				_, _ = io.WriteString(c, test.response)
				_, _ = io.Copy(io.Discard, c)
			})
			c := New(Config{URL: u, ConnectTimeout: time.Second, IdleTimeout: 20 * time.Millisecond, MaxIdle: 1})
			defer c.Close()
			r, err := c.Post(t.Context(), time.Now().Add(100*time.Millisecond), "", nil)
			if err == nil {
				_, err = readAll(r)
				r.Close()
			}
			if !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if len(c.all) != 0 {
				t.Errorf("the connection is kept")
			}
		})
	}
}

func TestAborted(t *testing.T) {
	t.Parallel()
	cause := errors.New("going away")
	for _, response := range []string{"", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"} {
		for _, closing := range []bool{false, true} {
			came := make(chan struct{})
			u := server(t, func(c net.Conn, _ int) {
				_, _ = io.WriteString(c, response)
				_, _ = request(c, bufio.NewReader(c))
				close(came)
				_, _ = io.Copy(io.Discard, c)
			})
			c := client(t, u)
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				<-came
				if closing {
					c.Close()
				} else {
					cancel(cause)
				}
			}()
			r, err := c.Post(ctx, soon(), "", nil)
			if err == nil {
				_, err = readAll(r)
				r.Close()
			}
			want := cause
			if closing {
				want = ErrClosed
			}
			if !errors.Is(err, want) {
				t.Errorf("with %q before: %v, want %v", response, err, want)
			}
			c.Close()
			if _, err := c.Post(t.Context(), soon(), "", nil); !errors.Is(err, ErrClosed) {
				t.Errorf("a closed client says %v, want %v", err, ErrClosed)
			}
			cancel(nil)
			if _, err := c.Post(ctx, soon(), "", nil); err == nil {
				t.Error("a request whose context ended is made")
			}
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	var connections atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Config.ErrorLog = nil
	s.StartTLS()
	defer s.Close()
	u, _ := url.Parse(s.URL)
	roots := s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs //nolint:forcetypeassert // httptest says so
	c := New(Config{
		URL: u, ConnectTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second, MaxIdle: 1,
		TLS: &tls.Config{RootCAs: roots, ServerName: "example.com", MinVersion: tls.VersionTLS12},
	})
	defer c.Close()
	for range 3 {
		if status, answer, err := ask(t, c, "hello"); status != 200 || answer != "hello" || err != nil {
			t.Errorf("over TLS: %d, %q, %v", status, answer, err)
		}
	}
	if got := connections.Load(); got != 1 {
		t.Errorf("three requests took %d connections, want 1", got)
	}

	strict := client(t, u)
	if _, _, err := ask(t, strict, "hello"); err == nil {
		t.Error("a server with an unknown certificate is asked")
	}
	if len(strict.all) != 0 {
		t.Error("its connection is kept")
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": -1, "0": 0, "7": 7 * time.Second, "-1": -1, "soon": -1, "99999999999": -1,
		"Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:04:00 GMT": 0,
	} {
		got, ok := retryAfter(value, now)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q means %v, want %v", value, got, want)
		}
	}
}
