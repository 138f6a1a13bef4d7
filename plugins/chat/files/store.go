// Package files keeps the bytes of files that chat clients upload, each under an id that the database
// made. No path is made of what a client sent.
package files

import (
	"context"
	"errors"
	"regexp"
	"time"
)

var (
	// ErrID is returned for an id that is not 32 lower-case hex digits.
	ErrID = errors.New("not the id of a file")
	// ErrGap is returned for bytes that do not begin at, or before, the end of what is there.
	ErrGap = errors.New("bytes of a file are missing")
	// ErrSize is returned when a file has not the size that it should have.
	ErrSize = errors.New("a file is longer or shorter than announced")
)

var idForm = regexp.MustCompile(`^[a-f0-9]{32}\z`)

// IsID says whether files can have this id.
func IsID(id string) bool { return idForm.MatchString(id) }

// Store keeps files. Nothing is held between calls, so that the next process can go on with a file that
// another one began. Its methods may be called from several goroutines.
type Store interface {
	// Append puts bytes at an offset of a file that is not finished; the first make it. The same bytes at
	// the same offset may come again; ErrGap says that some before them never came.
	Append(ctx context.Context, id string, at int64, data []byte) error
	// Finish returns when a file of a size lasts and can be read. It returns ErrSize for another size. It
	// may be called again.
	Finish(ctx context.Context, id string, size int64) error
	// ReadAt returns up to n bytes of a finished file from an offset on, fewer only at its end, and
	// fs.ErrNotExist where there is none.
	ReadAt(ctx context.Context, id string, at int64, n int) ([]byte, error)
	// Remove deletes a file, finished or not. It says nothing about one that is not there.
	Remove(ctx context.Context, id string) error
	// Sweep deletes the files that were last written before a time and that wanted does not want.
	Sweep(ctx context.Context, before time.Time, wanted func(ctx context.Context, id string) (bool, error)) error
}
