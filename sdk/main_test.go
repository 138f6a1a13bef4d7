package sdk_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
	"github.com/protocol-bridge/bridge/proto/handshake"
	"github.com/protocol-bridge/bridge/proto/wire"
	"github.com/protocol-bridge/bridge/sdk"
)

// mainEnv makes the test binary a plugin: "good", or "bad" for one that cannot be served.
const mainEnv = "SDK_TEST_MAIN"

func TestMain(m *testing.M) {
	switch os.Getenv(mainEnv) {
	case "good":
		sdk.Main(verbs(stateVerbs()))
	case "bad":
		sdk.Main(&funcs[struct{}]{info: sdk.Info{Name: "bad", Config: 5}})
	}
	goleak.VerifyTestMain(m)
}

// instance is a plugin's process as a core starts it.
type instance struct {
	*exec.Cmd
	dir      string
	lifeline *os.File
	address  string // of its socket
	stderr   *strings.Builder
}

// start starts the process and reads its handshake.
func start(t *testing.T) *instance {
	t.Helper()
	theirs, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "sdk-") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	i := &instance{Cmd: exec.Command(os.Args[0]), dir: dir, lifeline: ours, stderr: new(strings.Builder)}
	i.Env = append(os.Environ(), mainEnv+"=good", "GORACE=atexit_sleep_ms=0",
		handshake.CookieKey+"="+handshake.CookieValue, handshake.SocketDir+"="+dir, handshake.LifelineFD+"=3")
	i.ExtraFiles, i.Stderr = []*os.File{theirs}, i.stderr
	stdout, err := i.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = i.Process.Kill()
		_ = ours.Close()
		_ = os.RemoveAll(dir)
	})
	_ = theirs.Close()
	line, err := bufio.NewReader(stdout).ReadString('\n')
	parts := strings.Split(strings.TrimSpace(line), "|")
	if err != nil || len(parts) < 5 || parts[2] != "unix" || parts[4] != "grpc" {
		t.Fatalf("handshake %q, %v", line, err)
	}
	i.address = parts[3]
	return i
}

// ended waits for the process.
func (i *instance) ended(t *testing.T) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- i.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the process ended with %v\n%s", err, i.stderr)
		}
	case <-time.After(10 * time.Second):
		_ = i.Process.Kill()
		t.Fatalf("the process does not end: %v\n%s", <-done, i.stderr)
	}
	if _, err := os.Stat(i.dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder of the socket is left behind: %v", err)
	}
}

func TestRunByHand(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), mainEnv+"=good")
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want status 1", err)
	}
	if stdout.Len() > 0 || !strings.Contains(stderr.String(), "bridge.hcl") || strings.Count(stderr.String(), "\n") != 1 {
		t.Errorf("stdout %q\nstderr %q, want one line that says where it belongs", stdout.String(), stderr.String())
	}
}

func TestPluginThatCannotBeServed(t *testing.T) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), mainEnv+"=bad", handshake.CookieKey+"="+handshake.CookieValue)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	err := cmd.Run()
	if exit := new(exec.ExitError); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ended with %v, want status 1", err)
	}
	var entry map[string]any
	if err := json.Unmarshal([]byte(stderr.String()), &entry); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if entry["@level"] != "error" || entry["@message"] == "" || !strings.Contains(fmt.Sprint(entry["err"]), "want a pointer to a struct") {
		t.Errorf("logged %v", entry)
	}
	if _, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", fmt.Sprint(entry["@timestamp"])); err != nil {
		t.Error(err)
	}
}

func TestProcessEndsWithItsLifeline(t *testing.T) {
	i := start(t)
	if err := i.Process.Signal(os.Interrupt); err != nil { // which a terminal sends to all of a group
		t.Fatal(err)
	}
	i.describe(t)
	if err := i.lifeline.Close(); err != nil {
		t.Fatal(err)
	}
	i.ended(t)
}

func TestProcessThatIsNotLinkedEndsWhenTerminated(t *testing.T) {
	i := start(t)
	i.describe(t)
	if err := i.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	i.ended(t)
}

func TestProcessEndsWithItsLink(t *testing.T) {
	for name, orderly := range map[string]bool{"orderly": true, "aborted": false} {
		t.Run(name, func(t *testing.T) {
			i := start(t)
			cc := i.dial(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stream, err := cc.NewStream(ctx, &pluginv1.PluginService_ServiceDesc.Streams[0], pluginv1.PluginService_Link_FullMethodName)
			if err != nil {
				t.Fatal(err)
			}
			opened, err := wire.AppendEvent(nil, &wire.Event{Actor: 1, Seq: 1, Kind: wire.Opened, Cold: &pluginv1.Opened{Snapshot: &pluginv1.Snapshot{}}})
			if err == nil {
				err = stream.SendMsg(&wire.Batch{B: opened})
			}
			var b wire.Batch
			if err == nil {
				err = stream.RecvMsg(&b)
			}
			if err != nil {
				t.Fatal(err)
			}
			b.Free()
			// A service manager terminates the whole group, and the core still drains.
			if err := i.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			i.describe(t)
			if orderly {
				if err := stream.CloseSend(); err != nil {
					t.Fatal(err)
				}
			} else {
				cancel()
			}
			i.ended(t)
		})
	}
}

func (i *instance) dial(t *testing.T) *grpc.ClientConn {
	t.Helper()
	cc, err := grpc.NewClient("unix:"+i.address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cc.Close() })
	return cc
}

// describe shows that the process lives.
func (i *instance) describe(t *testing.T) {
	t.Helper()
	cc := i.dial(t)
	d, err := pluginv1.NewPluginServiceClient(cc).Describe(t.Context(), &pluginv1.DescribeRequest{})
	if err != nil || d.GetName() != "funcs" {
		t.Fatalf("described as %v, %v", d, err)
	}
	_ = cc.Close()
}
