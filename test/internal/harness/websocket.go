//go:build linux

package harness

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/websocket"
)

// AnswerLimit is how long a client waits for what must come. It says nothing of how long it may
// take: that is what stories state.
const AnswerLimit = 30 * time.Second

var dialer = &websocket.Dialer{HandshakeTimeout: AnswerLimit, ReadBufferSize: 1024, WriteBufferSize: 1024}

// Dial opens a WebSocket.
func Dial(url string) (*websocket.Conn, error) {
	ws, resp, err := dialer.Dial(url, nil)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w, status %d", url, err, statusOf(resp))
	}
	return ws, nil
}

func statusOf(resp *http.Response) int {
	if resp == nil {
		return 0
	}
	return resp.StatusCode
}

// read returns the next text frame.
func read(ws *websocket.Conn, limit time.Duration) ([]byte, error) {
	if err := ws.SetReadDeadline(time.Now().Add(limit)); err != nil {
		return nil, err
	}
	_, data, err := ws.ReadMessage()
	return data, err
}

// Send sends a text frame.
func Send(ws *websocket.Conn, text string) error {
	return ws.WriteMessage(websocket.TextMessage, []byte(text))
}

// Ask sends a text frame and returns the next one that comes.
func Ask(ws *websocket.Conn, text string) (string, error) {
	if err := Send(ws, text); err != nil {
		return "", err
	}
	data, err := read(ws, AnswerLimit)
	return string(data), err
}

// Read returns the next frame.
func Read(ws *websocket.Conn, limit time.Duration) (string, error) {
	data, err := read(ws, limit)
	return string(data), err
}

// Close closes a WebSocket in order.
func Close(ws *websocket.Conn) {
	_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(1000, ""), time.Now().Add(time.Second))
	_ = ws.Close()
}

// AwaitClose reads until the connection is closed, drops what comes before, and returns the close
// frame's code and reason. An end without a close frame is an error, and so is none within the limit.
func AwaitClose(ws *websocket.Conn, limit time.Duration) (code int, reason string, err error) {
	deadline := time.Now().Add(limit)
	for {
		_, err := read(ws, time.Until(deadline))
		var closed *websocket.CloseError
		switch {
		case errors.As(err, &closed) && closed.Code != websocket.CloseAbnormalClosure:
			return closed.Code, closed.Text, nil
		case err != nil:
			return 0, "", err
		}
	}
}

// message is one of CTProto's.
type message struct {
	ID      string          `json:"messageId"`
	Type    string          `json:"type,omitempty"`
	Payload json.RawMessage `json:"payload"`
}

// Token is one that the bridges of the stories accept, with AuthBlock.
const Token = "good-token"

// AuthBlock is the block of bridge.hcl that names auth.static.dev.
const AuthBlock = "auth \"static\" \"dev\" {\n  tokens = { " + Token + " = \"38\" }\n}\n"

// authorizeFrame is a client's first message.
const authorizeFrame = `{"messageId":"authorize_","type":"authorize","payload":{"token":"` + Token + `"}}`

// authorizedFrame is the response to it.
const authorizedFrame = `{"messageId":"authorize_","payload":{"userId":"38"}}`

// DialCTProto opens a WebSocket and authorizes.
func DialCTProto(url string) (*websocket.Conn, error) {
	ws, err := Dial(url)
	if err != nil {
		return nil, err
	}
	if err := authorize(ws); err != nil {
		_ = ws.Close()
		return nil, fmt.Errorf("authorize: %w", err)
	}
	return ws, nil
}

func authorize(ws *websocket.Conn) error {
	if err := ws.WriteMessage(websocket.TextMessage, []byte(authorizeFrame)); err != nil {
		return err
	}
	answer, err := read(ws, AnswerLimit)
	if err == nil && string(answer) != authorizedFrame {
		err = fmt.Errorf("answer %q, want %q", answer, authorizedFrame)
	}
	return err
}
