//go:build linux

package soak

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// patience is how long a client waits for what must come: longer than anything should take, on a machine
// that others use.
const patience = 60 * time.Second

// client is a WebSocket client.
type client struct {
	ws  *websocket.Conn
	tcp *net.TCPConn
}

// dial opens a WebSocket at a path of a listener.
func (s *soak) dial(listener, path string) (*client, error) {
	scheme, c := "ws", &client{}
	d := websocket.Dialer{
		HandshakeTimeout: patience, ReadBufferSize: 1024, WriteBufferSize: 1024,
		NetDialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			var d net.Dialer
			conn, err := d.DialContext(ctx, network, address)
			c.tcp, _ = conn.(*net.TCPConn)
			return conn, err
		},
	}
	if listener == "secure" {
		scheme = "wss"
		d.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} //nolint:gosec // its own certificate, which changes
	}
	var err error
	ws, res, err := d.Dial(scheme+"://"+s.bridge.addresses[listener]+path, nil)
	if err != nil {
		if res != nil {
			_ = res.Body.Close()
			err = fmt.Errorf("status %d: %w", res.StatusCode, err)
		}
		return nil, err
	}
	c.ws = ws
	return c, nil
}

func (c *client) send(text string) error {
	if err := c.ws.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	return c.ws.WriteMessage(websocket.TextMessage, []byte(text))
}

func (c *client) read() (string, error) {
	if err := c.ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	_, data, err := c.ws.ReadMessage()
	return string(data), err
}

// closed reads until the end and returns the code it comes with.
func (c *client) closed() (int, error) {
	for {
		_, err := c.read()
		if end, ok := errors.AsType[*websocket.CloseError](err); ok {
			return end.Code, nil
		}
		if err != nil {
			return 0, err
		}
	}
}

// expect reads the next text, which is to be that.
func (c *client) expect(want string) error {
	got, err := c.read()
	if err == nil && got != want {
		err = fmt.Errorf("heard %.200q, want %q", got, want)
	}
	return err
}

// dialCTProto opens a session that is authorized.
func (s *soak) dialCTProto(listener, path string) (*client, error) {
	c, err := s.dial(listener, path)
	if err != nil {
		return nil, err
	}
	if err = c.send(`{"messageId":"authorize_","type":"authorize","payload":{"token":"good-token"}}`); err == nil {
		err = c.expect(`{"messageId":"authorize_","payload":{"userId":"38"}}`)
	}
	if err != nil {
		c.vanish()
		return nil, fmt.Errorf("authorize: %w", err)
	}
	return c, nil
}

// dialLines opens a session of the plugin lines.
func (s *soak) dialLines(path string) (*client, error) {
	c, err := s.dial("public", path)
	if err != nil {
		return nil, err
	}
	if err := c.expect("hello"); err != nil {
		c.vanish()
		return nil, err
	}
	return c, nil
}

// ask asks so many questions at once, and returns when each has its answer.
func (s *soak) ask(c *client, count int) error {
	open := make(map[string]uint64, count)
	for range count {
		n := s.ledger.question()
		id := fmt.Sprintf("%010d", n)
		open[id] = n
		if err := c.send(question(id, n)); err != nil {
			return err
		}
	}
	for len(open) > 0 {
		text, err := c.read()
		if err != nil {
			return fmt.Errorf("%d questions are not answered: %w", len(open), err)
		}
		if strings.HasPrefix(text, `{"type":"news"`) {
			continue // what the operator publishes
		}
		id, _ := strings.CutPrefix(text, `{"messageId":"`)
		id = id[:min(len(id), 10)]
		n, ok := open[id]
		if want := fmt.Sprintf(`{"messageId":%q,"payload":{"n":%d}}`, id, n); !ok || text != want {
			return fmt.Errorf("heard %.300q, which answers nothing that was asked", text)
		}
		s.ledger.noteAnswered(n)
		delete(open, id)
	}
	return nil
}

func question(id string, n uint64) string {
	return fmt.Sprintf(`{"messageId":%q,"type":"soak/say","payload":{"n":%d}}`, id, n)
}

// echo has the plugin lines say something back.
func (c *client) echo(n int) error {
	word := strconv.Itoa(n)
	if err := c.send("ECHO " + word); err != nil {
		return err
	}
	return c.expect(word)
}

// leave closes in order.
func (c *client) leave() {
	_ = c.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	_, _ = c.closed()
	_ = c.ws.Close()
}

// vanish cuts the connection, without a word.
func (c *client) vanish() { _ = c.ws.Close() }

// reset cuts it with whatever was under way.
func (c *client) reset() {
	_ = c.tcp.SetLinger(0)
	_ = c.tcp.Close()
}

// breakOff begins a frame and leaves.
func (c *client) breakOff() {
	_, _ = c.ws.NetConn().Write([]byte{0x81, 0xfe, 0x10, 0x00, 1, 2, 3, 4, 'x'})
	c.vanish()
}

func dice(sides int) int { return rand.IntN(sides) } //nolint:gosec // nobody is to be surprised by it

// somewhere is a time from one to the other.
func somewhere(from, to time.Duration) time.Duration {
	return from + rand.N(to-from) //nolint:gosec // likewise
}
