package upstream

import (
	"bufio"
	"fmt"
	"net"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/protocol-bridge/bridge/upstream"
)

const reply = `[` + approved + `,["action","$",{"type":"hello/done","payload":{"n":1}}],` + processed + `]`

// bare is a back-end that costs next to nothing: it takes what comes for one request. So the figures
// are those of the caller, the kernel and two switches.
func bare(tb testing.TB) string {
	tb.Helper()
	body := fill(reply)
	response := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"+
		"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	return rawBackend(tb, func(c *net.TCPConn, _ *bufio.Reader) {
		in := make([]byte, 4096)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			if _, err := c.Write(response); err != nil {
				return
			}
		}
	})
}

func BenchmarkLoguxAsk(b *testing.B) {
	for name, url := range map[string]string{"bare": bare(b), "net-http": backend(b, text(reply)).URL} {
		b.Run(name, func(b *testing.B) {
			p := pool(b, LoguxConfig{URL: url})
			req := question()
			ctx := b.Context() // one that can end, as the core's
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					p.Ask(ctx, req, func(a *upstream.Answer) {
						if !a.Last || a.Outcome != upstream.OK || a.Payload == nil {
							b.Errorf("it is answered %+v", a)
						}
					})
				}
			})
		})
	}
}

func TestLoguxAskAllocates(t *testing.T) {
	p := pool(t, LoguxConfig{URL: bare(t), Name: "app", Metrics: NewMetrics(prometheus.NewRegistry())})
	req := question()
	got := testing.AllocsPerRun(200, func() {
		p.Ask(t.Context(), req, func(a *upstream.Answer) {
			if a.Outcome != upstream.OK {
				t.Errorf("it ends %v, %q", a.Outcome, a.Detail)
			}
		})
	})
	// The answer and its reply are the receiver's; the rest watches the context.
	if got > 12 {
		t.Errorf("a question allocates %v times, want at most 12", got)
	}
}

func BenchmarkHTTPAsk(b *testing.B) {
	url := rawBackend(b, func(c *net.TCPConn, _ *bufio.Reader) {
		in := make([]byte, 4096)
		for {
			if _, err := c.Read(in); err != nil {
				return
			}
			ok(c, `{"payload":{"n":1}}`)
		}
	})
	p := httpPoolOf(b, HTTPConfig{URL: url})
	req := question()
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			p.Ask(ctx, req, func(a *upstream.Answer) {
				if a.Outcome != upstream.OK || a.Payload == nil {
					b.Errorf("it is answered %+v", a)
				}
			})
		}
	})
}
