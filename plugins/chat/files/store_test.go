package files_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/files"
	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
	"github.com/protocol-bridge/bridge/plugins/chat/store"
)

var (
	one = strings.Repeat("0a", 16)
	two = strings.Repeat("f1", 16)
)

// opener opens the same store with every call.
type opener func(t *testing.T) files.Store

// TestStore runs everything that a folder and both databases must do alike on each of them.
func TestStore(t *testing.T) {
	t.Run("folder", func(t *testing.T) {
		onEach(t, func(t *testing.T) opener {
			dir := t.TempDir()
			return func(t *testing.T) files.Store { return folder(t, dir) }
		})
	})
	t.Run("sqlite", func(t *testing.T) {
		onEach(t, func(t *testing.T) opener { return inDatabase("sqlite:" + filepath.Join(t.TempDir(), "chat.db")) })
	})
	t.Run("postgres", func(t *testing.T) {
		server := postgrestest.Start(t, "fsync=off")
		onEach(t, func(t *testing.T) opener { return inDatabase(server.Database(t)) })
	})
}

func onEach(t *testing.T, fresh func(t *testing.T) opener) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(t *testing.T, open opener)
	}{
		{"upload", testUpload},
		{"upload of nothing", testUploadOfNothing},
		{"upload goes on", testUploadGoesOn},
		{"upload at once", testUploadAtOnce},
		{"pieces", testPieces},
		{"foreign ids", testForeignIDs},
		{"sweep", testSweep},
		{"keeps nothing", testKeepsNothing},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, fresh(t)) })
	}
}

func folder(t *testing.T, dir string) files.Store {
	t.Helper()
	f, err := files.Open(dir)
	must(t, err)
	return f
}

func inDatabase(database string) opener {
	return func(t *testing.T) files.Store {
		t.Helper()
		s, err := store.Open(t.Context(), database, "", store.Options{})
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		return s.Chunks()
	}
}

// must fails for an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, s files.Store, id string, at int64, n int) string {
	t.Helper()
	data, err := s.ReadAt(t.Context(), id, at, n)
	must(t, err)
	return string(data)
}

func testUpload(t *testing.T, open opener) {
	s := open(t)
	must(t, s.Append(t.Context(), one, 0, []byte("hello ")))
	must(t, s.Append(t.Context(), one, 6, []byte("world")))
	must(t, s.Append(t.Context(), one, 6, []byte("world"))) // delivered again
	must(t, s.Append(t.Context(), one, 0, []byte("hello ")))
	if err := s.Append(t.Context(), one, 12, []byte("!")); !errors.Is(err, files.ErrGap) {
		t.Errorf("behind the end: %v", err)
	}
	if err := s.Append(t.Context(), one, -1, []byte("!")); !errors.Is(err, files.ErrGap) {
		t.Errorf("before the beginning: %v", err)
	}
	if err := s.Append(t.Context(), two, 1, []byte("!")); !errors.Is(err, files.ErrGap) {
		t.Errorf("of a file without beginning: %v", err)
	}
	if _, err := s.ReadAt(t.Context(), one, 0, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read before it is finished: %v", err)
	}
	for _, size := range []int64{10, 12} {
		if err := s.Finish(t.Context(), one, size); !errors.Is(err, files.ErrSize) {
			t.Errorf("finished with size %d: %v", size, err)
		}
		if _, err := s.ReadAt(t.Context(), one, 0, 1); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("read when its size is wrong: %v", err)
		}
	}
	must(t, s.Finish(t.Context(), one, 11))
	must(t, s.Finish(t.Context(), one, 11))
	if err := s.Append(t.Context(), one, 11, []byte("!")); err == nil {
		t.Error("a finished file grows")
	}
	if got := read(t, s, one, 0, 100) + read(t, s, one, 6, 3) + read(t, s, one, 11, 5) + read(t, s, one, 50, 5); got != "hello worldwor" {
		t.Errorf("read %q", got)
	}
	if _, err := s.ReadAt(t.Context(), one, -1, 5); err == nil {
		t.Error("read before the beginning")
	}
	must(t, s.Remove(t.Context(), one))
	must(t, s.Remove(t.Context(), one))
	if _, err := s.ReadAt(t.Context(), one, 0, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("read when it is gone: %v", err)
	}
}

func testUploadOfNothing(t *testing.T, open opener) {
	s := open(t)
	must(t, s.Finish(t.Context(), one, 0))
	if got := read(t, s, one, 0, 10); got != "" {
		t.Errorf("read %q", got)
	}
	if err := s.Finish(t.Context(), two, 1); !errors.Is(err, files.ErrSize) {
		t.Errorf("one byte of which none came: %v", err)
	}
}

// The next process goes on with what another one began.
func testUploadGoesOn(t *testing.T, open opener) {
	must(t, open(t).Append(t.Context(), one, 0, []byte("half")))
	next := open(t)
	must(t, next.Append(t.Context(), one, 4, []byte("half")))
	must(t, next.Finish(t.Context(), one, 8))
	if got := read(t, open(t), one, 0, 100); got != "halfhalf" {
		t.Errorf("read %q", got)
	}
}

// Two processes do the same, as when one is thought dead and is not.
func testUploadAtOnce(t *testing.T, open opener) {
	const pieces, size = 10, 100_000
	var all sync.WaitGroup
	for range 2 {
		s := open(t)
		all.Go(func() {
			for n := range pieces {
				if err := s.Append(t.Context(), one, int64(n*size), bytes.Repeat([]byte{byte('a' + n)}, size)); err != nil {
					t.Errorf("piece %d: %v", n, err)
					return
				}
			}
		})
	}
	all.Wait()
	s := open(t)
	must(t, s.Finish(t.Context(), one, pieces*size))
	for n := range pieces {
		if read(t, s, one, int64(n*size), size) != strings.Repeat(string(rune('a'+n)), size) {
			t.Errorf("piece %d is another", n)
		}
	}
}

// Whatever the sizes of pieces are, what is read is what was written.
func testPieces(t *testing.T, open opener) {
	s := open(t)
	const size = 300_000
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i * i >> 7)
	}
	for at, n := 0, 1; at < size; at, n = min(at+n, size), n*3 {
		must(t, s.Append(t.Context(), one, int64(at), data[at:min(at+n, size)]))
	}
	must(t, s.Finish(t.Context(), one, size))
	for _, n := range []int{1000, 64 << 10, 64<<10 + 1, size, 2 * size} {
		var got []byte
		for at := 0; at < size; at += n {
			got = append(got, read(t, s, one, int64(at), n)...)
		}
		if !bytes.Equal(got, data) {
			t.Errorf("%d bytes at a time are not what was written", n)
		}
	}
}

func testForeignIDs(t *testing.T, open opener) {
	s := open(t)
	for _, id := range []string{"", "..", "../" + one[3:], one[1:], one + "0", strings.ToUpper(one), one[:31] + "g", one[:31] + "\n", one + "\n", one[:31] + "\x00"} {
		_, err := s.ReadAt(t.Context(), id, 0, 1)
		for _, err := range []error{err, s.Append(t.Context(), id, 0, nil), s.Finish(t.Context(), id, 0), s.Remove(t.Context(), id)} {
			if !errors.Is(err, files.ErrID) {
				t.Errorf("%q: %v", id, err)
			}
		}
	}
}

func testSweep(t *testing.T, open opener) {
	s := open(t)
	must(t, s.Append(t.Context(), one, 0, []byte("x")))
	must(t, s.Append(t.Context(), two, 0, []byte("x")))
	must(t, s.Finish(t.Context(), two, 1))
	nothing := func(context.Context, string) (bool, error) { return false, nil }
	must(t, s.Sweep(t.Context(), time.Now().Add(-time.Hour), nothing)) // all are newer
	must(t, s.Append(t.Context(), one, 1, []byte("y")))
	if got := read(t, s, two, 0, 1); got != "x" {
		t.Errorf("read %q", got)
	}
	must(t, s.Sweep(t.Context(), time.Now().Add(time.Hour), func(_ context.Context, id string) (bool, error) { return id == two, nil }))
	if err := s.Append(t.Context(), one, 2, []byte("z")); !errors.Is(err, files.ErrGap) {
		t.Errorf("what nobody wants: %v", err)
	}
	if got := read(t, s, two, 0, 1); got != "x" {
		t.Errorf("read %q", got)
	}
	trouble := errors.New("the database is away")
	asked := func(context.Context, string) (bool, error) { return false, trouble }
	if err := s.Sweep(t.Context(), time.Now().Add(time.Hour), asked); !errors.Is(err, trouble) {
		t.Errorf("with trouble: %v", err)
	}
	must(t, s.Sweep(t.Context(), time.Now().Add(time.Hour), nothing))
	if _, err := s.ReadAt(t.Context(), two, 0, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what nobody wants any more: %v", err)
	}
}

// No piece of a file is held longer than its call, however big the file is.
func testKeepsNothing(t *testing.T, open opener) {
	s := open(t)
	chunk := bytes.Repeat([]byte("x"), 1<<20)
	for at := range int64(4) {
		must(t, s.Append(t.Context(), one, at<<20, chunk))
	}
	for i := range chunk {
		chunk[i] = 'y'
	}
	must(t, s.Finish(t.Context(), one, 4<<20))
	if got := read(t, s, one, 1<<20, 8); got != "xxxxxxxx" {
		t.Errorf("read %q", got)
	}
}

// What is in a folder beside files stays, and no id leads to it or out of it.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	s := folder(t, filepath.Join(dir, "files"))
	other := filepath.Join(dir, "files", "README")
	must(t, os.WriteFile(other, nil, 0o600))
	must(t, s.Sweep(t.Context(), time.Now().Add(time.Hour), func(context.Context, string) (bool, error) { return false, nil }))
	testForeignIDs(t, func(*testing.T) files.Store { return s })
	var names []string
	must(t, filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	}))
	if len(names) != 1 || names[0] != other {
		t.Errorf("there are %q", names)
	}
}
