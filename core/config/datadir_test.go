package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataDir: a running bridge is found whatever else stands in its file.
func TestDataDir(t *testing.T) {
	t.Setenv("BRIDGE_DATA", "/srv/bridge")
	tests := map[string]struct{ text, want, complaint string }{
		"relative":                    {`data_dir = "state"`, "DIR/state", ""},
		"absolute":                    {`data_dir = "/var/lib/bridge"`, "/var/lib/bridge", ""},
		"default":                     {`admin {}`, "DIR/data", ""},
		"empty file":                  {"", "DIR/data", ""},
		"of the environment":          {`data_dir = env("BRIDGE_DATA")`, "/srv/bridge", ""},
		"secrets of another's":        {"data_dir = \"x\"\nauth \"http\" \"hook\" {\n secret = env(\"NOT_SET\")\n}", "DIR/x", ""},
		"blocks of a later version":   {"data_dir = \"x\"\nteleporter \"a\" {}", "DIR/x", ""},
		"no text":                     {`data_dir = 3`, "", "needs text in quotes"},
		"no path":                     {`data_dir = ""`, "", "needs the path of a folder"},
		"an environment that is not":  {`data_dir = env("NOT_SET")`, "", "NOT_SET"},
		"no HCL":                      {`data_dir = "x`, "", "Unterminated"},
		"two of them":                 {"data_dir = \"x\"\ndata_dir = \"y\"", "", "data_dir"},
		"a block of the same name":    {`data_dir "x" {}`, "DIR/data", ""},
		"what is not there in a list": {`data_dir = ["x"]`, "", "needs text in quotes"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "bridge.hcl")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			got, diags := DataDir(path)
			if bad := diags.HasErrors(); bad != (tt.complaint != "") || bad && !strings.Contains(diags.Error(), tt.complaint) {
				t.Fatalf("%s: %v, want %q", tt.text, diags, tt.complaint)
			}
			if want := strings.Replace(tt.want, "DIR", dir, 1); tt.complaint == "" && got != want {
				t.Errorf("%s: got %q, want %q", tt.text, got, want)
			}
		})
	}
	if _, diags := DataDir("nowhere.hcl"); !diags.HasErrors() || !strings.Contains(diags.Error(), "nowhere.hcl") {
		t.Errorf("no file: %v", diags)
	}
}
