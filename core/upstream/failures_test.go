package upstream

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
)

func TestLoguxReset(t *testing.T) {
	t.Parallel()
	known := make(chan struct{})
	url := rawBackend(t, func(c *net.TCPConn, r *bufio.Reader) {
		request(r)
		_, _ = io.WriteString(c, fill("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n["+`["resend","$",{"channel":"c"}],`+approved))
		<-known
		_ = c.SetLinger(0)
	})
	var list []*upstream.Answer
	pool(t, LoguxConfig{URL: url}).Ask(t.Context(), question(), func(a *upstream.Answer) {
		if list = append(list, a); len(list) == 1 {
			close(known)
		}
	})
	if len(list) != 2 || len(list[0].Items) != 1 || list[1].Outcome != upstream.Unavailable ||
		!strings.Contains(list[1].Detail, "connection reset") {
		t.Errorf("it is answered %+v", list)
	}
}

func TestLoguxTruncated(t *testing.T) {
	t.Parallel()
	for _, response := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[" + approved,
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n20\r\n[",
		"HTTP/1.1 200 OK\r\n\r\n[" + approved + ",",
		"HTTP/1.1 200 OK\r\n", "nonsense\r\n\r\n", "",
	} {
		url := rawBackend(t, func(c *net.TCPConn, r *bufio.Reader) {
			request(r)
			_, _ = io.WriteString(c, fill(response))
		})
		p := pool(t, LoguxConfig{URL: url})
		if a := last(ask(t, p, question())); a.Outcome != upstream.Unavailable || a.Detail == "" {
			t.Errorf("%q ends %v, %q", response, a.Outcome, a.Detail)
		}
	}
}

// A request that was read may have been acted on, whatever the back-end answers or does not.
func TestLoguxAsksOnce(t *testing.T) {
	t.Parallel()
	for _, answered := range []int{0, 1} { // on a new connection, and on one that was kept
		var asked atomic.Int32
		url := rawBackend(t, func(c *net.TCPConn, r *bufio.Reader) {
			for i := 0; request(r); i++ {
				asked.Add(1)
				if i == answered {
					return
				}
				ok(c, done)
			}
		})
		p := pool(t, LoguxConfig{URL: url})
		for range answered {
			works(t, p)
		}
		fails(t, p, upstream.Unavailable, "connection lost")
		if got := int(asked.Load()); got != answered+1 {
			t.Errorf("the back-end was asked %d times, want %d", got, answered+1)
		}
	}
}

func TestLoguxRefused(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := ln.Addr().String()
	_ = ln.Close()
	var log bytes.Buffer
	p := pool(t, LoguxConfig{URL: "http://" + address, Name: "app", Logger: slog.New(slog.NewTextHandler(&log, nil))})
	begin := time.Now()
	fails(t, p, upstream.Unavailable, "connection refused")
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("it gives up after %v", took)
	}

	// It comes up between two attempts.
	up := make(chan struct{})
	go func() {
		defer close(up)
		timer := time.NewTimer(20 * time.Millisecond)
		defer timer.Stop()
		<-timer.C
		if ln, err = net.Listen("tcp", address); err != nil {
			t.Error(err)
			return
		}
		c, err := ln.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		if request(bufio.NewReader(c)) {
			ok(c, done)
		}
	}()
	works(t, p)
	<-up
	_ = ln.Close()
	for _, want := range []string{`msg="upstream unavailable" upstream=app`, `msg="upstream answers again" upstream=app`} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("the log is %s, want once %s", &log, want)
		}
	}
}

func TestLoguxTimeLimits(t *testing.T) {
	t.Parallel()
	t.Run("connect", func(t *testing.T) {
		t.Parallel()
		// Nobody answers at an address for documentation, and where it cannot be reached at all the
		// outcome is the same.
		p := pool(t, LoguxConfig{URL: "http://192.0.2.1:9", ConnectTimeout: 20 * time.Millisecond})
		fails(t, p, upstream.Unavailable, "")
	})
	for name, begin := range map[string]string{"first": "", "head alone": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := rawBackend(t, func(c *net.TCPConn, r *bufio.Reader) {
				request(r)
				_, _ = io.WriteString(c, begin)
				_, _ = r.ReadByte()
			})
			fails(t, pool(t, LoguxConfig{URL: url, Timeout: 50 * time.Millisecond}), upstream.Unavailable, "no answer in time")
		})
	}
	t.Run("between", func(t *testing.T) {
		t.Parallel()
		url := rawBackend(t, func(c *net.TCPConn, r *bufio.Reader) {
			request(r)
			_, _ = io.WriteString(c, fill("HTTP/1.1 200 OK\r\n\r\n["+approved))
			_, _ = r.ReadByte()
		})
		fails(t, pool(t, LoguxConfig{URL: url, IdleTimeout: 50 * time.Millisecond}), upstream.Unavailable, "the answer stopped")
	})
}

// While the receiver is busy no time limit runs, and the back-end is not read.
func TestLoguxBackPressure(t *testing.T) {
	t.Parallel()
	known := make(chan struct{})
	s := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		respond(w, "["+approved+`,["action","$",{"type":"a"}]`)
		<-known
		respond(w, `,["action","$",{"type":"a"}],`+processed+`]`)
	})
	count := 0
	pool(t, LoguxConfig{URL: s.URL, IdleTimeout: 100 * time.Millisecond}).Ask(t.Context(), question(), func(a *upstream.Answer) {
		if count++; count == 1 {
			close(known)
			timer := time.NewTimer(300 * time.Millisecond)
			defer timer.Stop()
			<-timer.C
		}
		if a.Last && a.Outcome != upstream.OK {
			t.Errorf("it ends %v, %q", a.Outcome, a.Detail)
		}
	})
	if count != 2 {
		t.Errorf("there are %d answers, want 2", count)
	}
}

func TestLoguxBusy(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	busy := func(times int32, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1) > times {
				respond(w, done)
				return
			}
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			w.WriteHeader(http.StatusTooManyRequests)
			_, _ = io.WriteString(w, "Too many wrong secret attempts")
		}
	}
	s := backend(t, busy(2, "0"))
	works(t, pool(t, LoguxConfig{URL: s.URL}))
	if got := asked.Swap(0); got != 3 {
		t.Errorf("it was asked %d times, want 3", got)
	}

	for _, after := range []string{"100", "", "Fri, 31 Dec 2100 23:59:59 GMT"} {
		s = backend(t, busy(1000, after))
		fails(t, pool(t, LoguxConfig{URL: s.URL, Timeout: 900 * time.Millisecond}), upstream.Unavailable, `status 429: "Too many wrong secret attempts"`)
		if got := asked.Swap(0); got != 1 {
			t.Errorf("with Retry-After %q it was asked %d times, want once", after, got)
		}
	}
}

func TestLoguxQueue(t *testing.T) {
	t.Parallel()
	came, proceed := make(chan struct{}, 10), make(chan struct{})
	s := backend(t, func(w http.ResponseWriter, r *http.Request) {
		came <- struct{}{}
		select {
		case <-proceed:
		case <-r.Context().Done():
		}
		respond(w, done)
	})
	p := pool(t, LoguxConfig{URL: s.URL, MaxConnections: 2, MaxQueue: 1})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { works(t, p) })
	}
	<-came
	<-came
	gate := p.(*loguxPool).gate //nolint:forcetypeassert // it is one
	poll(t, "the third waits", func() bool {
		gate.mu.Lock()
		defer gate.mu.Unlock()
		return gate.waiting.Len() == 1
	})
	fails(t, p, upstream.Unavailable, "queue full")
	close(proceed)
	wg.Wait()
	works(t, p)

	none := pool(t, LoguxConfig{URL: s.URL, MaxConnections: 1, MaxQueue: -1, Timeout: 5 * time.Second})
	works(t, none)
	if none.(*loguxPool).gate.room != 0 { //nolint:forcetypeassert // it is one
		t.Error("no queue is a queue")
	}
}

func TestLoguxQueueTime(t *testing.T) {
	t.Parallel()
	url := rawBackend(t, func(_ *net.TCPConn, r *bufio.Reader) {
		request(r)
		_, _ = r.ReadByte()
	})
	p := pool(t, LoguxConfig{URL: url, MaxConnections: 1, Timeout: 100 * time.Millisecond})
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() { fails(t, p, upstream.Unavailable, "") })
	wg.Go(func() { fails(t, p, upstream.Unavailable, "") })
}

// The back-end goes on behind the outcome: the question is answered, the back-end is let finish in
// its place, and then its connection is used again.
func TestLoguxDrains(t *testing.T) {
	t.Parallel()
	finish := make(chan struct{})
	var connections, asked atomic.Int32
	url := rawBackend(t, func(c *net.TCPConn, r *bufio.Reader) {
		connections.Add(1)
		for request(r) {
			asked.Add(1)
			body := fill("[" + approved + "," + processed)
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n"+body)
			<-finish
			_, _ = io.WriteString(c, strings.Repeat(" ", 199-len(body))+"]")
		}
	})
	p := pool(t, LoguxConfig{URL: url, MaxConnections: 1})
	works(t, p)
	var wg sync.WaitGroup
	wg.Go(func() { works(t, p) })
	gate := p.(*loguxPool).gate //nolint:forcetypeassert // it is one
	poll(t, "the second waits", func() bool {
		gate.mu.Lock()
		defer gate.mu.Unlock()
		return gate.waiting.Len() == 1
	})
	if got := asked.Load(); got != 1 {
		t.Errorf("the back-end is asked %d times while it is not finished", got)
	}
	finish <- struct{}{}
	wg.Wait()
	if connections.Load() != 1 || asked.Load() != 2 {
		t.Errorf("two questions took %d connections, %d requests", connections.Load(), asked.Load())
	}
	p.Close() // the second is not finished: Close must end it
	close(finish)
}

func TestLoguxDrainHasLimits(t *testing.T) {
	t.Parallel()
	url := rawBackend(t, func(c *net.TCPConn, r *bufio.Reader) {
		request(r)
		_, _ = io.WriteString(c, fill("HTTP/1.1 200 OK\r\n\r\n["+approved+","+processed))
		for {
			if _, err := io.WriteString(c, strings.Repeat(" ", 1000)); err != nil {
				return
			}
		}
	})
	p := pool(t, LoguxConfig{URL: url, MaxConnections: 1, MaxAnswerBytes: 100_000})
	for range 3 {
		works(t, p)
	}
}

func TestLoguxEnds(t *testing.T) {
	t.Parallel()
	for _, closing := range []bool{false, true} {
		came := make(chan struct{}, 10)
		url := rawBackend(t, func(_ *net.TCPConn, r *bufio.Reader) {
			request(r)
			came <- struct{}{}
			_, _ = r.ReadByte()
		})
		var log bytes.Buffer
		p := pool(t, LoguxConfig{URL: url, MaxConnections: 1, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 2 { // one runs, one waits
			wg.Go(func() {
				p.Ask(ctx, question(), func(a *upstream.Answer) {
					if !a.Last || a.Outcome != upstream.Unavailable {
						t.Errorf("it ends %+v", a)
					}
				})
			})
		}
		<-came
		if closing {
			p.Close()
		} else {
			cancel()
		}
		wg.Wait()
		cancel()
		p.Close()
		fails(t, p, upstream.Unavailable, "closed")
		if closing && log.Len() > 0 {
			t.Errorf("that it is closed is logged: %s", &log)
		}
	}
}

// A receiver that panics is somebody else's fault; the place must not be lost with it.
func TestLoguxReceiverPanics(t *testing.T) {
	t.Parallel()
	s := backend(t, text(done))
	p := pool(t, LoguxConfig{URL: s.URL, MaxConnections: 1})
	for range 3 {
		func() {
			defer func() { _ = recover() }()
			p.Ask(t.Context(), question(), func(*upstream.Answer) { panic("receiver") })
		}()
	}
	works(t, p)
}
