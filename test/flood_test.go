//go:build linux

package test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const (
	good       = 10               // clients that are served all the time
	goodBound  = 5 * time.Second  // what they may wait once, on a busy machine
	headTime   = 10 * time.Second // a listener's patience with a head
	floodTime  = 2 * time.Second
	floodSlack = 10 * time.Second
)

// flood runs a story's strangers beside good clients, and one that comes anew all the time; when the
// strangers are gone nobody but these is left.
func flood(t *testing.T, b *harness.Bridge, strangers func()) {
	t.Helper()
	neighbours := harness.StartNeighbours(t, b.URL("/lines"), good)
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-stop:
				if n == 0 {
					t.Error("nobody came anew")
				}
				return
			default:
			}
			l, err := harness.DialLines(b.URL("/lines"))
			if err != nil {
				t.Errorf("a good client cannot come in: %v", err)
				return
			}
			if got, err := l.Ask("ECHO anew"); got != "anew" || err != nil {
				t.Errorf("a good client that came anew: %q, %v", got, err)
			}
			l.Close()
		}
	})
	strangers()
	close(stop)
	running.Wait()
	harness.Until(t, headTime+floodSlack, "the strangers are gone", func() bool {
		return b.Plugin("lines").Sessions == good && metric(t, b, `bridge_listen_connections{listener="public"}`) == good
	})
	t.Logf("the worst wait of a good client: %v", neighbours.Finish(t, goodBound))
}

// metric is a value of /metrics, 0 when there is none.
func metric(t *testing.T, b *harness.Bridge, series string) (value float64) {
	t.Helper()
	res, err := http.Get("http://" + b.AddressOf("admin") + "/metrics")
	if err != nil {
		t.Error(err)
		return 0
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if text, ok := strings.CutPrefix(lines.Text(), series+" "); ok {
			if _, err := fmt.Sscan(text, &value); err != nil {
				t.Errorf("%s: %v", lines.Text(), err)
			}
		}
	}
	return value
}

func dial(t *testing.T, b *harness.Bridge) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", b.Address())
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// A thousand clients that begin a head and never end it, a byte at a time, are let go of when their
// time is over.
func TestHalfOpenHeads(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	flood(t, b, func() {
		began := time.Now()
		var slow []net.Conn
		for range size(1000, 200) {
			if c := dial(t, b); c != nil {
				_, _ = io.WriteString(c, "GET /lines HTTP/1.1\r\nHost: x\r\nX-Slow: ")
				slow = append(slow, c)
			}
		}
		for left := len(slow); left > 0; {
			harness.Pause(500 * time.Millisecond)
			left = 0
			for _, c := range slow {
				if _, err := io.WriteString(c, "x"); err == nil {
					left++
				}
			}
			if time.Since(began) > headTime+floodSlack {
				t.Errorf("%d half-open heads are still read after %v", left, time.Since(began))
				return
			}
		}
	})
}

// Heads that are too large, of too many fields or no HTTP at all cost nobody else anything.
func TestHeaderFlood(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	start := "GET /lines HTTP/1.1\r\nHost: x\r\n"
	heads := []string{
		start + "X: " + strings.Repeat("x", 100_000) + "\r\n\r\n",
		start + strings.Repeat("X: y\r\n", 10_000) + "\r\n",
		strings.Repeat("\x00\xff", 10_000),
		start + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	}
	flood(t, b, func() {
		var sent atomic.Int64
		var running sync.WaitGroup
		until := time.Now().Add(size(floodTime, floodTime/4))
		for i := range 8 {
			running.Go(func() {
				for n := i; time.Now().Before(until); n++ {
					c, err := net.Dial("tcp", b.Address())
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = io.WriteString(c, heads[n%len(heads)])
					_, _ = io.Copy(io.Discard, c)
					_ = c.Close()
					sent.Add(1)
				}
			})
		}
		running.Wait()
		if n := metric(t, b, `bridge_listen_refused_total{listener="public",reason="malformed"}`); n < float64(sent.Load()) {
			t.Errorf("%v heads were refused, of %d", n, sent.Load())
		}
	})
}

// Clients that send nothing but pings, and read no pong, are not read themselves.
func TestPingFlood(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	before := harness.RSS(b.Pid())
	pings := strings.Repeat("\x89\xfd\x00\x00\x00\x00"+strings.Repeat("p", 125), 500)
	flood(t, b, func() {
		var running sync.WaitGroup
		until := time.Now().Add(size(floodTime, floodTime/4))
		for range 20 {
			c := dial(t, b)
			if c == nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				_, _ = io.WriteString(c, "GET /lines HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
					"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
				_ = c.SetWriteDeadline(until)
				for err := error(nil); err == nil; {
					_, err = io.WriteString(c, pings)
				}
			})
		}
		running.Wait()
		if grown := harness.RSS(b.Pid()) - before; grown > growthLimit {
			t.Errorf("the core grew by %s, want at most %s", harness.MiB(grown), harness.MiB(growthLimit))
		}
	})
}

// limitedLines is the plugin lines with a limit.
func limitedLines(limit string) string {
	return strings.Replace(harness.LinesPlugin(""), "auth = auth.none\n", "auth = auth.none\n    limits {\n      "+limit+"\n    }\n", 1)
}

// A client that sends more than the rate of its route is read later, and loses nothing.
func TestRateOfASession(t *testing.T) {
	const frames, rate = 150, 100
	b := harness.Start(t, harness.Config{File: limitedLines(fmt.Sprintf("rate = \"%d/s\"", rate))})
	l := harness.MustDialLines(t, b.URL("/lines"))
	began := time.Now()
	for i := range frames {
		if err := l.Send(fmt.Sprintf("ECHO %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range frames {
		if got, err := l.Read(harness.AnswerLimit); err != nil || got != fmt.Sprint(i) {
			t.Fatalf("answer %d: %q, %v", i, got, err)
		}
	}
	// A second's frames at once, the others evenly; behind the last nothing is waited for.
	least := (frames - rate - 1) * time.Second / rate
	if took := time.Since(began); took < least {
		t.Errorf("%d frames took %v, want at least %v", frames, took, least)
	}
	if got := metric(t, b, `bridge_listen_rate_limited_seconds_total{route="lines:public:/lines"}`); got < 0.9*least.Seconds() {
		t.Errorf("%v s were waited for, want %v", got, least)
	}
}

// Five times as many clients as a route takes lose their connections and come back at once, again and
// again: what it takes is served, the rest is told to come later.
func TestReconnectStorm(t *testing.T) {
	const seats, times = 300, 5
	b := harness.Start(t, harness.Config{File: limitedLines(fmt.Sprintf("max_sessions = %d", seats))})
	neighbours := harness.StartNeighbours(t, b.URL("/lines"), good)
	const n = seats * times
	for range size(3, 2) {
		var came, refused atomic.Int64
		var running sync.WaitGroup
		var mu sync.Mutex
		var open []*harness.Raw
		for range 32 {
			running.Go(func() {
				for range (n + 31) / 32 {
					r, err := harness.DialRaw(b.Address(), "/lines")
					switch {
					case err == nil:
						came.Add(1)
						mu.Lock()
						open = append(open, r)
						mu.Unlock()
					case strings.Contains(err.Error(), " 503 "):
						refused.Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
		running.Wait()
		if got := came.Load(); got != seats-good {
			t.Errorf("%d came in and %d were told to come later; want %d to come in", got, refused.Load(), seats-good)
		}
		for _, r := range open {
			r.Close()
		}
		harness.Until(t, floodSlack, "all have gone", func() bool { return b.Plugin("lines").Sessions == good })
	}
	if n := metric(t, b, `bridge_listen_refused_total{listener="public",reason="sessions"}`); n == 0 {
		t.Error("nobody was refused")
	}
	t.Logf("the worst wait of a good client: %v", neighbours.Finish(t, goodBound))
}

// One client of a thousand that does not read costs the others nothing.
func TestOneStalledOfAThousand(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	n := sessionsWithin(t, size(1000, 200))
	all := make([]*harness.Raw, n)
	for i := range all {
		r, err := harness.DialRaw(b.Address(), "/lines")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		for _, want := range []string{"hello", "OK"} {
			if want == "OK" {
				err = r.Send("SUB flood")
			}
			got, readErr := r.Read(harness.AnswerLimit)
			if err != nil || readErr != nil || got != want {
				t.Fatalf("client %d: %q, %v, %v, want %q", i, got, err, readErr, want)
			}
		}
		all[i] = r
	}
	publisher := harness.MustDialLines(t, b.URL("/lines"))
	const chunks, chunk = 120, 50_000
	var running, turn sync.WaitGroup // turn: a chunk that somebody waits for
	for i, r := range all[1:] {      // the first does not read
		running.Go(func() {
			for c := range chunks {
				got, err := r.Read(harness.AnswerLimit)
				if number, rest, _ := strings.Cut(strings.TrimPrefix(got, "flood "), " "); err != nil || number != fmt.Sprint(c) || len(rest) != chunk {
					t.Errorf("client %d lost chunk %d: %.20q, %v", i+1, c, got, err)
					for ; c < chunks; c++ {
						turn.Done()
					}
					return
				}
				turn.Done()
			}
		})
	}
	for c := range chunks {
		turn.Add(n - 1)
		if err := publisher.Send(fmt.Sprintf("PUB flood %d %s", c, strings.Repeat("x", chunk))); err != nil {
			t.Fatal(err)
		}
		turn.Wait()
	}
	running.Wait()
	harness.Until(t, floodSlack, "the stalled one is gone", func() bool { return b.Plugin("lines").Sessions == n })
}
