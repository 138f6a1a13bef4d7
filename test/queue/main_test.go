//go:build linux

// Package queue has the stories about queues: a bridge with a small plugin, whose clients push and consume.
package queue

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	// The programs are named from the folder of all stories.
	if err := os.Chdir(".."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
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
