//go:build linux

package test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	remove, err := harness.Build()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer remove()
	status := m.Run()
	if status == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	return status
}

// size is how much a story does: with -short it is the second.
func size[T any](whole, short T) T {
	if testing.Short() {
		return short
	}
	return whole
}
