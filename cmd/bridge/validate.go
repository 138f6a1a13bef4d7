package main

import (
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
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
					fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t\n", path, pluginRole(p, r), authOf(r), upstreamsOf(r), limitsOf(&r.Limits))
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

func authOf(r *config.Route) string {
	switch {
	case r.AuthNone:
		return "auth.none"
	case r.LocalOnly:
		return "- (this machine only)"
	case r.Auth == nil:
		return "-"
	}
	return "auth." + r.Auth.Ref()
}

func upstreamsOf(r *config.Route) string {
	text := "-"
	if r.Upstream != nil {
		text = "upstream." + r.Upstream.Ref()
	}
	if r.Push != nil {
		text += ", push upstream." + r.Push.Ref()
	}
	return text
}

// limitsOf lists those that are set.
func limitsOf(l *config.Limits) string {
	var set []string
	if l.MaxFrame > 0 {
		set = append(set, "max_frame "+size(l.MaxFrame))
	}
	if l.MaxBinary > 0 {
		set = append(set, "max_binary "+size(l.MaxBinary))
	}
	if l.Rate.Count > 0 {
		set = append(set, "rate "+l.Rate.String())
	}
	if l.MaxSessions > 0 {
		set = append(set, "max_sessions "+strconv.Itoa(l.MaxSessions))
	}
	return strings.Join(set, ", ")
}

// size writes bytes as in bridge.hcl.
func size(n int64) string {
	for _, unit := range []struct {
		name  string
		shift int
	}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}} {
		if n%(1<<unit.shift) == 0 {
			return fmt.Sprintf("%d%s", n>>unit.shift, unit.name)
		}
	}
	return strconv.FormatInt(n, 10)
}
