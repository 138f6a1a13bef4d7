// Command bridge is the protocol proxy.
//
//	bridge [run] --config bridge.hcl   serve a configuration
//	bridge validate --config FILE      check one
//	bridge plugin NAME                 what bridge itself runs for a built-in plugin
//	bridge version
//
// It exits with 1 for a bad configuration and what cannot be started, with 2 for bad usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func main() { os.Exit(execute(context.Background(), os.Args[1:])) }

// Exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// exitError ends the command with a status of its own; what there is to say has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var status exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(os.Stderr, "bridge: %v\nSee `bridge help`.\n", err)
	return exitUsage
}

func newRoot() *cobra.Command {
	run := newRun()
	root := &cobra.Command{
		Use: "bridge", Short: "A plugin-based protocol proxy",
		Long: "Bridge stands between clients that speak one real-time protocol and back-ends that speak another.\nWithout a command it runs.",
		Args: cobra.NoArgs, RunE: run.RunE, SilenceErrors: true, SilenceUsage: true,
	}
	root.Flags().AddFlagSet(run.Flags())
	root.AddCommand(run, newValidate(), newPlugin(), &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { fmt.Println("bridge", version()) },
	})
	return root
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
