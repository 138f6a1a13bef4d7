//go:build linux

package chat

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// pass is what a client makes of a password.
const pass = "3de9273e88d1153033fccc7574cc168a51022a55738bff6727ae581e8c19380f"

// far is a date which nothing is newer than.
const far = "9999999999999"

// place is a running bridge with a chat.
type place struct {
	*harness.Bridge
	tcp string // address of the listener of lines
}

var logins atomic.Int64

// login is one that nobody has yet.
func login(name string) string { return fmt.Sprintf("%s_%d", name, logins.Add(1)) }

// open starts a bridge whose chat has that database, with a config besides.
func open(t testing.TB, database, config string) *place {
	t.Helper()
	b := harness.Start(t, harness.Config{File: file(database, config)})
	return &place{b, b.AddressOf("legacy")}
}

func file(database, config string) string {
	return "listener \"legacy\" {\n  address = \"127.0.0.1:0\"\n  framing = \"lines\"\n}\n" +
		"plugin \"chat\" {\n  config {\n    database = \"" + database + "\"\n" + config + "  }\n" +
		"  route \"/chat\" {}\n  route \"/\" {\n    listener = listener.legacy\n  }\n}\n"
}

// client is one connection.
type client struct {
	t     testing.TB
	ws    *websocket.Conn
	tcp   *net.TCPConn
	lines *bufio.Reader

	login, token string
	id           int64 // of its user, once that is known
}

var dialer = &websocket.Dialer{HandshakeTimeout: harness.AnswerLimit, WriteBufferPool: new(sync.Pool)}

// dial connects over WebSocket, until the test ends. It comes again where it is asked to, as the plugin is not there.
func (p *place) dial(t testing.TB) *client {
	t.Helper()
	var ws *websocket.Conn
	harness.Until(t, harness.AnswerLimit, "the plugin is there", func() bool {
		var resp *http.Response
		var err error
		ws, resp, err = dialer.Dial(p.URL("/chat"), nil)
		away := resp != nil && resp.StatusCode == http.StatusServiceUnavailable && resp.Header.Get("Retry-After") != ""
		if err != nil && !away {
			t.Fatal(err, resp)
		}
		return err == nil
	})
	c := &client{t: t, ws: ws}
	t.Cleanup(func() { _ = ws.Close() })
	return c
}

// dialTCP connects over TCP.
func (p *place) dialTCP(t testing.TB) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", p.tcp, harness.AnswerLimit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, tcp: conn.(*net.TCPConn), lines: bufio.NewReader(conn)}
}

// both are a client of each transport.
func (p *place) both(t testing.TB) map[string]*client {
	t.Helper()
	return map[string]*client{"WebSocket": p.dial(t), "TCP": p.dialTCP(t)}
}

// user signs somebody up over WebSocket.
func (p *place) user(t testing.TB, name string) *client {
	t.Helper()
	c := p.dial(t)
	c.signUp(login(name))
	return c
}

func (c *client) signUp(login string) {
	c.t.Helper()
	c.say(`{"type":1,"login":%q,"pass":%q,"name":"","desc":"about %s"}`, login, pass, login)
	c.in(login)
}

func (c *client) logIn(login string) {
	c.t.Helper()
	c.say(`{"type":0,"login":%q,"pass":%q}`, login, pass)
	c.in(login)
}

// in reads the answer of a log-in.
func (c *client) in(login string) {
	c.t.Helper()
	m := c.get()
	token, _ := m["token"].(string)
	if typ := fmt.Sprint(m["type"]); typ != "2" && typ != "RQ_TOKEN" || m["login"] != login || !strings.HasSuffix(token, login) {
		c.t.Fatalf("answer to a log-in: %v", m)
	}
	c.login, c.token = login, token
}

// room makes a room, whose id it returns.
func (c *client) room(name string) int64 {
	c.t.Helper()
	c.say(`{"type":12,"name":%q,"desc":"","type":1}`, name)
	m := c.get()
	if m["name"] != name || number(m["type"]) != 12 {
		c.t.Fatalf("answer to a new room: %v", m)
	}
	c.id = number(m["customer_id"])
	return number(m["id"])
}

// join joins a room; the others there are told.
func (c *client) join(room int64, others ...*client) {
	c.t.Helper()
	c.say(`{"type":14,"room_id":%d}`, room)
	c.want(`{"type":14,"name":"<any>","customer_id":<n>,"id":%d,"date":<n>,"desc":"<any>","power":<n>,"room_type":1}`, room)
	m := c.get()
	if number(m["type"]) != 21 || number(m["room_id"]) != room || m["login"] != c.login {
		c.t.Fatalf("told of the joining: %v", m)
	}
	c.id = number(m["user_id"])
	for _, o := range others {
		o.want(`{"type":21,"user_id":%d,"room_id":%d,"login":"%s"}`, c.id, room, c.login)
	}
}

// speak says a text, which all hear, the speaker as well; it returns the message's id and date.
func (c *client) speak(room int64, text string, others ...*client) (id, date int64) {
	c.t.Helper()
	c.say(`{"type":3,"room_id":%d,"message":%q,"msg_type":0}`, room, text)
	for _, o := range append([]*client{c}, others...) {
		m := o.get()
		if number(m["type"]) != 3 || m["message"] != text || number(m["room_id"]) != room {
			c.t.Fatalf("%s heard %v, want %q", o.login, m, text)
		}
		id, date = number(m["message_id"]), number(m["date"])
		if m := o.get(); number(m["type"]) != 17 {
			c.t.Fatalf("%s heard %v, want a room's power", o.login, m)
		}
	}
	return id, date
}

func number(v any) int64 {
	n, ok := v.(json.Number)
	if !ok {
		return -1
	}
	i, _ := n.Int64()
	return i
}

// say sends a frame or a line.
func (c *client) say(format string, args ...any) {
	c.t.Helper()
	c.send(fmt.Sprintf(format, args...))
}

func (c *client) send(text string) {
	c.t.Helper()
	var err error
	if c.ws != nil {
		err = harness.Send(c.ws, text)
	} else {
		_, err = io.WriteString(c.tcp, text+"\n")
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) binary(data string) {
	c.t.Helper()
	if err := c.ws.WriteMessage(websocket.BinaryMessage, []byte(data)); err != nil {
		c.t.Fatal(err)
	}
}

// next is what comes next.
func (c *client) next() (text string, binary bool, err error) {
	until := time.Now().Add(harness.AnswerLimit)
	if c.ws == nil {
		if err := c.tcp.SetReadDeadline(until); err != nil {
			return "", false, err
		}
		text, err := c.lines.ReadString('\n')
		return strings.TrimSuffix(text, "\n"), false, err
	}
	if err := c.ws.SetReadDeadline(until); err != nil {
		return "", false, err
	}
	kind, data, err := c.ws.ReadMessage()
	return string(data), kind == websocket.BinaryMessage, err
}

func (c *client) line() string {
	c.t.Helper()
	text, binary, err := c.next()
	if err != nil || binary {
		c.t.Fatalf("%s: no text came but %q, %v", c.login, text, err)
	}
	return text
}

func (c *client) get() map[string]any {
	c.t.Helper()
	text := c.line()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		c.t.Fatalf("%q: %v", text, err)
	}
	return m
}

var placeholders = strings.NewReplacer("<n>", `[0-9]+`, "<date>", `[0-9]{13}`, "<any>", `.*`, "<hex>", `[0-9a-f]+`)

// want fails unless the next text is this one, which may have placeholders.
func (c *client) want(format string, args ...any) string {
	c.t.Helper()
	want, got := fmt.Sprintf(format, args...), c.line()
	if ok, err := regexp.MatchString("^"+placeholders.Replace(regexp.QuoteMeta(want))+"$", got); err != nil || !ok {
		c.t.Fatalf("%s\ngot  %s\nwant %s", c.login, got, want)
	}
	return got
}

// refused fails unless the answer is this error, of a request of that type; after it the connection goes on.
func (c *client) refused(code, of int) {
	c.t.Helper()
	if c.ws == nil {
		c.ended()
		return
	}
	m := c.get()
	if number(m["type"]) != 9 || number(m["error_code"]) != int64(code) || of >= 0 && number(m["request"]) != int64(of) {
		c.t.Fatalf("%s: got %v, want error %d of request %d", c.login, m, code, of)
	}
}

// ended fails unless the server closes without a word.
func (c *client) ended() {
	c.t.Helper()
	if text, _, err := c.next(); !errors.Is(err, io.EOF) || text != "" {
		c.t.Fatalf("got %q, %v, want the end", text, err)
	}
}

// closed fails unless the server closes with this code.
func (c *client) closed(code int) {
	c.t.Helper()
	text, _, err := c.next()
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != code {
		c.t.Fatalf("got %q, %v, want the end with %d", text, err, code)
	}
}

// nothing fails if anything is on its way to the client: what it asks now is answered next.
func (c *client) nothing() {
	c.t.Helper()
	c.say(`{"type":11,"date":%s}`, far)
	c.want(`{"type":11,"rooms":[]}`)
}

// until reads until something comes that begins so.
func (c *client) until(begin string) {
	c.t.Helper()
	for !strings.HasPrefix(c.line(), begin) {
		continue
	}
}

func (c *client) close() {
	if c.ws != nil {
		harness.Close(c.ws)
	} else {
		_ = c.tcp.Close()
	}
}
