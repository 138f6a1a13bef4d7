package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/admin"
)

func newKick() *cobra.Command {
	var c client
	var req admin.CloseRequest
	var sessions []string
	cmd := c.flags(&cobra.Command{
		Use: "kick {--user ID | --session ID | --route PATH}", Short: "Close sessions of the running bridge",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			for _, text := range sessions {
				id, err := admin.ParseID(text)
				if err != nil {
					return fmt.Errorf("--session %s: a session's id is a number, as `bridge sessions` shows it", text)
				}
				req.IDs = append(req.IDs, id)
			}
			var answer struct {
				Closed int `json:"closed"`
			}
			if ok, err := c.post(cmd, "/api/sessions/close", &req, &answer); !ok {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "Sessions closed: %d\n", answer.Closed)
			return err
		},
	})
	f := cmd.Flags()
	f.StringVar(&req.User, "user", "", "those of this user id")
	f.StringVar(&req.Realm, "realm", "", "… but only where the user is of this auth block, as static.dev")
	f.StringSliceVar(&sessions, "session", nil, "the session of this id; may be given more than once")
	f.StringVar(&req.Route, "route", "", "all of this route, by its path or id")
	f.IntVar(&req.Code, "code", 0, "of the close frame; 1000 if there is none")
	f.StringVar(&req.Reason, "reason", "", "of the close frame, for the client")
	cmd.MarkFlagsOneRequired("user", "session", "route")
	cmd.MarkFlagsMutuallyExclusive("user", "session", "route")
	return cmd
}

func newPublish() *cobra.Command {
	var c client
	return c.flags(&cobra.Command{
		Use: "publish CHANNEL JSON", Short: "Publish a message, as {\"type\": \"news\", \"payload\": {}}, to a channel of the running bridge",
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			req := admin.PublishRequest{Channel: args[0]}
			if err := parseMessage(args[1], &req); err != nil {
				return err
			}
			var answer struct {
				Receivers int `json:"receivers"`
			}
			if ok, err := c.post(cmd, "/api/publish", &req, &answer); !ok {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "Sessions on the channel: %d\n", answer.Receivers)
			return err
		},
	})
}

// parseMessage reads the type and the payload of a message.
func parseMessage(text string, req *admin.PublishRequest) error {
	var m struct {
		Type    string          `json:"type"`
		Payload json.RawMessage `json:"payload"`
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if !json.Valid([]byte(text)) || d.Decode(&m) != nil || m.Type == "" || m.Payload == nil {
		return errors.New(`a message is written as {"type": "news", "payload": {}}, and nothing else`)
	}
	req.Type, req.Payload = m.Type, m.Payload
	return nil
}

func newLogLevel() *cobra.Command {
	var c client
	return c.flags(&cobra.Command{
		Use: "log-level [LEVEL]", Short: "Say what the running bridge logs, or change it: debug, info, warn or error",
		Args: cobra.MaximumNArgs(1), ValidArgs: []string{"debug", "info", "warn", "error"},
		RunE: func(cmd *cobra.Command, args []string) error {
			var level admin.LogLevel
			var ok bool
			var err error
			if len(args) == 0 {
				ok, err = c.get(cmd, "/api/log-level", nil, &level)
			} else {
				if _, err := core.ParseLevel(args[0]); err != nil {
					return err
				}
				ok, err = c.post(cmd, "/api/log-level", admin.LogLevel{Level: args[0]}, &level)
			}
			if ok {
				_, err = fmt.Fprintln(cmd.OutOrStdout(), level.Level)
			}
			return err
		},
	})
}

func newReload() *cobra.Command {
	var c client
	return c.flags(&cobra.Command{
		Use: "reload", Short: "Have the running bridge read its configuration again, and say what changes",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var done admin.Reloaded
			if ok, err := c.post(cmd, "/api/reload", struct{}{}, &done); !ok {
				return err
			}
			out := cmd.OutOrStdout()
			if len(done.Changes) == 0 {
				_, err := fmt.Fprintln(out, "Nothing has changed.")
				return err
			}
			for _, change := range done.Changes {
				if _, err := fmt.Fprintln(out, change); err != nil {
					return err
				}
			}
			return nil
		},
	})
}
