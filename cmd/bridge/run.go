package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/config"
	"github.com/protocol-bridge/bridge/internal/footprint"
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
		RunE: func(cmd *cobra.Command, _ []string) error { return run(cmd.Context(), f, cmd.ErrOrStderr()) },
	}
	configFlag(cmd, &f.config)
	cmd.Flags().StringVar(&f.logFormat, "log-format", "text", "text or json")
	cmd.Flags().StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return cmd
}

func configFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVarP(file, "config", "c", "bridge.hcl", "configuration file")
}

func run(ctx context.Context, f runFlags, stderr io.Writer) error {
	ctx, sig, stop := watchSignals(ctx)
	defer stop()
	log, level, err := newLogger(stderr, f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	cfg, err := load(f.config, stderr)
	if err != nil {
		return err
	}
	footprint.Core()
	err = core.Run(ctx, cfg, core.Options{
		Logger: log, Level: level, Version: version(), Builtin: builtin, Reload: sig.reload, Hurry: sig.hurry,
	})
	return explain(stderr, err)
}

// load reads a configuration and shows what is wrong with it.
func load(file string, stderr io.Writer) (*config.Config, error) {
	cfg, diags := config.Load(file)
	if _, err := diags.WriteTo(stderr); err != nil || diags.HasErrors() {
		return nil, exitError(exitFailure)
	}
	return cfg, nil
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

// newLogger returns a logger, and what changes its level while it runs.
func newLogger(w io.Writer, format, level string) (*slog.Logger, *slog.LevelVar, error) {
	parsed, err := core.ParseLevel(strings.ToLower(level))
	if err != nil {
		return nil, nil, fmt.Errorf("--log-level is debug, info, warn or error, not %q", level)
	}
	var v slog.LevelVar
	v.Set(parsed)
	opt := &slog.HandlerOptions{Level: &v}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, opt)), &v, nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, opt)), &v, nil
	}
	return nil, nil, fmt.Errorf("--log-format is text or json, not %q", format)
}
