//go:build linux

package queue

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// jobs is a bridge.hcl but for its head, with the plugin of the stories.
func jobs(config string) string {
	return fmt.Sprintf("plugin \"jobs\" {\n  command = [%q]\n  config {\n%s\n  }\n  route \"/jobs\" {\n    auth = auth.none\n  }\n}\n", harness.Program("jobs"), config)
}

// headAt is the beginning of a bridge.hcl with that data_dir.
func headAt(dir string) string {
	return fmt.Sprintf("data_dir = %q\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n}\nadmin {\n  address = \"127.0.0.1:0\"\n}\n", dir)
}

func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bridge-queue") // for sockets, whose names are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// client is a WebSocket of the plugin.
type client struct {
	t  testing.TB
	ws *websocket.Conn
}

func dial(t testing.TB, b *harness.Bridge) *client {
	t.Helper()
	ws, err := harness.Dial(b.URL("/jobs"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return &client{t, ws}
}

func (c *client) say(format string, args ...any) {
	c.t.Helper()
	if err := harness.Send(c.ws, fmt.Sprintf(format, args...)); err != nil {
		c.t.Fatal(err)
	}
}

// hear returns the next frame.
func (c *client) hear() (string, error) {
	if err := c.ws.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
		return "", err
	}
	_, data, err := c.ws.ReadMessage()
	return string(data), err
}

func (c *client) expect(want ...string) {
	c.t.Helper()
	for _, w := range want {
		got, err := c.hear()
		if err != nil || got != w {
			c.t.Fatalf("got %q, %v, want %q", got, err, w)
		}
	}
}

// nothing fails the test when a frame comes within a while.
func (c *client) nothing() {
	c.t.Helper()
	c.say("keep") // answered behind whatever was to come
	c.expect("keeping")
}

func push(c *client, topic string, from, to int) {
	c.t.Helper()
	for i := from; i < to; i++ {
		c.say("push %s %d", topic, i)
	}
	for i := from; i < to; i++ {
		c.expect(fmt.Sprintf("pushed %d ok", i))
	}
}

func got(topic string, attempt, from, to int) []string {
	var list []string
	for i := from; i < to; i++ {
		list = append(list, fmt.Sprintf("got %s %d %d", topic, attempt, i))
	}
	return list
}

// field returns a word of a line.
func field(line string, n int) string {
	if words := strings.Fields(line); len(words) > n {
		return words[n]
	}
	return ""
}
