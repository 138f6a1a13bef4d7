package listen

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// idleClient in the environment makes the test binary the other end of [BenchmarkIdle]: its address
// and a number of connections.
const idleClient = "BRIDGE_IDLE_CLIENT"

// BenchmarkIdle measures what an idle WebSocket costs the listener and its session in resident
// memory; the clients are another process. Each connection has sent a frame and been sent one.
func BenchmarkIdle(b *testing.B) {
	const n = 10_000
	for name, talk := range map[string]bool{"silent": false, "after-a-frame": true} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				per, goroutine := idle(b, n, talk)
				b.ReportMetric(per, "KiB/conn")
				b.ReportMetric(goroutine, "stackKiB/conn")
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func idle(b *testing.B, n int, talk bool) (rss, stacks float64) {
	b.Helper()
	s := serveBench(b, echoing{})
	before := resident(b)
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %v", idleClient, s.Addr(), n, talk))
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { // before the server's
		_ = in.Close()
		_ = cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		b.Fatalf("client said %q, %v", line, err)
	}
	after := resident(b)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.Logf("heap %d KiB, heap sys %d KiB, stacks %d KiB, GC %d", m.HeapAlloc>>10, m.HeapSys>>10, m.StackInuse>>10, m.NumGC)
	return float64(after-before) / float64(n) / 1024, float64(m.StackInuse) / float64(n) / 1024
}

// resident is the resident memory in bytes once garbage is collected, as it would be in time.
func resident(b *testing.B) int64 {
	b.Helper()
	runtime.GC()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		b.Skip("no /proc here")
	}
	pages, err := strconv.ParseInt(strings.Fields(string(data))[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// holdIdle is the client's process: it opens the connections and keeps them until stdin closes.
func holdIdle(arg string) error {
	var addr string
	var n int
	var talk bool
	if _, err := fmt.Sscan(arg, &addr, &n, &talk); err != nil {
		return err
	}
	frame := clientFrame(final|opText, strings.Repeat("x", 64))
	answer := make([]byte, 256)
	for range n {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		if _, err := io.WriteString(c, handshakeText); err != nil {
			return err
		}
		if _, err := c.Read(answer); err != nil {
			return err
		}
		if !talk {
			continue
		}
		if _, err := io.WriteString(c, frame); err != nil {
			return err
		}
		if _, err := io.ReadFull(c, answer[:66]); err != nil {
			return err
		}
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return nil
}

// echoing is an [Opener] whose sessions answer each frame with itself, and nothing else.
type echoing struct{}

var echoLimits = session.NewLimits(session.Limits{})

func (o echoing) Open(_ *route.Entry, info *session.Info, _ *session.Admission, t session.Transport) (*session.Session, error) {
	return session.New(1, info, t, o, echoLimits), nil
}

func (o echoing) OpenRequest(*route.Entry, *session.Info, *session.Admission, []byte, bool, session.ResponseWriter) (*session.Session, error) {
	return nil, session.ErrClosed
}

func (echoing) Admit(context.Context, *route.Entry, *session.Info) (*session.Admission, *Refusal) {
	return nil, nil
}

func (echoing) Ready(*route.Entry) bool { return true }

func (echoing) Frame(s *session.Session, data []byte, binary bool) {
	_ = s.Send(data, binary)
	s.Flush()
	s.Release(len(data))
}

func (echoing) Eof(*session.Session) {}

func (echoing) Closed(*session.Session, int, string, bool) {}

// serveBench serves until the benchmark ends.
func serveBench(b *testing.B, o Opener) *Server {
	b.Helper()
	table, err := route.New([]*route.Entry{socket})
	if err != nil {
		b.Fatal(err)
	}
	cfg := Config{Name: "bench", Address: "127.0.0.1:0", Routes: new(atomic.Pointer[route.Table])}
	cfg.Routes.Store(table)
	s := New(cfg, o)
	if err := s.Listen(); err != nil {
		b.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	b.Cleanup(func() {
		if err := s.Shutdown(context.Background()); err != nil {
			b.Error(err)
		}
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
	return s
}
