//go:build linux

// Package cluster has the stories about clusters: three bridges, each a process of its own.
package cluster

import (
	"os"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
