//go:build linux

// Package mesh has the stories of the mesh API: the real program, its plugins and its queues.
package mesh

import (
	"os"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
