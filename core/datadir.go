package core

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Files in data_dir.
const (
	lockFile   = "bridge.lock"
	socketFile = "bridge.sock"
	nodeFile   = "node" // the identity of this data among those of a cluster's nodes
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
type dataDir struct {
	lock   *os.File
	before time.Time // when the process before made its newest ids, or a little later; zero: there was none
}

const (
	// markEvery is how often it is noted of which time the newest ids are.
	markEvery = time.Second
	// markSlack is by how much newer they may be than what is noted, on a busy machine.
	markSlack = 2 * markEvery
)

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
	d := &dataDir{lock: f}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		d.before = info.ModTime().Add(markSlack)
	}
	// The number is for people: that the file is locked is what counts.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	}
	return d, nil
}

// identity tells this data from that of any other node; it is made once.
func (d *dataDir) identity() (string, error) {
	file := filepath.Join(filepath.Dir(d.lock.Name()), nodeFile)
	text, err := os.ReadFile(file)
	if id := string(bytes.TrimSpace(text)); err == nil && id != "" {
		return id, nil
	}
	id := rand.Text()
	if err := os.WriteFile(file, []byte(id+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("note the identity of this node: %w", err)
	}
	return id, nil
}

// mark notes that ids up to that time were made: whoever has the folder next makes none of them again,
// even if the clock goes back meanwhile. It is the time of the file, which a full disk can still note.
func (d *dataDir) mark(ms int64) {
	at := time.UnixMilli(ms)
	_ = os.Chtimes(d.lock.Name(), at, at) // it is for a clock that is wrong, and nothing else is
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
