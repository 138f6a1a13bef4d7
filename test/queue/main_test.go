//go:build linux

// Package queue has the stories about queues: a bridge with a small plugin, whose clients push and consume.
package queue

import (
	"os"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
