//go:build linux

package test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestReloadUnderLoad reloads ten times while clients ask: each time something differs that is not
// theirs, or that they need not notice, and in between there is a file with a fault. No connection is
// closed, no answer is lost, and no back-end is asked twice; only the sessions of a route that is gone
// are closed, in order.
func TestReloadUnderLoad(t *testing.T) {
	backend := harness.StartBackend(t)
	base := ctproto(backend, "")
	const going = 50
	b := harness.Start(t, harness.Config{File: strings.Replace(base, "route \"/client\" {", "route \"/going\" {\n    auth = auth.static.dev\n    upstream = upstream.logux.app\n  }\n  route \"/client\" {", 1)})
	load := startLoad(t, b.URL("/client"), backend)
	ends := make(chan error, going)
	for range going {
		r, err := harness.DialRaw(b.Address(), "/going")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.Close)
		if err := r.Authorize(); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, err := r.Read(harness.AnswerLimit)
			r.Close()
			ends <- err
		}()
	}
	every := time.NewTicker(size(500*time.Millisecond, 50*time.Millisecond))
	defer every.Stop()
	for i := range 10 {
		<-every.C
		variants := []string{
			base + "auth \"static\" \"other\" {\n  tokens = { x = \"1\" }\n}\n",
			strings.Replace(base, "route \"/client\" {", "route \"/also\" {\n    auth = auth.static.dev\n    upstream = upstream.logux.app\n  }\n  route \"/client\" {\n    limits {\n      max_frame = \"64KiB\"\n    }", 1),
			ctproto(backend, round(i)),
			strings.Replace(base, "max_connections = 4096", "max_connections = 2048", 1),
			"shutdown {\n  timeout = \"5s\"\n}\n" + base,
		}
		if lines, ok := b.Reload(variants[i%len(variants)]); !ok || len(lines) == 0 {
			t.Errorf("reload %d: %v, %q", i, ok, lines)
		}
		if lines, ok := b.Reload(base + "plugin {"); ok || len(lines) != 1 || !lineNamed.MatchString(lines[0]) {
			t.Errorf("a file with a fault: %v, %q", ok, lines)
		}
	}
	for range going {
		if closed, ok := errors.AsType[*harness.CloseError](<-ends); !ok || closed.Code != restarts {
			t.Errorf("a session of the removed route ended with %v, want %d", closed, restarts)
		}
	}
	t.Log(load.Finish(t))
}

// lineNamed is how a fault begins.
var lineNamed = regexp.MustCompile(`^.*bridge\.hcl:\d+,\d+-\d+: `)

// echoFile is a configuration with a few routes that echo.
func echoFile(head, routes string) string {
	return harness.AuthBlock + "upstream \"dev\" \"echo\" {}\n" + head + "plugin \"ctproto\" {\n" + routes + "}\n"
}

// echoRoute is one of them; more is added to its block.
func echoRoute(path, more string) string {
	return fmt.Sprintf("  route %q {\n    auth     = auth.static.dev\n    upstream = upstream.dev.echo\n%s  }\n", path, more)
}

func dialCTProto(t *testing.T, b *harness.Bridge, path string) *websocket.Conn {
	t.Helper()
	ws, err := harness.DialCTProto(b.URL(path))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	return ws
}

// echoes checks that a session is served.
func echoes(t *testing.T, ws *websocket.Conn) {
	t.Helper()
	const payload = `{"a":1}`
	answer, err := harness.Ask(ws, `{"messageId":"aaaaaaaaaa","type":"t","payload":`+payload+`}`)
	if want := `{"messageId":"aaaaaaaaaa","payload":` + payload + `}`; err != nil || answer != want {
		t.Errorf("answer %q, %v, want %s", answer, err, want)
	}
}

func wantLines(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("the log says\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestReloadBrokenFile: a file with faults changes nothing, and the log names file and line.
func TestReloadBrokenFile(t *testing.T) {
	file := echoFile("", echoRoute("/client", ""))
	b := harness.Start(t, harness.Config{File: file})
	ws := dialCTProto(t, b, "/client")
	pid := b.Plugin("ctproto").Pid
	for _, tc := range []struct{ name, file, fault string }{
		{"syntax", file + "plugin {", "bridge.hcl:"},
		{"an unknown attribute", strings.Replace(file, "upstream =", "upstraem =", 1), "bridge.hcl:"},
		{"the plugin's own block", echoFile("", echoRoute("/client", "    config {\n      errors = \"loud\"\n    }\n")), "bridge.hcl:"},
		{"what the plugin refuses", echoFile("", "  route \"/client\" {\n    auth = auth.static.dev\n  }\n"), "bridge.hcl:"},
		{"a plugin that there is not", file + "plugin \"nothing\" {\n  route \"/n\" {\n    auth = auth.none\n  }\n}\n", "no built-in plugin"},
		{"a program that there is not", file + "plugin \"nothing\" {\n  command = [\"/nowhere/nothing\"]\n  route \"/n\" {\n    auth = auth.none\n  }\n}\n", "/nowhere/nothing"},
		{"another data_dir", strings.Replace(file, "auth \"static\"", "admin {\n  address = \"127.0.0.1:1\"\n}\nauth \"static\"", 1), "admin"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			lines, ok := b.Reload(tc.file)
			if ok || !strings.Contains(strings.Join(lines, "\n"), tc.fault) {
				t.Errorf("reloaded %v, faults %q, want one with %q", ok, lines, tc.fault)
			}
			echoes(t, ws)
		})
	}
	if now := b.Plugin("ctproto").Pid; now != pid {
		t.Errorf("process %d serves, want %d", now, pid)
	}
	if children := b.Children(); len(children) != 1 {
		t.Errorf("processes %v are left, want one", children)
	}
	if lines, ok := b.Reload(file); !ok || len(lines) != 0 {
		t.Errorf("the same file again: %v, %q", ok, lines)
	}
}

// TestReloadRoutes: a removed route closes its sessions in order, one whose auth differs does too, and
// what others see is what the log says.
func TestReloadRoutes(t *testing.T) {
	const other = "auth \"static\" \"other\" {\n  tokens = { good-token = \"38\" }\n}\n"
	b := harness.Start(t, harness.Config{File: echoFile(other, echoRoute("/kept", "")+echoRoute("/removed", "")+echoRoute("/auth", ""))})
	kept, removed, changed := dialCTProto(t, b, "/kept"), dialCTProto(t, b, "/removed"), dialCTProto(t, b, "/auth")
	pid := b.Plugin("ctproto").Pid

	lines, ok := b.Reload(echoFile(other, echoRoute("/kept", "    limits {\n      max_frame = \"1KiB\"\n    }\n")+
		strings.Replace(echoRoute("/auth", ""), "static.dev", "static.other", 1)+echoRoute("/added", "")))
	if !ok {
		t.Fatal(lines)
	}
	wantLines(t, lines,
		"~ plugin ctproto; new process, all sessions stay",
		"~ route ctproto:public:/kept: limits",
		"~ route ctproto:public:/auth: auth; 1 session is closed",
		"+ route ctproto:public:/added",
		"- route ctproto:public:/removed; 1 session is closed",
	)
	for name, ws := range map[string]*websocket.Conn{"the removed route": removed, "the route with another auth": changed} {
		if code, reason, err := harness.AwaitClose(ws, harness.AnswerLimit); err != nil || code != 1012 || reason != "restart" {
			t.Errorf("a session of %s ended with %d %q, %v, want 1012", name, code, reason, err)
		}
	}
	echoes(t, kept)
	echoes(t, dialCTProto(t, b, "/added"))
	echoes(t, dialCTProto(t, b, "/auth"))
	if _, err := harness.Dial(b.URL("/removed")); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("the removed route: %v, want status 404", err)
	}
	if now := b.Plugin("ctproto").Pid; now == pid {
		t.Error("the plugin was not told of the new routes")
	}
	if err := harness.Send(kept, strings.Repeat("x", 2000)); err != nil {
		t.Fatal(err)
	}
	if code, _, err := harness.AwaitClose(kept, harness.AnswerLimit); err != nil || code != 1009 {
		t.Errorf("a frame above the new limit: close %d, %v, want 1009", code, err)
	}
}

// TestReloadReachesLiveSessions: a session that stays has the new config and the new upstream with its
// next message.
func TestReloadReachesLiveSessions(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprint(w, `{"payload":"from the other"}`)
	}))
	t.Cleanup(api.Close)
	b := harness.Start(t, harness.Config{File: echoFile("", echoRoute("/client", ""))})
	ws := dialCTProto(t, b, "/client")
	echoes(t, ws)
	upstream := fmt.Sprintf("upstream \"http\" \"api\" {\n  url = %q\n  secret = %q\n}\n", api.URL, harness.Secret)
	lines, ok := b.Reload(echoFile(upstream, strings.Replace(echoRoute("/client", ""), "dev.echo", "http.api", 1)))
	if !ok {
		t.Fatal(lines)
	}
	wantLines(t, lines, "+ upstream http.api", "~ plugin ctproto; new process, all sessions stay", "~ route ctproto:public:/client: upstream")
	answer, err := harness.Ask(ws, `{"messageId":"aaaaaaaaaa","type":"t","payload":{}}`)
	if want := `{"messageId":"aaaaaaaaaa","payload":"from the other"}`; err != nil || answer != want {
		t.Errorf("answer %q, %v, want %s", answer, err, want)
	}

	api.Close()
	lines, ok = b.Reload(echoFile(upstream, strings.Replace(echoRoute("/client", "    config {\n      errors = \"silent\"\n    }\n"), "dev.echo", "http.api", 1)))
	if !ok {
		t.Fatal(lines)
	}
	wantLines(t, lines, "~ plugin ctproto; new process, all sessions stay", "~ route ctproto:public:/client: config")
	if err := harness.Send(ws, `{"messageId":"bbbbbbbbbb","type":"t","payload":{}}`); err != nil {
		t.Fatal(err)
	}
	answer, err = harness.Ask(ws, `{"messageId":"cccccccccc"}`) // is answered by the plugin alone
	if err != nil || !strings.Contains(answer, "Message Format Error") {
		t.Errorf("answer %q, %v: the failed message should have had none", answer, err)
	}
}

// TestReloadListeners: an added listener serves, a removed one serves nobody new, and whoever came by
// it stays.
func TestReloadListeners(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := ln.Addr().String()
	_ = ln.Close()
	plain := echoFile("", echoRoute("/client", ""))
	second := echoFile(fmt.Sprintf("listener \"second\" {\n  address = %q\n}\n", free),
		echoRoute("/client", "")+echoRoute("/second", "    listener = listener.second\n"))
	b := harness.Start(t, harness.Config{File: plain})
	first := dialCTProto(t, b, "/client")
	if lines, ok := b.Reload(second); !ok || lines[0] != "+ listener second" {
		t.Fatal(ok, lines)
	}
	ws, err := harness.DialCTProto("ws://" + free + "/second")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	echoes(t, ws)
	lines, ok := b.Reload(plain)
	if !ok {
		t.Fatal(lines)
	}
	wantLines(t, lines, "- listener second", "~ plugin ctproto; new process, all sessions stay", "- route ctproto:second:/second; 1 session is closed")
	if code, _, err := harness.AwaitClose(ws, harness.AnswerLimit); err != nil || code != 1012 {
		t.Errorf("closed with %d, %v", code, err)
	}
	harness.Until(t, harness.AnswerLimit, "the address is given up", func() bool {
		_, err := harness.Dial("ws://" + free + "/second")
		return err != nil
	})
	echoes(t, first)
}

// TestReloadPlugins: plugins come and go while others serve.
func TestReloadPlugins(t *testing.T) {
	one := echoFile("", echoRoute("/client", ""))
	two := one + "plugin \"again\" {\n  type = \"ctproto\"\n" + echoRoute("/again", "") + "}\n"
	b := harness.Start(t, harness.Config{File: one})
	first := dialCTProto(t, b, "/client")
	pid := b.Plugin("ctproto").Pid
	lines, ok := b.Reload(two)
	if !ok {
		t.Fatal(lines)
	}
	wantLines(t, lines, "+ plugin again", "+ route again:public:/again")
	ws := dialCTProto(t, b, "/again")
	echoes(t, ws)
	lines, ok = b.Reload(one)
	if !ok {
		t.Fatal(lines)
	}
	wantLines(t, lines, "- plugin again; 1 session is closed")
	if code, _, err := harness.AwaitClose(ws, harness.AnswerLimit); err != nil || code != 1012 {
		t.Errorf("closed with %d, %v", code, err)
	}
	harness.Until(t, harness.AnswerLimit, "the process of the removed plugin ends", func() bool { return len(b.Children()) == 1 })
	echoes(t, first)
	if now := b.Plugin("ctproto").Pid; now != pid {
		t.Errorf("process %d serves, want %d, which nothing was about", now, pid)
	}
}

// TestReloadMendsPlugin: a plugin that cannot be started is started once the file says how.
func TestReloadMendsPlugin(t *testing.T) {
	file := func(program string) string {
		return fmt.Sprintf("plugin \"lines\" {\n  command = [%q]\n  route \"/lines\" {\n    auth = auth.none\n  }\n}\n", program)
	}
	b := harness.Start(t, harness.Config{File: file("/nowhere/lines"), Unready: true})
	harness.Until(t, harness.AnswerLimit, "the plugin fails", func() bool { return b.Plugin("lines").State == "failing" })
	lines, ok := b.Reload(file(harness.Program("lines")))
	if !ok {
		t.Fatal(lines)
	}
	ws, err := harness.Dial(b.URL("/lines"))
	if err != nil {
		t.Fatal(err)
	}
	_ = ws.Close()
}

// TestReloadBringsBack: what was taken away and is given back serves at once, whatever is still being
// cleared away of it.
func TestReloadBringsBack(t *testing.T) {
	one := echoFile("", echoRoute("/client", ""))
	two := echoFile("", echoRoute("/client", "")+echoRoute("/other", "")) + "plugin \"again\" {\n  type = \"ctproto\"\n" + echoRoute("/again", "") + "}\n"
	b := harness.Start(t, harness.Config{File: two})
	for range size(10, 3) {
		other, again := dialCTProto(t, b, "/other"), dialCTProto(t, b, "/again")
		for _, file := range []string{one, two} {
			if lines, ok := b.Reload(file); !ok {
				t.Fatal(lines)
			}
		}
		echoes(t, dialCTProto(t, b, "/other"))
		echoes(t, dialCTProto(t, b, "/again"))
		for _, ws := range []*websocket.Conn{other, again} {
			if code, _, err := harness.AwaitClose(ws, harness.AnswerLimit); err != nil || code != 1012 {
				t.Errorf("closed with %d, %v, want 1012", code, err)
			}
		}
	}
	harness.Until(t, harness.AnswerLimit, "one process a plugin is left", func() bool { return len(b.Children()) == 2 })
}

// TestReloadCommand: the command says what changed and what became of it, or what is wrong with the
// file, with the line it is on.
func TestReloadCommand(t *testing.T) {
	one := echoFile("", echoRoute("/client", ""))
	b := harness.Start(t, harness.Config{File: one})
	ws := dialCTProto(t, b, "/client")
	if said := must(t, b, "reload"); said != "Nothing has changed.\n" {
		t.Errorf("an unchanged file: %q", said)
	}
	b.Write(strings.Replace(one, "upstream =", "upstraem =", 1))
	status, said := b.Command("reload")
	for _, want := range []string{"Unsupported argument", "bridge.hcl line ", "upstraem = upstream.dev.echo", `Did you mean "upstream"?`} {
		if status != 1 || !strings.Contains(said, want) {
			t.Errorf("status %d, want 1; said, without %q:\n%s", status, want, said)
		}
	}
	b.Write(echoFile("", echoRoute("/client", "    config {\n      errors = \"loud\"\n    }\n")) +
		"plugin \"again\" {\n  type = \"ctproto\"\n" + echoRoute("/again", "    config {\n      tokn = payload.a\n    }\n") + "}\n")
	if status, said = b.Command("reload"); status != 1 || !strings.Contains(said, `errors = "loud"`) || !strings.Contains(said, `named "tokn"`) {
		t.Errorf("faults of two plugins: status %d, said\n%s", status, said)
	}
	b.Write(echoFile("", echoRoute("/client", "    limits {\n      max_frame = \"1KiB\"\n    }\n")+echoRoute("/more", "")))
	want := "~ plugin ctproto; new process, all sessions stay\n~ route ctproto:public:/client: limits\n+ route ctproto:public:/more\n"
	if said := must(t, b, "reload"); said != want {
		t.Errorf("said\n%swant\n%s", said, want)
	}
	if said := must(t, b, "reload", "--json"); said != "{\"changes\":[]}\n" {
		t.Errorf("as JSON: %q", said)
	}
	echoes(t, ws)
	b.Write(one)
	b.Stop()
	if status, said := b.Command("reload"); status != 1 || !strings.Contains(said, "no bridge runs") {
		t.Errorf("nothing runs: status %d, %q", status, said)
	}
}

// TestReloadCompression: who connects from then on may compress, or may not; who is there stays.
func TestReloadCompression(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := ln.Addr().String()
	_ = ln.Close()
	file := func(on bool) string {
		return echoFile(fmt.Sprintf("listener \"second\" {\n  address     = %q\n  compression = %v\n}\n", free, on),
			echoRoute("/second", "    listener = listener.second\n"))
	}
	b := harness.Start(t, harness.Config{File: file(false)})
	dialer := websocket.Dialer{EnableCompression: true}
	for i, on := range []bool{false, true, false} {
		if i > 0 {
			lines, ok := b.Reload(file(on))
			if !ok {
				t.Fatal(lines)
			}
			wantLines(t, lines, "~ listener second: compression")
		}
		ws, res, err := dialer.Dial("ws://"+free+"/second", nil)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		defer ws.Close()
		if got := res.Header.Get("Sec-WebSocket-Extensions") != ""; got != on {
			t.Errorf("compression = %v is answered with %v", on, res.Header)
		}
	}
}
