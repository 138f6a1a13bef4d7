//go:build linux

package logux

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// postTo posts a body with headers, as "Name: value", and returns status and body of the answer.
func postTo(t *testing.T, url, body string, headers ...string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, text))
}

// The control endpoint of the binary: who may post, how much, and what becomes of it in another protocol.
func TestLoguxControl(t *testing.T) {
	b := harness.Start(t, harness.Config{File: fmt.Sprintf(`
upstream "dev" "echo" {}
upstream "logux" "app" {
  url    = "http://127.0.0.1:1/logux"
  secret = %q
}
%s
plugin "logux" {
  route "/*" {
    role     = "server"
    upstream = upstream.logux.app
  }
}
plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.dev.echo
    channels = ["user/${user.id}"]
  }
}
`, parole, harness.AuthBlock)})
	ws, err := harness.DialCTProto(b.URL("/client"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { harness.Close(ws) })
	url := "http://" + b.Address() + "/"
	in := func(commands string) string {
		return fmt.Sprintf(`{"version":4,"secret":%q,"commands":[%s]}`, parole, commands)
	}

	gets := func(payload string) {
		t.Helper()
		if err := ws.SetReadDeadline(time.Now().Add(harness.AnswerLimit)); err != nil {
			t.Fatal(err)
		}
		_, frame, err := ws.ReadMessage()
		if want := `"type":"note","payload":` + payload + `,`; err != nil || !strings.Contains(string(frame), want) {
			t.Errorf("got %s, %v, want %s", frame, err, want)
		}
	}

	// The secret is the upstream's. What is posted on channels reaches other protocols.
	if got := postTo(t, url, in(`["action",{"type":"note","payload":{"n":12345678901234567890}},{"channels":["user/38"]}],["action",{"type":"note","a":1,"b":2},{"channel":"user/38"}]`)); got != "200" {
		t.Errorf("answered %s", got)
	}
	gets(`{"n":12345678901234567890}`)
	gets(`{"a":1,"b":2}`)

	// Large bodies come whole.
	large := func(bytes int) string {
		return in(fmt.Sprintf(`["action",{"type":"note","payload":{"text":%q}},{"channels":["nobody"]}]`, strings.Repeat("x", bytes)))
	}
	if got := postTo(t, url, large(9<<20)); got != "200" {
		t.Errorf("a body of 9 MiB is answered %s", got)
	}
	if got := postTo(t, url, large(10<<20)); !strings.HasPrefix(got, "413 ") {
		t.Errorf("a body of more than 10 MiB is answered %.100s", got)
	}

	// Who is forwarded by somebody who is not trusted is not of this machine, nor is a page of another site.
	const outside = "403 IP address is not in LOGUX_CONTROL_MASK/controlMask"
	for _, header := range []string{"X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "Via: 1.1 proxy"} {
		if got := postTo(t, url, in(""), header); got != outside {
			t.Errorf("with %s it is answered %s", header, got)
		}
	}
	if got := postTo(t, url, in(""), "Origin: https://evil.example"); !strings.HasPrefix(got, "403 ") {
		t.Errorf("a page of another site is answered %s", got)
	}
	resp, err := http.Get(url + "health")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(text) != "Logux Server: OK\n" || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("health is %d %q %v, %v", resp.StatusCode, text, resp.Header, err)
	}

	// The plugin dies; what is posted then is done by the next.
	if err := syscall.Kill(b.Plugin("logux").Pid, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	if got := postTo(t, url, in(`["action",{"type":"note"},{"channels":["user/38"]}]`)); got != "200" {
		t.Errorf("answered %s", got)
	}
	gets("{}")
}
