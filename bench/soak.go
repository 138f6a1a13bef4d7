//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/protocol-bridge/bridge/bench/soak"
	"github.com/protocol-bridge/bridge/sdk"
	"github.com/protocol-bridge/bridge/sdk/plugintest/lines"
)

// soakFor soaks for so long, or shortly for 0, and prints the tables. What rises, and what went wrong
// with clients, is an error.
func soakFor(d time.Duration, program string) (err error) {
	cfg := soak.Short()
	if d > 0 {
		cfg = soak.Long(d)
	}
	if cfg.Bridge = program; program == "" {
		dir, err := os.MkdirTemp("", "bridge-program")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		cfg.Bridge = filepath.Join(dir, "bridge")
		build := exec.CommandContext(context.Background(), "go", "build", "-o", cfg.Bridge, "github.com/protocol-bridge/bridge/cmd/bridge")
		build.Stderr = os.Stderr
		if err := build.Run(); err != nil {
			return fmt.Errorf("build bridge: %w", err)
		}
	}
	me, err := os.Executable()
	if err != nil {
		return err
	}
	cfg.Lines = []string{me, "lines"}
	began := time.Now()
	cfg.Log = func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "%v %s\n", time.Since(began).Round(time.Second), fmt.Sprintf(format, args...))
	}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	report, err := soak.Run(ctx, cfg)
	if report == nil {
		return err
	}
	fmt.Println(report)
	if d > 0 {
		err = errors.Join(err, report.Slopes())
	}
	return errors.Join(err, report.AtRest())
}

// runLines serves the plugin lines, as an external one.
func runLines([]string) error {
	if status := sdk.Run(lines.New()); status != 0 {
		return exitError(status)
	}
	return nil
}

// soakFlag is a time, which may be 0 and may be missing.
type soakFlag struct {
	d   time.Duration
	set bool
}

// String implements flag.Value.
func (f *soakFlag) String() string { return f.d.String() }

// Set implements flag.Value.
func (f *soakFlag) Set(text string) (err error) {
	f.set = true
	f.d, err = time.ParseDuration(text)
	return err
}
