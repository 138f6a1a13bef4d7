// Package httpcontract runs the example back-ends with their real runtimes, and asks them as Bridge
// does.
package httpcontract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	pools "github.com/protocol-bridge/bridge/core/upstream"
	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/httpapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cr3t-of-the-examples"

// servers are the examples: the runtime's name, and its arguments.
var servers = []struct {
	name, runtime string
	args          func(port string) []string
}{
	{"node", "node", func(string) []string { return []string{"node/server.mjs"} }},
	{"python", "python3", func(string) []string { return []string{"python/server.py"} }},
	{"php", "php", func(port string) []string { return []string{"-S", "127.0.0.1:" + port, "php/server.php"} }},
}

func TestServers(t *testing.T) {
	for _, server := range servers {
		t.Run(server.name, func(t *testing.T) {
			runtime, err := exec.LookPath(server.runtime)
			if err != nil && os.Getenv("CI") == "" {
				t.Skipf("%s is not installed here; CI has it", server.runtime)
			}
			if err != nil {
				t.Fatal(err)
			}
			url := start(t, runtime, server.args)
			t.Run("table", func(t *testing.T) { testTable(t, url) })
			t.Run("secrets", func(t *testing.T) { testSecrets(t, url) })
			t.Run("strangers", func(t *testing.T) { testStrangers(t, url) })
		})
	}
}

// start starts a server on a free port and returns its address. Somebody may take the port first:
// then another is tried.
func start(t *testing.T, runtime string, args func(port string) []string) string {
	t.Helper()
	for range 3 {
		port := freePort(t)
		cmd := exec.CommandContext(t.Context(), runtime, args(port)...)
		cmd.Env = append(os.Environ(), "BRIDGE_HOOK_SECRET="+secret, "PORT="+port)
		var output bytes.Buffer
		cmd.Stdout, cmd.Stderr = &output, &output
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = cmd.Wait()
		}()
		if reachable(port, ended) {
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				<-ended
			})
			return "http://127.0.0.1:" + port + "/"
		}
		_ = cmd.Process.Kill()
		<-ended
		t.Logf("port %s: %s", port, &output)
	}
	t.Fatal("it does not start")
	return ""
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
}

// reachable waits until the server takes connections, and reports false when it ended instead.
func reachable(port string, ended <-chan struct{}) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		select {
		case <-ended:
			return false
		case <-tick.C:
		}
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = c.Close()
			return true
		}
	}
	return false
}

func pool(t *testing.T, url string, secrets ...string) pools.Pool {
	t.Helper()
	p, err := pools.NewHTTP(pools.HTTPConfig{URL: url, Secrets: secrets, ConnectTimeout: time.Minute, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func ask(t *testing.T, p pools.Pool, req *upstream.Request) *upstream.Answer {
	t.Helper()
	var answer *upstream.Answer
	p.Ask(t.Context(), req, func(a *upstream.Answer) { answer = a })
	return answer
}

func testTable(t *testing.T, url string) {
	t.Helper()
	p := pool(t, url, secret)
	for _, test := range []struct {
		name    string
		auth    httpapi.Authorize
		outcome upstream.Outcome
		reason  string
	}{
		{"good token", httpapi.Authorize{Token: "good-token", HasToken: true}, upstream.OK, ""},
		{"good token and a claim", httpapi.Authorize{Token: "good-token", HasToken: true, UserID: "1", Payload: []byte(`[]`)}, upstream.OK, ""},
		{"wrong token", httpapi.Authorize{Token: "bad-tökén", HasToken: true}, upstream.Denied, "Wrong credentials"},
		{"empty token", httpapi.Authorize{HasToken: true}, upstream.Denied, "Wrong credentials"},
		{"no token", httpapi.Authorize{Payload: []byte(`{"token":"good-token"}`)}, upstream.Denied, "Wrong credentials"},
	} {
		got := p.(pools.Authorizer).Authorize(t.Context(), &test.auth)
		if got.Outcome != test.outcome || got.Reason != test.reason {
			t.Errorf("%s is answered %+v, want %v %q", test.name, got, test.outcome, test.reason)
		}
		if test.outcome == upstream.OK && (got.UserID != "38" || !same(got.Claims, `{"name":"Ada"}`) || !reflect.DeepEqual(got.Channels, []string{"user/38"})) {
			t.Errorf("%s is user %q, claims %s, channels %q", test.name, got.UserID, got.Claims, got.Channels)
		}
	}
	message := func(typ, payload string) upstream.Request {
		req := upstream.Request{ID: "1.1.0", Purpose: "message", Protocol: "ctproto", UserID: "38", Type: typ}
		if payload != "" {
			req.Payload = []byte(payload)
		}
		return req
	}
	subscribe := func(user, channel string) upstream.Request {
		return upstream.Request{ID: "1.1.0", Purpose: "subscribe", UserID: user, Channel: channel}
	}
	for _, test := range []struct {
		name    string
		req     upstream.Request
		outcome upstream.Outcome
		payload string
		reason  string
	}{
		{"sum", message("sum", `{"a":1,"b":2}`), upstream.OK, `{"sum":3}`, ""},
		{"sum of fractions", message("sum", `{"a":0.5,"b":-2, "ü":"😀"}`), upstream.OK, `{"sum":-1.5}`, ""},
		{"sum of texts", message("sum", `{"a":"1","b":"2"}`), upstream.Denied, "", "a and b must be numbers"},
		{"sum of one", message("sum", `{"a":1}`), upstream.Denied, "", "a and b must be numbers"},
		{"sum of booleans", message("sum", `{"a":true,"b":false}`), upstream.Denied, "", "a and b must be numbers"},
		{"sum of nothing", message("sum", ``), upstream.Denied, "", "a and b must be numbers"},
		{"sum of null", message("sum", `null`), upstream.Denied, "", "a and b must be numbers"},
		{"sum of a list", message("sum", `[1,2]`), upstream.Denied, "", "a and b must be numbers"},
		{"unknown type", message("product", `{"a":1,"b":2}`), upstream.Denied, "", "Unknown type"},
		{"type of every object", message("constructor", `{}`), upstream.Denied, "", "Unknown type"},
		{"no type", message("", `{}`), upstream.Denied, "", "Unknown type"},
		{"news", subscribe("", "news"), upstream.OK, "", ""},
		{"own channel", subscribe("38", "user/38"), upstream.OK, "", ""},
		{"another's channel", subscribe("39", "user/38"), upstream.Denied, "", ""},
		{"channel of nobody", subscribe("", "user/"), upstream.Denied, "", ""},
		{"unknown channel", subscribe("38", "secrets"), upstream.Denied, "", ""},
		{"closed", upstream.Request{ID: "1.1.0", Purpose: "closed", UserID: "38"}, upstream.OK, "", ""},
	} {
		got := ask(t, p, &test.req)
		if got.Outcome != test.outcome || got.Reason != test.reason || (got.Payload != nil) != (test.payload != "") ||
			test.payload != "" && !same(got.Payload, test.payload) {
			t.Errorf("%s is answered %v %s %q %q, want %v %s %q", test.name,
				got.Outcome, got.Payload, got.Reason, got.Detail, test.outcome, test.payload, test.reason)
		}
	}
}

// same compares JSON by what it says.
func same(got []byte, want string) bool {
	var a, b any
	return json.Unmarshal(got, &a) == nil && json.Unmarshal([]byte(want), &b) == nil && reflect.DeepEqual(a, b)
}

// While secrets are rotated, requests have two signatures; with a wrong one nobody is refused, since
// it is not the client who is wrong.
func testSecrets(t *testing.T, url string) {
	t.Helper()
	req := &upstream.Request{Purpose: "message", Type: "sum", Payload: []byte(`{"a":1,"b":2}`)}
	for _, secrets := range [][]string{{secret}, {"new", secret}, {secret, "old"}} {
		if got := ask(t, pool(t, url, secrets...), req); got.Outcome != upstream.OK {
			t.Errorf("with %d secrets it is answered %+v", len(secrets), got)
		}
	}
	wrong := pool(t, url, "wrong")
	if got := ask(t, wrong, req); got.Outcome != upstream.Unavailable || !strings.Contains(got.Detail, `status 400: "Wrong signature"`) {
		t.Errorf("with a wrong secret it is answered %+v", got)
	}
	auth := wrong.(pools.Authorizer).Authorize(t.Context(), &httpapi.Authorize{Token: "good-token", HasToken: true})
	if auth.Outcome != upstream.Unavailable {
		t.Errorf("with a wrong secret a user is %+v", auth)
	}
}

func testStrangers(t *testing.T, url string) {
	t.Helper()
	const body = `{"version":1,"event":"authorize","token":"good-token"}`
	sign := func(at time.Time, body string) string {
		return string(httpapi.AppendSignature(nil, at, []byte(body), secret))
	}
	now := time.Now()
	good := sign(now, body)
	stamp, sum, _ := strings.Cut(good, ",")
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, test := range []struct {
		name, method, header, body string
		want                       int
	}{
		{"signed", "POST", good, body, 200},
		{"signed with more parts", "POST", "v0=1, " + good + ",v1=00,x", body, 200},
		{"no signature", "POST", "", body, 400},
		{"another body", "POST", good, body + " ", 400},
		{"no body", "POST", good, "", 400},
		{"too old", "POST", sign(now.Add(-6*time.Minute), body), body, 400},
		{"from the future", "POST", sign(now.Add(6*time.Minute), body), body, 400},
		{"another time", "POST", strings.Replace(good, "t=", "t=1", 1), body, 400},
		{"no time", "POST", sum, body, 400},
		{"no sum", "POST", stamp, body, 400},
		{"an empty sum", "POST", stamp + ",v1=", body, 400},
		{"half a sum", "POST", good[:len(good)-2], body, 400},
		{"a time that is none", "POST", "t=abc,v1=00", body, 400},
		{"not JSON", "POST", sign(now, "{"), "{", 400},
		{"no object", "POST", sign(now, "5"), "5", 400},
		{"another method", "GET", "", "", 405},
	} {
		req, err := http.NewRequestWithContext(t.Context(), test.method, url, strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		if test.header != "" {
			req.Header.Set(httpapi.SignatureHeader, test.header)
		}
		response, err := client.Do(req)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		text, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if response.StatusCode != test.want || strings.Contains(string(text), secret) {
			t.Errorf("%s is answered with status %d, %s, want %d", test.name, response.StatusCode, text, test.want)
		}
	}
}

// The examples say themselves how they are started, and need nothing that is not there.
func TestServersSayHow(t *testing.T) {
	for _, server := range servers {
		args := server.args("3000")
		name := args[len(args)-1]
		source, err := os.ReadFile(filepath.FromSlash(name))
		if err != nil {
			t.Fatal(err)
		}
		args[len(args)-1] = filepath.Base(name)
		if how := fmt.Sprintf("%s %s\n", server.runtime, strings.Join(args, " ")); !strings.Contains(string(source), how) {
			t.Errorf("%s does not say %q", name, how)
		}
	}
}
