package chat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/sdk/plugintest"
)

func TestConfigure(t *testing.T) {
	tests := []struct{ name, config, want string }{
		{"defaults", `{}`, ""},
		{"all", `{"database":"sqlite:other.db","signup":false,"single_session":false,"private_rooms":true,"files":"f","max_file":1}`, ""},
		{"file too large", `{"max_file":10000001}`, "max_file: It is 1 to 10000000: the protocol's clients take no larger ones."},
		{"no file at all", `{"max_file":0}`, "max_file: It is 1 to 10000000: the protocol's clients take no larger ones."},
		{"database of another kind", `{"database":"mysql://x"}`, "database: It cannot be opened: a database is"},
		{"files in the database", `{"files":"database"}`, ""},
		{"folder that is none", `{"files":"there"}`, "files: It cannot be used: "},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := fresh(t)
			c.Fresh(&c)
			c.Plugin = tt.config
			if err := os.WriteFile(filepath.Join(c.DataDir, "there"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, complaint := range plugintest.Configure(t, maker(t)(), c) {
				got = append(got, complaint.GetAttribute()+": "+complaint.GetText())
			}
			if text := strings.Join(got, "\n"); !strings.HasPrefix(text, tt.want) || tt.want == "" && text != "" {
				t.Errorf("complaints %q, want %q", text, tt.want)
			}
		})
	}
}

// TestChecked: where a configuration is only checked, nothing is made.
func TestChecked(t *testing.T) {
	t.Chdir(t.TempDir())
	if list := plugintest.Configure(t, New(), plugintest.Config{}); len(list) > 0 {
		t.Error(list)
	}
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("there are %v, %v", entries, err)
	}
}
