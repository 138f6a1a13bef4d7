package http1

import (
	"bufio"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

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

// What the socket does not take at once is written as it takes it, on a new connection and on one that was kept.
func TestLargeRequests(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	u := server(t, func(c net.Conn, _ int) {
		r := bufio.NewReaderSize(c, 16)
		for {
			body, ok := request(c, r)
			if !ok {
				return
			}
			asked.Add(1)
			sum := sha256.Sum256([]byte(body))
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n%x", sum)
		}
	})
	c := client(t, u)
	for i := range 4 {
		body := strings.Repeat(strconv.Itoa(i)+"large", 2<<20)
		want := fmt.Sprintf("%x", sha256.Sum256([]byte(body)))
		if _, answer, err := ask(t, c, body); answer != want || err != nil {
			t.Fatalf("request %d: %q, %v, want %q", i, answer, err, want)
		}
		if _, answer, err := ask(t, c, ""); answer != fmt.Sprintf("%x", sha256.Sum256(nil)) || err != nil {
			t.Fatalf("the empty request behind it: %q, %v", answer, err)
		}
	}
	if got := asked.Load(); got != 8 || len(c.all) != 1 {
		t.Errorf("asked %d times on %d connections, want 8 on one", got, len(c.all))
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
			return len(c.idle) == 1 && !c.idle[0].silent()
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
	for end := time.Now().Add(30 * time.Second); !done(); <-tick.C {
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
		answer := strconv.Itoa(number)
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%s", answer)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad")
		_, _ = io.Copy(io.Discard, c)
	})
	c := client(t, u)
	for want := range 3 {
		if _, answer, err := ask(t, c, "x"); answer != strconv.Itoa(want+1) || err != nil {
			t.Errorf("request %d is answered %q, %v", want, answer, err)
		}
		poll(t, func() bool {
			c.mu.Lock()
			defer c.mu.Unlock()
			return len(c.idle) == 0 || !c.idle[0].silent()
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

// Without a limit for silence, the time of the request is for all of its response.
func TestWholeInTime(t *testing.T) {
	t.Parallel()
	u := server(t, func(c net.Conn, _ int) {
		r := bufio.NewReader(c)
		if _, ok := request(c, r); ok {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
			_, _ = r.ReadByte()
		}
	})
	c := New(Config{URL: u, ConnectTimeout: time.Minute, MaxIdle: 1})
	t.Cleanup(c.Close)
	r, err := c.Post(t.Context(), time.Now().Add(100*time.Millisecond), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if piece, err := r.Next(); string(piece) != "half" || err != nil {
		t.Errorf("the first piece is %q, %v", piece, err)
	}
	if piece, err := r.Next(); !errors.Is(err, ErrTimeout) {
		t.Errorf("the second piece is %q, %v, want %v", piece, err, ErrTimeout)
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
		URL: u, ConnectTimeout: time.Minute, IdleTimeout: time.Minute, MaxIdle: 1,
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

// The context of a request whose response was read to its end is over for the next one: if it ends, that
// costs a connection at most.
func TestContextOfTheRequestBefore(t *testing.T) {
	t.Parallel()
	u := server(t, func(c net.Conn, _ int) {
		for r := bufio.NewReader(c); ; {
			if _, ok := request(c, r); !ok {
				return
			}
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c := client(t, u)
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		r, err := c.Post(ctx, soon(), "", nil)
		if err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
		if answer, err := readAll(r); answer != "ok" || err != nil {
			t.Fatalf("request %d: %q, %v", i, answer, err)
		}
		r.Close()
		if i%2 == 0 {
			cancel()
		} else {
			go cancel() // while the next one runs
		}
		if _, answer, err := ask(t, c, "x"); answer != "ok" || err != nil {
			t.Fatalf("request behind that of a context that ended %d: %q, %v", i, answer, err)
		}
	}
}
