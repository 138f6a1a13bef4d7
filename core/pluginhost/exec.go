package pluginhost

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/protocol-bridge/bridge/proto/handshake"
	"github.com/protocol-bridge/bridge/proto/wire"
)

// Exec launches a plugin as a child process.
type Exec struct {
	Command []string          // program and arguments
	Env     map[string]string // all that the process gets, beside what go-plugin and Bridge add
	SHA256  string            // hex; when set, only a binary with this sum runs, from a copy that was verified
	MTLS    bool              // encrypt the link with certificates made for it
	Logger  *slog.Logger
}

// linkBuffer is how much of a link is read or written in one system call.
const linkBuffer = 128 << 10

// killGrace is how long after its process ended the output of a plugin is still read.
const killGrace = time.Second

// Launch starts the process and connects to it.
func (x *Exec) Launch(ctx context.Context) (Process, error) {
	child := &child{exited: make(chan struct{})}
	start := 10 * time.Second
	if d, ok := ctx.Deadline(); ok {
		start = time.Until(d)
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: handshake.ProtocolVersion, MagicCookieKey: handshake.CookieKey, MagicCookieValue: handshake.CookieValue,
		},
		Plugins:          plugin.PluginSet{handshake.Plugin: stub{}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		SkipHostEnv:      true,
		AutoMTLS:         x.MTLS,
		StartTimeout:     max(start, time.Millisecond),
		Logger:           newPluginLog(x.Logger),
		// dir is a fresh folder that only this user can enter, for the socket and what else the
		// instance needs; it is removed with the instance.
		RunnerFunc: func(_ hclog.Logger, spec *exec.Cmd, dir string) (runner.Runner, error) {
			child.dir = dir
			path, err := x.program(dir)
			if err != nil {
				return nil, err
			}
			return child, child.prepare(path, x.Command[1:], append(spec.Env, x.environment(dir)...))
		},
		GRPCDialOptions: []grpc.DialOption{
			grpc.WithDefaultCallOptions(grpc.ForceCodecV2(wire.Codec{}),
				grpc.MaxCallRecvMsgSize(wire.MaxMessage), grpc.MaxCallSendMsgSize(wire.MaxMessage)),
			grpc.WithInitialWindowSize(handshake.WindowBytes), grpc.WithInitialConnWindowSize(handshake.WindowBytes),
			grpc.WithReadBufferSize(linkBuffer), grpc.WithWriteBufferSize(linkBuffer),
			grpc.WithDisableServiceConfig(), grpc.WithNoProxy(),
		},
	})
	p := &process{child: child, client: client}
	defer context.AfterFunc(ctx, func() { _ = child.Kill(ctx) })()
	rpc, err := client.Client()
	if err == nil {
		var raw any
		if raw, err = rpc.Dispense(handshake.Plugin); err == nil {
			p.Conn = GRPC(raw.(*grpc.ClientConn))
		}
	}
	if err != nil {
		p.Kill()
		if child.started() {
			<-child.exited
			err = fmt.Errorf("%w (the process ended: %s)", err, child.exit.Text)
		} else {
			child.cleanup()
		}
		return nil, err
	}
	return p, nil
}

// environment is what the process gets: nothing of the host's own but where programs and temporary
// files are.
func (x *Exec) environment(socketDir string) []string {
	env := []string{
		"GOMAXPROCS=1", // a translator gains nothing from more, and the link loses
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + socketDir,
		fmt.Sprintf("%s=%d", handshake.LifelineFD, lifelineFD),
	}
	for k, v := range x.Env {
		env = append(env, k+"="+v)
	}
	return env
}

// ProgramSum is the SHA-256 sum of the program that a command starts.
func ProgramSum(command []string) (sum [sha256.Size]byte, err error) {
	if len(command) == 0 {
		return sum, errors.New("plugin has no command")
	}
	path, err := exec.LookPath(command[0])
	if err != nil {
		return sum, err
	}
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, fmt.Errorf("read %s: %w", path, err)
	}
	h.Sum(sum[:0])
	return sum, nil
}

// program is the path to run: the verified copy where a sum is given.
func (x *Exec) program(dir string) (string, error) {
	if len(x.Command) == 0 {
		return "", errors.New("plugin has no command")
	}
	path, err := exec.LookPath(x.Command[0])
	if err != nil {
		return "", err
	}
	if x.SHA256 == "" {
		return path, nil
	}
	from, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer from.Close()
	path = filepath.Join(dir, filepath.Base(path))
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o500) //nolint:gosec // it is to be run
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(to, sum), from)
	if err = errors.Join(err, to.Close()); err != nil {
		return "", err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != x.SHA256 {
		return "", fmt.Errorf("checksum of %s is %s, bridge.hcl allows only %s", x.Command[0], got, x.SHA256)
	}
	return path, nil
}

// lifelineFD is the descriptor in the child: the first after the standard ones.
const lifelineFD = 3

// child is a process that go-plugin runs. It is reaped as soon as it ends, whatever still holds its
// output open, and its folder goes with it.
type child struct {
	cmd     *exec.Cmd
	process atomic.Pointer[os.Process] // nil before the start
	dir     string
	stdout  io.ReadCloser
	stderr  io.ReadCloser
	life    *os.File // our end; closing it, also by dying, ends the child

	exited chan struct{}
	exit   Exit // set before exited is closed
	once   sync.Once
}

func (c *child) prepare(path string, args, env []string) error {
	c.cmd = exec.Command(path, args...) //nolint:noctx // it lives until it is killed
	c.cmd.Env = env
	// A group of its own: a terminal's interrupt is for the core alone, and a child that is stopped
	// when the core dies is continued by the kernel, and then sees the end of its lifeline.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if c.stdout, err = c.cmd.StdoutPipe(); err != nil {
		return err
	}
	c.stderr, err = c.cmd.StderrPipe()
	return err
}

func (c *child) started() bool { return c.process.Load() != nil }

// Start runs the process.
func (c *child) Start(context.Context) error {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return err
	}
	c.cmd.ExtraFiles = []*os.File{theirs}
	err = c.cmd.Start()
	_ = theirs.Close()
	if err != nil {
		_ = ours.Close()
		return err
	}
	c.life = ours
	c.process.Store(c.cmd.Process)
	go c.reap()
	return nil
}

func (c *child) reap() {
	state, err := c.cmd.Process.Wait()
	switch {
	case err != nil:
		c.exit = Exit{Text: err.Error()}
	default:
		c.exit = Exit{Text: state.String()}
		if ws, ok := state.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			c.exit.Killed = ws.Signal() == syscall.SIGKILL || ws.Signal() == syscall.SIGTERM
		}
	}
	c.cleanup()
	close(c.exited)
	// A grandchild may hold the output open; nobody waits for it.
	time.AfterFunc(killGrace, func() {
		_ = c.stdout.Close()
		_ = c.stderr.Close()
	})
}

func (c *child) cleanup() {
	c.once.Do(func() {
		if c.life != nil {
			_ = c.life.Close()
		}
		if c.dir != "" {
			_ = os.RemoveAll(c.dir)
		}
	})
}

// Wait returns when the process is reaped.
func (c *child) Wait(context.Context) error {
	<-c.exited
	return nil
}

// Kill ends the process at once.
func (c *child) Kill(context.Context) error {
	p := c.process.Load()
	if p == nil {
		return nil
	}
	if err := p.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// The rest of go-plugin's runner.Runner.

func (c *child) Stdout() io.ReadCloser { return c.stdout }
func (c *child) Stderr() io.ReadCloser { return c.stderr }
func (c *child) Name() string          { return filepath.Base(c.cmd.Path) }

// ID is the process id, empty when it was not started.
func (c *child) ID() string {
	if !c.started() {
		return ""
	}
	return strconv.Itoa(c.process.Load().Pid)
}

// Diagnose has nothing to add.
func (c *child) Diagnose(context.Context) string { return "" }

// PluginToHost and HostToPlugin: both see the same file system.
func (c *child) PluginToHost(network, address string) (string, string, error) {
	return network, address, nil
}

// HostToPlugin is the identity too.
func (c *child) HostToPlugin(network, address string) (string, string, error) {
	return network, address, nil
}

// stub gives go-plugin's connection out as it is.
type stub struct{ plugin.NetRPCUnsupportedPlugin }

func (stub) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

func (stub) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, conn *grpc.ClientConn) (any, error) {
	return conn, nil
}

// process is a child that can be asked.
type process struct {
	*Conn
	child  *child
	client *plugin.Client
	once   sync.Once
}

func (p *process) Pid() int                { return p.child.process.Load().Pid }
func (p *process) Exited() <-chan struct{} { return p.child.exited }
func (p *process) Exit() Exit              { return p.child.exit }

// Kill ends the process; go-plugin then lets go of its connection and its folder.
func (p *process) Kill() {
	_ = p.child.Kill(context.Background())
	p.once.Do(func() {
		go func() {
			if p.child.started() {
				<-p.child.exited
			}
			p.client.Kill()
		}()
	})
}

// Stop closes the lifeline.
func (p *process) Stop() { _ = p.child.life.Close() }
