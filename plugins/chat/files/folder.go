package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// partial ends the name of a file that is still being written.
const partial = ".part"

// Folder is a Store in a folder of this machine. Nodes that are to see each other's files need one that
// they share.
type Folder struct{ path string }

// Open makes the folder if there is none. Only this user can look into it.
func Open(dir string) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the folder of files: %w", err)
	}
	return &Folder{dir}, nil
}

func (f *Folder) part(id string) string { return filepath.Join(f.path, id+partial) }

func (f *Folder) whole(id string) string { return filepath.Join(f.path, id[:2], id) }

// Append implements Store.
func (f *Folder) Append(_ context.Context, id string, at int64, data []byte) error {
	if !IsID(id) {
		return ErrID
	}
	file, err := os.OpenFile(f.part(id), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	size, err := file.Seek(0, io.SeekEnd)
	switch {
	case err != nil:
	case at < 0 || at > size:
		err = ErrGap
	default:
		_, err = file.WriteAt(data, at)
	}
	return errors.Join(err, file.Close())
}

// Finish implements Store.
func (f *Folder) Finish(_ context.Context, id string, size int64) error {
	if !IsID(id) {
		return ErrID
	}
	if info, err := os.Stat(f.whole(id)); err == nil {
		return sized(info, size)
	}
	if err := flush(f.part(id), size); err != nil {
		return err
	}
	folder := filepath.Dir(f.whole(id))
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	if err := os.Rename(f.part(id), f.whole(id)); err != nil {
		return err
	}
	return errors.Join(flushFolder(folder), flushFolder(f.path))
}

// flush makes a file's bytes last. One without bytes was never written.
func flush(path string, size int64) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err == nil {
		err = sized(info, size)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

func sized(info fs.FileInfo, size int64) error {
	if info.Size() != size {
		return ErrSize
	}
	return nil
}

// flushFolder makes the names in a folder last.
func flushFolder(path string) error {
	folder, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// ReadAt implements Store.
func (f *Folder) ReadAt(_ context.Context, id string, at int64, n int) ([]byte, error) {
	if !IsID(id) {
		return nil, ErrID
	}
	file, err := os.Open(f.whole(id))
	if err != nil {
		return nil, err
	}
	data := make([]byte, n)
	read, err := file.ReadAt(data, at)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return data[:read], errors.Join(err, file.Close())
}

// Remove implements Store.
func (f *Folder) Remove(_ context.Context, id string) error {
	if !IsID(id) {
		return ErrID
	}
	for _, path := range []string{f.part(id), f.whole(id)} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Sweep implements Store. What is in the folder under other names stays.
func (f *Folder) Sweep(ctx context.Context, before time.Time, wanted func(ctx context.Context, id string) (bool, error)) error {
	return filepath.WalkDir(f.path, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		id := strings.TrimSuffix(entry.Name(), partial)
		if !entry.Type().IsRegular() || !IsID(id) {
			return nil
		}
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // finished or removed meanwhile
		}
		if err != nil || !info.ModTime().Before(before) {
			return err
		}
		if isWanted, err := wanted(ctx, id); err != nil || isWanted {
			return err
		}
		return f.Remove(ctx, id)
	})
}
