//go:build linux

package test

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const (
	// drainDelay is also what a busy machine may take for all that is tried during it.
	drainDelay   = 8 * time.Second
	drainTimeout = 20 * time.Second
	// perSecond is how many sessions are closed in a second, where there is time for all of them.
	perSecond = 1000
)

// goodbye is how the session of a client ended, and when.
type goodbye struct {
	err error // nil: as it should
	at  time.Time
}

// awaitGoodbye reads until the end of a session.
func awaitGoodbye(r *harness.Raw) goodbye {
	for {
		_, err := r.Read(harness.AnswerLimit)
		var closed *harness.CloseError
		switch {
		case err == nil:
			continue
		case errors.As(err, &closed) && closed.Code == goingAway && closed.Reason == "going away":
			r.Close()
			return goodbye{nil, time.Now()}
		}
		return goodbye{err, time.Now()}
	}
}

// A bridge that is asked to end says so first, and serves on for the delay. Then it closes its sessions
// one after another, each with the code of its protocol, behind the answers that they wait for.
func TestDrain(t *testing.T) {
	n := sessionsWithin(t, size(2000, 400))
	backend := harness.StartBackend(t)
	b := harness.Start(t, harness.Config{
		File: ctproto(backend, "") + legacy("", "") + fmt.Sprintf("shutdown {\n  delay   = %q\n  timeout = %q\n}\n", drainDelay, drainTimeout),
	})
	idle := openIdle(t, b, n)
	waiting := dialCTProto(t, b, "/client")
	if err := harness.Send(waiting, fmt.Sprintf(`{"messageId":"late______","type":%q,"payload":{"s":1,"n":1,"delay":%d}}`,
		harness.QuestionType, (drainDelay+time.Duration(n)*time.Second/perSecond+time.Second).Milliseconds())); err != nil {
		t.Fatal(err)
	}
	lines := harness.DialTCP(t, b.AddressOf("legacy"))
	lines.Want("hello\n")
	harness.Until(t, harness.AnswerLimit, "the question is at the back-end", func() bool {
		return metric(t, b, `bridge_upstream_in_flight{upstream="logux.app"}`) == 1
	})

	asked := time.Now()
	b.Signal(syscall.SIGTERM)
	ends := make(chan goodbye, n)
	for _, r := range idle[1:] {
		go func() { ends <- awaitGoodbye(r) }()
	}
	harness.Until(t, drainDelay, "/ready says no", func() bool { return b.Ready() == http.StatusServiceUnavailable })
	if said := must(t, b, "status"); !strings.Contains(said, "not ready: shutting down") {
		t.Errorf("status:\n%s", said)
	}
	if status, said := b.Command("reload"); status != 1 || !strings.Contains(said, "bridge is being stopped") {
		t.Errorf("a reload meanwhile: status %d, %s", status, said)
	}
	b.Signal(syscall.SIGHUP)
	askAll(t, idle[:1], func(string) string { return "{}" })
	must(t, b, "kick", "--route", "/")
	lines.WantEnd("")
	lines = harness.DialTCP(t, b.AddressOf("legacy"))
	lines.Want("hello\n")
	if time.Since(asked) < drainDelay && len(ends) > 0 {
		t.Errorf("%d sessions were closed during the delay", len(ends))
	}

	ends <- awaitGoodbye(idle[0])
	var at []time.Duration
	for range n {
		end := <-ends
		if end.err != nil {
			t.Fatalf("a session ended with %v, want close %d", end.err, goingAway)
		}
		at = append(at, end.at.Sub(asked))
	}
	slices.Sort(at)
	t.Logf("sessions were closed from %v to %v", at[0], at[n-1])
	checkSpread(t, at)
	lines.WantEnd("")
	if _, text, err := waiting.ReadMessage(); err != nil || string(text) != `{"messageId":"late______","payload":{"s":1,"n":1}}` {
		t.Errorf("the answer under way: %s, %v", text, err)
	}
	if code, _, err := harness.AwaitClose(waiting, harness.AnswerLimit); err != nil || code != goingAway {
		t.Errorf("behind it: close %d, %v", code, err)
	}
	if status := b.Await(drainTimeout); status != 0 {
		t.Errorf("exit status %d, want 0", status)
	}
	if took := time.Since(asked); took > drainDelay+drainTimeout {
		t.Errorf("it took %v", took)
	}
	b.CheckNothingLeft()
}

// checkSpread checks that no session was closed before its turn: not during the delay, and then no more
// of them than the pace allows. A busy machine may be later.
func checkSpread(t *testing.T, at []time.Duration) {
	t.Helper()
	const tick = 20 * time.Millisecond
	for i, closed := range at {
		if turn := drainDelay + time.Duration(i)*time.Second/perSecond; closed < turn-tick {
			t.Fatalf("%d of %d sessions were closed by %v, want %v at the earliest", i+1, len(at), closed, turn)
		}
	}
}
