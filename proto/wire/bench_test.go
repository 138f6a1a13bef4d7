package wire_test

import (
	"testing"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/wire"
)

func frames(n int) []byte {
	var b []byte
	for i := range n {
		b, _ = wire.AppendEvent(b, &wire.Event{Actor: 1<<60 + uint64(i), Seq: 9, Time: 1789000000000, Kind: wire.Frame, Data: make([]byte, 64)})
	}
	return b
}

func sends(n int) []byte {
	var b []byte
	for i := range n {
		b, _ = wire.AppendStep(b, send(i))
	}
	return b
}

func send(i int) *wire.Step {
	return &wire.Step{Actor: 1<<60 + uint64(i), Seq: 9, Commands: []wire.Command{{Kind: wire.Send, Data: make([]byte, 64)}}}
}

func TestFramesAndSendsDoNotAllocate(t *testing.T) {
	const runs, n = 20, 50
	buf := make([]byte, 0, 1<<16)
	events, steps, step := frames(n), sends(n), send(1)
	event := &wire.Event{Actor: 1 << 60, Seq: 9, Kind: wire.Frame, Data: make([]byte, 64)}
	var scratch wire.Step
	timer, _ := wire.AppendEvent(nil, &wire.Event{Actor: 1, Seq: 1, Kind: wire.Timer, Name: "idle"})
	for _, tt := range []struct {
		name string
		want float64
		f    func()
	}{
		{"append event", 0, func() { _, _ = wire.AppendEvent(buf[:0], event) }},
		{"append step", 0, func() { _, _ = wire.AppendStep(buf[:0], step) }},
		// One a batch, for the event that the walk uses again and again.
		{"events", 1, func() { _ = wire.Events(events, func(*wire.Event) error { return nil }) }},
		{"timer", 1, func() { _ = wire.Events(timer, func(*wire.Event) error { return nil }) }},
		{"steps", 0, func() { _ = wire.Steps(steps, &scratch, func(*wire.Step) error { return nil }) }},
	} {
		tt.f()
		if got := testing.AllocsPerRun(runs, tt.f); got > tt.want {
			t.Errorf("%s: %v allocations, want %v", tt.name, got, tt.want)
		}
	}
}

func BenchmarkEvents(b *testing.B) {
	const n = 100
	batch := frames(n)
	b.ReportAllocs()
	for range b.N / n {
		_ = wire.Events(batch, func(*wire.Event) error { return nil })
	}
}

func BenchmarkSteps(b *testing.B) {
	const n = 100
	batch := sends(n)
	var scratch wire.Step
	b.ReportAllocs()
	for range b.N / n {
		_ = wire.Steps(batch, &scratch, func(*wire.Step) error { return nil })
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	e := &wire.Event{Actor: 1 << 60, Seq: 9, Time: 1789000000000, Kind: wire.Frame, Data: make([]byte, 64)}
	buf := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = wire.AppendEvent(buf, e)
	}
}

func BenchmarkAppendStep(b *testing.B) {
	s := send(1)
	buf := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		_, _ = wire.AppendStep(buf, s)
	}
}

func BenchmarkAsk(b *testing.B) {
	step := &wire.Step{Actor: 1 << 60, Seq: 9, Commands: []wire.Command{{Kind: wire.Call, Cold: &pluginv1.Call{
		Tag: "abcdefghij", Order: "messages", Parallel: 8,
		Target: &pluginv1.Call_Ask{Ask: &pluginv1.Ask{Type: "chat/say", Payload: make([]byte, 64), MessageId: "abcdefghij"}},
	}}}}
	var scratch wire.Step
	buf := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		batch, _ := wire.AppendStep(buf, step)
		_ = wire.Steps(batch, &scratch, func(*wire.Step) error { return nil })
	}
}

func BenchmarkAnswer(b *testing.B) {
	event := &wire.Event{Actor: 1 << 60, Seq: 9, Time: 1789000000000, Kind: wire.Answer, Cold: &pluginv1.Answer{
		Tag: "abcdefghij", Last: true, Outcome: pluginv1.Outcome_OUTCOME_OK, Payload: make([]byte, 64), HasPayload: true,
		CallSeq: 8, CallIndex: 1,
	}}
	buf := make([]byte, 0, 1<<10)
	b.ReportAllocs()
	for b.Loop() {
		batch, _ := wire.AppendEvent(buf, event)
		_ = wire.Events(batch, func(*wire.Event) error { return nil })
	}
}
