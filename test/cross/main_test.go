//go:build linux

// Package cross has the stories of clients of all protocols on one channel, at one node and at three.
package cross

import (
	"os"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
