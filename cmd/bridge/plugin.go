package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/plugins"
)

func newPlugin() *cobra.Command {
	return &cobra.Command{
		Use: "plugin NAME", Short: "Be a built-in plugin; bridge starts these itself",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("one plugin has to be named: %s", builtinNames())
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			p, ok := plugins.Find(args[0])
			if !ok {
				return fmt.Errorf("no built-in plugin %q, only %s", args[0], builtinNames())
			}
			if status := p.Main(); status != 0 {
				return exitError(status)
			}
			return nil
		},
	}
}

func builtinNames() string {
	names := make([]string, 0, len(plugins.Builtin))
	for _, p := range plugins.Builtin {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ")
}
