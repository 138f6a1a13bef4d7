package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/plugins"
)

type runFlags struct {
	config, logFormat, logLevel string
}

func newRun() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use: "run", Short: "Serve a configuration until SIGTERM",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), f) },
	}
	cmd.Flags().StringVarP(&f.config, "config", "c", "bridge.hcl", "configuration file")
	cmd.Flags().StringVar(&f.logFormat, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func run(ctx context.Context, f runFlags) error {
	log, err := newLogger(f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	cfg, diags := config.Load(f.config)
	_, _ = diags.WriteTo(os.Stderr)
	if diags.HasErrors() {
		return exitError(exitFailure)
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	replace := make(chan struct{})
	go func() {
		for {
			select {
			case <-hup:
			case <-ctx.Done():
				return
			}
			select {
			case replace <- struct{}{}:
			case <-ctx.Done():
				return
			}
		}
	}()
	err = core.Run(ctx, cfg, core.Options{Logger: log, Version: version(), Builtin: builtin, Replace: replace})
	return explain(err)
}

// explain says what went wrong at the start, for people.
func explain(err error) error {
	if err == nil {
		return nil
	}
	var bad *core.ConfigError
	if errors.As(err, &bad) {
		_, _ = bad.Diagnostics.WriteTo(os.Stderr)
		return exitError(exitFailure)
	}
	fmt.Fprintf(os.Stderr, "bridge: %v\n", err)
	if errors.Is(err, syscall.EADDRINUSE) {
		fmt.Fprintln(os.Stderr, "Another process has the address: stop it, or change the address in bridge.hcl.")
	}
	return exitError(exitFailure)
}

// builtin is the command that starts a built-in plugin: this very file, also when another was put in
// its place meanwhile.
func builtin(typ string) ([]string, bool) {
	if _, ok := plugins.Find(typ); !ok {
		return nil, false
	}
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		var err error
		if self, err = os.Executable(); err != nil {
			return nil, false
		}
	}
	return []string{self, "plugin", typ}, true
}

func newLogger(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level is debug, info, warn or error, not %q", level)
	}
	opt := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, opt)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, opt)), nil
	}
	return nil, fmt.Errorf("--log-format is text or json, not %q", format)
}
