//go:build linux

package test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// limits is a configuration with little of everything.
func limits() string {
	route := func(path, auth, attributes string) string {
		return fmt.Sprintf("  route %q {\n    auth = %s\n%s  }\n", path, auth, attributes)
	}
	limited := func(path, limit string) string {
		return route(path, "auth.none", "    limits {\n      "+limit+"\n    }\n")
	}
	return harness.AuthBlock + `
listener "small" {
  address         = "127.0.0.1:0"
  max_connections = 2
}
listener "legacy" {
  address = "127.0.0.1:0"
  framing = "lines"
}
plugin "ctproto" {
  route "/api/" {
    role = "api"
  }
}
plugin "failing" {
  command = ["/nowhere/failing"]
  route "/failing" {
    auth = auth.none
  }
}
plugin "lines" {
  command = ["` + harness.Program("lines") + `"]
` + route("/lines", "auth.none", "") +
		limited("/few", "max_sessions = 1") +
		limited("/tiny", "max_frame = \"1KiB\"\n      max_binary = \"2KiB\"") +
		route("/guarded", "auth.static.dev", "") +
		route("/small", "auth.none", "    listener = listener.small\n") +
		route("/", "auth.none", "    listener = listener.legacy\n    limits {\n      max_frame = \"1KiB\"\n      max_sessions = 1\n    }\n") + "}\n"
}

// exceeded is something that one client does too much of.
type exceeded struct {
	name   string
	do     func(t *testing.T, b *harness.Bridge) (answer string)
	want   string // what the answer begins with
	series string // counts it
}

// Whatever limit a client exceeds, it is answered as the page of the architecture says, and a metric
// counts it. TestRateOfASession, TestReconnectStorm and TestEvictions do so for those that take a while;
// how many connections an address may have, and clients may wait for their auth backend, is under test
// in core/listen, as this machine is not counted.
func TestLimits(t *testing.T) {
	b := harness.Start(t, harness.Config{File: limits(), Unready: true})
	harness.Until(t, harness.AnswerLimit, "lines is there", func() bool { return b.Plugin("lines").State == "running" })
	slow := dial(t, b) // has its answer when all the others have theirs
	if _, err := io.WriteString(slow, "GET /lines HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	const get = "GET /lines HTTP/1.1\r\nHost: x\r\n"
	for _, tt := range append([]exceeded{
		{"a path of 9 KiB", sends("GET /" + strings.Repeat("x", 9<<10) + " HTTP/1.1\r\n"), "HTTP/1.1 414 ", refused("malformed")},
		{"a head of 9 KiB", sends(get + "X: " + strings.Repeat("x", 9<<10) + "\r\n\r\n"), "HTTP/1.1 431 ", refused("malformed")},
		{"101 fields", sends(get + strings.Repeat("X: y\r\n", 100) + "\r\n"), "HTTP/1.1 431 ", refused("malformed")},
		{"a body that two could read in two ways", sends("POST /lines HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), "HTTP/1.1 400 ", refused("malformed")},
		{"a path that is no text", sends("GET /lines/%ff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), "HTTP/1.1 400 ", refused("malformed")},
		{"from elsewhere", sends("POST /api/updates HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.9\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 403 ", refused("local")},
		{"a page of another site", sends("POST /lines HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\nContent-Length: 0\r\n\r\n"), "HTTP/1.1 403 ", refused("origin")},
		{"a wrong token", sends("GET /guarded HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n"), "HTTP/1.1 401 ", refused("auth")},
		{"and again, as the auth backend sees it", sends("GET /guarded HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer wrong\r\n\r\n"), "HTTP/1.1 401 ", `bridge_auth_total{auth="static.dev",outcome="denied"}`},
		{"a plugin that is not there", sends("GET /failing HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 503 ", refused("not_ready")},
	}, sessionLimits()...) {
		t.Run(tt.name, func(t *testing.T) {
			before := metric(t, b, tt.series)
			if got := tt.do(t, b); !strings.HasPrefix(got, tt.want) {
				t.Errorf("answered %.200q, want %q", got, tt.want)
			}
			harness.Until(t, harness.AnswerLimit, tt.series+" counts it", func() bool { return metric(t, b, tt.series) > before })
		})
	}
	before := metric(t, b, refused("malformed"))
	if got := rest(t, slow); !strings.HasPrefix(got, "HTTP/1.1 408 ") {
		t.Errorf("a head that takes too long is answered %.200q", got)
	}
	if got := metric(t, b, refused("malformed")); got != before+1 {
		t.Errorf("%v are counted, want %v", got, before+1)
	}
}

func sessionLimits() []exceeded {
	closed := func(code int) string {
		return fmt.Sprintf(`bridge_sessions_closed_total{code="%d",plugin="lines"}`, code)
	}
	const tooLarge = "1009 frame too large"
	return []exceeded{
		{"a text frame of more than 1 KiB", writes("/tiny", websocket.TextMessage, 1025), tooLarge, closed(1009)},
		{"a binary frame of more than 2 KiB", writes("/tiny", websocket.BinaryMessage, 2049), tooLarge, closed(1009)},
		{"fragments of more in all", writes("/tiny", websocket.TextMessage, 600, 600), tooLarge, closed(1009)},
		{"a session too many", func(t *testing.T, b *harness.Bridge) string {
			harness.MustDialLines(t, b.URL("/few"))
			_, err := harness.Dial(b.URL("/few"))
			_, status, _ := strings.Cut(fmt.Sprint(err), ", ")
			return status
		}, "status 503", refused("sessions")},
		{"a connection too many", func(t *testing.T, b *harness.Bridge) string {
			for range 2 {
				harness.DialTCP(t, b.AddressOf("small"))
			}
			harness.Until(t, harness.AnswerLimit, "both are counted", func() bool {
				return metric(t, b, `bridge_listen_connections{listener="small"}`) == 2
			})
			harness.DialTCP(t, b.AddressOf("small")).WantEnd("")
			return ""
		}, "", `bridge_listen_refused_total{listener="small",reason="connections"}`},
		{"a channel too many", func(t *testing.T, b *harness.Bridge) string {
			l := harness.MustDialLines(t, b.URL("/lines"))
			const most = 1000
			for i := range most + 1 {
				if got, err := l.Ask(fmt.Sprintf("SUB c%d", i)); got != "OK" {
					t.Fatalf("SUB: %q, %v", got, err)
				}
			}
			all, _ := list(t, b, "--channel", fmt.Sprintf("c%d", most))
			last, _ := list(t, b, "--channel", fmt.Sprintf("c%d", most-1))
			return fmt.Sprintf("%d on one beyond, %d on the last", len(all), len(last))
		}, "0 on one beyond, 1 on the last", "bridge_session_refused_joins_total"},
		{"an outbox that is not read", func(t *testing.T, b *harness.Bridge) string {
			subscribe(t, b)
			publish(t, harness.MustDialLines(t, b.URL("/lines")), newPace(), (16<<20)/chunkSize, nil)
			return ""
		}, "", closed(slowConsumer)},
		{"a line of more than 1 KiB", func(t *testing.T, b *harness.Bridge) string {
			c := harness.DialTCP(t, b.AddressOf("legacy"))
			c.Send(strings.Repeat("x", 1025) + "\n")
			c.WantEnd("hello\n")
			_ = c.Close()
			return ""
		}, "", closed(1009)},
		{"a session of lines too many", func(t *testing.T, b *harness.Bridge) string {
			harness.Until(t, harness.AnswerLimit, "the one before is gone", func() bool {
				return metric(t, b, `bridge_listen_connections{listener="legacy"}`) == 0
			})
			harness.DialTCP(t, b.AddressOf("legacy")).Want("hello\n")
			harness.DialTCP(t, b.AddressOf("legacy")).WantEnd("")
			return ""
		}, "", `bridge_listen_refused_total{listener="legacy",reason="sessions"}`},
	}
}

// refused is the series of what the public listener refuses.
func refused(reason string) string {
	return fmt.Sprintf(`bridge_listen_refused_total{listener="public",reason=%q}`, reason)
}

// sends sends text on a connection of its own, and returns all that comes back.
func sends(text string) func(*testing.T, *harness.Bridge) string {
	return func(t *testing.T, b *harness.Bridge) string {
		c := dial(t, b)
		_, _ = io.WriteString(c, text)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
		return rest(t, c)
	}
}

// rest is what a connection still sends until it ends.
func rest(t *testing.T, c net.Conn) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(c)
	if err != nil && len(text) == 0 {
		t.Error(err)
	}
	return string(text)
}

// writes sends one message in parts of those sizes, and returns how the session is closed.
func writes(path string, kind int, parts ...int) func(*testing.T, *harness.Bridge) string {
	return func(t *testing.T, b *harness.Bridge) string {
		ws, err := harness.Dial(b.URL(path))
		if err != nil {
			t.Fatal(err)
		}
		defer ws.Close()
		w, err := ws.NextWriter(kind)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range parts {
			_, _ = w.Write(bytes.Repeat([]byte("x"), n))
		}
		_ = w.Close()
		code, reason, err := harness.AwaitClose(ws, harness.AnswerLimit)
		if err != nil {
			t.Error(err)
		}
		return fmt.Sprint(code, " ", reason)
	}
}

// A node bounds what waits for all of its clients: those who read least go first, as slow consumers, and
// others are served.
func TestEvictions(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin(""), Env: []string{"GOMEMLIMIT=64MiB"}}) // a quarter of it may wait
	neighbours := harness.StartNeighbours(t, b.URL("/lines"), good)
	// Nobody is read while there is no room, so that good clients wait a little too. None of these is slow by itself: it is not read any more while its answers wait. Most of what a
	// client asks for here is in its socket.
	const stalled, asked, answer = 100, 30, 200_000
	inParallel(t, stalled, func(int) error {
		l, err := harness.DialLines(b.URL("/lines"))
		if err != nil {
			return err
		}
		t.Cleanup(l.Close)
		for sent, open := 0, true; open && sent < asked; sent++ {
			open = l.Send(fmt.Sprintf("BIG %d", answer)) == nil // until it is evicted
		}
		return nil
	})
	harness.Until(t, harness.AnswerLimit, "some are evicted", func() bool { return metric(t, b, "bridge_session_evicted_total") > 0 })
	harness.Until(t, harness.AnswerLimit, "there is room again", func() bool { return metric(t, b, "bridge_session_waiting_bytes") < 16<<20 })
	t.Logf("evicted: %v; the worst wait of a good client: %v", metric(t, b, "bridge_session_evicted_total"), neighbours.Finish(t, 2*goodBound))
}
