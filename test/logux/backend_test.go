//go:build linux

package logux

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// parole is what a Logux server and a bridge behind it have in common.
const parole = "parole"

// node is an existing Logux server as a bridge sees it: it asks the bridge as its back-end, and has a control
// endpoint.
type node struct {
	t      *testing.T
	url    string // of its control endpoint
	bridge string // of the route that it asks

	mu     sync.Mutex
	posted []string            // to the control endpoint
	handle http.HandlerFunc    // instead of 200
	seen   func(posted string) // of what is posted; nil: nobody looks
}

func startNode(t *testing.T) *node {
	t.Helper()
	n := &node{t: t}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n.mu.Lock()
		n.posted = append(n.posted, string(body))
		handle, seen := n.handle, n.seen
		n.mu.Unlock()
		if seen != nil {
			seen(string(body))
		}
		if handle != nil {
			handle(w, r)
		}
	}))
	t.Cleanup(s.Close)
	n.url = s.URL + "/"
	return n
}

func (n *node) posts() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	list := n.posted
	n.posted = nil
	return list
}

// stream posts a body and hands each answer on as it comes. It returns the status, and the body where that
// is not 200.
func stream(t *testing.T, url, body string, each func(answer string)) (status int, text string) {
	t.Helper()
	resp, err := http.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		rest, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(rest)
	}
	d := json.NewDecoder(resp.Body)
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			t.Fatal(err)
		}
		each(string(raw))
	}
	if _, err := d.Token(); err != nil {
		t.Fatalf("the list has no end: %v", err)
	}
	if rest, err := io.ReadAll(d.Buffered()); err != nil || len(rest) > 0 {
		t.Errorf("behind the list stand %q, %v", rest, err)
	}
	return resp.StatusCode, ""
}

// ask posts commands and returns the answers.
func (n *node) ask(version int, commands ...string) []string {
	n.t.Helper()
	var list []string
	body := fmt.Sprintf(`{"version":%d,"secret":%q,"commands":[%s]}`, version, parole, strings.Join(commands, ","))
	status, text := stream(n.t, n.bridge, body, func(answer string) { list = append(list, answer) })
	if status != http.StatusOK {
		n.t.Fatalf("%s is answered %d %s", body, status, text)
	}
	return list
}

// startBehindNode runs a bridge as the back-end of a Logux server, in front of a back-end.
func startBehindNode(t *testing.T, upstream string) (*harness.Bridge, *node) {
	t.Helper()
	n := startNode(t)
	b := harness.Start(t, harness.Config{File: fmt.Sprintf(`
listener "internal" {
  address = "127.0.0.1:0"
}
%s
upstream "logux_server" "node" {
  url     = %q
  secret  = %q
  timeout = "2s"
  mirror  = ["users/*"]
}
plugin "logux" {
  route "/*" {
    role     = "server"
    upstream = upstream.logux.app
    config {
      control_secret = %[4]q
    }
  }
  route "/logux" {
    role     = "backend"
    listener = listener.internal
    upstream = upstream.logux.app
    push     = upstream.logux_server.node
    config {
      secret = %[4]q
    }
  }
  route "/relay" {
    role     = "relay"
    listener = listener.internal
    upstream = upstream.logux_server.node
    config {
      secret = %[4]q
    }
  }
}
`, upstream, n.url, harness.Secret, parole)})
	n.bridge = "http://" + b.AddressOf("internal") + "/logux"
	return b, n
}

func demoUpstream(url string) string {
	return fmt.Sprintf("upstream \"logux\" \"app\" {\n  url = %q\n  secret = %q\n}\n", url, harness.Secret)
}

// kinds are the names of answers in either form.
func kinds(t *testing.T, answers []string) (names []string) {
	t.Helper()
	for _, a := range answers {
		var object struct{ Answer string }
		var array []json.RawMessage
		if json.Unmarshal([]byte(a), &object) != nil {
			if err := json.Unmarshal([]byte(a), &array); err != nil {
				t.Fatal(err)
			}
			_ = json.Unmarshal(array[0], &object.Answer)
		}
		names = append(names, object.Answer)
	}
	return names
}

// act4 is an action command of version 4.
func act4(action, id, more string) string {
	ms, _, _ := strings.Cut(id, " ")
	return fmt.Sprintf(`{"command":"action","action":%s,"meta":{"id":%q,"time":%s,"subprotocol":"1.0.0"}%s}`, action, id, ms, more)
}

// TestLoguxSuite asks what the protocol's own conformance suite asks, test by test, of a bridge in front of a
// back-end with its rules.
func TestLoguxSuite(t *testing.T) {
	demo := harness.StartDemo(t)
	_, n := startBehindNode(t, demoUpstream(demo.URL))
	auth := func(more string) string {
		return `{"command":"auth","authId":"i","userId":"10","subprotocol":"1.0.0"` + more + `}`
	}
	name := func(user, text string) string {
		return fmt.Sprintf(`{"payload":{"name":%q,"userId":%q},"type":"users/name"}`, text, user)
	}
	const failing = `,"headers":{"error":"Everything is on fire"}`
	for _, test := range []struct {
		name, command string
		want          string // names of answers
		holds         string // in one of them
	}{
		{"0 token", auth(`,"token":"10:good","cookie":{},"headers":{}`), "authenticated", `"subprotocol":"1.0.0"`},
		{"1 cookie", auth(`,"cookie":{"token":"10:good"},"headers":{}`), "authenticated", ""},
		{"2 error in auth", auth(`,"token":"10:good"` + failing), "error", "Everything is on fire"},
		{"3 wrong token", auth(`,"token":"10:bad"`), "denied", ""},
		{"4 wrong cookie", auth(`,"cookie":{"token":"10:bad"}`), "denied", ""},
		{"6 client subprotocol", `{"command":"auth","authId":"i","userId":"10","token":"10:good","subprotocol":"0.9.1"}`, "wrongSubprotocol", `"supported":"^1.0.0"`},
		{"6 another", `{"command":"auth","authId":"i","userId":"10","token":"10:good","subprotocol":"1.0.1"}`, "authenticated", ""},
		{"7 another's channel", act4(`{"type":"logux/subscribe","channel":"users/20"}`, "1 10:a:b 0", ""), "forbidden", ""},
		{"8 another's name", act4(name("20", "x"), "2 10:a:b 0", ""), "forbidden", ""},
		{"9 error on a subscription", act4(`{"type":"logux/subscribe","channel":"users/10"}`, "3 10:a:b 0", failing), "error", "Everything is on fire"},
		{"10 error on an action", act4(name("10", "x"), "4 10:a:b 0", failing), "error", "Everything is on fire"},
		{"11 nothing known yet", act4(`{"type":"logux/subscribe","channel":"users/10"}`, "5 10:a:b 0", ""), "approved processed", ""},
		{"11 a name", act4(name("10", "The User"), "6 10:a:b 0", ""), "resend approved processed", `"channels":["users/10"]`},
		{"11 the stored name", act4(`{"type":"logux/subscribe","channel":"users/10"}`, "7 10:a:c 0", ""), "approved action processed", `"action":` + name("10", "The User")},
		{"12 clean", act4(`{"type":"users/clean"}`, "8 10:a:b 0", ""), "approved action processed", `"action":` + name("10", "")},
		{"12 all are forgotten", act4(`{"type":"logux/subscribe","channel":"users/10"}`, "9 10:a:b 0", ""), "approved processed", ""},
		{"13 a later name", act4(name("10", "late"), "100 10:a:b 0", ""), "resend approved processed", ""},
		{"13 an earlier one behind it", act4(name("10", "early"), "10 10:a:b 0", ""), "resend approved processed", ""},
		{"13 the later stays", act4(`{"type":"logux/subscribe","channel":"users/10"}`, "11 10:a:b 0", ""), "approved action processed", name("10", "late")},
		{"14 unknown action", act4(`{"type":"unknown"}`, "12 10:a:b 0", ""), "unknownAction", ""},
		{"15 unknown channel", act4(`{"type":"logux/subscribe","channel":"unknown"}`, "13 10:a:b 0", ""), "unknownChannel", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			answers := n.ask(4, test.command)
			if got := strings.Join(kinds(t, answers), " "); got != test.want || !strings.Contains(strings.Join(answers, "\n"), test.holds) {
				t.Errorf("answered %q, want %s with %s", answers, test.want, test.holds)
			}
		})
	}

	// 19: one command fails, the other does not.
	answers := n.ask(4, act4(`{"type":"error"}`, "14 10:a:b 0", ""), act4(name("10", "x"), "200 10:a:b 0", ""))
	if got := strings.Join(kinds(t, answers), " "); got != "error resend approved processed" || !strings.Contains(answers[0], `"id":"14 10:a:b 0"`) {
		t.Errorf("19: answered %q", answers)
	}
	// 17, 18, 16, 20.
	for body, want := range map[string]string{
		`{"version":1000,"secret":"parole","commands":[]}`: "400 Back-end protocol version is not supported",
		`[]`: "400 Wrong body",
		`{"version":4,"secret":"wrong","commands":[]}`: "403 Wrong secret",
	} {
		if status, text := stream(t, n.bridge, body, nil); fmt.Sprint(status, " ", text) != want {
			t.Errorf("%s is answered %d %s, want %s", body, status, text, want)
		}
	}
	last := postTogether(t, n.bridge, slices.Concat(slices.Repeat([]string{`{"version":4,"secret":"wrong","commands":[]}`}, 10), []string{`{"version":4,"secret":"parole","commands":[]}`}))
	if !strings.HasPrefix(last, "HTTP/1.1 429 ") || !strings.HasSuffix(last, "\r\n\r\nToo many wrong secret attempts") {
		t.Errorf("20: the last is answered %q", last)
	}
}

// postTogether posts bodies at the same time, each on a connection of its own, and the last one when the others
// are answered, whose response it returns.
func postTogether(t *testing.T, url string, bodies []string) string {
	t.Helper()
	host, path, _ := strings.Cut(strings.TrimPrefix(url, "http://"), "/")
	post := func(body string) net.Conn {
		c, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		if _, err := fmt.Fprintf(c, "POST /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", path, host, len(body), body); err != nil {
			t.Fatal(err)
		}
		return c
	}
	answer := func(c net.Conn) string {
		text, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	last := len(bodies) - 1
	var conns []net.Conn
	for _, body := range bodies[:last] {
		conns = append(conns, post(body))
	}
	for _, c := range conns {
		answer(c)
	}
	return answer(post(bodies[last]))
}

// An asking server of an old version has the data of subscriptions by its control endpoint, in its version,
// between approved and processed; also when many ask at once, and when it takes its time.
func TestLoguxPushes(t *testing.T) {
	demo := harness.StartDemo(t)
	_, n := startBehindNode(t, demoUpstream(demo.URL))
	n.ask(4, act4(`{"payload":{"name":"The User","userId":"38"},"type":"users/name"}`, "1 38:Y7bysd:O0ETfc 0", ""))
	n.posts()
	heads := map[int]string{
		1: `{"version":1,"password":"` + harness.Secret + `","secret":"` + harness.Secret + `"`,
		2: `{"version":2,"password":"` + harness.Secret + `","secret":"` + harness.Secret + `"`,
		3: `{"version":3,"secret":"` + harness.Secret + `"`,
	}
	var wg sync.WaitGroup
	for i := range harness.Size(150, 30) {
		version := i%3 + 1
		wg.Go(func() {
			id := fmt.Sprintf("2 38:client%d:O0ETfc 0", i)
			var order []string
			var mu sync.Mutex
			client := fmt.Sprintf(`"38:client%d"`, i)
			note := func(what string) { mu.Lock(); order = append(order, what); mu.Unlock() }
			body := fmt.Sprintf(`{"version":%d,"password":%q,"commands":[["action",{"type":"logux/subscribe","channel":"users/38"},{"id":%q,"time":2}]]}`, version, parole, id)
			status, text := stream(t, n.bridge, body, func(answer string) {
				if strings.HasPrefix(answer, `["processed"`) && n.got(client, heads[version]) {
					note("data")
				}
				note(strings.SplitN(answer, `"`, 3)[1])
			})
			if got := strings.Join(order, " "); status != http.StatusOK || got != "approved data processed" {
				t.Errorf("version %d: %d %s %s, want approved data processed", version, status, text, got)
			}
		})
	}
	wg.Wait()

	// A push that is not taken is a failure of that subscription.
	n.mu.Lock()
	n.handle = func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "Wrong secret", http.StatusForbidden) }
	n.mu.Unlock()
	answers := n.ask(3, `["action",{"type":"logux/subscribe","channel":"users/38"},{"id":"3 38:a:b 0","time":3}]`)
	if got := strings.Join(kinds(t, answers), " "); got != "approved error" {
		t.Errorf("answered %q", answers)
	}
}

// got says whether the control endpoint got the name for that client in that version.
func (n *node) got(client, head string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.ContainsFunc(n.posted, func(body string) bool {
		return strings.HasPrefix(body, head) && strings.Contains(body, `"clients":[`+client+`]`) &&
			strings.Contains(body, `["action",{"payload":{"name":"The User","userId":"38"},"type":"users/name"},`)
	})
}
