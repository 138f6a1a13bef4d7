//go:build linux

package logux

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// loguxCommand is a command of version 4 as a back-end gets it.
type loguxCommand struct {
	Command     string          `json:"command"`
	AuthID      string          `json:"authId"`
	UserID      *string         `json:"userId"`
	Token       *string         `json:"token"`
	Subprotocol string          `json:"subprotocol"`
	Cookie      json.RawMessage `json:"cookie"`
	Headers     json.RawMessage `json:"headers"`
	Action      struct {
		Type    string `json:"type"`
		Channel string `json:"channel"`
	} `json:"action"`
	Meta struct {
		ID string `json:"id"`
	} `json:"meta"`
}

// loguxBackend is a back-end of version 4. It lets everybody in whose token is "good"; what it answers to an
// action is the test's business.
type loguxBackend struct {
	url string

	mu     sync.Mutex
	asked  []string // the body of each request
	answer func(w http.ResponseWriter, r *http.Request, c *loguxCommand)
}

func startLoguxBackend(t *testing.T, answer func(http.ResponseWriter, *http.Request, *loguxCommand)) *loguxBackend {
	t.Helper()
	b := &loguxBackend{answer: answer}
	s := httptest.NewServer(b)
	t.Cleanup(s.Close)
	b.url = s.URL
	return b
}

// ServeHTTP implements http.Handler.
func (b *loguxBackend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var body struct {
		Commands []loguxCommand `json:"commands"`
	}
	if err := json.Unmarshal(text, &body); err != nil || len(body.Commands) != 1 {
		http.Error(w, "Wrong body", http.StatusBadRequest)
		return
	}
	c := &body.Commands[0]
	b.mu.Lock()
	b.asked = append(b.asked, string(text))
	b.mu.Unlock()
	switch {
	case c.Command != "auth":
		b.answer(w, r, c)
	case c.Token != nil && *c.Token == "good":
		fmt.Fprintf(w, `[{"answer":"authenticated","authId":%q}]`, c.AuthID)
	default:
		fmt.Fprintf(w, `[{"answer":"denied","authId":%q}]`, c.AuthID)
	}
}

// requests are the bodies that came since the last time.
func (b *loguxBackend) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.asked
	b.asked = nil
	return list
}

// approve answers that an action is approved and processed.
func approve(w http.ResponseWriter, _ *http.Request, c *loguxCommand) {
	fmt.Fprintf(w, `[{"answer":"approved","id":%[1]q},{"answer":"processed","id":%[1]q}]`, c.Meta.ID)
}

// startLogux runs a bridge in front of a back-end; upstream is added to the block of that.
func startLogux(t *testing.T, url, upstream, route string) *harness.Bridge {
	t.Helper()
	return harness.Start(t, harness.Config{File: fmt.Sprintf(`
upstream "logux" "app" {
  url    = %q
  secret = %q
  %s
}
plugin "logux" {
  route "/*" {
    role     = "server"
    upstream = upstream.logux.app
    config {
      control_secret = %[2]q
      %[4]s
    }
  }
}
`, url, harness.Secret, upstream, route)})
}

// loguxClient is a client with the base of its connection.
type loguxClient struct {
	ws    *websocket.Conn
	node  string
	base  int64
	added int
}

// dialLogux opens a connection and has it authenticated.
func dialLogux(b *harness.Bridge, node string) (*loguxClient, error) {
	ws, err := harness.Dial(b.URL("/"))
	if err != nil {
		return nil, err
	}
	c := &loguxClient{ws: ws, node: node}
	if err := harness.Send(ws, fmt.Sprintf(`["connect",4,%q,0,{"token":"good"}]`, node)); err != nil {
		return nil, err
	}
	frame, err := c.next()
	if err != nil {
		return nil, err
	}
	var connected []json.RawMessage
	var times [2]int64
	if err := json.Unmarshal([]byte(frame), &connected); err != nil || len(connected) < 4 {
		return nil, fmt.Errorf("connected is %s: %w", frame, err)
	}
	if err := json.Unmarshal(connected[3], &times); err != nil {
		return nil, fmt.Errorf("connected is %s: %w", frame, err)
	}
	c.base = times[1]
	return c, nil
}

func mustDialLogux(t *testing.T, b *harness.Bridge, node string) *loguxClient {
	t.Helper()
	c, err := dialLogux(b, node)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { harness.Close(c.ws) })
	return c
}

func (c *loguxClient) next() (string, error) {
	if err := c.ws.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
		return "", err
	}
	_, frame, err := c.ws.ReadMessage()
	return string(frame), err
}

// act sends an action and returns its id.
func (c *loguxClient) act(action string) (id string, err error) {
	c.added++
	if err := harness.Send(c.ws, fmt.Sprintf(`["sync",%d,%s,{"id":%[1]d,"time":%[1]d}]`, c.added, action)); err != nil {
		return "", err
	}
	if frame, err := c.next(); err != nil || frame != fmt.Sprintf(`["synced",%d]`, c.added) {
		return "", fmt.Errorf("a sync is answered %s: %w", frame, err)
	}
	return fmt.Sprintf("%d %s 0", c.base+int64(c.added), c.node), nil
}

// heard is the next action that the client is sent: its type, and the reason of an undo.
func (c *loguxClient) heard() (string, error) {
	frame, err := c.next()
	if err != nil {
		return "", err
	}
	var parts []json.RawMessage
	var action struct{ Type, ID, Reason string }
	if err := json.Unmarshal([]byte(frame), &parts); err != nil || len(parts) != 4 {
		return "", fmt.Errorf("%s is no sync of one action: %w", frame, err)
	}
	if err := json.Unmarshal(parts[2], &action); err != nil {
		return "", err
	}
	if err := harness.Send(c.ws, fmt.Sprintf(`["synced",%s]`, parts[1])); err != nil {
		return "", err
	}
	return strings.TrimSpace(strings.TrimPrefix(action.Type, "logux/") + " " + action.Reason), nil
}

// says acts, and fails the test unless the next action the client hears is that.
func (c *loguxClient) says(t *testing.T, action, want string) {
	t.Helper()
	if _, err := c.act(action); err != nil {
		t.Fatal(err)
	}
	if got, err := c.heard(); err != nil || got != want {
		t.Errorf("%s is answered %q, %v, want %q", action, got, err, want)
	}
}

// What a client brings goes with the question who it is, and nothing else of its request.
func TestLoguxStatement05(t *testing.T) {
	t.Parallel()
	backend := startLoguxBackend(t, approve)
	b := startLogux(t, backend.url, "", "")
	ws, _, err := websocket.DefaultDialer.Dial(b.URL("/"), http.Header{
		"Cookie": {`a=%20b; q="x"; d=1; d=2`}, "Authorization": {"Bearer x"}, "X-Lang": {"de"},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer harness.Close(ws)
	c := &loguxClient{ws: ws}
	if err := harness.Send(ws, `["headers",{"lang":"fr"}]`); err != nil {
		t.Fatal(err)
	}
	if err := harness.Send(ws, `["connect",4,"38:Y7bysd:O0ETfc",0,{"token":"good","subprotocol":"1.1.0"}]`); err != nil {
		t.Fatal(err)
	}
	if frame, err := c.next(); err != nil || !strings.HasPrefix(frame, `["connected",4,"server:`) {
		t.Fatalf("connect is answered %s, %v", frame, err)
	}
	asked := backend.requests()
	const head, tail = `{"version":4,"secret":"` + harness.Secret + `","commands":[{"command":"auth","authId":"`, `","userId":"38","token":"good","subprotocol":"1.1.0",` +
		`"cookie":{"a":" b","q":"x","d":"1"},"headers":{"lang":"fr"}}]}`
	if len(asked) != 1 || !strings.HasPrefix(asked[0], head) || !strings.HasSuffix(asked[0], tail) || len(asked[0]) != len(head)+21+len(tail) {
		t.Errorf("the back-end is asked %q", asked)
	}
}

// A back-end of version 1 is asked as in the examples, with the secret under the name of its time as well.
func TestLoguxStatement06(t *testing.T) {
	t.Parallel()
	bodies := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		bodies <- string(text)
		var body struct{ Commands [][]any }
		if json.Unmarshal(text, &body) == nil {
			fmt.Fprintf(w, `[["authenticated",%q]]`, body.Commands[0][3])
		}
	}))
	t.Cleanup(s.Close)
	b := startLogux(t, s.URL, "version = 1", "")
	ws, err := harness.Dial(b.URL("/"))
	if err != nil {
		t.Fatal(err)
	}
	defer harness.Close(ws)
	if answer, err := harness.Ask(ws, `["connect",4,"38:Y7bysd:O0ETfc",0,{"token":"good-token"}]`); err != nil || !strings.HasPrefix(answer, `["connected",4,`) {
		t.Errorf("connect is answered %s, %v", answer, err)
	}
	const head, tail = `{"version":1,"password":"` + harness.Secret + `","secret":"` + harness.Secret + `","commands":[["auth","38","good-token","`, `"]]}`
	if got := <-bodies; !strings.HasPrefix(got, head) || !strings.HasSuffix(got, tail) || len(got) != len(head)+21+len(tail) {
		t.Errorf("the back-end is asked %s", got)
	}
}

// While the back-end is down clients are closed without a word, so that they come back, and they are let in as
// soon as it is there.
func TestLoguxStatement08(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	b := startLogux(t, "http://"+address+"/", `timeout = "2s"`, "")
	closed := func(what string) {
		t.Helper()
		ws, err := harness.Dial(b.URL("/"))
		if err != nil {
			t.Fatal(err)
		}
		defer harness.Close(ws)
		answer, err := harness.Ask(ws, `["connect",4,"10:a:t",0,{"token":"good"}]`)
		if !websocket.IsCloseError(err, 1013) {
			t.Errorf("%s: connect is answered %q, %v, want close 1013 and nothing else", what, answer, err)
		}
	}
	closed("refused")
	var down sync.Mutex
	answers := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	backend := &loguxBackend{answer: approve}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		down.Lock()
		handle := answers
		down.Unlock()
		handle(w, r)
	})}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	closed("503")
	down.Lock()
	answers = backend.ServeHTTP
	down.Unlock()
	mustDialLogux(t, b, "10:a:t").says(t, `{"type":"a"}`, "processed")
}

// Whoever guesses at a user is refused for a while, and others are not.
func TestLoguxStatement09(t *testing.T) {
	t.Parallel()
	backend := startLoguxBackend(t, approve)
	b := startLogux(t, backend.url, "", "")
	connect := func(node, token string) string {
		t.Helper()
		ws, err := harness.Dial(b.URL("/"))
		if err != nil {
			t.Fatal(err)
		}
		defer harness.Close(ws)
		answer, err := harness.Ask(ws, fmt.Sprintf(`["connect",4,%q,0,{"token":%q}]`, node, token))
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(answer, ",")
		return name
	}
	for range 3 {
		if got := connect("10:a:t", "bad"); got != `["error"` {
			t.Fatalf("a bad token is answered %s", got)
		}
	}
	backend.requests()
	if got := connect("10:a:t", "good"); got != `["error"` || len(backend.requests()) > 0 {
		t.Errorf("behind three wrong attempts a good one is answered %s, or asked about", got)
	}
	if got := connect("11:a:t", "good"); got != `["connected"` {
		t.Errorf("another user is answered %s", got)
	}
	harness.Until(t, 10*time.Second, "the user is let in again", func() bool { return connect("10:a:t", "good") == `["connected"` })
}

// Each deviation of a back-end leads to one outcome, and the client's next action is done.
func TestLoguxStatement23(t *testing.T) {
	t.Parallel()
	// $ is the id, and % what stands in between is sent a moment later.
	tests := []struct{ name, action, body, want string }{
		{"as it should be", "", `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"approved, then end", "", `[{"answer":"approved","id":"$"}]`, "undo error"},
		{"approved, then cut", "", `[{"answer":"approved","id":"$"},`, "undo error"},
		{"empty list", "", `[]`, "undo error"},
		{"empty body", "", ``, "undo error"},
		{"204", "", `204`, "undo error"},
		{"other ids", "", `[{"answer":"approved","id":"1 x 0"},{"answer":"processed","id":"1 x 0"}]`, "undo error"},
		{"302", "", `302`, "undo error"},
		{"404", "", `404`, "undo error"},
		{"500", "", `500`, "undo error"},
		{"reset at once", "", `reset`, "undo error"},
		{"reset behind approved", "", `[{"answer":"approved","id":"$"},%reset`, "undo error"},
		{"not JSON", "", `Internal error`, "undo error"},
		{"no comma", "", `[{"answer":"approved","id":"$"}{"answer":"processed","id":"$"}]`, "undo error"},
		{"two commas", "", `[{"answer":"approved","id":"$"},,{"answer":"processed","id":"$"}]`, "undo error"},
		{"byte order mark", "", "\xEF\xBB\xBF" + `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"comma at the end", "", `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"},]`, "processed"},
		{"junk behind", "", `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]junk`, "processed"},
		{"null element", "", `[null,{"answer":"approved","id":"$"},null,{"answer":"processed","id":"$"}]`, "processed"},
		{"string element", "", `["approved",{"answer":"processed","id":"$"}]`, "undo error"},
		{"no name", "", `[{"id":"$"}]`, "undo error"},
		{"unknown name", "", `[{"answer":"approoved","id":"$"},{"answer":"processed","id":"$"}]`, "undo error"},
		{"object of answers", "", `{"0":{"answer":"approved","id":"$"},"1":{"answer":"processed","id":"$"}}`, "undo error"},
		{"processed before approved", "", `[{"answer":"processed","id":"$"},{"answer":"approved","id":"$"}]`, "undo error"},
		{"resend behind approved", "", `[{"answer":"approved","id":"$"},{"answer":"resend","id":"$","clients":["10:a"]},{"answer":"processed","id":"$"}]`, "processed"},
		{"resend twice", "", `[{"answer":"resend","id":"$"},{"answer":"resend","id":"$","clients":["10:a"]},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "a, processed"},
		{"resend to nobody", "", `[{"answer":"resend","id":"$","channels":[]},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"resend to a string", "", `[{"answer":"resend","id":"$","clients":"10:a"},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "a, processed"},
		{"everything twice", "", `[{"answer":"approved","id":"$"},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"approved, then forbidden", "", `[{"answer":"approved","id":"$"},{"answer":"forbidden","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"error behind processed", "", `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"},%{"answer":"error","id":"$","details":"x"}]`, "processed"},
		{"error at once behind processed", "", `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"},{"answer":"error","id":"$","details":"x"}]`, "processed"},
		{"error without id", "", `[{"answer":"error","details":"x"}]`, "undo error"},
		{"error with a null id", "", `[{"answer":"error","id":null,"details":"x"}]`, "undo error"},
		{"denied", "", `[{"answer":"denied","id":"$"}]`, "undo denied"},
		{"unknown action", "", `[{"answer":"unknownAction","id":"$"}]`, "undo unknownType"},
		{"unknown channel for an action", "", `[{"answer":"unknownChannel","id":"$"}]`, "undo unknownType"},
		{"unknown action for a subscription", `{"type":"logux/subscribe","channel":"c"}`, `[{"answer":"unknownAction","id":"$"}]`, "undo wrongChannel"},
		{"unknown channel", `{"type":"logux/subscribe","channel":"c"}`, `[{"answer":"unknownChannel","id":"$"}]`, "undo wrongChannel"},
		{"resend for a subscription", `{"type":"logux/subscribe","channel":"c"}`, `[{"answer":"resend","id":"$","clients":["10:a"]},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"action for an action", "", `[{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"type":"b"},"meta":{"clients":["10:a"]}},{"answer":"processed","id":"$"}]`, "b, processed"},
		{"action before approved", "", `[{"answer":"action","id":"$","action":{"type":"b"},"meta":{"clients":["10:a"]}},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "b, processed"},
		{"action and never approved", "", `[{"answer":"action","id":"$","action":{"type":"b"},"meta":{"clients":["10:a"]}},{"answer":"forbidden","id":"$"}]`, "undo denied"},
		{"action without meta", "", `[{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"type":"b"}},{"answer":"processed","id":"$"}]`, "b, processed"},
		{"arrays", "", `[["resend","$",{"clients":["10:a"]}],["approved","$"],["processed","$"]]`, "a, processed"},
		{"Django's processed behind forbidden", "", `[{"answer":"resend","id":"$","channels":[]},{"answer":"forbidden","id":"$"},{"answer":"processed","id":"$"}]`, "undo denied"},
		{"Rack's extra keys", "", `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$","custom_data":null}]`, "processed"},
		{"Rack's wrong password", "", `[["unauthorized","Incorrect password"]]`, "undo error"},
		{"201", "", `201 [{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"types of ours that clients send", `{"type":"logux/undo","id":"1 x 0","reason":"x"}`, `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"another", `{"type":"logux/processed","id":"1 x 0"}`, `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
		{"and another", `{"type":"logux/subscribed","channel":"c"}`, `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "processed"},
	}
	var body string
	backend := startLoguxBackend(t, func(w http.ResponseWriter, r *http.Request, c *loguxCommand) {
		if c.Action.Type == "next" {
			approve(w, r, c)
			return
		}
		reply(w, strings.ReplaceAll(body, "$", c.Meta.ID))
	})
	b := startLogux(t, backend.url, "", "")
	c := mustDialLogux(t, b, "10:a:t")
	for _, test := range tests {
		if body = test.body; test.action == "" {
			test.action = `{"type":"a"}`
		}
		if _, err := c.act(test.action); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		for want := range strings.SplitSeq(test.want, ", ") {
			if got, err := c.heard(); err != nil || got != want {
				t.Errorf("%s: the client hears %q, %v, want %q", test.name, got, err, want)
			}
		}
		c.says(t, `{"type":"next"}`, "processed")
	}
}

// reply writes a response as a test has it: a status in front, % where it is flushed, "reset" where the
// connection breaks.
func reply(w http.ResponseWriter, text string) {
	var status int
	if n, _ := fmt.Sscanf(text, "%3d", &status); n == 1 && len(text) >= 3 {
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		text = strings.TrimSpace(text[3:])
	}
	for i, part := range strings.Split(text, "%") {
		if i > 0 {
			_ = http.NewResponseController(w).Flush()
		}
		if part == "reset" {
			panic(http.ErrAbortHandler)
		}
		if _, err := io.WriteString(w, part); err != nil {
			return
		}
	}
}

// An answer that comes in pieces, cut inside a character, is read as it comes.
func TestLoguxStatement25(t *testing.T) {
	t.Parallel()
	backend := startLoguxBackend(t, func(w http.ResponseWriter, _ *http.Request, c *loguxCommand) {
		text := fmt.Sprintf(`[{"answer":"approved","id":%[1]q},{"answer":"action","id":%[1]q,"action":{"type":"naïve ☃ 𝄞"}},{"answer":"processed","id":%[1]q}]`, c.Meta.ID)
		for len(text) > 0 {
			n := min(7, len(text))
			_, _ = io.WriteString(w, text[:n])
			_ = http.NewResponseController(w).Flush()
			text = text[n:]
		}
	})
	b := startLogux(t, backend.url, "", "")
	c := mustDialLogux(t, b, "10:a:t")
	c.says(t, `{"type":"a"}`, "naïve ☃ 𝄞")
	if got, err := c.heard(); err != nil || got != "processed" {
		t.Errorf("the client hears %q, %v", got, err)
	}
}

// Back-ends post what a client subscribed to while their response is open: many at once, and more than there
// are connections to the back-end, wait for nobody.
func TestLoguxStatement30(t *testing.T) {
	t.Parallel()
	clients := 1000
	if testing.Short() {
		clients = 200
	}
	var b *harness.Bridge
	backend := startLoguxBackend(t, func(w http.ResponseWriter, r *http.Request, c *loguxCommand) {
		fmt.Fprintf(w, `[{"answer":"approved","id":%q},`, c.Meta.ID)
		_ = http.NewResponseController(w).Flush()
		client := strings.TrimSuffix(strings.Fields(c.Meta.ID)[1], ":t")
		body := fmt.Sprintf(`{"version":4,"secret":%q,"commands":[{"command":"action","action":{"type":"data"},"meta":{"clients":[%q]}}]}`, harness.Secret, client)
		req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+b.Address()+"/", strings.NewReader(body))
		if err == nil {
			var resp *http.Response
			if resp, err = http.DefaultClient.Do(req); err == nil {
				_ = resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					err = errors.New(resp.Status)
				}
			}
		}
		if err != nil {
			t.Errorf("post to the control endpoint: %v", err)
		}
		fmt.Fprintf(w, `{"answer":"processed","id":%q}]`, c.Meta.ID)
	})
	b = startLogux(t, backend.url, "", "")
	var open sync.WaitGroup
	list := make([]*loguxClient, clients)
	limit := make(chan struct{}, 50)
	for i := range list {
		open.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			var err error
			if list[i], err = dialLogux(b, fmt.Sprintf("%d:c:t", i)); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	open.Wait()
	if t.Failed() {
		return
	}
	for i, c := range list {
		open.Go(func() {
			defer harness.Close(c.ws)
			_, err := c.act(fmt.Sprintf(`{"type":"logux/subscribe","channel":"c/%d"}`, i))
			for _, want := range []string{"data", "processed"} {
				var got string
				if err == nil {
					got, err = c.heard()
				}
				if err == nil && got != want {
					err = fmt.Errorf("it hears %q, want %q", got, want)
				}
			}
			if err != nil {
				t.Errorf("client %d: %v", i, err)
			}
		})
	}
	open.Wait()
}
