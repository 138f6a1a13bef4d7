//go:build linux

package logux

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// Client is a Logux client whose frames the test writes. It answers what every client answers by
// itself, sync with synced and ping with pong.
type Client struct {
	t      testing.TB
	ws     *websocket.Conn
	frames chan string
	read   chan struct{} // closed when nothing more comes
	end    string        // how it ended, from then on

	mu sync.Mutex // guards writes
}

// Dial opens a WebSocket, which is closed when the test ends. The header is added to the request.
func Dial(t testing.TB, url string, header http.Header) *Client {
	t.Helper()
	d := websocket.Dialer{HandshakeTimeout: harness.AnswerLimit}
	ws, resp, err := d.Dial(url, header)
	if err != nil {
		t.Fatalf("open %s: %v, %+v", url, err, resp)
	}
	c := &Client{t: t, ws: ws, frames: make(chan string, waiting), read: make(chan struct{})}
	go c.receive()
	t.Cleanup(func() {
		c.Cut()
		<-c.read
	})
	return c
}

func (c *Client) receive() {
	defer close(c.read)
	defer close(c.frames)
	for {
		_, data, err := c.ws.ReadMessage()
		var closed *websocket.CloseError
		switch {
		case errors.As(err, &closed) && closed.Text != "":
			c.end = fmt.Sprintf("closed %d %s", closed.Code, closed.Text)
		case errors.As(err, &closed):
			c.end = fmt.Sprintf("closed %d", closed.Code)
		case err != nil:
			c.end = "cut"
		}
		if err != nil {
			return
		}
		c.react(data)
		c.frames <- string(data)
	}
}

func (c *Client) react(data []byte) {
	var frame []json.RawMessage
	if json.Unmarshal(data, &frame) != nil || len(frame) < 2 {
		return
	}
	var answer string
	switch string(frame[0]) {
	case `"sync"`:
		answer = fmt.Sprintf(`["synced",%s]`, frame[1])
	case `"ping"`:
		answer = `["pong",0]`
	default:
		return // without the lock: what is being sent may wait for what is read here
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.write(answer) // the other side may have gone
}

func (c *Client) write(text string) error {
	return c.ws.WriteMessage(websocket.TextMessage, []byte(text))
}

// Send sends a text frame.
func (c *Client) Send(text string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.write(text); err != nil {
		c.t.Errorf("send %s: %v", text, err)
	}
}

// ping asks for a pong, where the other side may have closed.
func (c *Client) ping() {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.write(`["ping",0]`)
}

// SendBinary sends a binary frame.
func (c *Client) SendBinary(text string) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, []byte(text)); err != nil {
		c.t.Errorf("send %s: %v", text, err)
	}
}

// Next is the next frame. It is none when the connection ended, and then end says how: "closed", the
// code and the reason, or "cut"; nor when nothing came within the limit, and then end is empty.
func (c *Client) Next(limit time.Duration) (frame, end string) {
	select {
	case frame, ok := <-c.frames:
		if !ok {
			return "", c.end
		}
		return frame, ""
	case <-time.After(limit):
		return "", ""
	}
}

// Cut ends the connection without a word.
func (c *Client) Cut() { _ = c.ws.NetConn().Close() }
