//go:build linux

package logux

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
	"github.com/protocol-bridge/bridge/test/internal/logux"
)

// The protocol's conformance suite has this many tests, and ends with one that guesses secrets.
const (
	suiteTests   = 21
	suiteGuesses = suiteTests - 1
)

// The protocol's conformance suite passes with a bridge for the back-end, in front of one with its rules.
func TestLoguxConformance(t *testing.T) {
	logux.RequirePeers(t)
	// The suite starts a server at this address, and no other.
	l, err := net.Listen("tcp", "127.0.0.1:31337")
	if err != nil {
		t.Fatalf("the suite needs the address of a Logux server, stop what has it: %v", err)
	}
	_ = l.Close()
	demo := harness.StartDemo(t)
	_, n := startBehindNode(t, demoUpstream(demo.URL))

	last := strconv.Itoa(suiteGuesses)
	runSuite(t, suiteTests-1, n.bridge, "--ignore", last)
	// The last one posts wrong secrets and the right one at the same time, and wants the right one to come
	// after the others, which is not for the bridge to say.
	runSuite(t, 1, inTurn(t, n.bridge), last)
}

// runSuite runs the suite against the back-end at url, and wants that many of its tests to pass.
func runSuite(t *testing.T, want int, url string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*harness.AnswerLimit)
	defer cancel()
	program := filepath.Join("node_modules", "logux-backend-test", "bin.js")
	suite := exec.CommandContext(ctx, "node", append([]string{program, url}, args...)...)
	suite.WaitDelay = time.Second
	out, err := suite.CombinedOutput()
	if passed := strings.Count(string(out), "✔"); err != nil || passed != want {
		t.Fatalf("%d of %d tests pass: %v\n%s", passed, want, err, out)
	}
}

// inTurn returns an address for a server's url, where requests are passed on one by one, in the order in which
// their connections came.
func inTurn(t *testing.T, to string) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := target.Host
	done := make(chan struct{})
	t.Cleanup(func() { _ = l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if err := passOn(c, server); err != nil {
				t.Errorf("a request in turn: %v", err)
			}
			_ = c.Close()
		}
	}()
	target.Host = l.Addr().String()
	return target.String()
}

// passOn asks the server what a client's first request asks, and answers with what it says.
func passOn(client net.Conn, server string) error {
	_ = client.SetDeadline(time.Now().Add(harness.AnswerLimit))
	r, err := http.ReadRequest(bufio.NewReader(client))
	if err != nil {
		return err
	}
	r.URL.Scheme, r.URL.Host = "http", server
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	answer.Close = true
	return answer.Write(client)
}
