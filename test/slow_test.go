//go:build linux

package test

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const (
	readers   = 20
	chunkSize = 64 << 10
	// chunksAhead is how far the publisher is ahead of the slowest that reads. It is less than the
	// outbox of a session holds, so that none of these is slow.
	chunksAhead = 8
	// growthLimit is how much the core, and the plugin, may grow: what one session may have waiting,
	// and what a garbage collector leaves lying between two runs of twenty times that.
	growthLimit  = 128 << 20
	slowConsumer = 1013
)

// A client that stops reading while its channel gets a lot is closed; whoever reads gets everything,
// in order, and neither the core nor the plugin grows by what the one does not take.
func TestSlowReader(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	pids := map[string]int{"core": b.Pid(), "plugin": b.Plugin("lines").Pid}
	chunks := size(50<<20, 15<<20) / chunkSize

	slow := subscribe(t, b)
	pace := newPace()
	all := make([]*reader, readers)
	for i := range all {
		all[i] = &reader{Lines: subscribe(t, b), pace: pace}
		pace.got[all[i]] = 0
	}
	before := make(map[string]int64)
	for name, pid := range pids {
		before[name] = harness.RSS(pid)
	}
	var running sync.WaitGroup
	for i, r := range all {
		running.Go(func() {
			if err := r.readAll(chunks); err != nil {
				t.Errorf("reader %d: %v", i, err)
			}
			pace.leave(r)
		})
	}
	most := publish(t, harness.MustDialLines(t, b.URL("/lines")), pace, chunks, pids)
	running.Wait()

	for name := range pids {
		grown := most[name] - before[name]
		t.Logf("%s: %s before, at most %s", name, harness.MiB(before[name]), harness.MiB(most[name]))
		if grown > growthLimit {
			t.Errorf("the %s grew by %s, want at most %s", name, harness.MiB(grown), harness.MiB(growthLimit))
		}
	}
	// The readers and the publisher.
	harness.Until(t, 10*time.Second, "the session of the slow reader is gone", func() bool {
		return b.Plugin("lines").Sessions == readers+1
	})
	code, reason, err := slow.AwaitClose(harness.AnswerLimit)
	t.Logf("the slow reader saw: close %d %q, error %v", code, reason, err)
	if err == nil && (code != slowConsumer || reason != "slow consumer") {
		t.Errorf("close %d %q, want %d %q", code, reason, slowConsumer, "slow consumer")
	}
	for i, r := range all {
		if got, err := r.Ask("ECHO still here"); got != "still here" || err != nil {
			t.Errorf("reader %d afterwards: %q, error %v", i, got, err)
		}
	}
}

func subscribe(t *testing.T, b *harness.Bridge) *harness.Lines {
	t.Helper()
	l := harness.MustDialLines(t, b.URL("/lines"))
	if got, err := l.Ask("SUB flood"); got != "OK" || err != nil {
		t.Fatalf("SUB: %q, error %v", got, err)
	}
	return l
}

// A slow reader that comes back in time is told why it was closed.
func TestSlowReaderIsTold(t *testing.T) {
	b := harness.Start(t, harness.Config{File: harness.LinesPlugin("")})
	publisher := harness.MustDialLines(t, b.URL("/lines"))
	// It has a second from when it is closed, which a busy machine may take from it.
	for attempt := range 10 {
		slow := subscribe(t, b)
		publish(t, publisher, newPace(), (16<<20)/chunkSize, nil)
		if got, err := publisher.Ask("ECHO published"); got != "published" || err != nil {
			t.Fatalf("ECHO: %q, error %v", got, err)
		}
		code, reason, err := slow.AwaitClose(harness.AnswerLimit)
		if err != nil {
			t.Logf("attempt %d: it came too late: %v", attempt, err)
			continue
		}
		if code != slowConsumer || reason != "slow consumer" {
			t.Errorf("close %d %q, want %d %q", code, reason, slowConsumer, "slow consumer")
		}
		return
	}
	t.Error("it was never told")
}

// pace keeps a publisher from running away from its readers.
type pace struct {
	mu   sync.Mutex
	cond *sync.Cond      // on mu: one of them got something, or left
	got  map[*reader]int // guarded by mu
}

func newPace() *pace {
	p := &pace{got: make(map[*reader]int)}
	p.cond = sync.NewCond(&p.mu)
	return p
}

// await waits until all readers have so many chunks.
func (p *pace) await(chunks int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		slowest := chunks
		for _, n := range p.got {
			slowest = min(slowest, n)
		}
		if slowest >= chunks {
			return
		}
		p.cond.Wait()
	}
}

func (p *pace) note(r *reader, chunks int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.got[r] = chunks
	p.cond.Broadcast()
}

func (p *pace) leave(r *reader) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.got, r)
	p.cond.Broadcast()
}

// reader is a subscriber that reads.
type reader struct {
	*harness.Lines
	pace *pace
}

// readAll reads so many chunks and checks that they come in order.
func (r *reader) readAll(chunks int) error {
	for i := range chunks {
		line, err := r.Read(harness.AnswerLimit)
		if err != nil {
			return fmt.Errorf("chunk %d: %w", i, err)
		}
		number, rest, _ := strings.Cut(strings.TrimPrefix(line, "flood "), " ")
		if number != strconv.Itoa(i) || len(rest) != chunkSize {
			return fmt.Errorf("chunk %q of %d bytes, want chunk %d of %d", number, len(rest), i, chunkSize)
		}
		r.pace.note(r, i+1)
	}
	return nil
}

// publish publishes the chunks, not too fast for the readers, and returns the most memory that each
// process had meanwhile.
func publish(t *testing.T, l *harness.Lines, readers *pace, chunks int, pids map[string]int) map[string]int64 {
	t.Helper()
	chunk := strings.Repeat("x", chunkSize)
	most := make(map[string]int64)
	for i := range chunks {
		readers.await(i - chunksAhead)
		if err := l.Send(fmt.Sprintf("PUB flood %d %s", i, chunk)); err != nil {
			t.Fatalf("publish chunk %d: %v", i, err)
		}
		if i%8 == 0 {
			for name, pid := range pids {
				most[name] = max(most[name], harness.RSS(pid))
			}
		}
	}
	return most
}
