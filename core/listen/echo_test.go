package listen

import (
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/core/route"
	"github.com/protocol-bridge/bridge/core/session"
)

// batching answers like a plugin does: the answers of a batch are flushed together.
type batching struct {
	echoing
	flight int
}

func (o *batching) Open(_ *route.Entry, info *session.Info, _ *session.Admission, t session.Transport) (*session.Session, error) {
	return session.New(1, info, t, &batch{flight: o.flight}, echoLimits), nil
}

type batch struct {
	echoing
	flight, frames int
}

func (h *batch) Frame(s *session.Session, data []byte, binary bool) {
	_ = s.Send(data, binary)
	if h.frames++; h.frames%h.flight == 0 {
		s.Flush()
	}
	s.Release(len(data))
}

// cpu is what the process has used so far, in ns; on a shared machine it says more than the clock.
func cpu(b *testing.B) int64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkEcho has clients with several frames in flight each; the clients are in the same process.
func BenchmarkEcho(b *testing.B) {
	for name, tt := range map[string]struct{ conns, flight, size int }{
		"100x1x64":    {100, 1, 64},
		"100x16x64":   {100, 16, 64},
		"100x16x1024": {100, 16, 1024},
	} {
		b.Run(name, func(b *testing.B) {
			s := serveBench(b, &batching{flight: tt.flight})
			frame := clientFrame(final|opText, strings.Repeat("x", tt.size))
			burst := []byte(strings.Repeat(frame, tt.flight))
			answers := tt.flight * len(new(conn).AppendFrame(nil, make([]byte, tt.size), false))
			var left atomic.Int64
			var wg sync.WaitGroup
			ready := make(chan struct{})
			var opened sync.WaitGroup
			for range tt.conns {
				opened.Add(1)
				wg.Go(func() {
					c, err := net.Dial("tcp", s.Addr().String())
					if err != nil {
						b.Error(err)
						opened.Done()
						return
					}
					defer c.Close()
					_, _ = io.WriteString(c, handshakeText)
					in := make([]byte, max(answers, 256))
					_, err = c.Read(in)
					opened.Done()
					<-ready
					for err == nil && left.Add(-int64(tt.flight)) > -int64(tt.flight) {
						if _, err = c.Write(burst); err == nil {
							_, err = io.ReadFull(c, in[:answers])
						}
					}
					if err != nil {
						b.Error(err)
					}
				})
			}
			opened.Wait()
			left.Store(int64(b.N))
			b.ReportAllocs()
			before := cpu(b)
			b.ResetTimer()
			close(ready)
			wg.Wait()
			b.ReportMetric(float64(cpu(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}
