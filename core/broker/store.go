package broker

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// StoreError says that the files in Dir are of a node of another kind.
type StoreError struct {
	Dir     string
	Was, Is string // a cluster's name; empty: of a node that is alone
}

func (e *StoreError) Error() string {
	if e.Was == "" {
		return fmt.Sprintf("the queues in %s are of a node that is alone, and the cluster %q would not know them: "+
			"take the cluster block out and run \"bridge queue export\", start the cluster with another data_dir, and then \"bridge queue import\"", e.Dir, e.Is)
	}
	is := "a node that is alone"
	if e.Is != "" {
		is = fmt.Sprintf("the cluster %q", e.Is)
	}
	return fmt.Sprintf("the queues in %s are of the cluster %q, and %s would not know them: "+
		"run \"bridge queue export\" in that cluster, start with another data_dir, and then \"bridge queue import\"", e.Dir, e.Was, is)
}

const (
	// kindFile says whose files a store has: a line that is empty or names the cluster.
	kindFile = "cluster"
	// natsFolder is NATS' own.
	natsFolder = "jetstream"
)

// takeStore makes the folder of a store, where it is not there, for a node that is alone or of a cluster.
// What it has of another kind is let go of where it holds no queue; else the error is a [StoreError].
func takeStore(dir string, cluster *ClusterConfig) error {
	is := ""
	if cluster != nil {
		is = cluster.Name
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of queues: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, kindFile))
	if was := strings.TrimSpace(string(text)); err == nil && was != is {
		queues, err := holdsQueues(dir)
		if err != nil {
			return err
		}
		if queues {
			return &StoreError{Dir: dir, Was: was, Is: is}
		}
		if err := os.RemoveAll(filepath.Join(dir, natsFolder)); err != nil {
			return fmt.Errorf("empty the folder of queues: %w", err)
		}
	} else if err == nil {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, kindFile), []byte(is+"\n"), 0o600); err != nil {
		return fmt.Errorf("note whose queues these are: %w", err)
	}
	return nil
}

// holdsQueues says whether there are streams but for the cluster's own buckets, of which only what runs
// knows anything.
func holdsQueues(dir string) (bool, error) {
	streams, err := filepath.Glob(filepath.Join(dir, natsFolder, "*", "streams", "*"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	for _, s := range streams {
		if !strings.HasPrefix(filepath.Base(s), "KV_") {
			return true, nil
		}
	}
	return false, nil
}
