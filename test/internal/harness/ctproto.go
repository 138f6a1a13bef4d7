//go:build linux

package harness

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gorilla/websocket"
)

// Authorize opens a WebSocket and sends authorize with that payload. The answer is the payload of the
// response, or, when the connection is closed instead, empty with the close frame's code and reason.
// The caller closes the connection, which is nil only with an error.
func Authorize(url, payload string) (ws *websocket.Conn, answer string, closed *websocket.CloseError, err error) {
	ws, err = Dial(url)
	if err != nil {
		return nil, "", nil, err
	}
	frame, err := Ask(ws, `{"messageId":"authorize_","type":"authorize","payload":`+payload+`}`)
	if errors.As(err, &closed) {
		return ws, "", closed, nil
	}
	if err != nil {
		_ = ws.Close()
		return nil, "", nil, err
	}
	var m message
	if err := json.Unmarshal([]byte(frame), &m); err != nil || m.ID != "authorize_" || m.Type != "" {
		_ = ws.Close()
		return nil, "", nil, fmt.Errorf("answer %q is no response to authorize", frame)
	}
	return ws, string(m.Payload), nil, nil
}
