package listen

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// idleClient in the environment makes the test binary the other end of many connections: the address,
// how many, and whether each begins with a frame.
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
	hold(b, s.Addr().String(), n, talk) // ends before the server
	after := resident(b)
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.Logf("heap %d KiB, heap sys %d KiB, stacks %d KiB, GC %d", m.HeapAlloc>>10, m.HeapSys>>10, m.StackInuse>>10, m.NumGC)
	return float64(after-before) / float64(n) / 1024, float64(m.StackInuse) / float64(n) / 1024
}

// resident is the resident memory in bytes once garbage is collected, as it would be in time.
func resident(b *testing.B) int64 {
	b.Helper()
	runtime.GC() // what pools keep goes with the second
	debug.FreeOSMemory()
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

// holdIdle is the client's process: it opens the connections, says so, and keeps them until stdin
// closes. For each line that it is told it says "done" once that is: "wake" sends a frame on every
// connection and then reads all answers, "read" reads a frame on every connection.
func holdIdle(arg string) error {
	var addr string
	var n int
	var talk bool
	if _, err := fmt.Sscan(arg, &addr, &n, &talk); err != nil {
		return err
	}
	frame := clientFrame(final|opText, idleText)
	answer := make([]byte, 2+len(idleText))
	conns := make([]net.Conn, n)
	write := func(c net.Conn) error {
		_, err := io.WriteString(c, frame)
		return err
	}
	read := func(c net.Conn) error {
		_, err := io.ReadFull(c, answer)
		if err == nil && string(answer[2:]) != idleText {
			err = fmt.Errorf("answer %q", answer)
		}
		return err
	}
	each := func(what ...func(net.Conn) error) error {
		for _, f := range what {
			for _, c := range conns {
				if err := f(c); err != nil {
					return err
				}
			}
		}
		return nil
	}
	head := make([]byte, 256)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		defer c.Close()
		conns[i] = c
		if _, err := io.WriteString(c, handshakeText); err != nil {
			return err
		}
		if _, err := c.Read(head); err != nil {
			return err
		}
		if talk {
			if err := errors.Join(write(c), read(c)); err != nil {
				return err
			}
		}
	}
	fmt.Println("ready")
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var err error
		switch in.Text() {
		case "wake":
			err = each(write, read)
		case "read":
			err = each(read)
		}
		if err != nil {
			return err
		}
		fmt.Println("done")
	}
	return nil
}

// idleText is what is said.
var idleText = strings.Repeat("x", 64)

// idlers are connections that another process holds.
type idlers struct {
	tb  testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// hold has another process open connections.
func hold(tb testing.TB, addr string, n int, talk bool) *idlers {
	tb.Helper()
	h := &idlers{tb: tb, cmd: exec.Command(os.Args[0], "-test.run=^$")}
	h.cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %v", idleClient, addr, n, talk))
	h.cmd.Stderr = os.Stderr
	in, err := h.cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := h.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	h.in, h.out = in, bufio.NewReader(out)
	tb.Cleanup(h.close)
	h.expect("ready")
	return h
}

func (h *idlers) expect(what string) {
	h.tb.Helper()
	if line, err := h.out.ReadString('\n'); err != nil || line != what+"\n" {
		h.tb.Fatalf("client said %q, %v, want %q", line, err, what)
	}
}

// do tells them something and waits until it is done.
func (h *idlers) do(what string) {
	h.tb.Helper()
	if _, err := fmt.Fprintln(h.in, what); err != nil {
		h.tb.Fatal(err)
	}
	h.expect("done")
}

func (h *idlers) close() {
	_ = h.in.Close()
	_ = h.cmd.Wait()
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
