package core

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestHoldDataDir(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	first, err := holdDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for range 2 {
		_, err = holdDataDir(dir)
		held, ok := errors.AsType[*DataDirError](err)
		if !ok || !held.Held || held.PID != os.Getpid() || held.Dir != dir || !strings.Contains(err.Error(), "another bridge, process ") {
			t.Fatalf("taken twice: %v", err)
		}
	}
	first.release()
	second, err := holdDataDir(dir)
	if err != nil {
		t.Fatalf("let go of, and not to be had: %v", err)
	}
	second.release()

	// What a process that was killed left behind keeps nobody away.
	if err := os.WriteFile(filepath.Join(dir, lockFile), []byte("no number"), 0o600); err != nil {
		t.Fatal(err)
	}
	third, err := holdDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	third.release()
}

// What was noted of ids is known to the next process, whatever its clock says.
func TestMarkedDataDir(t *testing.T) {
	dir := t.TempDir()
	first, err := holdDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !first.before.IsZero() {
		t.Errorf("nobody had the folder, but ids were made at %v", first.before)
	}
	ahead := time.Now().Add(time.Hour).Truncate(time.Millisecond)
	first.mark(ahead.UnixMilli())
	first.release()
	second, err := holdDataDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer second.release()
	if want := ahead.Add(markSlack); !second.before.Equal(want) {
		t.Errorf("ids were made until %v, want %v", second.before, want)
	}
}

func TestHoldDataDirFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	locked := t.TempDir()
	if err := os.Mkdir(filepath.Join(locked, lockFile), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, dir := range map[string]string{"a file": file, "below a file": filepath.Join(file, "x"), "a folder for a lock": locked} {
		t.Run(name, func(t *testing.T) {
			_, err := holdDataDir(dir)
			bad, ok := errors.AsType[*DataDirError](err)
			if !ok || bad.Held || bad.Err == nil || !strings.Contains(err.Error(), dir) {
				t.Errorf("got %v", err)
			}
		})
	}
}
