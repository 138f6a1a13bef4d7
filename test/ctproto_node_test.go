//go:build linux

package test

import (
	"encoding/json"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// nodeClient is a client in JavaScript, of test/ctproto.
type nodeClient struct {
	t *testing.T
	*harness.Script
}

// startNodeClient starts one; first, if not empty, is sent before its socket can be open. The process
// ends with the test.
func startNodeClient(t *testing.T, url, authPayload, first string) *nodeClient {
	t.Helper()
	harness.RequirePackages(t, "ctproto", "ws")
	args := []string{"ctproto/run.mjs", url, authPayload}
	if first != "" {
		args = append(args, first)
	}
	return &nodeClient{t, harness.StartScript(t, args...)}
}

func (c *nodeClient) send(line string) {
	c.t.Helper()
	c.Tell(json.RawMessage(line))
}

// expect waits for what the application is told next: the parts of the event as JSON.
func (c *nodeClient) expect(want ...string) []json.RawMessage {
	c.t.Helper()
	event := c.Event()
	for i, w := range want {
		if i >= len(event) || string(event[i]) != w {
			c.t.Fatalf("got %s, want %v", event, want)
		}
	}
	return event
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
