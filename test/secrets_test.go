//go:build linux

package test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// marker is part of every secret of the story, and of nothing else.
const marker = "hunter2"

// TestSecretsAreNowhere seeds a marker into every secret there is, lets everything go wrong that can,
// and looks for it in the log at its most talkative, in what clients and back-end developers are
// answered, and at the admin address.
func TestSecretsAreNowhere(t *testing.T) {
	// The back-ends show what they were sent, as development servers do.
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(r.URL.Path, "approves"):
			_, _ = io.WriteString(w, `{"user_id":"38"}`)
		default:
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "<pre>%s %s\n%v</pre>", r.URL, body, r.Header)
		}
	}))
	t.Cleanup(backend.Close)
	hash, err := bcrypt.GenerateFromPassword([]byte(marker+"-password"), bcrypt.MinCost+6)
	if err != nil {
		t.Fatal(err)
	}
	tokenFile := t.TempDir() + "/token.secret"
	if err := os.WriteFile(tokenFile, []byte(marker+"-from-a-file-that-is-long-enough\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	fmt.Fprintf(&file, `
auth "static" "dev" { tokens = { %[1]s-token = "38" } }
auth "basic" "ops" { users = { ops = %[2]q } }
auth "jwt" "site" { secret = [env("JWT_SECRET"), secret_file(%[4]q)] }
auth "http" "hook" {
  url = "%[3]s/hook"
  secret = env("HOOK_SECRET")
}
auth "http" "yes" {
  url = "%[3]s/approves"
  secret = env("HOOK_SECRET")
}
upstream "logux" "app" {
  url    = "%[3]s/logux"
  secret = "%[1]s-logux"
}
auth "logux" "app" { upstream = upstream.logux.app }
upstream "http" "api" {
  url    = "%[3]s/api"
  secret = "%[1]s-api"
}
upstream "logux_server" "node" {
  url    = "%[3]s/node"
  secret = "%[1]s-node"
  mirror = ["*"]
}
upstream "dev" "echo" {}
plugin "ctproto" {
`, marker, hash, backend.URL, tokenFile)
	for i, auth := range []string{"static.dev", "jwt.site", "http.hook", "logux.app", "basic.ops", "http.yes"} {
		for j, up := range []string{"http.api", "logux.app", "logux_server.node"} {
			fmt.Fprintf(&file, "  route \"/%d/%d\" {\n    auth = auth.%s\n    upstream = upstream.%s\n    channels = [\"all\"]\n  }\n", i, j, auth, up)
		}
	}
	file.WriteString("  route \"/api/\" {\n    role = \"api\"\n    auth = auth.basic.ops\n  }\n}\n")
	b := harness.Start(t, harness.Config{
		File: file.String(), LogLevel: "debug",
		Env: []string{"JWT_SECRET=" + marker + "-jwt-secret-that-is-long-enough", "HOOK_SECRET=" + marker + "-hook"},
	})

	var said lockedText
	for i := range 6 {
		for j := range 3 {
			url := b.URL(fmt.Sprintf("/%d/%d", i, j))
			for _, token := range []string{marker + "-token", marker + "-wrong", marker + ".a.b", ""} {
				ws, answer, closed, err := harness.Authorize(url, fmt.Sprintf(`{"token":%q}`, token))
				if err != nil {
					t.Fatal(err)
				}
				said.add(answer, fmt.Sprint(closed))
				if closed == nil {
					frame, err := harness.Ask(ws, `{"messageId":"aaaaaaaaaa","type":"t","payload":{}}`)
					said.add(frame, fmt.Sprint(err))
				}
				_ = ws.Close()
			}
		}
	}
	for _, password := range []string{marker + "-password", marker + "-wrong"} {
		for _, path := range []string{"/api/updates", "/api/close", "/api/nothing"} {
			req, err := http.NewRequest(http.MethodPost, "http://"+b.Address()+path, strings.NewReader(`{"type":"t","payload":{"a":1}}`))
			if err != nil {
				t.Fatal(err)
			}
			req.SetBasicAuth("ops", password)
			req.Header.Set("Content-Type", "application/json")
			said.add(fetch(t, req))
		}
	}
	for _, path := range []string{"/api/plugins", "/metrics", "/ready", "/api/sessions"} {
		req, err := http.NewRequest(http.MethodGet, "http://"+b.AddressOf("admin")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		said.add(fetch(t, req))
	}
	// What is logged of a death is looked at too.
	if err := syscall.Kill(b.Plugin("ctproto").Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, 10*time.Second, "the plugin serves again", func() bool { return b.Plugin("ctproto").Restarts > 0 })

	if !strings.Contains(said.String(), "38") {
		t.Errorf("nobody was let in: the story tells nothing\n%s", said.String())
	}
	for name, text := range map[string]string{"what clients were told": said.String(), "the log": b.Log()} {
		for line := range strings.Lines(text) {
			if strings.Contains(line, marker) {
				t.Errorf("%s shows a secret: %s", name, line)
			}
		}
	}
}

type lockedText struct {
	mu sync.Mutex
	strings.Builder
}

func (l *lockedText) add(list ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range list {
		l.WriteString(s + "\n")
	}
}

// fetch returns status, headers and body of an answer as text.
func fetch(t *testing.T, req *http.Request) string {
	t.Helper()
	client := &http.Client{Timeout: harness.AnswerLimit, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintln(resp.StatusCode, resp.Header, string(body))
}
