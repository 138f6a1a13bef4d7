package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"time"
)

const (
	maxUnpublished = 1000 // of one answer
	// eventLife is how long the answer to a redelivery is kept. Only events that were in flight when a
	// plugin died are delivered again, which takes seconds.
	eventLife    = 24 * time.Hour
	cleanupBatch = 2000 // rows of one transaction, so that writers wait only shortly
)

// Unpublished returns what a room's members are still to be told behind one sequence number and up to
// another, of what was written before a time, in order, at most a thousand at a time.
func (s *Store) Unpublished(ctx context.Context, room, after, upTo int64, before time.Time) ([]Broadcast, error) {
	return all(ctx, s.read, func(rows *sql.Rows, b *Broadcast) error {
		var body string
		if err := rows.Scan(&body); err != nil {
			return err
		}
		return json.Unmarshal([]byte(body), b)
	}, `SELECT body FROM events WHERE room_id = $1 AND seq > $2 AND seq <= $3 AND published = 0 AND date < $4 ORDER BY seq LIMIT $5`,
		room, after, upTo, before.UnixMilli(), maxUnpublished)
}

// UnpublishedRooms returns some rooms with broadcasts that were written before a time and are not
// marked, those of a process that died: for each, Unpublished has them.
func (s *Store) UnpublishedRooms(ctx context.Context, before time.Time) ([]int64, error) {
	return all(ctx, s.read, func(rows *sql.Rows, room *int64) error { return rows.Scan(room) },
		`SELECT DISTINCT room_id FROM events WHERE published = 0 AND date < $1 ORDER BY room_id LIMIT $2`, before.UnixMilli(), maxUnpublished)
}

// MarkPublished notes for each room up to which sequence number all was published. It costs a wait for
// the disk like any write, so it is better called for many at once than after each.
func (s *Store) MarkPublished(ctx context.Context, upTo map[int64]int64) error {
	if len(upTo) == 0 {
		return nil
	}
	return s.transact(ctx, func(ctx context.Context, q queryer) error {
		for _, room := range slices.Sorted(maps.Keys(upTo)) {
			_, err := q.ExecContext(ctx, `UPDATE events SET published = 1 WHERE room_id = $1 AND seq <= $2 AND published = 0`, room, upTo[room])
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Cleanup forgets expired tokens, the answers to old events and the rest of deleted histories, and
// gives up the uploads that began before a time and were never finished. It calls remove for each file whose bytes are not wanted any
// more, also for one that has none. It may run at several nodes at once.
func (s *Store) Cleanup(ctx context.Context, unfinishedBefore time.Time, remove func(ctx context.Context, id string) error) error {
	now := s.now()
	err := errors.Join(
		s.batches(ctx, `DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE expires <= $1 LIMIT $2)`, now, cleanupBatch),
		s.batches(ctx, `DELETE FROM events WHERE event IN (SELECT event FROM events WHERE date < $1 AND published = 1 LIMIT $2)`,
			now-eventLife.Milliseconds(), cleanupBatch),
		s.batches(ctx, `UPDATE files SET status = 2 WHERE status = 0 AND id IN (SELECT id FROM files WHERE status = 0 AND date < $1 LIMIT $2)`,
			unfinishedBefore.UnixMilli(), cleanupBatch),
	)
	if err == nil {
		err = s.cleanHistories(ctx)
	}
	if err != nil {
		return err
	}
	for after := ""; ; {
		gone, err := all(ctx, s.read, func(rows *sql.Rows, id *string) error { return rows.Scan(id) },
			`SELECT id FROM files WHERE status = 2 AND id > $1 ORDER BY id LIMIT 100`, after)
		if err != nil || len(gone) == 0 {
			return err
		}
		for _, id := range gone {
			after = id
			if err := remove(ctx, id); err != nil {
				return err
			}
			if err := s.batches(ctx, `DELETE FROM files WHERE id = $1 AND status = $2`, id, fileGone); err != nil {
				return err
			}
		}
	}
}

// cleanHistories deletes the rest of long histories.
func (s *Store) cleanHistories(ctx context.Context) error {
	type history struct{ room, upTo int64 }
	histories, err := all(ctx, s.read, func(rows *sql.Rows, h *history) error { return rows.Scan(&h.room, &h.upTo) },
		`SELECT room_id, up_to FROM emptied LIMIT 1000`)
	for _, h := range histories {
		err = errors.Join(err, s.batches(ctx, deleteMessages, h.room, h.upTo, cleanupBatch))
		if err == nil {
			err = s.batches(ctx, `DELETE FROM emptied WHERE room_id = $1 AND up_to = $2`, h.room, h.upTo)
		}
	}
	return err
}

// batches executes a statement, which changes at most cleanupBatch rows, until it changes fewer.
func (s *Store) batches(ctx context.Context, query string, args ...any) error {
	for {
		var changed int64
		err := s.transact(ctx, func(ctx context.Context, q queryer) error {
			result, err := q.ExecContext(ctx, query, args...)
			if err == nil {
				changed, err = result.RowsAffected()
			}
			return err
		})
		if err != nil || changed < cleanupBatch {
			return err
		}
	}
}
