package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"flag"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var update = flag.Bool("update", false, "write the golden files")

const goodSecret = "long-and-random-as-of-openssl"

// migrations are settings that users of a Logux server have. What is printed for each is in
// testdata/migrate/NAME.hcl, or what is wrong with them in NAME.txt.
var migrations = map[string]struct {
	file    string // .env
	environ []string
	args    []string
}{
	"nothing": {},
	"rails": {
		file:    "LOGUX_BACKEND=http://localhost:3000/logux\nLOGUX_CONTROL_SECRET=" + goodSecret + "\nLOGUX_URL=http://localhost:31338/\nDATABASE_URL=postgres://x\n",
		environ: []string{"NODE_ENV=production"},
	},
	"rails-application": {environ: []string{"LOGUX_URL=http://logux.internal:31337/", "LOGUX_CONTROL_SECRET=" + goodSecret}},
	"django": {
		environ: []string{"LOGUX_BACKEND=http://localhost:8000/logux/", "LOGUX_CONTROL_SECRET=secret", "NODE_ENV=development"},
	},
	"laravel": {
		file: "LOGUX_PASSWORD=" + goodSecret + "\nLOGUX_CONTROL_URL=http://localhost:31338\nLOGUX_ENDPOINT_URL=/logux\nLOGUX_PROTOCOL_VERSION=2\n",
	},
	"laravel-and-server": {
		file: "LOGUX_PASSWORD=another\nLOGUX_CONTROL_SECRET=" + goodSecret + "\nLOGUX_CONTROL_URL=http://logux:31338/control\n" +
			"LOGUX_PROTOCOL_VERSION=2\nLOGUX_BACKEND=http://web/logux\nLOGUX_LOGGER=json\nLOGUX_HOST=0.0.0.0\n",
	},
	"tls": {environ: []string{
		"LOGUX_HOST=::", "LOGUX_PORT=443", "LOGUX_CERT=cert.pem", "LOGUX_KEY=key.pem", "LOGUX_BACKEND=https://app.example/logux",
		"LOGUX_CONTROL_SECRET=" + goodSecret, "LOGUX_CONTROL_MASK=10.0.0.0/8, 127.0.0.1/8", "NODE_ENV=production",
	}},
	"server-0.6": {environ: []string{
		"LOGUX_BACKEND=http://localhost:3000/logux", "LOGUX_CONTROL_PASSWORD=" + goodSecret, "LOGUX_CONTROL_HOST=0.0.0.0",
		"LOGUX_REPORTER=bunyan", "NODE_ENV=production",
	}},
	"server-0.8": {environ: []string{
		"LOGUX_BACKEND=http://localhost:3000/logux", "LOGUX_CONTROL_SECRET=" + goodSecret, "LOGUX_REPORTER=json", "NODE_ENV=staging",
	}},
	"control-on-the-same-port": {environ: []string{
		"LOGUX_BACKEND=http://localhost:3000", "LOGUX_CONTROL_PASSWORD=" + goodSecret, "LOGUX_CONTROL_PORT=31337", "NODE_ENV=production",
	}},
	"everything": {
		file: "export LOGUX_SUBPROTOCOL='1.2.0'\nLOGUX_SUPPORTS=\"^1.0.0\" # ours\nLOGUX_REDIS=redis://127.0.0.1\nLOGUX_LOGGER=human\nLOGUX_CONFIG={}\n",
		environ: []string{
			"LOGUX_SUPPORTS=^9.0.0", "LOGUX_BACKEND=http://[::1]:3000/${x}", "LOGUX_CONTROL_SECRET=" + goodSecret, "NODE_ENV=production",
		},
		args: []string{"-p", "8080", "--host=localhost", "--controlMask", "127.0.0.1"},
	},
	"arguments": {args: []string{"--port", "31337", "--backend", "http://127.0.0.1:3000/logux", "--control-secret", goodSecret}},
	"server-0.14": {environ: []string{
		"LOGUX_SUBPROTOCOL=3", "LOGUX_MIN_SUBPROTOCOL=2", "LOGUX_BACKEND=http://localhost:3000/logux", "LOGUX_CONTROL_SECRET=" + goodSecret,
	}},
	"unknown names": {
		file: "LOGUX_BACKENT=http://localhost:3000/logux\nLOGUX_CONTROL_SECRETS=private\nLOGUX_WHATEVER=1\n",
	},
	"refused": {environ: []string{
		"LOGUX_HOST=10.0.0.1:80", "LOGUX_PORT=http", "LOGUX_KEY=key.pem", "LOGUX_BACKEND=ftp://localhost", "LOGUX_CONTROL_SECRET=secret",
		"LOGUX_CONTROL_MASK=here", "LOGUX_SUPPORTS=new ones", "LOGUX_URL=ws://localhost", "LOGUX_PROTOCOL_VERSION=5", "LOGUX_CONTROL_PORT=0",
	}},
	"refused too": {environ: []string{
		"LOGUX_CERT=cert.pem", "LOGUX_BACKEND=http://me:private@app.example/", "LOGUX_CONTROL_SECRET=changeme", "LOGUX_MIN_SUBPROTOCOL=^2",
	}},
	"key itself": {
		file: "LOGUX_KEY=\"-----BEGIN PRIVATE KEY-----\nprivate\n-----END PRIVATE KEY-----\"\nLOGUX_CERT=c\nLOGUX_BACKEND='http://a/#private'\nLOGUX_CONTROL_SECRET=" + goodSecret,
	},
}

// TestMigrateLogux: what is printed is what the golden files have, holds no secret, and is valid to the command.
func TestMigrateLogux(t *testing.T) {
	command := binary(t)
	for name, tt := range migrations {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, ".env"), tt.file)
			run := func(args ...string) (int, string, string) {
				var out, errs strings.Builder
				cmd := exec.CommandContext(t.Context(), command, args...)
				cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errs
				cmd.Env = slices.Concat([]string{"PATH=" + os.Getenv("PATH")}, tt.environ)
				if args[0] == "validate" {
					cmd.Env = append(cmd.Env, "LOGUX_CONTROL_SECRET="+goodSecret, "LOGUX_CONTROL_PASSWORD="+goodSecret, "LOGUX_PASSWORD="+goodSecret)
				}
				_ = cmd.Run() // its status is looked at
				return cmd.ProcessState.ExitCode(), out.String(), errs.String()
			}
			status, stdout, stderr := run(append([]string{"migrate", "logux", "--"}, tt.args...)...)
			for _, secret := range []string{goodSecret, "private"} {
				if strings.Contains(stdout+stderr, secret) {
					t.Errorf("a secret is printed:\n%s%s", stdout, stderr)
				}
			}
			if status == 0 {
				golden(t, name+".hcl", stdout)
				writeFile(t, filepath.Join(dir, "bridge.hcl"), stdout)
				writeCertificate(t, dir)
				if status, out, errs := run("validate"); status != 0 || strings.Contains(errs, "Warning") {
					t.Errorf("not valid, status %d\n%s%s\n%s", status, out, errs, stdout)
				}
				return
			}
			if status != 1 || stdout != "" || strings.Count(stderr, "\n") != 2*strings.Count(stderr, "bridge: ") {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
			golden(t, name+".txt", stderr)
		})
	}
}

// writeCertificate writes cert.pem and key.pem.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "cert.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})))
	writeFile(t, filepath.Join(dir, "key.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "migrate", strings.ReplaceAll(name, " ", "-"))
	if *update {
		writeFile(t, path, got)
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%v; go test -update writes what it is now:\n%s", err, got)
	}
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestMigrateUsage: what is wrong with the arguments is bad usage, and no value is repeated.
func TestMigrateUsage(t *testing.T) {
	for name, tt := range map[string]struct {
		args   []string
		status int
		stderr string
	}{
		"from nothing":           {[]string{"migrate"}, 2, "what to migrate from has to be named: logux"},
		"from another":           {[]string{"migrate", "telex"}, 2, `unknown command "telex"`},
		"no dashes":              {[]string{"migrate", "logux", "server.js"}, 2, "behind two dashes"},
		"before the dashes":      {[]string{"migrate", "logux", "server.js", "--", "-p", "1"}, 2, "behind two dashes"},
		"a flag of node":         {[]string{"migrate", "logux", "--port", "1"}, 2, "unknown flag: --port"},
		"a program":              {[]string{"migrate", "logux", "--", "server.js"}, 2, "not the program's name"},
		"mistyped":               {[]string{"migrate", "logux", "--", "--control-secrt=private"}, 2, "no argument --control-secrt; did you mean --control-secret?"},
		"unknown":                {[]string{"migrate", "logux", "--", "--watch"}, 2, "no argument --watch; it has --backend, "},
		"no value":               {[]string{"migrate", "logux", "--", "--port"}, 2, "--port needs a value"},
		"no value before others": {[]string{"migrate", "logux", "--", "--port", "--host", "a"}, 2, "--port needs a value"},
		"no such file":           {[]string{"migrate", "logux", "--env-file", "nowhere.env"}, 1, "nowhere.env: no such file or directory\nName the file"},
		"one dash":               {[]string{"migrate", "logux", "-env-file", "nowhere.env"}, 1, "nowhere.env"},
		"a folder":               {[]string{"migrate", "logux", "--env-file", "."}, 1, "is a directory\nName the file"},
	} {
		t.Run(name, func(t *testing.T) {
			status, stdout, stderr := bridge(t, tt.args...)
			if status != tt.status || stdout != "" || !strings.Contains(stderr, tt.stderr) || strings.Contains(stderr, "private") {
				t.Errorf("status %d\n%s%s", status, stdout, stderr)
			}
		})
	}
}

func TestDotenv(t *testing.T) {
	const text = "\ufeffA=1\r\n# B=2\n  export C = three # comment\nD='it # is'\nE=\"x\\ny\" # comment\nF=\"two\nlines\"\nG=`a'b`\nH=\nI\nJ='open\nK=a#b\nL=a=b\n"
	want := []string{"A=1", "C=three", "D=it # is", "E=x\ny", "F=two\nlines", "G=a'b", "H=", "J='open", "K=a", "L=a=b"}
	var got []string
	parseDotenv(text, func(key, value string) { got = append(got, key+"="+value) })
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// FuzzMigrate: whatever the settings hold, what is printed is HCL with these blocks and no others.
func FuzzMigrate(f *testing.F) {
	for _, tt := range migrations {
		f.Add(tt.file + strings.Join(tt.environ, "\n"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := newSettings()
		s.takeFile(".env", []byte(text))
		plan, faults := planLogux(s)
		for _, fault := range faults {
			if strings.ContainsRune(fault.wrong+fault.mend, '\n') {
				t.Errorf("more than a line: %q", fault)
			}
		}
		if len(faults) > 0 {
			return
		}
		file, diags := hclsyntax.ParseConfig([]byte(plan.hcl()), "bridge.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatalf("%v\n%s", diags, plan.hcl())
		}
		var blocks []string
		for _, b := range file.Body.(*hclsyntax.Body).Blocks {
			blocks = append(blocks, b.Type)
		}
		if got := strings.Join(blocks, " "); got != "listener upstream plugin" && got != "listener listener upstream plugin" {
			t.Errorf("blocks %s\n%s", got, plan.hcl())
		}
	})
}
