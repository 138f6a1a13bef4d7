package sdk_test

import (
	"context"
	"io"
	"runtime"
	"syscall"
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
	"github.com/protocol-bridge/bridge/sdk"
)

// echo answers each frame with itself; S decides what state costs.
type echo[S any] struct {
	sdk.Plugin[S]
	touch func(*S)
}

func (echo[S]) Describe() sdk.Info { return sdk.Info{Name: "echo"} }

func (p echo[S]) Step(s *sdk.Session[S], ev sdk.Event) error {
	if f, ok := ev.(sdk.Frame); ok {
		s.Send(f.Data)
		if p.touch != nil {
			p.touch(&s.State)
		}
	}
	return nil
}

// asker asks the upstream for each frame.
type asker struct{ sdk.Plugin[struct{}] }

func (asker) Describe() sdk.Info { return sdk.Info{Name: "asker"} }

func (asker) Step(s *sdk.Session[struct{}], ev sdk.Event) error {
	if f, ok := ev.(sdk.Frame); ok {
		s.Call(sdk.Call{Tag: "0123456789", Order: "q", Parallel: 8, Target: sdk.Ask{Type: "sum", Payload: f.Data}})
	}
	return nil
}

// loop is a core in memory that keeps a number of frames in flight.
type loop struct {
	recv   chan []byte
	acked  chan int
	steps  wire.Step
	closed chan struct{}
}

func (l *loop) Recv(b *wire.Batch) error {
	select {
	case b.B = <-l.recv:
		return nil
	case <-l.closed:
		return io.EOF
	}
}

func (l *loop) Send(b *wire.Batch) error {
	// As gRPC does: the codec takes the bytes over, and gives them back when they are written.
	data, err := wire.Codec{}.Marshal(b)
	if err != nil {
		return err
	}
	defer data.Free()
	n := 0
	if err := wire.Steps(data[0].ReadOnlyData(), &l.steps, func(*wire.Step) error { n++; return nil }); err != nil {
		return err
	}
	l.acked <- n
	return nil
}

// benchFrames sends frames of many sessions through Serve in batches, as a core under load does.
func benchFrames[S any](b *testing.B, p sdk.Plugin[S], size int) {
	const sessions, batch = 1000, 100
	s, err := sdk.NewServer(p)
	if err != nil {
		b.Fatal(err)
	}
	l := &loop{recv: make(chan []byte, 16), acked: make(chan int, 16), closed: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), l) }()
	var open []byte
	for id := range sessions {
		open, err = wire.AppendEvent(open, &wire.Event{
			Actor: uint64(id + 1), Seq: 1, Kind: wire.Opened,
			Cold: &pluginv1.Opened{Snapshot: &pluginv1.Snapshot{Session: &pluginv1.SessionInfo{Path: "/"}}},
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	l.recv <- open
	for n := 0; n < sessions; {
		n += <-l.acked
	}
	data := make([]byte, size)
	var batches [][]byte
	for first := 0; first < sessions; first += batch {
		var frames []byte
		for id := first; id < first+batch; id++ {
			frames, _ = wire.AppendEvent(frames, &wire.Event{Actor: uint64(id + 1), Seq: 2, Kind: wire.Frame, Data: data})
		}
		batches = append(batches, frames)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	sent, acked := 0, 0
	for i := 0; acked < b.N; {
		for sent < b.N && sent-acked < 8*batch {
			l.recv <- batches[i%len(batches)]
			i++
			sent += batch
		}
		acked += <-l.acked
	}
	b.StopTimer()
	b.ReportMetric(float64(cpu()-before)/float64(acked), "cpu-ns/frame")
	close(l.closed)
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

// cpu is the time that this process was on a processor: on a shared machine the clock says little.
func cpu() int64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkFrame(b *testing.B) {
	b.Run("64B", func(b *testing.B) { benchFrames(b, echo[struct{}]{}, 64) })
	b.Run("1KiB", func(b *testing.B) { benchFrames(b, echo[struct{}]{}, 1024) })
	b.Run("state-unchanged", func(b *testing.B) { benchFrames(b, echo[count]{}, 64) })
	b.Run("state-changed", func(b *testing.B) {
		benchFrames(b, echo[count]{touch: func(s *count) { s.N++ }}, 64)
	})
	b.Run("ask", func(b *testing.B) { benchFrames(b, asker{}, 64) })
	b.Run("state-deep", func(b *testing.B) {
		benchFrames(b, echo[deep]{touch: func(s *deep) { s.List = append(s.List[:0], "x") }}, 64)
	})
}

type count struct{ N int }

type deep struct{ List []string }

// BenchmarkIdleSession reports what a session costs that does nothing, with the headers of a browser.
func BenchmarkIdleSession(b *testing.B) {
	s, err := sdk.NewServer(echo[count]{})
	if err != nil {
		b.Fatal(err)
	}
	l := &loop{recv: make(chan []byte, 16), acked: make(chan int, 16), closed: make(chan struct{})}
	done := make(chan error, 1)
	go func() { done <- s.Serve(context.Background(), l) }()
	snapshot := &pluginv1.Snapshot{Route: "r", Session: &pluginv1.SessionInfo{
		RemoteAddress: "203.0.113.9:50000", Host: "bridge.example", Method: "GET", Path: "/client",
	}}
	for _, name := range []string{"connection", "upgrade", "origin", "sec-websocket-version", "sec-websocket-key", "user-agent", "cookie", "accept-language"} {
		snapshot.Session.Headers = append(snapshot.Session.Headers, &pluginv1.Entry{Key: name, Value: make([]byte, 30)})
	}
	before := heap()
	for id := range b.N {
		open, err := wire.AppendEvent(nil, &wire.Event{Actor: uint64(id + 1), Seq: 1, Kind: wire.Opened, Cold: &pluginv1.Opened{Snapshot: snapshot}})
		if err != nil {
			b.Fatal(err)
		}
		l.recv <- open
		<-l.acked
	}
	b.ReportMetric(float64(heap()-before)/float64(b.N), "B/session")
	close(l.closed)
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
