//go:build linux

package test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestSetups starts each of the set-ups that an operator begins with, on free ports.
func TestSetups(t *testing.T) {
	files, err := filepath.Glob("../examples/setups/*.hcl")
	if err != nil || len(files) == 0 {
		t.Fatal("no set-ups", err)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte("of the test"), 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			b := harness.Start(t, harness.Config{
				Head: harness.FreePorts(string(text)),
				Env:  []string{"BRIDGE_OPS_HASH=" + string(hash), "BRIDGE_HOOK_SECRET=" + harness.Secret, "LOGUX_CONTROL_SECRET=" + harness.Secret},
			})
			if status := b.Stop(); status != 0 {
				t.Errorf("it stopped with status %d", status)
			}
		})
	}
}
