package main

import (
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/config"
)

func newValidate() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "validate", Short: "Check a configuration, also the plugins' own blocks, without opening a port",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			stderr := cmd.ErrOrStderr()
			cfg, err := load(file, stderr)
			if err != nil {
				return err
			}
			// What it would log it also returns.
			opt := core.Options{Logger: slog.New(slog.DiscardHandler), Version: version(), Builtin: builtin}
			if err := core.Validate(cmd.Context(), cfg, opt); err != nil {
				return explain(stderr, err)
			}
			return writeRoutes(cmd.OutOrStdout(), cfg)
		},
	}
	configFlag(cmd, &file)
	return cmd
}

// writeRoutes prints which path leads where.
func writeRoutes(w io.Writer, cfg *config.Config) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, l := range cfg.Listeners {
		fmt.Fprintf(t, "%s, %s\n", l.Name, l.Address)
		for _, p := range cfg.Plugins {
			for _, r := range p.Routes {
				if r.Listener != l {
					continue
				}
				for _, path := range append([]string{r.Path}, r.Also...) {
					fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t\n", path, pluginRole(p, r), refOf("auth", r.Auth), refOf("upstream", r.Upstream))
				}
			}
		}
	}
	if cfg.Admin != nil {
		fmt.Fprintf(t, "admin, %s\n", cfg.Admin.Address)
	}
	fmt.Fprintf(t, "%s is valid.\n", cfg.File)
	return t.Flush()
}

func pluginRole(p *config.Plugin, r *config.Route) string {
	if r.Role == "" {
		return p.Label
	}
	return p.Label + " as " + r.Role
}

// refOf is how bridge.hcl refers to a block, or a dash where there is none.
func refOf[T any, P interface {
	*T
	Ref() string
}](kind string, block P) string {
	if block == nil {
		return "-"
	}
	return kind + "." + block.Ref()
}
