//go:build linux

package chatweb

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// direct is a client without a page, at the bridge itself.
type direct struct {
	t  *testing.T
	ws *websocket.Conn
}

// direct logs in, or signs up, once nobody else has the login.
func (p *place) direct(t *testing.T, request int, login string) *direct {
	t.Helper()
	ws, err := harness.Dial(p.URL("/chat"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	d := &direct{t, ws}
	enter := fmt.Sprintf(`{"type":%d,"login":%q,"pass":"%x","name":"","desc":""}`, request, login, sha256.Sum256([]byte(password)))
	harness.Until(t, harness.AnswerLimit, login+" is logged in", func() bool {
		d.say(enter)
		return d.next() == 2
	})
	return d
}

func (d *direct) say(text string) {
	d.t.Helper()
	if err := harness.Send(d.ws, text); err != nil {
		d.t.Fatal(err)
	}
}

// next is the type of the next frame.
func (d *direct) next() int {
	d.t.Helper()
	_, data, err := d.ws.ReadMessage()
	if err != nil {
		d.t.Fatal(err)
	}
	var frame struct{ Type int }
	if err := json.Unmarshal(data, &frame); err != nil {
		d.t.Fatal(err)
	}
	return frame.Type
}

// ask sends a request and waits until everybody has been told of it.
func (d *direct) ask(request int, fields string, args ...any) {
	d.t.Helper()
	d.say(fmt.Sprintf(`{"type":%d,%s}`, request, fmt.Sprintf(fields, args...)))
	for {
		switch d.next() {
		case request:
			return
		case 9:
			d.t.Fatalf("request %d was refused: "+fields, append([]any{request}, args...)...)
		}
	}
}

func (d *direct) close() { harness.Close(d.ws) }
