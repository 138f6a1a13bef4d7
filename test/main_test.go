//go:build linux

package test

import (
	"os"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }

// size is how much a story does: with -short it is the second.
func size[T any](whole, short T) T { return harness.Size(whole, short) }
