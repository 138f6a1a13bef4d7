package logux

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

// requestRoutes has a route of each role that serves requests, all with the secret "parole".
func requestRoutes() plugintest.Config {
	const secrets = `"control_secret":["parole","old"],"secret":["parole","old"]`
	config := func(more string) []byte { return []byte(`{` + secrets + more + `}`) }
	return plugintest.Config{Routes: []*pluginv1.RouteConfig{
		{Id: "server", Path: "/*", Role: "server", Upstream: "logux", Auth: true, Config: config(`,"subprotocol":"1.2.0"`)},
		{Id: "closed", Path: "/closed/", Role: "server", Upstream: "logux", Auth: true},
		{Id: "control", Path: "/control", Role: "control", Config: config(`,"control_mask":["127.0.0.1/8","::1/128","203.0.113.0/24"]`)},
		{Id: "backend", Path: "/logux", Role: "backend", Upstream: "logux", Push: "logux_server", Config: config("")},
		{Id: "strict", Path: "/strict", Role: "backend", Upstream: "logux", Config: config(`,"strict_v1":true`)},
		{Id: "http", Path: "/http", Role: "backend", Upstream: "http", Auth: true, Push: "logux_server", Config: config(`,"subprotocol":"1.2.0"`)},
		{Id: "relay", Path: "/relay", Role: "relay", Upstream: "logux_server", Config: config("")},
	}}
}

// post is a request. What is not said is that of a back-end on this machine that POSTs to the path of the
// route.
type post struct {
	route, method, path string
	address             string // of whom it comes from
	remote              bool   // it is forwarded for somebody else, or comes from another machine
	body                string
	streamed            bool
	at                  time.Duration // since the first
}

// begin is when the first request of a test comes.
var begin = time.UnixMilli(1_600_000_000_000)

func (r post) event(session uint64) *pluginv1.Event {
	s := plugintest.Snapshot()
	s.Route = or(r.route, "control")
	paths := map[string]string{"server": "/", "closed": "/closed/", "control": "/control", "backend": "/logux", "strict": "/strict", "http": "/http", "relay": "/relay"}
	s.Session = &pluginv1.SessionInfo{
		RemoteAddress: or(r.address, "127.0.0.1:50000"), Local: !r.remote, Host: "127.0.0.1",
		Method: or(r.method, "POST"), Path: or(r.path, paths[s.GetRoute()]), Transport: pluginv1.Transport_TRANSPORT_HTTP,
	}
	return &pluginv1.Event{
		Actor: session, Time: begin.Add(r.at).UnixMilli(),
		Kind: &pluginv1.Event_Request{Request: &pluginv1.Request{Snapshot: s, Body: []byte(r.body), Streamed: r.streamed}},
	}
}

func or(text, fallback string) string {
	if text == "" {
		return fallback
	}
	return text
}

// posts sends requests one after another, each a session of its own, and returns what the plugin does with
// each.
func posts(t *testing.T, list ...post) []string {
	t.Helper()
	b := plugintest.NewBench(t, New(), requestRoutes())
	steps := make([]string, len(list))
	for i, r := range list {
		steps[i] = plugintest.Format(b.Send(r.event(uint64(i + 1)))[0])
	}
	return steps
}

// respond is how a whole response looks.
func respond(status int, body string) string {
	return fmt.Sprintf("respond %d last=true %s", status, body)
}

// in4 is a body of version 4 with the right secret.
func in4(commands ...string) string {
	return `{"version":4,"secret":"parole","commands":[` + strings.Join(commands, ",") + `]}`
}

const health = "Logux Server: OK\n"

func TestControlChecks(t *testing.T) {
	t.Parallel()
	const note = `{"command":"action","action":{"type":"note"},"meta":{}}`
	tests := []struct {
		name string
		post
		want string
	}{
		{"nothing to do", post{body: in4()}, respond(0, "")},
		{"for nobody", post{body: in4(note)}, respond(0, "")},
		{"the other secret", post{body: `{"version":3,"secret":"old","commands":[]}`}, respond(0, "")},
		{"under its old name", post{body: `{"version":1,"password":"parole","commands":[]}`}, respond(0, "")},

		{"health", post{path: "/health", method: "GET", remote: true, address: "203.0.113.9:1", route: "server"}, respond(0, health)},
		{"status", post{path: "/status", method: "GET", remote: true, address: "203.0.113.9:1", route: "server"}, respond(0, health)},
		{"the page", post{path: "/", method: "GET", remote: true, address: "203.0.113.9:1", route: "server"}, respond(0, health)},
		{"health of a server without control", post{path: "/closed/health", method: "GET", route: "closed"}, respond(0, health)},
		{"health on a path of its own", post{path: "/health", method: "GET"}, respond(0, health)},
		{"post to health", post{path: "/health", route: "server", body: in4()}, respond(405, "Wrong method")},
		{"head of health", post{path: "/health", method: "HEAD", route: "server"}, respond(405, "Wrong method")},
		{"head", post{path: "/", method: "HEAD", route: "server"}, respond(405, "Wrong method")},
		{"put", post{method: "PUT", body: in4()}, respond(405, "Wrong method")},
		{"post to a server without control", post{route: "closed", body: in4()}, respond(405, "Wrong method")},
		{"another path", post{path: "/logux", route: "server", body: in4()}, respond(404, "Wrong path")},
		{"below", post{path: "/control/x", body: in4()}, respond(404, "Wrong path")},
		{"get of another path", post{path: "/index.html", method: "GET", route: "server"}, respond(404, "Wrong path")},
		{"another path of the route", post{path: "/other", body: in4()}, respond(0, "")},

		{"outside the mask", post{address: "198.51.100.1:1", remote: true, body: in4()}, respond(403, "IP address is not in LOGUX_CONTROL_MASK/controlMask")},
		{"inside the mask", post{address: "203.0.113.9:1", remote: true, body: in4()}, respond(0, "")},
		{"forwarded", post{remote: true, body: in4()}, respond(403, "IP address is not in LOGUX_CONTROL_MASK/controlMask")},
		{"IPv6", post{address: "[::1]:1", route: "server", body: in4()}, respond(0, "")},
		{"outside the default mask", post{address: "203.0.113.9:1", remote: true, route: "server", body: "{"}, respond(403, "IP address is not in LOGUX_CONTROL_MASK/controlMask")},

		{"too large", post{streamed: true}, respond(413, "Body is larger than 10 MiB")},
		{"too many", post{body: in4(strings.TrimSuffix(strings.Repeat("{},", 50_001), ","))}, respond(413, "Too many commands")},
		{
			"too many receivers",
			post{body: in4(`["action",{"type":"a"},{"channel":"c","id":"1 1:a:t 0","clients":[` + strings.Repeat(`"a",`, 2_500_000) + `"a"]}]`)},
			respond(413, "Too many commands"),
		},
		{"not JSON", post{body: `{`}, respond(400, "Wrong format")},
		{"empty", post{}, respond(400, "Wrong format")},
		{"a list", post{body: `[]`}, respond(400, "Wrong body")},
		{"null", post{body: `null`}, respond(400, "Wrong body")},
		{"a command that is a word", post{body: `{"version":4,"secret":"x","commands":["action"]}`}, respond(400, "Wrong body")},
		{"version 5", post{body: `{"version":5,"secret":"x","commands":[]}`}, respond(400, "Back-end protocol version is not supported")},
		{"wrong secret", post{body: `{"version":4,"secret":"x","commands":[[]]}`}, respond(403, "Wrong secret")},
		{"no secret", post{body: `{"version":4,"secret":"","commands":[]}`}, respond(403, "Wrong secret")},

		{"auth", post{body: in4(note, `{"command":"auth","authId":"i"}`)}, respond(400, "Wrong command")},
		{"no name", post{body: in4(note, `{}`)}, respond(400, "Wrong command")},
		{"empty command", post{body: in4(`[]`)}, respond(400, "Wrong command")},
		{"no action", post{body: in4(`["action"]`)}, respond(400, "Wrong command")},
		{"action without a type", post{body: in4(`["action",{"payload":1},{}]`)}, respond(400, "Wrong command")},
		{"action with a type that is a number", post{body: in4(`["action",{"type":1},{}]`)}, respond(400, "Wrong command")},
		{"no meta", post{body: in4(`["action",{"type":"a"}]`)}, respond(400, "Wrong command")},
		{"meta that is a list", post{body: in4(`["action",{"type":"a"},[]]`)}, respond(400, "Wrong command")},
		{"reasons that are none", post{body: in4(`["action",{"type":"a"},{"reasons":"x"}]`)}, respond(400, "Wrong command")},
		{"channels that are none", post{body: in4(`["action",{"type":"a"},{"channels":{"a":1}}]`)}, respond(400, "Wrong command")},
		{"id that is none", post{body: in4(`["action",{"type":"a"},{"id":"x"}]`)}, respond(400, "Wrong command")},
		{"time that is none", post{body: in4(`["action",{"type":"a"},{"time":"x"}]`)}, respond(400, "Wrong command")},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := posts(t, test.post)[0]; got != test.want {
				t.Errorf("it leads to\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

// Nothing of a request with a bad command is delivered.
func TestControlIsWhole(t *testing.T) {
	t.Parallel()
	body := in4(`["action",{"type":"note"},{"channels":["a"]}]`, `["action",{"type":"note"},{"channels":1}]`)
	if got := posts(t, post{body: body})[0]; got != respond(400, "Wrong command") {
		t.Errorf("it leads to\n%s", got)
	}
}

func TestWrongSecrets(t *testing.T) {
	t.Parallel()
	const (
		wrong = `{"version":4,"secret":"guess","commands":[]}`
		other = `{"version":5,"secret":"guess","commands":[]}`
	)
	ok, no, many := respond(0, ""), respond(403, "Wrong secret"), respond(429, "Too many wrong secret attempts")
	for _, route := range []string{"server", "control", "backend", "relay"} {
		if route == "backend" || route == "relay" {
			ok = respond(0, "[]")
		}
		if route == "relay" {
			continue // it passes on what is right
		}
		const away = 300 * time.Millisecond
		list := []post{
			{body: wrong},
			{body: wrong, at: away},
			{body: other},
			{body: in4(), at: 2 * away},
			{body: wrong, at: 2 * away},
			{body: wrong, at: 3 * away},
			{body: in4(), at: 3 * away},
			// Another port is the same address, another address another one.
			{body: in4(), address: "127.0.0.1:1", at: 3 * away},
			{body: in4(), address: "127.0.0.2:1", at: 3 * away},
			// A refusal does not count: three seconds after the first guess there is room for another.
			{body: in4(), at: 3*time.Second - time.Millisecond},
			{body: in4(), at: 3 * time.Second},
			{body: wrong, at: 3 * time.Second},
			{body: in4(), at: 3 * time.Second},
			{body: in4(), at: 6 * time.Second},
		}
		want := []string{no, no, respond(400, "Back-end protocol version is not supported"), ok, no, many, many, many, ok, many, ok, no, many, ok}
		for i := range list {
			list[i].route = route
		}
		for i, got := range posts(t, list...) {
			if got != want[i] {
				t.Errorf("%s: request %d leads to %s, want %s", route, i, got, want[i])
			}
		}
	}
}

// The addresses of one network of IPv6 are one guesser.
func TestWrongSecretsIPv6(t *testing.T) {
	t.Parallel()
	var list []post
	for i := range 4 {
		list = append(list, post{
			route: "backend", remote: true, address: fmt.Sprintf("[2001:db8::%x]:1", i+1),
			body: `{"version":4,"secret":"guess","commands":[]}`,
		})
	}
	list = append(list, post{route: "backend", remote: true, address: "[2001:db8:0:1::1]:1", body: in4()})
	got := posts(t, list...)
	if got[2] != respond(403, "Wrong secret") || got[3] != respond(429, "Too many wrong secret attempts") || got[4] != respond(0, "[]") {
		t.Errorf("they lead to %q", got)
	}
}

// TestSeedControl: what the back-end of the published examples posts reaches the client it names.
func TestSeedControl(t *testing.T) {
	t.Parallel()
	body := strings.ReplaceAll(seedPush, `"secret": "secret"`, `"secret": "parole"`)
	const sync = `["sync",0,{ "type": "user/name", "user": 38, "name": "The User" },{"id":[<1600000000000-base>,`
	got := posts(t, post{route: "server", body: body})[0]
	if !strings.HasPrefix(got, "publish $client/38:Y7bysd") || !strings.Contains(got, sync) || !strings.HasSuffix(got, respond(0, "")) {
		t.Errorf("it leads to\n%s", got)
	}
}

// TestStatement36: each way to name receivers, in each version and form, with the secret under both of
// its names. Who gets what is published there is the server's part.
func TestStatement36(t *testing.T) {
	t.Parallel()
	metas := map[string]string{
		`"user":"38"`: "$user/38", `"users":["38"]`: "$user/38", `"user":38`: "$user/38",
		`"client":"38:a"`: "$client/38:a", `"clients":["38:a"]`: "$client/38:a",
		`"node":"38:a:b"`: "$node/38:a:b", `"nodes":["38:a:b"]`: "$node/38:a:b",
		`"channel":"x"`: "x", `"channels":["x"]`: "x",
		`"channels":["x"],"channel":"y"`: "x,y",
	}
	for version := 1; version <= 4; version++ {
		for _, secret := range []string{"secret", "password"} {
			for meta, channel := range metas {
				for _, form := range []string{`["action",{"type":"note"},{%s}]`, `{"command":"action","action":{"type":"note"},"meta":{%s}}`} {
					body := fmt.Sprintf(`{"version":%d,%q:"parole","commands":[%s]}`, version, secret, fmt.Sprintf(form, meta))
					lines := strings.Split(posts(t, post{body: body})[0], "\n")
					if len(lines) != 2 || !strings.HasPrefix(lines[0], "publish "+channel+" ") || lines[1] != respond(0, "") {
						t.Errorf("%s leads to\n%s", body, strings.Join(lines, "\n"))
					}
				}
			}
		}
	}
}

// TestStatement39: what is refused, in one server's life, and its health all the while.
func TestStatement39(t *testing.T) {
	t.Parallel()
	wrong := `{"version":4,"secret":"guess","commands":[]}`
	list := []struct {
		post
		want string
	}{
		{post{body: `{`}, respond(400, "Wrong format")},
		{post{body: `[]`}, respond(400, "Wrong body")},
		{post{body: `null`}, respond(400, "Wrong body")},
		{post{body: `{"version":5,"secret":"parole","commands":[]}`}, respond(400, "Back-end protocol version is not supported")},
		{post{body: wrong}, respond(403, "Wrong secret")},
		{post{body: in4(`["action",{"type":"a"},{"channels":["x"]}]`, `["action",{"type":"b"}]`)}, respond(400, "Wrong command")},
		{post{body: wrong}, respond(403, "Wrong secret")},
		{post{body: wrong}, respond(403, "Wrong secret")},
		{post{body: wrong}, respond(429, "Too many wrong secret attempts")},
		{post{body: in4()}, respond(429, "Too many wrong secret attempts")},
		{post{body: in4(), address: "203.0.113.9:1", remote: true}, respond(403, "IP address is not in LOGUX_CONTROL_MASK/controlMask")},
	}
	var requests []post
	for _, l := range list {
		l.route = "server"
		requests = append(requests, l.post, post{route: "server", method: "GET", path: "/health"})
	}
	for i, got := range posts(t, requests...) {
		want := respond(0, health)
		if i%2 == 0 {
			want = list[i/2].want
		}
		if got != want {
			t.Errorf("request %d, %+v, leads to %s, want %s", i, requests[i], got, want)
		}
	}
}

// Statements 41 and 43 are about real peers, which have tests of their own.
var ofPeers = []int{41, 43}

// TestEveryRequestStatementIsATest: each statement about what is posted has a transcript, or a test here, of
// the upstream or of the binary.
func TestEveryRequestStatementIsATest(t *testing.T) {
	t.Parallel()
	var all strings.Builder
	for _, pattern := range []string{"*_test.go", "../../core/upstream/*_test.go", "../../test/logux/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatalf("no file is %s: %v", pattern, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	for n := 36; n <= 45; n++ {
		transcripts, err := filepath.Glob(fmt.Sprintf("testdata/requests/%d-*.txt", n))
		if err != nil {
			t.Fatal(err)
		}
		if len(transcripts) == 0 && !strings.Contains(all.String(), fmt.Sprintf("func TestStatement%d(", n)) && !slices.Contains(ofPeers, n) {
			t.Errorf("statement %d is not tested", n)
		}
	}
}

// TestRequests plays the transcripts of the roles that serve requests: the examples of the published page,
// statements of the specification by their numbers, and others.
func TestRequests(t *testing.T) {
	t.Parallel() // it is waiting, mostly
	config := requestRoutes()
	config.Routes[0] = &pluginv1.RouteConfig{Id: plugintest.Route, Path: "/", Role: "server", Upstream: "logux", Auth: true}
	plugintest.Run(t, New, "testdata/requests/*.txt", config)
}
