//go:build linux

package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/bench/load"
	"github.com/protocol-bridge/bridge/bench/process"
)

// self is this binary, also when another was built meanwhile.
const self = "/proc/self/exe"

// server is a process of this binary that serves.
type server struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	address string
	dir     string // removed with it; empty: none
	pids    []int  // whose processor time counts: its own, and its plugin's
}

func newChild(binary string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), binary, args...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Pdeathsig: unix.SIGKILL}
	return cmd
}

// start starts a role that prints its address once it serves.
func start(args ...string) (*server, error) { return startChild(newChild(self, args...)) }

func startChild(cmd *exec.Cmd) (*server, error) { return startWith(cmd, "") }

// startWith starts a child that is told something first, unless that is empty.
func startWith(cmd *exec.Cmd, first string) (*server, error) {
	s := &server{cmd: cmd}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.out = bufio.NewReader(out)
	s.pids = []int{s.cmd.Process.Pid}
	if first != "" {
		if _, err := fmt.Fprintln(s.in, first); err != nil {
			return nil, errors.Join(err, s.stop())
		}
	}
	if s.address, err = s.out.ReadString('\n'); err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", cmd.Args[1], err), s.stop())
	}
	s.address = strings.TrimSpace(s.address)
	return s, nil
}

// stop ends the server and waits for it.
func (s *server) stop() error {
	_ = s.in.Close()
	late := time.AfterFunc(10*time.Second, func() { _ = s.cmd.Process.Kill() })
	err := s.cmd.Wait()
	late.Stop()
	if s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	return err
}

// ask has the core do something; answer may be nil.
func (s *server) ask(what string, answer any) error {
	if _, err := fmt.Fprintln(s.in, what); err != nil {
		return err
	}
	line, err := s.out.ReadBytes('\n')
	if err != nil || answer == nil {
		return err
	}
	return json.Unmarshal(line, answer)
}

// startTime is how long the processes of a core may take to be there.
const startTime = 10 * time.Second

// coreOf says how a core is started.
type coreOf struct {
	binary string   // a build of this command
	env    []string // besides that of this process
	args   []string // for the role
	tls    bool     // clients must speak it
	spare  bool     // each plugin has a second process ready
}

// start starts a core with this in its configuration, and its plugin.
func (c coreOf) start(hcl string) (*server, error) {
	dir, err := os.MkdirTemp("", "bridge-bench-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "bridge.hcl")
	before := listener
	if c.tls {
		before = tlsListener
		err = writeCertificate(dir)
	}
	if err = errors.Join(err, os.WriteFile(file, []byte(before+hcl), 0o600)); err != nil {
		return nil, err
	}
	cmd := newChild(c.binary, append([]string{"core", "-config", file}, c.args...)...)
	cmd.Env = append(os.Environ(), c.env...)
	s, err := startChild(cmd)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	s.dir = dir
	want := 1
	if c.spare {
		want = 2
	}
	plugins := process.Children(s.pids[0])
	for deadline := time.Now().Add(startTime); c.spare && len(plugins) < want && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
		plugins = process.Children(s.pids[0])
	}
	if len(plugins) != want {
		return nil, errors.Join(fmt.Errorf("the core has %d plugin processes, not %d", len(plugins), want), s.stop())
	}
	s.pids = append(s.pids, plugins...)
	return s, nil
}

// runLoadOn has a process of its own put load on the server.
func (s *server) runLoadOn(spec load.Spec) (*load.Result, error) {
	spec.Address = s.address
	data, err := json.Marshal(&spec)
	if err != nil {
		return nil, err
	}
	cmd := newChild(self, "load")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	r := new(load.Result)
	return r, json.Unmarshal(out, r)
}

// Configurations.
const (
	listener = `
listener "public" {
  address = "127.0.0.1:0"
}
`
	tlsListener = `
listener "public" {
  address = "127.0.0.1:0"
  tls {
    cert_file = "cert.pem"
    key_file  = "key.pem"
  }
}
`
	echoHCL = `
plugin "echo" {
  route "/echo" {
    auth = auth.none
  }
}
`
	ctprotoHCL = `
auth "static" "dev" {
  tokens = { good-token = "38" }
}
upstream "dev" "echo" {}
plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.dev.echo
    channels = ["user/${user.id}"]
  }
}
`
	// claimsHCL is with tokens that say more of a client.
	claimsHCL = `
auth "jwt" "dev" {
  secret = "` + tokenSecret + `"
}
upstream "dev" "echo" {}
plugin "ctproto" {
  route "/client" {
    auth     = auth.jwt.dev
    upstream = upstream.dev.echo
    channels = ["user/${user.id}"]
  }
}
`
	proxyHCL = `
auth "static" "dev" {
  tokens = { good-token = "38" }
}
upstream "logux" "app" {
  url    = "http://%s/logux"
  secret = "` + backendSecret + `"
}
plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.logux.app
    channels = ["user/${user.id}"]
  }
}
`
)
