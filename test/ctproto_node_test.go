//go:build linux

package test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// nodeClient is a client in JavaScript, of test/ctproto, in a process of its own.
type nodeClient struct {
	t      *testing.T
	stdin  io.WriteCloser
	events chan []json.RawMessage
}

// startNodeClient starts one; first, if not empty, is sent before its socket can be open. The process
// ends with the test.
func startNodeClient(t *testing.T, url, authPayload, first string) *nodeClient {
	t.Helper()
	node, err := exec.LookPath("node")
	if err == nil {
		_, err = os.Stat(filepath.Join("ctproto", "node_modules", "ws"))
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("the JavaScript client cannot run, try npm ci --prefix test/ctproto: %v", err)
	}
	args := []string{"ctproto/run.mjs", url, authPayload}
	if first != "" {
		args = append(args, first)
	}
	cmd := exec.Command(node, args...)
	cmd.Stderr = t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &nodeClient{t: t, stdin: stdin, events: make(chan []json.RawMessage, 100)}
	go func() {
		defer close(c.events)
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			var event []json.RawMessage
			if json.Unmarshal(lines.Bytes(), &event) == nil {
				c.events <- event
			}
		}
		_ = cmd.Wait() // it is killed where it does not end by itself
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		late := time.AfterFunc(harness.AnswerLimit, func() { _ = cmd.Process.Kill() })
		defer late.Stop()
		for range c.events {
			continue // nobody looks at them any more
		}
	})
	return c
}

func (c *nodeClient) send(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c.stdin, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

// expect waits for what the application is told next: the parts of the event as JSON.
func (c *nodeClient) expect(want ...string) []json.RawMessage {
	c.t.Helper()
	select {
	case event, ok := <-c.events:
		if !ok {
			c.t.Fatalf("the client ended, want %v", want)
		}
		for i, w := range want {
			if i >= len(event) || string(event[i]) != w {
				c.t.Fatalf("got %s, want %v", event, want)
			}
		}
		return event
	case <-time.After(harness.AnswerLimit):
		c.t.Fatalf("nothing came, want %v", want)
	}
	return nil
}

// Given the JavaScript client and a back-end that adds, when it connects and sends before open, then
// its promise resolves with the sum. Updates reach its onMessage, and nothing else does.
func TestCTProtoStatement36(t *testing.T) {
	b, _ := startCTProto(t)
	c := startNodeClient(t, b.URL("/client"), `{"token":"ada","name":"Ada"}`, `{"type":"sum-of-numbers","payload":{"a":10,"b":11}}`)
	c.expect(`"auth"`, `{"token":"ada","name":"Ada"}`)
	c.expect(`"response"`, `"sum-of-numbers"`, `{"sum":21}`)
	c.send(`{"type":"sum-of-numbers","payload":{"a":1,"b":2}}`)
	c.expect(`"response"`, `"sum-of-numbers"`, `{"sum":3}`)

	post(t, b, "updates", `{"select":{"path":"/name","equals":"Ada"},"type":"workspace-updated","payload":{"id":"111"}}`, `{"matched":1,"sent":1}`)
	var m newMessage
	if err := json.Unmarshal(c.expect(`"message"`)[1], &m); err != nil || m.Type != "workspace-updated" || string(m.Payload) != `{"id":"111"}` {
		t.Errorf("got %+v, %v", m, err)
	}

	// Closed by the back-end, it comes back when the application sends again.
	post(t, b, "close", `{"select":{"path":"/name","equals":"Ada"},"code":4001,"reason":"moved"}`, `{"matched":1}`)
	c.expect(`"close"`, `4001`, `"moved"`)
	c.send(`{"type":"sum-of-numbers","payload":{"a":2,"b":2}}`)
	c.expect(`"auth"`, `{"token":"ada","name":"Ada"}`)
	c.expect(`"response"`, `"sum-of-numbers"`, `{"sum":4}`)
}

// What was sent before open is lost with the authorization that is refused, and no message comes.
func TestCTProtoNodeClientRefused(t *testing.T) {
	b, _ := startCTProto(t)
	c := startNodeClient(t, b.URL("/client"), `{"token":"refused"}`, `{"type":"sum-of-numbers","payload":{"a":10,"b":11}}`)
	c.expect(`"close"`, `1008`, `"Authorization failed: Wrong auth payload"`)
}
