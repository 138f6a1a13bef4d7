// Command bridge is the protocol proxy.
//
//	bridge [run] --config bridge.hcl   serve a configuration
//	bridge validate --config FILE      check one
//	bridge plugin NAME                 what bridge itself runs for a built-in plugin
//	bridge status              how the running one is; so do these talk to it:
//	bridge sessions            who is connected
//	bridge kick --user ID      close sessions
//	bridge publish CHANNEL JSON
//	bridge log-level [LEVEL]
//	bridge completion SHELL    what makes a shell complete all this
//	bridge queue export FILE   what waits in the queues of a stopped one; and import FILE
//	bridge migrate logux       the bridge.hcl for what a Node @logux/server was told
//	bridge version
//
// It exits with 0 when it was asked to stop, with 1 for a bad configuration, for what cannot be started
// and for what the running one refuses, with 2 for bad usage. A long flag may have one dash or two.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func main() { os.Exit(execute(context.Background(), os.Args[1:], os.Stdout, os.Stderr)) }

// Exit statuses.
const (
	exitFailure = 1
	exitUsage   = 2
)

// exitError ends the command with a status of its own; what there is to say has been said.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

// execute runs the command and returns its exit status.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot() //nolint:contextcheck // cobra hands it on
	root.SetArgs(longFlags(root, args))
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var status exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	}
	fmt.Fprintf(stderr, "bridge: %v\nSee `bridge help`.\n", err)
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
	root.AddCommand(newStatus(), newSessions(), newKick(), newPublish(), newLogLevel(), newReload(), newMan(), newMigrate(), newQueue())
	root.AddCommand(run, newValidate(), newPlugin(), &cobra.Command{
		Use: "version", Short: "Print the version", Args: cobra.NoArgs,
		Run: func(cmd *cobra.Command, _ []string) {
			fmt.Fprintf(cmd.OutOrStdout(), "bridge %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		},
	})
	return root
}

// longFlags gives long flags that were written with one dash their second.
func longFlags(root *cobra.Command, args []string) []string {
	commands := append(root.Commands(), root)
	for _, c := range root.Commands() {
		commands = append(commands, c.Commands()...)
	}
	out := slices.Clone(args)
	for i, arg := range out {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		isLong := name == "help" || slices.ContainsFunc(commands, func(c *cobra.Command) bool { return c.Flags().Lookup(name) != nil })
		if strings.HasPrefix(arg, "-") && isLong {
			out[i] = "-" + arg
		}
	}
	return out
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
