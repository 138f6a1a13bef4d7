package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/config"
)

// client talks to the bridge that runs with a configuration, by the socket in its data_dir.
type client struct {
	file string // bridge.hcl
	raw  bool   // answers are printed as they came
}

// flags adds what all commands have that talk to a running bridge.
func (c *client) flags(cmd *cobra.Command) *cobra.Command {
	configFlag(cmd, &c.file)
	cmd.Flags().BoolVar(&c.raw, "json", false, "print the answer as JSON")
	return cmd
}

// clientTimeout bounds one question: what answers at all does so at once.
const clientTimeout = 30 * time.Second

// get and post ask and decode the answer into answer; with --json they print it and return false. What
// goes wrong is explained, and the error then holds only the exit status.
func (c *client) get(cmd *cobra.Command, path string, query url.Values, answer any) (decoded bool, err error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.do(cmd, http.MethodGet, path, nil, answer)
}

func (c *client) post(cmd *cobra.Command, path string, body, answer any) (decoded bool, err error) {
	text, err := json.Marshal(body)
	if err != nil {
		return false, err
	}
	return c.do(cmd, http.MethodPost, path, text, answer)
}

func (c *client) do(cmd *cobra.Command, method, path string, body []byte, answer any) (bool, error) {
	stderr := cmd.ErrOrStderr()
	dir, diags := config.DataDir(c.file)
	if _, err := diags.WriteTo(stderr); err != nil || diags.HasErrors() {
		return false, exitError(exitFailure)
	}
	text, err := ask(cmd.Context(), core.SocketPath(dir), method, path, body)
	switch {
	case err != nil:
		what, todo := unanswered(core.SocketPath(dir), c.file, err)
		fmt.Fprintf(stderr, "bridge: %s\n%s\n", what, todo)
		return false, exitError(exitFailure)
	case c.raw:
		_, err := cmd.OutOrStdout().Write(text)
		return false, err
	}
	if err := json.Unmarshal(text, answer); err != nil {
		fmt.Fprintf(stderr, "bridge: the answer is not understood: %v\nUse the command of the version that runs.\n", err)
		return false, exitError(exitFailure)
	}
	return true, nil
}

// refused is an answer that says what is wrong with the question.
type refused struct {
	status int
	text   string
}

func (r *refused) Error() string { return r.text }

func ask(ctx context.Context, socket, method, path string, body []byte) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://bridge"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := socketTransport(socket).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, &refused{res.StatusCode, strings.TrimSpace(string(text))}
	}
	return text, nil
}

// socketTransport asks the bridge at a socket, whatever the host.
func socketTransport(socket string) *http.Transport {
	return &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}
}

// unanswered tells people why there is no answer, and what to do.
func unanswered(socket, file string, err error) (what, todo string) {
	start := fmt.Sprintf("Start it with `bridge run --config %s`, or name the file of the one that runs with --config.", file)
	if r, ok := errors.AsType[*refused](err); ok {
		if r.status == http.StatusNotFound && r.text != "there is no such session" {
			return "the bridge that runs does not know this command", "Use the command of the version that runs; `bridge status` says which."
		}
		return r.text, "Nothing was done; mend that and try again."
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "no bridge runs with this configuration: there is no " + socket, start
	case errors.Is(err, syscall.ECONNREFUSED):
		return "no bridge runs with this configuration: nobody answers at " + socket, start
	case errors.Is(err, fs.ErrPermission):
		return "you may not use " + socket, "Run this as the user that bridge runs as."
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("the bridge at %s does not answer within %v", socket, clientTimeout), "See its log; restart it if it hangs."
	}
	return fmt.Sprintf("the bridge at %s gives no answer: %v", socket, err), "See its log for why."
}
