package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/pluginhost"
)

// bridge runs the command in this process.
func bridge(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = execute(t.Context(), args, &out, &err)
	return status, out.String(), err.String()
}

func TestUsage(t *testing.T) {
	tests := map[string]struct {
		args   []string
		status int
		stdout string // a piece of it
		stderr string
	}{
		"version":            {[]string{"version"}, 0, "bridge ", ""},
		"help":               {[]string{"help"}, 0, "Usage:", ""},
		"help with one dash": {[]string{"-help"}, 0, "Usage:", ""},
		"help of a command":  {[]string{"run", "--help"}, 0, "--log-format", ""},
		"unknown command":    {[]string{"serve"}, 2, "", "bridge: unknown command \"serve\" for \"bridge\"\nSee `bridge help`.\n"},
		"unknown flag":       {[]string{"--port=1"}, 2, "", "bridge: unknown flag: --port\nSee `bridge help`.\n"},
		"flag of another":    {[]string{"version", "-config", "x"}, 2, "", "unknown flag: --config"},
		"flag with no value": {[]string{"run", "-config"}, 2, "", "flag needs an argument: --config"},
		"log level":          {[]string{"-log-level", "loud"}, 2, "", `--log-level is debug, info, warn or error, not "loud"`},
		"log format":         {[]string{"run", "-log-format=xml"}, 2, "", `--log-format is text or json, not "xml"`},
		"no plugin":          {[]string{"plugin"}, 2, "", "one plugin has to be named: chat, ctproto"},
		"two plugins":        {[]string{"plugin", "a", "b"}, 2, "", "one plugin has to be named"},
		"unknown plugin":     {[]string{"plugin", "telex"}, 2, "", `no built-in plugin "telex", only chat, ctproto`},
		"run with a word":    {[]string{"run", "fast"}, 2, "", "unknown command \"fast\" for \"bridge run\""},
		"no such file":       {[]string{"-config", "nowhere.hcl"}, 1, "", "nowhere.hcl"},
		"no such file, run":  {[]string{"run", "-c", "nowhere.hcl"}, 1, "", "nowhere.hcl"},
		"validate no file":   {[]string{"validate", "--config=nowhere.hcl"}, 1, "", "nowhere.hcl"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := bridge(t, tt.args...)
			if status != tt.status || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
				t.Errorf("bridge %q: status %d, want %d\nstdout %s\nstderr %s\nwant %q, %q", tt.args, status, tt.status, stdout, stderr, tt.stdout, tt.stderr)
			}
			if tt.status != 0 && stdout != "" || tt.status == 0 && stderr != "" {
				t.Errorf("said in the wrong place\nstdout %s\nstderr %s", stdout, stderr)
			}
		})
	}
}

func TestExplain(t *testing.T) {
	tests := map[string]struct {
		err  error
		want string
	}{
		"taken address": {
			fmt.Errorf("listen on 127.0.0.1:1: %w", &net.OpError{Op: "listen", Err: os.NewSyscallError("bind", syscall.EADDRINUSE)}),
			"bridge: listen on 127.0.0.1:1: listen: bind: address already in use\nAnother process has the address: stop it, or change the address in bridge.hcl.\n",
		},
		"foreign address": {syscall.EADDRNOTAVAIL, "bridge: cannot assign requested address\nThis machine does not have that address: change it in bridge.hcl.\n"},
		"low port":        {syscall.EACCES, "bridge: permission denied\nTake a port above 1023, or allow bridge the lower ones: setcap cap_net_bind_service=+ep on its file.\n"},
		"held data_dir": {
			&core.DataDirError{Dir: "data", Held: true, PID: 7},
			"bridge: another bridge, process 7, uses data_dir \"data\"\nStop that one, or give this one a data_dir of its own in bridge.hcl.\n",
		},
		"data_dir of others": {
			&core.DataDirError{Dir: "data", Err: fs.ErrPermission},
			"bridge: data_dir \"data\" cannot be used: permission denied\nLet this user write there, or choose another data_dir in bridge.hcl.\n",
		},
		"deep data_dir": {
			fmt.Errorf("control socket x: %w", admin.ErrSocketPath),
			"bridge: control socket x: the path is too long for a socket\n" +
				"Choose a shorter data_dir in bridge.hcl, or start bridge in the folder of the file and name the file without one.\n",
		},
		"open admin": {
			admin.ErrNotLoopback,
			"bridge: the admin address is open to other machines and has no auth; use 127.0.0.1\nWrite address = \"127.0.0.1:6780\" in the admin block of bridge.hcl.\n",
		},
		"certificate": {
			&core.CertificateError{Listener: "public", CertFile: "c.pem", KeyFile: "k.pem", Err: fs.ErrPermission},
			"bridge: listener \"public\": certificate cannot be used: c.pem with the key k.pem: permission denied\n" +
				"Check cert_file and key_file in the listener's tls block: both as PEM, and the key that of the first certificate.\n",
		},
		"several": {
			errors.Join(nil, errors.Join(pluginhost.ErrConfig, errors.New("one\nand more")), fmt.Errorf("two: %w", fs.ErrNotExist)),
			"bridge: one and more\nRun bridge with --log-level debug to see what led to it.\n" +
				"bridge: two: file does not exist\nCheck the path in bridge.hcl; relative ones are relative to its folder.\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var w bytes.Buffer
			err := explain(&w, tt.err)
			var status exitError
			if !errors.As(err, &status) || status != exitFailure || w.String() != tt.want {
				t.Errorf("got %v\n%s\nwant\n%s", err, w.String(), tt.want)
			}
		})
	}
	if err := explain(nil, nil); err != nil {
		t.Errorf("nothing is an error: %v", err)
	}
}

// binary builds the command: what it starts as plugins is itself.
func binary(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds the command")
	}
	path := filepath.Join(t.TempDir(), "bridge")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

const configuration = `
data_dir = "data"
listener "public" {
  address = "127.0.0.1:0"
  default = true
}
auth "static" "dev" {
  tokens = { good-token = "38" }
}
upstream "dev" "echo" {}
plugin "ctproto" {
  route "/client" {
    auth     = auth.static.dev
    upstream = upstream.dev.echo
    config {
      token = payload.token
    }
  }
}
`

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "bridge.hcl")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommand(t *testing.T) {
	path := binary(t)
	good := write(t, configuration)

	t.Run("validate", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), path, "validate", "-config", good).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "/client  ctproto  auth.static.dev  upstream.dev.echo") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("validate a plugin's block", func(t *testing.T) {
		bad := write(t, strings.Replace(configuration, "token = payload", "tokken = payload", 1))
		out, err := exec.CommandContext(t.Context(), path, "validate", "-config", bad).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "tokken") || !strings.Contains(string(out), "line 16") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("taken address", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		taken := write(t, strings.Replace(configuration, "127.0.0.1:0", ln.Addr().String(), 1))
		out, err := exec.CommandContext(t.Context(), path, "-config", taken).CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(string(out), "Another process has the address") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	for _, signal := range []os.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run("run until "+signal.String(), func(t *testing.T) {
			cmd := exec.CommandContext(t.Context(), path, "-c", good, "-log-format", "json")
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			var address string
			lines := bufio.NewScanner(stderr)
			for address == "" && lines.Scan() {
				if m := regexp.MustCompile(`"msg":"listening".*"address":"([^"]+)"`).FindStringSubmatch(lines.Text()); m != nil {
					address = m[1]
				}
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/client", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != http.StatusUpgradeRequired {
				t.Errorf("got %s", res.Status)
			}
			if err := cmd.Process.Signal(signal); err != nil {
				t.Fatal(err)
			}
			for lines.Scan() {
				t.Log(lines.Text())
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("ended with %v", err)
			}
		})
	}
}
