//go:build linux

package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/bench/process"
)

// bridge is the process under test.
type bridge struct {
	cmd       *exec.Cmd
	dir       string
	addresses map[string]string
	admin     *http.Client // by its address
	control   *http.Client // by its socket
	ended     chan error
}

const (
	startTime = 30 * time.Second
	stopTime  = 60 * time.Second
	pollEvery = 20 * time.Millisecond
)

func startBridge(program, dir string) (*bridge, error) {
	b := &bridge{dir: dir, addresses: make(map[string]string), ended: make(chan error, 1)}
	log, err := os.Create(b.log())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if err := os.Mkdir(b.tmp(), 0o700); err != nil {
		return nil, err
	}
	b.cmd = exec.CommandContext(context.Background(), program, "run", "--config", filepath.Join(dir, "bridge.hcl"), "--log-format", "json")
	b.cmd.Stdout, b.cmd.Stderr = log, log
	b.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + b.tmp()}
	b.cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { b.ended <- b.cmd.Wait() }()
	const both = 10 * time.Second
	b.admin = &http.Client{Timeout: both}
	b.control = &http.Client{Timeout: startTime, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", filepath.Join(dir, "data", "bridge.sock"))
		},
	}}
	for deadline := time.Now().Add(startTime); ; time.Sleep(pollEvery) {
		select {
		case err := <-b.ended:
			return nil, fmt.Errorf("bridge ended at once, see %s: %w", b.log(), err)
		default:
		}
		if err := b.readAddresses(); err != nil {
			return nil, errors.Join(err, b.stop())
		}
		if b.addresses["admin"] != "" && b.addresses["secure"] != "" && b.ready() {
			return b, nil
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("bridge is not ready, see %s", b.log()), b.stop())
		}
	}
}

func (b *bridge) log() string { return filepath.Join(b.dir, "bridge.log") }
func (b *bridge) tmp() string { return filepath.Join(b.dir, "tmp") }
func (b *bridge) pid() int    { return b.cmd.Process.Pid }

func (b *bridge) readAddresses() error {
	text, err := os.ReadFile(b.log())
	for line := range bytes.Lines(text) {
		var l struct{ Msg, Listener, Address string }
		if json.Unmarshal(line, &l) == nil && l.Msg == "listening" {
			b.addresses[l.Listener] = l.Address
		}
	}
	return err
}

func (b *bridge) ready() bool {
	_, err := b.get("/ready")
	return err == nil
}

// get returns what the admin address answers.
func (b *bridge) get(path string) ([]byte, error) {
	return do(b.admin, http.MethodGet, "http://"+b.addresses["admin"]+path, nil)
}

// post has the bridge do something, by its socket.
func (b *bridge) post(path, body string) ([]byte, error) {
	return do(b.control, http.MethodPost, "http://bridge"+path, strings.NewReader(body))
}

func do(c *http.Client, method, url string, body io.Reader) ([]byte, error) {
	req, err := http.NewRequestWithContext(context.Background(), method, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := c.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: status %d: %.300s", method, url, res.StatusCode, text)
	}
	return text, err
}

// plugin is an element of /api/plugins.
type plugin struct {
	Name     string
	PID      int
	Restarts int
}

func (b *bridge) plugins() (map[string]plugin, error) {
	text, err := b.get("/api/plugins")
	if err != nil {
		return nil, err
	}
	var list []plugin
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, err
	}
	of := make(map[string]plugin)
	for _, p := range list {
		of[p.Name] = p
	}
	return of, nil
}

// metrics are the values of /metrics by series.
type metrics map[string]float64

func (b *bridge) metrics() (metrics, error) {
	text, err := b.get("/metrics")
	if err != nil {
		return nil, err
	}
	m := make(metrics)
	for line := range bytes.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(string(line)), "} ")
		if ok {
			name += "}"
		} else if name, value, ok = strings.Cut(name, " "); !ok || name == "#" {
			continue
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			m[name] = v
		}
	}
	return m, nil
}

// sum adds up what begins so.
func (m metrics) sum(prefix string) (total float64) {
	for name, v := range m {
		if strings.HasPrefix(name, prefix) {
			total += v
		}
	}
	return total
}

// stop asks the bridge to end, and checks how it does.
func (b *bridge) stop() error {
	if err := b.cmd.Process.Signal(unix.SIGTERM); err != nil {
		return fmt.Errorf("end bridge: %w", err)
	}
	select {
	case err := <-b.ended:
		if err != nil {
			return fmt.Errorf("bridge ended badly, see %s: %w", b.log(), err)
		}
	case <-time.After(stopTime):
		_ = b.cmd.Process.Kill()
		return fmt.Errorf("bridge did not end within %v", stopTime)
	}
	left, err := os.ReadDir(b.tmp())
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("bridge left %d files in %s", len(left), b.tmp())
	}
	if children := process.Children(b.pid()); len(children) > 0 {
		return fmt.Errorf("bridge left the processes %v", children)
	}
	return nil
}
