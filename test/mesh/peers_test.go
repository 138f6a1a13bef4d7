//go:build linux

package mesh

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/crypto/bcrypt"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

const limit = harness.AnswerLimit

// peer is a client of a WebSocket, an end user's or a back-end's.
type peer struct {
	t    *testing.T
	ws   *websocket.Conn
	next int
}

func dial(t *testing.T, url string, header http.Header) *peer {
	t.Helper()
	d := websocket.Dialer{HandshakeTimeout: limit}
	ws, _, err := d.Dial(url, header)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return &peer{t: t, ws: ws}
}

func endUser(t *testing.T, b *harness.Bridge) *peer { t.Helper(); return dial(t, b.URL("/chat"), nil) }

func backend(t *testing.T, b *harness.Bridge) *peer { t.Helper(); return dial(t, b.URL("/ws/v1"), nil) }

func (p *peer) send(text string) {
	p.t.Helper()
	if err := harness.Send(p.ws, text); err != nil {
		p.t.Fatal(err)
	}
}

// frame is the next frame, as its text; a binary one in hex behind "0x".
func (p *peer) frame() string {
	p.t.Helper()
	_ = p.ws.SetReadDeadline(time.Now().Add(limit))
	kind, data, err := p.ws.ReadMessage()
	if err != nil {
		p.t.Fatal(err)
	}
	if kind == websocket.BinaryMessage {
		return fmt.Sprintf("0x%x", data)
	}
	return string(data)
}

func (p *peer) want(text string) {
	p.t.Helper()
	if got := p.frame(); got != text {
		p.t.Fatalf("got %s, want %s", got, text)
	}
}

// ask sends a request and returns its answer without E and i; events may not come before it.
func (p *peer) ask(method, params string) string {
	p.t.Helper()
	p.next++
	p.send(fmt.Sprintf(`{"m":%q,"p":%s,"i":%d}`, method, params, p.next))
	got := p.frame()
	end := fmt.Sprintf(`,"i":%d}`, p.next)
	if !strings.HasSuffix(got, end) {
		p.t.Fatalf("%s %s is answered by %s", method, params, got)
	}
	return strings.TrimPrefix(strings.TrimSuffix(got, end), `{"E":null,"r":`)
}

const done = `{"s":true}`

func (p *peer) must(method, params string) {
	p.t.Helper()
	if got := p.ask(method, params); got != done {
		p.t.Fatalf("%s %s is answered by %s", method, params, got)
	}
}

// event is what a consumer gets.
type event struct {
	E string `json:"e"`
	P struct {
		N int    `json:"n"`
		C string `json:"c"`
		T string `json:"t"`
		D struct {
			Frame struct{ Type, Data string }
		} `json:"d"`
	} `json:"p"`
}

func (p *peer) event() event {
	p.t.Helper()
	text := p.frame()
	var e event
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.E != "queue.pop" {
		p.t.Fatalf("got %s, want an event", text)
	}
	return e
}

// idOf is the client id of an end user, which a consumer of its topic learns.
func idOf(consumer, user *peer) string {
	consumer.t.Helper()
	user.send("who am I")
	return consumer.event().P.C
}

// closed is the code and reason that a connection ends with.
func (p *peer) closed() string {
	p.t.Helper()
	code, reason, err := harness.AwaitClose(p.ws, limit)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprint(code, " ", reason))
}

// silent fails where something comes. It says so of what is there when a ping that is sent now comes back.
func (p *peer) silent() {
	p.t.Helper()
	pong := errors.New("pong")
	p.ws.SetPongHandler(func(string) error { return pong })
	_ = p.ws.WriteControl(websocket.PingMessage, nil, time.Now().Add(limit))
	_ = p.ws.SetReadDeadline(time.Now().Add(limit))
	if _, data, err := p.ws.ReadMessage(); !errors.Is(err, pong) {
		p.t.Fatalf("got %s (%v), want nothing", data, err)
	}
}

type reply struct {
	status int
	header http.Header
	body   string
}

// request makes a request as a user with the password of the tests; "" as nobody.
func request(t *testing.T, method, url, user, body string) reply {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	if user != "" {
		req.SetBasicAuth(user, password)
	}
	client := &http.Client{Timeout: limit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

const password = "of the test"

func hash(t *testing.T) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.DefaultCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

// config is a bridge.hcl with that in the plugin's block and in that of the end users' route.
func config(plugin, route string) harness.Config {
	return harness.Config{File: fmt.Sprintf(`
plugin "mesh" {
  config {
%s
  }
  route "/v1/" {
    also = ["/ws/v1", "/version"]
    role = "api"
  }
  route "/chat" {
    role = "client"
    auth = auth.none
    config {
      topic = "chat"
%s
    }
  }
}
`, plugin, route)}
}
