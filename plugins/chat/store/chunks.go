package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/files"
)

// Chunks is a files.Store in the database, for all nodes that have it.
type Chunks struct{ store *Store }

var _ files.Store = Chunks{}

// Chunks returns what keeps files in this database, while it is open.
func (s *Store) Chunks() Chunks { return Chunks{s} }

// chunk is the most bytes that a row has. None goes beyond a multiple of it, so that whoever reads from one
// reads no byte that is not asked for.
const chunk = 64 << 10

// Append implements files.Store.
func (c Chunks) Append(ctx context.Context, id string, at int64, data []byte) error {
	if !files.IsID(id) {
		return files.ErrID
	}
	return c.store.transact(ctx, func(ctx context.Context, q queryer) error {
		var size int64
		var whole bool
		// The row's lock keeps others from the same file until the end of the transaction.
		err := q.QueryRowContext(ctx, `INSERT INTO contents (file, size, date, whole) VALUES ($1, 0, $2, 0)
			ON CONFLICT (file) DO UPDATE SET date = excluded.date RETURNING size, whole = 1`, id, c.store.now()).Scan(&size, &whole)
		if err != nil {
			return err
		}
		if at < 0 || at > size {
			return files.ErrGap
		}
		fresh := data[min(size-at, int64(len(data))):] // what is there already came before
		if len(fresh) == 0 {
			return nil
		}
		if whole {
			return files.ErrSize
		}
		if err := insertChunks(ctx, q, id, size, fresh); err != nil {
			return err
		}
		_, err = q.ExecContext(ctx, `UPDATE contents SET size = $2 WHERE file = $1`, id, size+int64(len(fresh)))
		return err
	})
}

func insertChunks(ctx context.Context, q queryer, id string, at int64, data []byte) error {
	for len(data) > 0 {
		n := min(int64(len(data)), chunk-at%chunk)
		if _, err := q.ExecContext(ctx, `INSERT INTO chunks (file, at, data) VALUES ($1, $2, $3)`, id, at, data[:n]); err != nil {
			return err
		}
		at, data = at+n, data[n:]
	}
	return nil
}

// Finish implements files.Store.
func (c Chunks) Finish(ctx context.Context, id string, size int64) error {
	if !files.IsID(id) {
		return files.ErrID
	}
	return c.store.transact(ctx, func(ctx context.Context, q queryer) error {
		var there int64
		err := q.QueryRowContext(ctx, `INSERT INTO contents (file, size, date, whole) VALUES ($1, 0, $2, 1)
			ON CONFLICT (file) DO UPDATE SET whole = 1 RETURNING size`, id, c.store.now()).Scan(&there)
		if err == nil && there != size {
			err = files.ErrSize
		}
		return err
	})
}

// ReadAt implements files.Store.
func (c Chunks) ReadAt(ctx context.Context, id string, at int64, n int) ([]byte, error) {
	if !files.IsID(id) {
		return nil, files.ErrID
	}
	if at < 0 || n < 0 {
		return nil, files.ErrGap
	}
	q := c.store.read
	var size int64
	err := q.QueryRowContext(ctx, `SELECT size FROM contents WHERE file = $1 AND whole = 1`, id).Scan(&size)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("file %s: %w", id, fs.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	end := min(size, at+int64(n))
	if end <= at {
		return nil, nil
	}
	rows, err := q.QueryContext(ctx, `SELECT at, data FROM chunks WHERE file = $1 AND at >= $2 AND at < $3 ORDER BY at`, id, at-at%chunk, end)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	data := make([]byte, 0, end-at)
	for rows.Next() {
		var from int64
		var piece sql.RawBytes // the row's own, until the next
		if err := rows.Scan(&from, &piece); err != nil {
			return nil, err
		}
		if skip := at + int64(len(data)) - from; skip < int64(len(piece)) {
			data = append(data, piece[skip:min(int64(len(piece)), end-from)]...)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if int64(len(data)) < end-at { // removed meanwhile
		return nil, fmt.Errorf("file %s: %w", id, fs.ErrNotExist)
	}
	return data, nil
}

// Remove implements files.Store.
func (c Chunks) Remove(ctx context.Context, id string) error {
	if !files.IsID(id) {
		return files.ErrID
	}
	return c.store.transact(ctx, func(ctx context.Context, q queryer) error {
		_, err := q.ExecContext(ctx, `DELETE FROM contents WHERE file = $1`, id)
		return err
	})
}

// Sweep implements files.Store.
func (c Chunks) Sweep(ctx context.Context, before time.Time, wanted func(ctx context.Context, id string) (bool, error)) error {
	for after := ""; ; {
		old, err := all(ctx, c.store.read, func(rows *sql.Rows, id *string) error { return rows.Scan(id) },
			`SELECT file FROM contents WHERE date < $1 AND file > $2 ORDER BY file LIMIT 100`, before.UnixMilli(), after)
		if err != nil || len(old) == 0 {
			return err
		}
		for _, id := range old {
			after = id
			isWanted, err := wanted(ctx, id)
			if err == nil && !isWanted {
				err = c.Remove(ctx, id)
			}
			if err != nil {
				return err
			}
		}
	}
}
