//go:build linux

package test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gorilla/websocket"
	"golang.org/x/crypto/bcrypt"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// must is a command that has to succeed.
func must(t *testing.T, b *harness.Bridge, args ...string) string {
	t.Helper()
	status, said := b.Command(args...)
	if status != 0 {
		t.Fatalf("bridge %q: status %d\n%s", args, status, said)
	}
	return said
}

type listed struct {
	ID       string   `json:"id"`
	User     string   `json:"user"`
	Realm    string   `json:"realm"`
	Route    string   `json:"route"`
	Channels []string `json:"channels"`
}

func list(t *testing.T, b *harness.Bridge, args ...string) (sessions []listed, next string) {
	t.Helper()
	var page struct {
		Sessions []listed `json:"sessions"`
		Next     string   `json:"next"`
	}
	text := must(t, b, append([]string{"sessions", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &page); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return page.Sessions, page.Next
}

// operated is a bridge with two users.
func operated(t *testing.T) (b *harness.Bridge, ada, bob *websocket.Conn) {
	t.Helper()
	b = harness.Start(t, harness.Config{File: "auth \"static\" \"dev\" {\n  tokens = { ada-token = \"ada\", bob-token = \"bob\" }\n}\n" +
		strings.Replace(fmt.Sprintf(route, "static.dev"), `["user/${user.id}"]`, `["user/${user.id}", "all"]`, 1)})
	open := func(user string) *websocket.Conn {
		ws, _, closed, err := harness.Authorize(b.URL("/client"), `{"token":"`+user+`-token"}`)
		if err != nil || closed != nil {
			t.Fatal(err, closed)
		}
		t.Cleanup(func() { _ = ws.Close() })
		return ws
	}
	return b, open("ada"), open("bob")
}

func hears(t *testing.T, ws *websocket.Conn, want string) {
	t.Helper()
	_, data, err := ws.ReadMessage()
	if err != nil || !strings.Contains(string(data), want) {
		t.Fatalf("heard %s, %v, want %s", data, err, want)
	}
}

// TestOperate: an operator sees who is connected, speaks to them and sends them away.
func TestOperate(t *testing.T) {
	b, ada, bob := operated(t)
	if said := must(t, b, "status"); !strings.Contains(said, "sessions: 2\nready\n") {
		t.Errorf("status:\n%s", said)
	}
	all, _ := list(t, b)
	if len(all) != 2 || all[0].User != "ada" || all[1].User != "bob" || all[0].Realm != "static.dev" || strings.Join(all[0].Channels, " ") != "user/ada all" {
		t.Fatalf("sessions %+v", all)
	}
	if first, next := list(t, b, "--limit", "1"); len(first) != 1 || first[0].ID != all[0].ID || next != first[0].ID {
		t.Errorf("first page %+v, next %s", first, next)
	}
	if second, next := list(t, b, "--limit", "1", "--after", all[0].ID); len(second) != 1 || second[0].ID != all[1].ID || next != "" {
		t.Errorf("second page %+v, next %s", second, next)
	}
	if found, _ := list(t, b, "--user", "bob"); len(found) != 1 || found[0].ID != all[1].ID {
		t.Errorf("bob's %+v", found)
	}
	if found, _ := list(t, b, "--route", "/client", "--channel", "user/ada"); len(found) != 1 || found[0].User != "ada" {
		t.Errorf("ada's %+v", found)
	}
	if said := must(t, b, "sessions"); strings.Contains(said, "token") || !strings.Contains(said, "ada (static.dev)") {
		t.Errorf("sessions:\n%s", said)
	}

	if said := must(t, b, "publish", "all", `{"type":"news","payload":{"n":1463786910324359168}}`); said != "Sessions on the channel: 2\n" {
		t.Errorf("publish: %s", said)
	}
	for _, ws := range []*websocket.Conn{ada, bob} {
		hears(t, ws, `"type":"news","payload":{"n":1463786910324359168}`)
	}
	if status, said := b.Command("publish", "$all", `{"type":"news","payload":{}}`); status != 1 || !strings.Contains(said, `begins with "$"`) {
		t.Errorf("publish to the core's own: %d %s", status, said)
	}

	if said := must(t, b, "kick", "--user", "ada", "--reason", "enough"); said != "Sessions closed: 1\n" {
		t.Errorf("kick: %s", said)
	}
	if code, reason, err := harness.AwaitClose(ada, harness.AnswerLimit); err != nil || code != 1000 || reason != "enough" {
		t.Errorf("ada's end: %d %s, %v", code, reason, err)
	}
	if answer, err := harness.Ask(bob, `{"messageId":"bbbbbbbbbb","type":"t","payload":{}}`); err != nil || !strings.Contains(answer, "bbbbbbbbbb") {
		t.Errorf("bob: %s, %v", answer, err)
	}
	must(t, b, "kick", "--session", all[1].ID)
	if code, _, err := harness.AwaitClose(bob, harness.AnswerLimit); err != nil || code != 1000 {
		t.Errorf("bob's end: %d, %v", code, err)
	}
	if !harness.Eventually(harness.AnswerLimit, func() bool {
		left, _ := list(t, b)
		return len(left) == 0
	}) {
		t.Error("sessions stay")
	}
}

// TestFollow: with a debug log switched on while it runs, and off again, one sees where a frame went.
func TestFollow(t *testing.T) {
	b, ada, bob := operated(t)
	all, _ := list(t, b)
	if strings.Contains(b.Log(), `"level":"DEBUG"`) {
		t.Fatal("debug lines at info")
	}
	must(t, b, "log-level", "debug")
	if _, err := harness.Ask(ada, `{"messageId":"aaaaaaaaaa","type":"hush-hush","payload":{}}`); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, harness.AnswerLimit, "the question is logged", func() bool {
		return strings.Contains(b.Log(), `"session":"`+all[0].ID+`","call":"`+all[0].ID+`.`) && strings.Contains(b.Log(), `"upstream":"dev.echo","outcome":"ok"`)
	})
	must(t, b, "log-level", "info")
	before := b.Log()
	if _, err := harness.Ask(bob, `{"messageId":"bbbbbbbbbb","type":"t","payload":{}}`); err != nil {
		t.Fatal(err)
	}
	if added := strings.TrimPrefix(b.Log(), before); strings.Contains(added, `"msg":"upstream asked"`) {
		t.Errorf("still logged: %s", added)
	}

	res, err := http.Post("http://"+b.AddressOf("admin")+"/api/sessions/"+all[1].ID+"/log", "application/json", strings.NewReader(`{"seconds":60}`))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s, %v", res.Status, text, err)
	}
	for _, ws := range []*websocket.Conn{ada, bob} {
		if _, err := harness.Ask(ws, `{"messageId":"cccccccccc","type":"hush-hush","payload":{}}`); err != nil {
			t.Fatal(err)
		}
	}
	harness.Until(t, harness.AnswerLimit, "the session is logged", func() bool {
		return strings.Contains(b.Log(), `"session":"`+all[1].ID+`","plugin":"ctproto","route":"ctproto:public:/client","what":"event","kind":"frame","bytes":`)
	})
	if strings.Contains(b.Log(), `"session":"`+all[0].ID+`","plugin":"ctproto","route":"ctproto:public:/client","what"`) || strings.Contains(b.Log(), "hush") {
		t.Error("more is logged than was asked for")
	}
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
}

// TestOneDataDir: a second bridge on a data_dir is refused and says who has it; the socket goes with its
// process; what a killed one left is in nobody's way.
func TestOneDataDir(t *testing.T) {
	b, _, _ := operated(t)
	dir := filepath.Dir(b.Tmp())
	socket := filepath.Join(dir, "data", "bridge.sock")
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v", info, err)
	}
	status, said := b.Command("run")
	if want := fmt.Sprintf("another bridge, process %d, uses data_dir", b.Pid()); status != 1 || !strings.Contains(said, want) || !strings.Contains(said, "Stop that one") {
		t.Errorf("a second bridge: status %d\n%s", status, said)
	}
	if status, said := b.Command("validate"); status != 0 {
		t.Errorf("validate beside it: status %d\n%s", status, said)
	}
	if said := must(t, b, "status"); !strings.Contains(said, fmt.Sprintf("process %d", b.Pid())) {
		t.Errorf("the first one is harmed:\n%s", said)
	}

	b.Kill()
	if _, err := os.Stat(socket); err != nil {
		t.Errorf("a killed bridge cleaned up: %v", err)
	}
	if status, said := b.Command("status"); status != 1 || !strings.Contains(said, "nobody answers at") {
		t.Errorf("status of a killed one: %d\n%s", status, said)
	}
	second := exec.CommandContext(t.Context(), harness.Program("bridge"), "run", "--config", filepath.Join(dir, "bridge.hcl"))
	second.Env = append(os.Environ(), "TMPDIR="+b.Tmp())
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Until(t, harness.AnswerLimit, "the next one is there", func() bool {
		status, said := b.Command("status")
		return status == 0 && strings.Contains(said, fmt.Sprintf("process %d", second.Process.Pid)) && strings.Contains(said, "\nready\n")
	})
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Errorf("the next one ended with %v", err)
	}
	if _, err := os.Stat(socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket stays: %v", err)
	}
	if status, said := b.Command("status"); status != 1 || !strings.Contains(said, "there is no ") {
		t.Errorf("status of none: %d\n%s", status, said)
	}
	b.CheckNothingLeft()
}

// TestOperationsPage: the configuration that the page shows is valid to the command.
func TestOperationsPage(t *testing.T) {
	t.Setenv("BRIDGE_HOOK_SECRET", "0123456789abcdef0123456789abcdef")
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := hclBlock.FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Error("the page shows no configuration")
	}
	for _, b := range blocks {
		validate(t, b[1])
	}
}

// TestRoles: with auth at the admin address, who may read sees sessions and does nothing.
func TestRoles(t *testing.T) {
	hash := func(password string) string {
		h, err := bcrypt.GenerateFromPassword([]byte(password), 10)
		if err != nil {
			t.Fatal(err)
		}
		return string(h)
	}
	b := harness.Start(t, harness.Config{
		Head: "data_dir = \"data\"\nlistener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n}\n" +
			"admin {\n  address = \"127.0.0.1:0\"\n  auth = auth.basic.ops\n}\n",
		File: fmt.Sprintf("auth \"basic\" \"ops\" {\n  users = {\n    ops = %q\n    console = { password = %q, roles = [\"read\"] }\n  }\n}\n", hash("write-it"), hash("read-it")) +
			harness.AuthBlock + fmt.Sprintf(route, "static.dev"),
	})
	ask := func(method, path, body, user, password string) int {
		req, err := http.NewRequest(method, "http://"+b.AddressOf("admin")+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if user != "" {
			req.SetBasicAuth(user, password)
		}
		var status int
		if _, err := fmt.Sscan(fetch(t, req), &status); err != nil {
			t.Fatal(err)
		}
		return status
	}
	const closing = `{"user":"38"}`
	for _, tt := range []struct {
		name, method, path, body, user, password string
		want                                     int
	}{
		{"nobody reads", "GET", "/api/sessions", "", "", "", 401},
		{"nobody closes", "POST", "/api/sessions/close", closing, "", "", 401},
		{"a reader reads", "GET", "/api/sessions", "", "console", "read-it", 200},
		{"a reader reads metrics", "GET", "/metrics", "", "console", "read-it", 200},
		{"a reader closes", "POST", "/api/sessions/close", closing, "console", "read-it", 403},
		{"a reader publishes", "POST", "/api/publish", `{"channel":"c","type":"t","payload":1}`, "console", "read-it", 403},
		{"a reader logs", "POST", "/api/sessions/1/log", `{"seconds":1}`, "console", "read-it", 403},
		{"a writer closes", "POST", "/api/sessions/close", closing, "ops", "write-it", 200},
		{"a writer changes the log", "POST", "/api/log-level", `{"level":"debug"}`, "ops", "write-it", 405},
		{"a wrong password", "POST", "/api/sessions/close", closing, "ops", "wrong", 401},
	} {
		if got := ask(tt.method, tt.path, tt.body, tt.user, tt.password); got != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, got, tt.want)
		}
	}
	if said := must(t, b, "kick", "--user", "38"); said != "Sessions closed: 0\n" {
		t.Errorf("the socket asks for no password: %s", said)
	}
}

// TestMetricsPage: what a running bridge counts stands in the table of metrics.
func TestMetricsPage(t *testing.T) {
	b, ada, _ := operated(t)
	if _, err := harness.Ask(ada, `{"messageId":"aaaaaaaaaa","type":"t","payload":{}}`); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+b.AddressOf("admin")+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(fetch(t, req)) {
		name, ok := strings.CutPrefix(line, "# TYPE ")
		if !ok || !strings.HasPrefix(name, "bridge_") {
			continue
		}
		n++
		if name, _, _ = strings.Cut(name, " "); !strings.Contains(string(page), "| `"+name+"` |") {
			t.Errorf("docs/metrics.md does not know %s", name)
		}
	}
	if n < 10 {
		t.Errorf("only %d metrics", n)
	}
}
