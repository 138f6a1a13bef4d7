//go:build linux

package harness

import (
	"bytes"
	"cmp"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// Limits of what a bridge is given time for, generous for a machine that has other things to do.
const (
	startLimit = 30 * time.Second
	stopLimit  = 60 * time.Second
	// GoneLimit is how long after the end of a bridge something of it may still be there.
	GoneLimit = 5 * time.Second
)

// Bridge is a running bridge command with a folder of its own.
type Bridge struct {
	t     testing.TB
	dir   string
	cmd   *exec.Cmd
	head  string        // of bridge.hcl
	ended chan struct{} // closed when it was reaped
	addrs map[string]string
	known bool // its end was seen to
}

// Config is what a bridge is started with.
type Config struct {
	// File is bridge.hcl but for data_dir, the listener "public" and the admin address, which Start
	// writes.
	File string
	// LogLevel is info when empty.
	LogLevel string
	// Env is added to the environment, which otherwise has only PATH, HOME and TMPDIR.
	Env []string
	// Head replaces the beginning of bridge.hcl that Start writes. It must have a listener "public" and
	// an admin block.
	Head string
	// Unready says that some plugin cannot serve, so that /ready is not waited for.
	Unready bool
	// Starting says that nothing is waited for.
	Starting bool
	// Wrap is a command that runs bridge, whose own words follow it; nil: none does.
	Wrap []string
	// Log is where it logs to; nil: where the other functions look for that. With it nothing is waited
	// for but the control socket.
	Log *os.File
}

// Start runs a bridge and waits until it is ready. When the test ends it is stopped, if the test has
// not done so, and must leave nothing behind; the log is shown when the test failed.
func Start(t testing.TB, cfg Config) *Bridge {
	t.Helper()
	// Not t.TempDir, whose names are too long for the sockets below.
	dir, err := os.MkdirTemp("", "bridge")
	if err != nil {
		t.Fatal(err)
	}
	b := &Bridge{t: t, dir: dir, ended: make(chan struct{})}
	t.Cleanup(b.cleanup)
	head := "data_dir = \"data\"\n" +
		"listener \"public\" {\n  address = \"127.0.0.1:0\"\n  default = true\n}\n" +
		"admin {\n  address = \"127.0.0.1:0\"\n}\n"
	if cfg.Head != "" {
		head = cfg.Head
	}
	b.head = head
	b.Write(cfg.File)
	if err := os.Mkdir(b.Tmp(), 0o700); err != nil {
		t.Fatal(err)
	}
	b.run(cfg)
	if cfg.Log != nil {
		Until(t, startLimit, "somebody answers at the socket", func() bool {
			conn, err := net.Dial("unix", filepath.Join(dir, "data", "bridge.sock"))
			if err != nil {
				return false
			}
			return conn.Close() == nil
		})
	}
	if cfg.Starting || cfg.Log != nil {
		return b
	}
	b.awaitListening()
	if !cfg.Unready {
		b.awaitReady()
	}
	return b
}

// AwaitReady waits until a bridge that was started with Starting serves.
func (b *Bridge) AwaitReady() {
	b.t.Helper()
	b.awaitListening()
	b.awaitReady()
}

func (b *Bridge) awaitListening() {
	b.t.Helper()
	Until(b.t, startLimit, "the bridge says where it listens", func() bool {
		b.failIfEnded()
		b.addrs = b.addresses()
		return b.addrs["public"] != "" && b.addrs["admin"] != ""
	})
}

func (b *Bridge) awaitReady() {
	b.t.Helper()
	Until(b.t, startLimit, "/ready answers 200", func() bool { return b.get("/ready") == http.StatusOK })
}

// Again starts a bridge that has ended once more, in its own folder, and waits until it serves.
func (b *Bridge) Again(cfg Config) {
	b.t.Helper()
	b.ended, b.known = make(chan struct{}), false
	b.run(cfg)
	b.AwaitReady()
}

// Write replaces bridge.hcl but for its head, and does nothing else.
func (b *Bridge) Write(file string) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "bridge.hcl"), []byte(b.head+file), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// Reload replaces bridge.hcl but for its head, has it read, and waits until that is done or was
// refused. It returns what the log says of it: the changes, or the faults.
func (b *Bridge) Reload(file string) (lines []string, reloaded bool) {
	b.t.Helper()
	before := len(b.lines())
	b.Write(file)
	b.Signal(syscall.SIGHUP)
	Until(b.t, startLimit, "the log says how the reload went", func() bool {
		lines = nil
		for _, l := range b.lines()[before:] {
			switch l.Msg {
			case "configuration changed":
				lines = append(lines, l.Change)
			case "fault of the configuration":
				lines = append(lines, l.Err)
			case "configuration reloaded":
				reloaded = true
				return true
			case "configuration is not reloaded, the old one serves on":
				return true
			}
		}
		return false
	})
	return lines, reloaded
}

func (b *Bridge) run(cfg Config) {
	b.t.Helper()
	out, err := os.Create(b.logFile())
	if err != nil {
		b.t.Fatal(err)
	}
	defer out.Close()
	command := append(slices.Clone(cfg.Wrap), Program("bridge"), "run", "--config", filepath.Join(b.dir, "bridge.hcl"), "--log-format", "json", "--log-level", cmp.Or(cfg.LogLevel, "info"))
	b.cmd = exec.Command(command[0], command[1:]...)
	if cfg.Log != nil {
		out = cfg.Log
	}
	b.cmd.Stdout, b.cmd.Stderr = out, out
	b.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.dir, "TMPDIR=" + b.Tmp()}, cfg.Env...)
	// It goes when the tests go, however these end.
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	go func() {
		_ = b.cmd.Wait() // its state is looked at
		close(b.ended)
	}()
}

func (b *Bridge) failIfEnded() {
	b.t.Helper()
	select {
	case <-b.ended:
		b.known = true
		b.t.Fatalf("the bridge ended: %v", b.cmd.ProcessState)
	default:
	}
}

func (b *Bridge) logFile() string { return filepath.Join(b.dir, "bridge.log") }

// Tmp is the TMPDIR of the bridge. When it has ended, nothing may be left in it.
func (b *Bridge) Tmp() string { return filepath.Join(b.dir, "tmp") }

// Pid is the bridge's.
func (b *Bridge) Pid() int { return b.cmd.Process.Pid }

// Address is where the public listener is.
func (b *Bridge) Address() string { return b.addrs["public"] }

// AddressOf is where a listener is, or the one called "admin".
func (b *Bridge) AddressOf(listener string) string {
	b.t.Helper()
	Until(b.t, startLimit, "the bridge says where "+listener+" is", func() bool { return b.addresses()[listener] != "" })
	return b.addresses()[listener]
}

// URL is that of a WebSocket path of the public listener.
func (b *Bridge) URL(path string) string { return "ws://" + b.Address() + path }

// Children are the live processes that this bridge started, also those it did not take along when it
// ended.
func (b *Bridge) Children() []int {
	var list []int
	for _, pid := range withEnvironment("TMPDIR", b.Tmp()) {
		if pid != b.Pid() {
			list = append(list, pid)
		}
	}
	return list
}

// zombies are children that ended and were not reaped.
func (b *Bridge) zombies() []int {
	var list []int
	for _, p := range processes() {
		if p.parent == b.Pid() && p.state == 'Z' {
			list = append(list, p.pid)
		}
	}
	return list
}

// checkReaped fails the test if a child that has ended stays a zombie.
func (b *Bridge) checkReaped() {
	dead := b.zombies()
	if !Eventually(GoneLimit, func() bool {
		dead = slices.DeleteFunc(dead, func(pid int) bool { return !slices.Contains(b.zombies(), pid) })
		return len(dead) == 0
	}) {
		b.t.Errorf("children %v ended and were not reaped within %v", dead, GoneLimit)
	}
}

// Left is what lies in the bridge's TMPDIR.
func (b *Bridge) Left() []string {
	entries, err := os.ReadDir(b.Tmp())
	if err != nil {
		b.t.Error(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Signal sends a signal to the bridge.
func (b *Bridge) Signal(s syscall.Signal) {
	b.t.Helper()
	if err := b.cmd.Process.Signal(s); err != nil {
		b.t.Fatalf("signal %v to the bridge: %v", s, err)
	}
}

// Stop asks the bridge to end and returns its exit status once it has.
func (b *Bridge) Stop() int {
	b.t.Helper()
	b.known = true
	if err := b.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		b.t.Errorf("SIGTERM to the bridge: %v", err)
	}
	select {
	case <-b.ended:
	case <-time.After(stopLimit):
		b.t.Errorf("the bridge does not end within %v of SIGTERM", stopLimit)
		_ = b.cmd.Process.Kill()
		<-b.ended
	}
	return b.cmd.ProcessState.ExitCode()
}

// Await waits until the bridge, which was asked to, has ended, and returns its exit status, -1 when a
// signal ended it.
func (b *Bridge) Await(limit time.Duration) int {
	b.t.Helper()
	b.known = true
	select {
	case <-b.ended:
	case <-time.After(limit):
		b.t.Errorf("the bridge does not end within %v", limit)
		b.Kill()
	}
	return b.cmd.ProcessState.ExitCode()
}

// Kill ends the bridge at once.
func (b *Bridge) Kill() {
	b.known = true
	_ = b.cmd.Process.Kill()
	<-b.ended
}

// CheckNothingLeft fails the test if, a while after the bridge has ended, a process or a file of it
// is still there.
func (b *Bridge) CheckNothingLeft() {
	b.t.Helper()
	if !Eventually(GoneLimit, func() bool { return len(b.Children()) == 0 && len(b.Left()) == 0 }) {
		b.t.Errorf("%v after the end there are processes %v, and in TMPDIR %q", GoneLimit, b.Children(), b.Left())
	}
}

func (b *Bridge) cleanup() {
	if b.cmd != nil && b.cmd.Process != nil {
		if !b.known {
			b.checkReaped()
			if status := b.Stop(); status != 0 {
				b.t.Errorf("exit status %d, want 0", status)
			}
			b.CheckNothingLeft()
		}
		for _, pid := range b.Children() { // the test has failed already
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
	if b.t.Failed() {
		if text, err := os.ReadFile(b.logFile()); err == nil {
			b.t.Logf("the end of the bridge's log:\n%s", tail(text, 16<<10))
		}
	}
	if err := os.RemoveAll(b.dir); err != nil {
		b.t.Error(err)
	}
}

// tail is at most n bytes of the end, from the beginning of a line on.
func tail(text []byte, n int) []byte {
	if len(text) <= n {
		return text
	}
	text = text[len(text)-n:]
	return text[bytes.IndexByte(text, '\n')+1:]
}
