package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/plugins"
)

func newPlugin() *cobra.Command {
	return &cobra.Command{
		Use: "plugin NAME", Short: "Be a built-in plugin; bridge starts these itself",
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, ok := plugins.Find(args[0])
			if !ok {
				return fmt.Errorf("no built-in plugin %q", args[0])
			}
			if status := p.Main(); status != 0 {
				return exitError(status)
			}
			return nil
		},
	}
}
