package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

func newMigrate() *cobra.Command {
	cmd := &cobra.Command{
		Use: "migrate", Short: "Print the bridge.hcl for what another server was set up with",
		Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			return errors.New("what to migrate from has to be named: logux")
		},
	}
	cmd.AddCommand(newMigrateLogux())
	return cmd
}

func newMigrateLogux() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "logux [flags] [-- ARGUMENTS OF NODE]", Short: "Print the bridge.hcl for the settings of a Node @logux/server",
		Long: "Reads the settings of a Node @logux/server with a back-end, of any release up to 0.13, and prints the bridge.hcl that does the same.\n" +
			"They are the LOGUX_* and NODE_ENV of the environment and of an .env file, which goes before it; and before both, the\n" +
			"arguments that node was started with, behind two dashes. Secrets are not printed: bridge.hcl names the variable.",
		Example: "  bridge migrate logux > bridge.hcl\n  bridge migrate logux --env-file /srv/logux/.env -- --port 31337 --backend http://127.0.0.1:3000/logux",
		Args: func(cmd *cobra.Command, args []string) error {
			if n := cmd.ArgsLenAtDash(); n > 0 || n < 0 && len(args) > 0 {
				return errors.New("arguments of node stand behind two dashes: bridge migrate logux -- --port 31337")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return migrateLogux(cmd.OutOrStdout(), cmd.ErrOrStderr(), file, cmd.Flags().Changed("env-file"), args)
		},
	}
	cmd.Flags().StringVar(&file, "env-file", ".env", "file with the settings; the default one need not be there")
	return cmd
}

// migrateLogux prints the configuration, or what is wrong with the settings.
func migrateLogux(stdout, stderr io.Writer, file string, needed bool, args []string) error {
	in := newSettings()
	if err := in.takeArguments(args); err != nil {
		return err
	}
	text, err := os.ReadFile(file)
	switch {
	case err == nil:
		in.takeFile(file, text)
	case needed || !errors.Is(err, fs.ErrNotExist):
		fmt.Fprintf(stderr, "bridge: %v\nName the file that node reads, or take --env-file out.\n", err)
		return exitError(exitFailure)
	}
	in.takeEnvironment(os.Environ())
	plan, faults := planLogux(in)
	if len(faults) > 0 {
		for _, f := range faults {
			fmt.Fprintf(stderr, "bridge: %s\n%s\n", f.wrong, f.mend)
		}
		return exitError(exitFailure)
	}
	_, err = io.WriteString(stdout, plan.hcl())
	return err
}

// parseDotenv reads KEY=VALUE lines as Node's dotenv does: `export` may stand in front, values may be in
// quotes, which may go over several lines, and a # behind white space begins a comment.
func parseDotenv(text string, set func(key, value string)) {
	text = strings.ReplaceAll(strings.TrimPrefix(text, "\ufeff"), "\r\n", "\n")
	for text != "" {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		key = strings.TrimSpace(strings.TrimPrefix(key, "export "))
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		value = strings.TrimSpace(value)
		if value != "" && strings.ContainsRune("\"'`", rune(value[0])) {
			quote := value[:1]
			inside, _, closed := strings.Cut(value[1:], quote)
			if !closed {
				if more, rest, ok := strings.Cut(text, quote); ok {
					inside, closed = value[1:]+"\n"+more, true
					_, text, _ = strings.Cut(rest, "\n")
				}
			}
			if closed {
				if quote == `"` {
					inside = strings.NewReplacer(`\n`, "\n", `\r`, "\r").Replace(inside)
				}
				set(key, inside)
				continue
			}
		}
		if i := strings.IndexByte(value, '#'); i >= 0 {
			value = strings.TrimSpace(value[:i])
		}
		set(key, value)
	}
}
