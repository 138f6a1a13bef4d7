//go:build linux

package chat

import (
	"os"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// long says that stories have the time that they like.
func long() bool { return os.Getenv("BRIDGE_LONG") != "" }
