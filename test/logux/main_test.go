//go:build linux

// Package logux tells the stories of the Logux plugin, with the real command, and with the real clients and
// servers of npm: npm ci in this folder brings them. What differs from the original server is in
// differences_test.go.
package logux

import (
	"os"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
