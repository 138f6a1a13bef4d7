//go:build linux

package cluster

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// wall is what the routes of one node to the others go through, from either side: a way in front of its
// own address, and ways to those of the others that only it knows.
type wall struct {
	mu    sync.Mutex // guards what follows
	shut  bool
	conns map[net.Conn]bool
	wg    sync.WaitGroup
}

func newWall(t *testing.T) *wall {
	w := new(wall)
	t.Cleanup(func() { // behind those of its ways
		w.close(true)
		w.wg.Wait()
	})
	return w
}

// way listens and passes what comes on to an address.
func (w *wall) way(t *testing.T, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			w.wg.Go(func() { w.pass(c, to) })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

func (w *wall) keep(c net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.shut {
		_ = c.Close()
		return false
	}
	if w.conns == nil {
		w.conns = make(map[net.Conn]bool)
	}
	w.conns[c] = true
	return true
}

func (w *wall) pass(in net.Conn, to string) {
	defer in.Close()
	if !w.keep(in) {
		return
	}
	out, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer out.Close()
	if !w.keep(out) {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(out, in)
		_ = out.Close()
	}()
	_, _ = io.Copy(in, out)
	_ = in.Close()
	<-done
}

// close cuts what goes through, and lets nothing through, until open.
func (w *wall) close(shut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = shut
	for c := range w.conns {
		_ = c.Close()
	}
	w.conns = nil
}

// TestCutOff: a node that the others cannot reach serves its own clients, and is not waited for; its names
// are free for the others, and when it is back it learns of it: no name has two holders, and all reach all.
func TestCutOff(t *testing.T) {
	addresses := harness.FreeAddresses(t, 3)
	w := newWall(t)
	// Each node advertises what only the others of its side can reach: node 2 lives behind the wall.
	behind := w.way(t, addresses[2])
	inner := []string{addresses[0], addresses[1], behind}
	outer := []string{w.way(t, addresses[0]), w.way(t, addresses[1]), addresses[2]}
	blocks := []string{
		harness.ClusterBlock(addresses[0], inner, fmt.Sprintf("  advertise = %q", outer[0])),
		harness.ClusterBlock(addresses[1], inner, fmt.Sprintf("  advertise = %q", outer[1])),
		harness.ClusterBlock(addresses[2], outer, fmt.Sprintf("  advertise = %q", behind)),
	}
	nodes := start(t, blocks)
	const each = 2
	all := dial(t, each, nodes...)
	if n := count(t, all[2][0], "all", all); n != 3*each {
		t.Fatalf("%d took it, want %d", n, 3*each)
	}
	take := func(l *harness.Lines, key string) {
		t.Helper()
		if err := l.Send("TAKE name " + key); err != nil {
			t.Fatal(err)
		}
		expect(t, l, key+" bound")
		expect(t, l, "take 1.")
	}
	take(all[2][1], "first")

	w.close(true)
	harness.AwaitNodes(t, nodes[:2], 2)
	harness.AwaitNodes(t, nodes[2:], 1)
	if n := count(t, all[0][0], "majority", all[:2]); n != 2*each {
		t.Errorf("%d took it, want %d", n, 2*each)
	}
	if n := count(t, all[2][0], "alone", [][]*harness.Lines{all[2]}); n != each {
		t.Errorf("%d took it, want %d", n, each)
	}
	// Until the rest has agreed on who leads, nobody knows who has a name.
	harness.Until(t, harness.AnswerLimit, "the majority knows who has a name", func() bool {
		l := harness.MustDialLines(t, nodes[0].URL("/lines"))
		ask(t, l, "TAKE name second", "second bound")
		got, err := l.Read(harness.AnswerLimit)
		if err != nil {
			t.Fatal(err)
		}
		return got == "take 1."
	})

	w.close(false)
	if code, reason, err := all[2][1].AwaitClose(harness.AnswerLimit); err != nil || code != 4001 {
		t.Errorf("the holder that was cut off: %d %s, %v", code, reason, err)
	}
	harness.AwaitNodes(t, nodes, 3)
	all[2] = all[2][:1]
	if n := count(t, all[1][0], "healed", all); n != 2*each+1 {
		t.Errorf("%d took it, want %d", n, 2*each+1)
	}
	if bytes.Contains([]byte(nodes[0].Log()), []byte("has lost its number")) {
		t.Error("a node lost its number")
	}
}
