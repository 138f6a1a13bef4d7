package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/core/admin"
)

func newSessions() *cobra.Command {
	var c client
	var user, realm, plugin, route, channel, after string
	var limit int
	cmd := c.flags(&cobra.Command{
		Use: "sessions", Short: "List the sessions of the running bridge, the oldest first",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{"limit": {strconv.Itoa(limit)}}
			for name, value := range map[string]string{
				"user": user, "realm": realm, "plugin": plugin, "route": route, "channel": channel, "after": after,
			} {
				if value != "" {
					query.Set(name, value)
				}
			}
			var page admin.SessionPage
			if ok, err := c.get(cmd, "/api/sessions", query, &page); !ok {
				return err
			}
			return writeSessions(cmd.OutOrStdout(), &page)
		},
	})
	f := cmd.Flags()
	f.StringVar(&user, "user", "", "only those of this user id")
	f.StringVar(&realm, "realm", "", "only those of users of this auth block, as static.dev")
	f.StringVar(&plugin, "plugin", "", "only those of this plugin")
	f.StringVar(&route, "route", "", "only those of this route, by its path or id")
	f.StringVar(&channel, "channel", "", "only those that joined this channel")
	f.IntVar(&limit, "limit", admin.DefaultPage, "how many, 1 to 1000")
	f.StringVar(&after, "after", "", "only those that come after the session of this id")
	return cmd
}

// mostChannels is how many channels of a session a table shows.
const mostChannels = 3

func writeSessions(w io.Writer, page *admin.SessionPage) error {
	if len(page.Sessions) == 0 {
		_, err := fmt.Fprintln(w, "There are no such sessions.")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "ID\tUSER\tROUTE\tADDRESS\tOPENED\tCHANNELS")
	for i := range page.Sessions {
		s := &page.Sessions[i]
		user := "-"
		if s.Realm != "" {
			user = clean(s.User) + " (" + s.Realm + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, user, s.Route, s.RemoteAddress, s.Opened.Local().Format(time.DateTime), channelList(s.Channels))
	}
	if err := t.Flush(); err != nil || page.Next == 0 {
		return err
	}
	_, err := fmt.Fprintf(w, "There are more: --after %s\n", page.Next)
	return err
}

func channelList(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	text := clean(strings.Join(list[:min(len(list), mostChannels)], " "))
	if more := len(list) - mostChannels; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
