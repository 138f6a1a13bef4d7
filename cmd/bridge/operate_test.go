package main

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/core/admin"
)

// running serves the control socket of a bridge that a test plays, and returns its bridge.hcl.
func running(t *testing.T, control admin.Control) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "bridge.hcl")
	// The secret is one that whoever gives commands need not have.
	text := "data_dir = \"state\"\nauth \"http\" \"hook\" {\n  secret = env(\"BRIDGE_NOT_SET\")\n}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s := admin.New(admin.Config{Socket: filepath.Join(dir, "state", "bridge.sock"), Control: control})
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve() }()
	t.Cleanup(func() {
		s.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return file
}

func TestOperate(t *testing.T) {
	t.Setenv("TZ", "UTC")
	var asked string
	opened := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	level := "info"
	file := running(t, admin.Control{
		Status: func() admin.Status {
			return admin.Status{
				Version: "v1", PID: 7, Started: time.Now().Add(-time.Hour), Reasons: []string{"starting", "plugin chat is failing"}, Sessions: 2,
				Plugins: []admin.PluginStatus{{Name: "ctproto", PID: 8, State: "running", Sessions: 2, Restarts: 1}, {Name: "chat", State: "failing", Error: "no such file", Mend: "check the path"}},
			}
		},
		Sessions: func(q admin.SessionQuery) admin.SessionPage {
			if q.User == "nobody" {
				return admin.SessionPage{}
			}
			return admin.SessionPage{Next: 9, Sessions: []admin.SessionStatus{
				{ID: 8, Route: "r", RemoteAddress: "192.0.2.1:5", Opened: opened},
				{ID: 9, Route: "r", User: "a\x1b[31mda", Realm: "static.dev", RemoteAddress: "192.0.2.1:6", Opened: opened, Channels: []string{"a", "b", "c", "d", "e"}},
			}}
		},
		Close: func(r *admin.CloseRequest) (int, error) {
			asked = r.User + r.Realm + r.Route + r.Reason
			return len(r.IDs) + 1, nil
		},
		Publish: func(r *admin.PublishRequest) (int, error) {
			asked = r.Channel + " " + r.Type + " " + string(r.Payload)
			return 4, nil
		},
		LogLevel:    func() string { return level },
		SetLogLevel: func(l string) error { level = l; return nil },
	})
	tests := []struct {
		name           string
		args           []string
		status         int
		stdout, stderr string
		asked          string
	}{
		{
			"status", []string{"status"}, 0, "bridge v1, process 7, up 1h0m0s, sessions: 2\nnot ready: starting, plugin chat is failing\n\n" +
				"PLUGIN   STATE    PROCESS  SESSIONS  RESTARTS\nctproto  running  8        2         1\nchat     failing  0        0         0\n\nchat: no such file\ncheck the path\n", "", "",
		},
		{"sessions", []string{"sessions"}, 0, "ID  USER                   ROUTE  ADDRESS      OPENED               CHANNELS\n" +
			"8   -                      r      192.0.2.1:5  " + opened.Local().Format(time.DateTime) + "  -\n" +
			"9   a?[31mda (static.dev)  r      192.0.2.1:6  " + opened.Local().Format(time.DateTime) + "  a b c and 2 more\nThere are more: --after 9\n", "", ""},
		{"sessions of nobody", []string{"sessions", "--user", "nobody"}, 0, "There are no such sessions.\n", "", ""},
		{"sessions as JSON", []string{"sessions", "--json", "-user", "nobody"}, 0, "{\"sessions\":[]}\n", "", ""},
		{"too many sessions", []string{"sessions", "--limit", "1001"}, 1, "", "bridge: \"limit\" is a number from 1 to 1000\nNothing was done; mend that and try again.\n", ""},
		{"limit of words", []string{"sessions", "--limit", "many"}, 2, "", "invalid argument \"many\"", ""},
		{"kick a user", []string{"kick", "--user", "38", "--realm", "static.dev", "--reason", "out"}, 0, "Sessions closed: 1\n", "", "38static.devout"},
		{"kick sessions", []string{"kick", "--session", "8", "--session", "9"}, 0, "Sessions closed: 3\n", "", ""},
		{"kick a route", []string{"kick", "--route", "/client", "--json"}, 0, "{\"closed\":1}\n", "", "/client"},
		{"kick nobody", []string{"kick"}, 2, "", "at least one of the flags in the group [user session route] is required", ""},
		{"kick in two ways", []string{"kick", "--user", "1", "--session", "2"}, 2, "", "none of the others can be", ""},
		{"kick no session", []string{"kick", "--session", "x"}, 2, "", "--session x: a session's id is a number", ""},
		{"kick a word", []string{"kick", "38"}, 2, "", "unknown command \"38\"", ""},
		{"publish", []string{"publish", "news", `{"type":"t","payload":{"n":1463786910324359168}}`}, 0, "Sessions on the channel: 4\n", "", `news t {"n":1463786910324359168}`},
		{"publish nothing", []string{"publish", "news"}, 2, "", "accepts 2 arg(s)", ""},
		{"publish text", []string{"publish", "news", "hello"}, 2, "", "a message is written as", ""},
		{"publish no payload", []string{"publish", "news", `{"type":"t"}`}, 2, "", "a message is written as", ""},
		{"publish no type", []string{"publish", "news", `{"payload":1}`}, 2, "", "a message is written as", ""},
		{"publish more", []string{"publish", "news", `{"type":"t","payload":1,"to":"x"}`}, 2, "", "a message is written as", ""},
		{"log level", []string{"log-level"}, 0, "info\n", "", ""},
		{"change it", []string{"log-level", "debug"}, 0, "debug\n", "", ""},
		{"see it changed", []string{"log-level", "--json"}, 0, "{\"level\":\"debug\"}\n", "", ""},
		{"no level", []string{"log-level", "loud"}, 2, "", `a log level is debug, info, warn or error, not "loud"`, ""},
		{"two levels", []string{"log-level", "info", "debug"}, 2, "", "accepts at most 1 arg(s)", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked = ""
			status, stdout, stderr := bridge(t, append(tt.args, "--config", file)...)
			if status != tt.status || stdout != tt.stdout || !strings.Contains(stderr, tt.stderr) || asked != tt.asked {
				t.Errorf("bridge %q: status %d, asked %q\n%s%s\nwant %d, %q\n%s%s", tt.args, status, asked, stdout, stderr, tt.status, tt.asked, tt.stdout, tt.stderr)
			}
			if tt.status == 0 && stderr != "" {
				t.Errorf("complained: %s", stderr)
			}
		})
	}
}

// TestNobodyRuns: people are told what is wrong, and what to do.
func TestNobodyRuns(t *testing.T) {
	file := running(t, admin.Control{})
	dir := filepath.Dir(file)
	file2 := filepath.Join(dir, "other.hcl")
	stale := filepath.Join(dir, "stale.hcl")
	for name, text := range map[string]string{file2: `data_dir = "empty"`, stale: `data_dir = "stale"`} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "stale"), 0o700); err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("unix", filepath.Join(dir, "stale", "bridge.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	_ = ln.Close()

	const start = "\nStart it with `bridge run --config "
	for name, tt := range map[string]struct{ file, want string }{
		"no socket":    {file2, "bridge: no bridge runs with this configuration: there is no " + dir + "/empty/bridge.sock" + start},
		"stale socket": {stale, "bridge: no bridge runs with this configuration: nobody answers at " + dir + "/stale/bridge.sock" + start},
		"no file":      {filepath.Join(dir, "nowhere.hcl"), "nowhere.hcl"},
		"old bridge":   {file, "bridge: the bridge that runs does not know this command\nUse the command of the version that runs; `bridge status` says which.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := bridge(t, "sessions", "--config", tt.file)
			if status != 1 || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("status %d\n%s%s\nwant 1\n%s", status, stdout, stderr, tt.want)
			}
		})
	}
	what, todo := unanswered("s", "f", &refused{http.StatusNotFound, "there is no such session"})
	if what != "there is no such session" || todo == "" {
		t.Errorf("%s, %s", what, todo)
	}
}

func TestManual(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "man")
	if status, _, stderr := bridge(t, "man", dir); status != 0 {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for page, wants := range map[string][]string{
		"bridge.1":               {`.TH BRIDGE 1`, `.BR bridge\-kick (1)`, `\-\-log\-format`},
		"bridge-kick.1":          {`bridge\-kick \- Close sessions`, `\-\-user string`, `.BR bridge (1)`},
		"bridge-status.1":        {`\-c, \-\-config string`},
		"bridge-migrate.1":       {`.BR bridge\-migrate\-logux (1)`},
		"bridge-migrate-logux.1": {`\-\-env\-file string`, `.SH EXAMPLES`, `bridge migrate logux > bridge.hcl`},
	} {
		text, err := os.ReadFile(filepath.Join(dir, page))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wants {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s has no %s:\n%s", page, want, text)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "bridge-man.1")); err == nil {
		t.Error("a hidden command has a page")
	}
	file := filepath.Join(dir, "bridge.1")
	if status, _, stderr := bridge(t, "man", file); status != 1 || !strings.Contains(stderr, "Name a folder that you may write to.") {
		t.Errorf("into a file: status %d, %s", status, stderr)
	}
	if got := roff(".x\n'y\n a\\b-c"); got != "\\&.x\n\\&'y\n a\\eb\\-c" {
		t.Errorf("got %q", got)
	}
}

func TestCompletion(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if status, stdout, stderr := bridge(t, "completion", shell); status != 0 || !strings.Contains(stdout, "bridge") || stderr != "" {
			t.Errorf("%s: status %d, %d bytes, %s", shell, status, len(stdout), stderr)
		}
	}
}
