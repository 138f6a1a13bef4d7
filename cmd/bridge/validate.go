package main

import (
	"fmt"
	"os"

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
			cfg, diags := config.Load(file)
			_, _ = diags.WriteTo(os.Stderr)
			if diags.HasErrors() {
				return exitError(exitFailure)
			}
			log, err := newLogger("text", "error")
			if err != nil {
				return err
			}
			if err := core.Validate(cmd.Context(), cfg, core.Options{Logger: log, Version: version(), Builtin: builtin}); err != nil {
				return explain(err)
			}
			fmt.Println(file, "is valid")
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "bridge.hcl", "configuration file")
	return cmd
}
