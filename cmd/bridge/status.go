package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/core/admin"
)

func newStatus() *cobra.Command {
	var c client
	return c.flags(&cobra.Command{
		Use: "status", Short: "Say how the running bridge and its plugins are",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var st admin.Status
			if ok, err := c.get(cmd, "/api/status", nil, &st); !ok {
				return err
			}
			return writeStatus(cmd.OutOrStdout(), &st, time.Now())
		},
	})
}

func writeStatus(w io.Writer, st *admin.Status, now time.Time) error {
	state := "ready"
	if !st.Ready {
		state = "not ready: " + strings.Join(st.Reasons, ", ")
	}
	fmt.Fprintf(w, "bridge %s, process %d, up %v, sessions: %d\n%s\n", st.Version, st.PID, max(now.Sub(st.Started), 0).Round(time.Second), st.Sessions, state)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nPLUGIN\tSTATE\tPROCESS\tSESSIONS\tRESTARTS")
	for _, p := range st.Plugins {
		fmt.Fprintf(t, "%s\t%s\t%d\t%d\t%d\n", clean(p.Name), p.State, p.PID, p.Sessions, p.Restarts)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, p := range st.Plugins {
		if p.Error != "" {
			fmt.Fprintf(w, "\n%s: %s\n%s\n", clean(p.Name), clean(p.Error), clean(p.Mend))
		}
	}
	return nil
}

// clean makes what a stranger may have chosen fit for a terminal and for one cell.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
