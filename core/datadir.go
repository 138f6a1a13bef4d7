package core

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// Files in data_dir.
const (
	lockFile   = "bridge.lock"
	socketFile = "bridge.sock"
)

// SocketPath is where a bridge with that data_dir is talked to.
func SocketPath(dataDir string) string { return filepath.Join(dataDir, socketFile) }

// DataDirError says why data_dir cannot be used.
type DataDirError struct {
	Dir  string
	PID  int   // of the process that holds it; 0: not known
	Held bool  // by another process
	Err  error // unless it is held
}

func (e *DataDirError) Error() string {
	switch {
	case !e.Held:
		return fmt.Sprintf("data_dir %q cannot be used: %v", e.Dir, e.Err)
	case e.PID == 0:
		return fmt.Sprintf("another bridge uses data_dir %q", e.Dir)
	}
	return fmt.Sprintf("another bridge, process %d, uses data_dir %q", e.PID, e.Dir)
}

func (e *DataDirError) Unwrap() error { return e.Err }

// dataDir is the folder of a running bridge's own files, held by this process alone. The kernel lets go
// of it when the process ends, however that comes about.
type dataDir struct{ lock *os.File }

// holdDataDir makes the folder, where it is not there, and takes it; the error is a [DataDirError].
func holdDataDir(dir string) (*dataDir, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, &DataDirError{Dir: dir, Err: err}
	}
	f, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, &DataDirError{Dir: dir, Err: err}
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, &DataDirError{Dir: dir, Held: true, PID: holder(f)}
		}
		return nil, &DataDirError{Dir: dir, Err: fmt.Errorf("lock %s: %w", f.Name(), err)}
	}
	// The number is for people: that the file is locked is what counts.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return &dataDir{f}, nil
}

func holder(f *os.File) int {
	var text [32]byte
	n, _ := f.ReadAt(text[:], 0)
	pid, err := strconv.Atoi(string(bytes.TrimSpace(text[:n])))
	if err != nil {
		return 0
	}
	return pid
}

// release lets another process have the folder. The file stays: one that is removed may be locked by
// two, each its own.
func (d *dataDir) release() { _ = d.lock.Close() }
