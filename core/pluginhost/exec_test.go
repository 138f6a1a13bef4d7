package pluginhost

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/handshake"
	"github.com/protocol-bridge/bridge/proto/wire"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest/lines"
)

// TestMain is also the plugin that the tests start: this very binary, with go-plugin's cookie.
func TestMain(m *testing.M) {
	if os.Getenv(handshake.CookieKey) != "" {
		os.Exit(beThePlugin())
	}
	goleak.VerifyTestMain(m)
}

func beThePlugin() int {
	if path := os.Getenv("TEST_ENVIRONMENT"); path != "" {
		if err := os.WriteFile(path, []byte(strings.Join(os.Environ(), "\n")), 0o600); err != nil {
			return 9
		}
	}
	switch os.Getenv("TEST_MISDEED") {
	case "print":
		fmt.Println("hello, I am a plugin")
		<-time.After(time.Minute)
	case "die":
		return 7
	case "sleep":
		<-time.After(time.Minute)
	}
	return sdk.Run(lines.New())
}

func self(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// launch starts the test binary as a plugin, with TMPDIR in a folder of the test's, which it returns.
func launch(t *testing.T, change func(*Exec)) (Process, string, error) {
	t.Helper()
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	x := &Exec{Command: []string{self(t)}, Logger: discard()}
	if change != nil {
		change(x)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p, err := x.Launch(ctx)
	return p, tmp, err
}

func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

// talk takes a process through its life up to an answered frame.
func talk(t *testing.T, p Process) Link {
	t.Helper()
	ctx := context.Background()
	desc, err := p.Describe(ctx, &pluginv1.DescribeRequest{Contract: Contract})
	if err != nil || desc.GetName() != "lines" {
		t.Fatalf("describe: %v %v", desc, err)
	}
	resp, err := p.Configure(ctx, &pluginv1.ConfigureRequest{Config: []byte("{}"), Routes: []*pluginv1.RouteConfig{{Id: "r", Config: []byte("{}")}}})
	if err != nil || len(resp.GetComplaints()) > 0 {
		t.Fatalf("configure: %v %v", resp, err)
	}
	l, err := p.OpenLink()
	if err != nil {
		t.Fatal(err)
	}
	var b []byte
	for _, e := range []*wire.Event{
		{Actor: 1, Seq: 1, Kind: wire.Opened, Cold: &pluginv1.Opened{Snapshot: &pluginv1.Snapshot{ActorKind: pluginv1.ActorKind_ACTOR_KIND_SESSION, Route: "r", Session: &pluginv1.SessionInfo{}}}},
		{Actor: 1, Seq: 2, Kind: wire.Frame, Data: []byte("ECHO over the wall")},
	} {
		if b, err = wire.AppendEvent(b, e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Send(&wire.Batch{B: b}); err != nil {
		t.Fatal(err)
	}
	var said []byte
	for acked := uint64(0); acked < 2; {
		var batch wire.Batch
		if err := l.Recv(&batch); err != nil {
			t.Fatal(err)
		}
		var st wire.Step
		if err := wire.Steps(batch.B, &st, func(st *wire.Step) error {
			acked = st.Seq
			for _, c := range st.Commands {
				if c.Kind == wire.Send {
					said = append(said, c.Data...)
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		batch.Free()
	}
	if !bytes.HasSuffix(said, []byte("over the wall")) {
		t.Fatalf("the plugin said %q", said)
	}
	return l
}

func expectGone(t *testing.T, p Process, tmp string) {
	t.Helper()
	select {
	case <-p.Exited():
	case <-time.After(10 * time.Second):
		t.Fatal("the process lives on")
	}
	eventually(t, "an empty folder for temporary files", func() bool { return len(entries(t, tmp)) == 0 })
}

func TestExec(t *testing.T) {
	for _, mtls := range []bool{false, true} {
		t.Run(fmt.Sprintf("mtls %v", mtls), func(t *testing.T) {
			p, tmp, err := launch(t, func(x *Exec) { x.MTLS = mtls })
			if err != nil {
				t.Fatal(err)
			}
			l := talk(t, p)
			p.Kill()
			expectGone(t, p, tmp)
			if e := p.Exit(); !e.Killed {
				t.Errorf("exit %+v", e)
			}
			if err := l.Recv(new(wire.Batch)); err == nil {
				t.Error("the link goes on")
			}
		})
	}
}

// TestStop: an instance that is asked to end does, by itself.
func TestStop(t *testing.T) {
	p, tmp, err := launch(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	talk(t, p)
	p.Stop()
	expectGone(t, p, tmp)
	if e := p.Exit(); e.Killed || e.Text != "exit status 0" {
		t.Errorf("exit %+v", e)
	}
	p.Kill() // lets go of the connection
}

// TestEnvironment: nothing of the host's environment reaches the plugin but where programs are.
func TestEnvironment(t *testing.T) {
	t.Setenv("A_SECRET_OF_THE_HOST", "hush")
	file := filepath.Join(t.TempDir(), "environment")
	p, _, err := launch(t, func(x *Exec) { x.Env = map[string]string{"TEST_ENVIRONMENT": file, "OF_THE_FILE": "yes"} })
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	<-p.Exited()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "hush") || !strings.Contains(string(text), "OF_THE_FILE=yes") || !strings.Contains(string(text), "GOMAXPROCS=1") {
		t.Errorf("environment of the plugin:\n%s", text)
	}
}

func TestChecksum(t *testing.T) {
	binary, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(binary)
	p, tmp, err := launch(t, func(x *Exec) { x.SHA256 = hex.EncodeToString(sum[:]) })
	if err != nil {
		t.Fatal(err)
	}
	talk(t, p)
	p.Kill()
	expectGone(t, p, tmp)

	sum[0]++
	_, tmp, err = launch(t, func(x *Exec) { x.SHA256 = hex.EncodeToString(sum[:]) })
	if err == nil || !strings.Contains(err.Error(), "bridge.hcl allows only") {
		t.Errorf("a wrong sum: %v", err)
	}
	eventually(t, "an empty folder for temporary files", func() bool { return len(entries(t, tmp)) == 0 })
}

// TestBadStart: what is wrong with a program that is no plugin is said, and nothing stays.
func TestBadStart(t *testing.T) {
	notExecutable := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notExecutable, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		change func(*Exec)
		want   string
		mend   string
	}{
		"no such file":         {func(x *Exec) { x.Command = []string{"/does/not/exist"} }, "no such file", "check the path"},
		"not executable":       {func(x *Exec) { x.Command = []string{notExecutable} }, "permission denied", "make the file"},
		"no command":           {func(x *Exec) { x.Command = nil }, "no command", ""},
		"prints to stdout":     {func(x *Exec) { x.Env = map[string]string{"TEST_MISDEED": "print"} }, "hello, I am a plugin", "prints nothing to stdout"},
		"dies at the start":    {func(x *Exec) { x.Env = map[string]string{"TEST_MISDEED": "die"} }, "exit status 7", ""},
		"another kind of file": {func(x *Exec) { x.Command = []string{"/bin/true"} }, "exit status 0", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, tmp, err := launch(t, tt.change)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			if mend := mendStart(err); !strings.Contains(mend, tt.mend) {
				t.Errorf("mend %q, want %q", mend, tt.mend)
			}
			eventually(t, "an empty folder for temporary files", func() bool { return len(entries(t, tmp)) == 0 })
		})
	}
}

// TestGiveUp: a start that leads nowhere ends with its context.
func TestGiveUp(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	x := &Exec{Command: []string{self(t)}, Env: map[string]string{"TEST_MISDEED": "sleep"}, Logger: discard()}
	start := time.Now()
	if _, err := x.Launch(ctx); err == nil || time.Since(start) > 5*time.Second {
		t.Errorf("launch: %v after %v", err, time.Since(start))
	}
}
