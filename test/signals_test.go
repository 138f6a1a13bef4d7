//go:build linux

package test

import (
	"math/rand/v2"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// hurried is what an end that is in a hurry may take on a busy machine: a second for clients, and what
// plugins and the last requests have.
const hurried = 15 * time.Second

// starting is a bridge that takes signals and does not serve yet.
func starting(t *testing.T, file string) *harness.Bridge {
	t.Helper()
	b := harness.Start(t, harness.Config{File: file, Starting: true})
	harness.Until(t, harness.AnswerLimit, "the plugin's process is there", func() bool { return len(b.Children()) > 0 })
	return b
}

// SIGTERM, at whatever moment of the start it comes, ends it in order.
func TestTerminateWhileStarting(t *testing.T) {
	file := bothPlugins(t) + "shutdown {\n  delay = \"1m\"\n}\n" // for nobody was served
	for i := range size(12, 4) {
		b := starting(t, file)
		harness.Pause(time.Duration(3*i) * time.Millisecond)
		served := strings.Contains(b.Log(), `"msg":"listening"`)
		b.Signal(syscall.SIGTERM)
		if !served {
			harness.Until(t, harness.AnswerLimit, "it goes or serves", func() bool {
				served = strings.Contains(b.Log(), `"msg":"listening"`)
				return served || len(b.Children()) == 0
			})
		}
		if served {
			b.Signal(syscall.SIGINT)
		}
		if status := b.Await(hurried); status != 0 {
			t.Errorf("exit status %d, want 0", status)
		}
		b.CheckNothingLeft()
	}
}

// SIGHUP during the start is obeyed once that is over.
func TestHangUpWhileStarting(t *testing.T) {
	file := echoFile("", echoRoute("/client", ""))
	b := starting(t, file)
	b.Write(file + "auth \"static\" \"more\" {\n  tokens = { x = \"1\" }\n}\n")
	b.Signal(syscall.SIGHUP)
	b.Signal(syscall.SIGHUP)
	harness.Until(t, harness.AnswerLimit, "the new file is read", func() bool {
		return strings.Contains(b.Log(), `"change":"+ auth static.more"`)
	})
	ws, err := harness.DialCTProto("ws://" + b.AddressOf("public") + "/client")
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	echoes(t, ws)
}

// SIGTERM during a reload ends the bridge; who was served is told, whatever the reload came to.
func TestTerminateWhileReloading(t *testing.T) {
	one := echoFile("", echoRoute("/kept", "")+echoRoute("/removed", ""))
	two := echoFile("", echoRoute("/kept", "    config {\n      errors = \"silent\"\n    }\n")+echoRoute("/added", ""))
	for i := range size(10, 4) {
		b := harness.Start(t, harness.Config{File: one})
		sessions := []*websocket.Conn{dialCTProto(t, b, "/kept"), dialCTProto(t, b, "/removed")}
		b.Write(two)
		b.Signal(syscall.SIGHUP)
		harness.Pause(time.Duration(4*i) * time.Millisecond)
		b.Signal(syscall.SIGTERM)
		for i, ws := range sessions {
			code, _, err := harness.AwaitClose(ws, harness.AnswerLimit)
			if err != nil || code != goingAway && (i == 0 || code != restarts) {
				t.Errorf("session %d: close %d, %v", i, code, err)
			}
		}
		if status := b.Await(hurried); status != 0 {
			t.Errorf("exit status %d, want 0", status)
		}
		b.CheckNothingLeft()
	}
}

// restarts is the code with which a reload closes sessions.
const restarts = 1012

// A second request to end, of either kind, takes the time from what drains, not its order.
func TestTerminateTwice(t *testing.T) {
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		for name, draining := range map[string]string{"during the delay": "delay = \"1m\"", "while sessions are waited for": "timeout = \"1m\""} {
			t.Run(second.String()+" "+name, func(t *testing.T) {
				b := harness.Start(t, harness.Config{File: bothPlugins(t) + "shutdown {\n  " + draining + "\n}\n"})
				answers := dialCTProto(t, b, "/client")
				silent, err := harness.DialRaw(b.Address(), "/client") // does not answer its close
				if err != nil {
					t.Fatal(err)
				}
				defer silent.Close()
				l := harness.MustDialLines(t, b.URL("/lines")) // waits for an answer
				if err := l.Send("SLEEP 2000"); err != nil {
					t.Fatal(err)
				}
				b.Signal(syscall.SIGTERM)
				harness.Until(t, harness.AnswerLimit, "it drains", func() bool { return strings.Contains(b.Log(), "shutting down") })
				b.Signal(second)
				if code, reason, err := harness.AwaitClose(answers, harness.AnswerLimit); err != nil || code != goingAway {
					t.Errorf("closed with %d %q, %v", code, reason, err)
				}
				if status := b.Await(hurried); status != 0 {
					t.Errorf("exit status %d, want 0", status)
				}
				b.CheckNothingLeft()
			})
		}
	}
}

// The third ends it as any program; what it leaves is in nobody's way.
func TestTerminateThrice(t *testing.T) {
	b := harness.Start(t, harness.Config{File: bothPlugins(t) + "shutdown {\n  delay = \"1m\"\n}\n"})
	silent, err := harness.DialRaw(b.Address(), "/client") // is given a second by the second
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for _, says := range []string{"shutting down", "shutting down at once"} {
		b.Signal(syscall.SIGTERM)
		harness.Until(t, harness.AnswerLimit, "the signal is taken", func() bool { return strings.Contains(b.Log(), `"msg":"`+says+`"`) })
	}
	b.Signal(syscall.SIGTERM)
	if status := b.Await(hurried); status != -1 {
		t.Errorf("exit status %d, want that of a signal", status)
	}
	b.CheckNothingLeft()
}

// Signals that mean nothing, or nothing more, harm nobody: neither alone nor in whatever order.
func TestSignalsInAnyOrder(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	files := []string{echoFile("", echoRoute("/client", "")), echoFile("", echoRoute("/client", "")+echoRoute("/more", "")), "plugin {"}
	for range size(8, 2) {
		b := starting(t, files[0])
		for range 20 {
			b.Write(files[r.IntN(len(files))])
			b.Signal([]syscall.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGCONT}[r.IntN(4)])
			harness.Pause(time.Duration(r.IntN(30)) * time.Millisecond)
		}
		b.Write(files[0])
		harness.Until(t, harness.AnswerLimit, "it is ready", func() bool { return strings.Contains(must(t, b, "status"), "\nready\n") })
		for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE, syscall.SIGHUP} {
			if err := syscall.Kill(b.Pid(), s); err != nil {
				break // it has ended
			}
		}
		if status := b.Await(hurried); status != 0 {
			t.Errorf("exit status %d, want 0", status)
		}
		b.CheckNothingLeft()
	}
}

// That nobody reads its log any more is no reason for a bridge to go, nor is a disk that has no room for
// it.
func TestLogIsLost(t *testing.T) {
	read, broken, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer broken.Close()
	_ = read.Close()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	for name, log := range map[string]*os.File{"nobody reads it": broken, "the disk is full": full} {
		t.Run(name, func(t *testing.T) {
			b := harness.Start(t, harness.Config{File: echoFile("", echoRoute("/client", "")), Log: log})
			for range 3 { // each has something to log
				if said := must(t, b, "reload"); said != "Nothing has changed.\n" {
					t.Errorf("reload: %s", said)
				}
			}
			if status := b.Stop(); status != 0 {
				t.Errorf("exit status %d, want 0", status)
			}
			b.CheckNothingLeft()
		})
	}
}
