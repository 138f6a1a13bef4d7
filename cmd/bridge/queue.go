package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/protocol-bridge/bridge/core"
	"github.com/protocol-bridge/bridge/core/admin"
	"github.com/protocol-bridge/bridge/core/config"
)

func newQueue() *cobra.Command {
	cmd := &cobra.Command{
		Use: "queue", Short: "Take what waits in the queues of a stopped bridge elsewhere",
		Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
			return errors.New("what to do has to be named: export or import")
		},
	}
	cmd.AddCommand(newQueueExport(), newQueueImport())
	return cmd
}

const queueLong = "A bridge that is alone must not run, which is told from its data_dir; a node of a cluster has to, and does it for the\n" +
	"whole cluster. A file has a line of JSON for each topic and each entry in it, in order."

func newQueueExport() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "export FILE", Short: "Write all topics, and what waits in them, into a file",
		Long:    "Writes all topics of a stopped bridge, and what waits in them, into a new file. Nothing is taken out of them.\n" + queueLong,
		Example: "  bridge queue export queues.jsonl", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return exportQueues(cmd, file, args[0]) },
	}
	configFlag(cmd, &file)
	return cmd
}

func newQueueImport() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use: "import FILE", Short: "Store what `bridge queue export` wrote",
		Long: "Stores the topics and entries of a file in a stopped bridge: all of them, or nothing. A topic in which entries wait already\n" +
			"is not mixed with others. Entries begin to age anew.\n" + queueLong,
		Example: "  bridge queue import queues.jsonl", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return importQueues(cmd, file, args[0]) },
	}
	configFlag(cmd, &file)
	return cmd
}

func exportQueues(cmd *cobra.Command, config, path string) (err error) {
	dir, log, err := queuesOf(cmd, config)
	if err != nil {
		return err
	}
	// Beside the file until it is whole, so that none is there that is not.
	part := path + ".part"
	if _, err := os.Lstat(path); err == nil {
		return explainFile(cmd, fmt.Errorf("%s is there already", path))
	}
	f, err := os.OpenFile(filepath.Clean(part), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return explainFile(cmd, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(part) // it is of no use
		}
	}()
	n, err := core.ExportQueues(cmd.Context(), dir, log, f)
	if held(err) {
		n, err = exportRunning(cmd.Context(), core.SocketPath(dir), f, err)
	}
	if err != nil {
		_ = f.Close()
		return explain(cmd.ErrOrStderr(), err)
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(part, path)); err != nil {
		return explainFile(cmd, err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d entries are in %s.\n", n, path)
	return nil
}

func importQueues(cmd *cobra.Command, config, path string) error {
	dir, log, err := queuesOf(cmd, config)
	if err != nil {
		return err
	}
	f, err := os.Open(filepath.Clean(path))
	if err != nil {
		return explainFile(cmd, err)
	}
	defer f.Close()
	n, err := core.ImportQueues(cmd.Context(), dir, log, f)
	if held(err) {
		n, err = importRunning(cmd.Context(), core.SocketPath(dir), f, err)
	}
	if err != nil {
		return explain(cmd.ErrOrStderr(), err)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d entries of %s are stored.\n", n, path)
	return nil
}

// queuesOf is the data_dir of a configuration, and where the store behind its queues logs.
func queuesOf(cmd *cobra.Command, file string) (dir string, log *slog.Logger, err error) {
	dir, diags := config.DataDir(file)
	if _, err := diags.WriteTo(cmd.ErrOrStderr()); err != nil || diags.HasErrors() {
		return "", nil, exitError(exitFailure)
	}
	log, _, err = newLogger(cmd.ErrOrStderr(), "text", "error")
	return dir, log, err
}

// held says whether a bridge runs there: it may be a node of a cluster, which does it itself.
func held(err error) bool {
	e, ok := errors.AsType[*core.DataDirError](err)
	return ok && e.Held
}

// exportRunning has a node that runs export. It returns stopped where that is not one of a cluster.
func exportRunning(ctx context.Context, socket string, to io.Writer, stopped error) (int, error) {
	res, err := askQueues(ctx, socket, http.MethodGet, http.NoBody, stopped)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(to, res.Body); err != nil {
		return 0, fmt.Errorf("the export broke off: %w", err)
	}
	n, err := strconv.Atoi(res.Trailer.Get(admin.EntriesTrailer))
	if err != nil {
		return 0, errors.New("the export broke off")
	}
	return n, nil
}

func importRunning(ctx context.Context, socket string, from io.Reader, stopped error) (int, error) {
	res, err := askQueues(ctx, socket, http.MethodPost, from, stopped)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	var done admin.QueuesImported
	if err := json.NewDecoder(res.Body).Decode(&done); err != nil {
		return 0, fmt.Errorf("the bridge that runs gives no answer: %w", err)
	}
	return done.Entries, nil
}

func askQueues(ctx context.Context, socket, method string, body io.Reader, stopped error) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://bridge/api/queues", body)
	if err != nil {
		return nil, err
	}
	res, err := socketTransport(socket).RoundTrip(req)
	if err != nil {
		return nil, err
	}
	switch res.StatusCode {
	case http.StatusOK:
		return res, nil
	case http.StatusNotFound:
		_ = res.Body.Close()
		return nil, stopped
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	return nil, errors.New(strings.TrimSpace(string(text)))
}

func explainFile(cmd *cobra.Command, err error) error {
	fmt.Fprintf(cmd.ErrOrStderr(), "bridge: %v\nName another file.\n", err)
	return exitError(exitFailure)
}
