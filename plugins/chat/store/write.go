package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"
)

// queryer is a transaction, or a database outside of one.
type queryer interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// work is done in a transaction, perhaps more than once: it sets anew whatever it leaves behind.
type work func(ctx context.Context, q queryer) error

// attempts is how often a transaction is tried that others got in the way of.
const attempts = 10

// transact does work in a transaction and returns when it is on the disk.
func (s *Store) transact(ctx context.Context, w work) error {
	if s.group != nil {
		return s.group.do(ctx, w)
	}
	for attempt := 1; ; attempt++ {
		err := s.try(ctx, w)
		if err == nil || attempt == attempts || !isConflict(err) {
			return err
		}
	}
}

func (s *Store) try(ctx context.Context, w work) error {
	tx, err := s.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := w(ctx, tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// isConflict reports whether another transaction wrote first what this one wanted to write: the next
// attempt sees it and decides by it.
func isConflict(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "23505", "40001", "40P01": // unique violation, serialization failure, deadlock
		return true
	}
	return false
}

// once writes what an event asks for, unless that was done already, and returns what it led to.
func (s *Store) once(ctx context.Context, event string, write func(ctx context.Context, q queryer) (Broadcast, error)) (b Broadcast, err error) {
	if !isText(event, 1, maxEvent) {
		return Broadcast{}, ErrInvalid
	}
	err = s.transact(ctx, func(ctx context.Context, q queryer) error {
		var err error
		if b, err = recorded(ctx, q, event); !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if b, err = write(ctx, q); err != nil {
			return err
		}
		return s.record(ctx, q, event, b)
	})
	if errors.Is(err, ErrForbidden) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrTaken) {
		// Perhaps because the same event was written meanwhile, by a process that is dead by now.
		if b, again := recorded(ctx, s.read, event); !errors.Is(again, sql.ErrNoRows) {
			return b, again
		}
	}
	if err != nil {
		return Broadcast{}, err
	}
	return b, nil
}

// recorded returns what an event led to, or sql.ErrNoRows.
func recorded(ctx context.Context, q queryer, event string) (b Broadcast, err error) {
	var body string
	if err := q.QueryRowContext(ctx, `SELECT body FROM events WHERE event = $1`, event).Scan(&body); err != nil {
		return Broadcast{}, err
	}
	return b, json.Unmarshal([]byte(body), &b)
}

func (s *Store) record(ctx context.Context, q queryer, event string, b Broadcast) error {
	body, err := json.Marshal(b)
	if err != nil {
		return err
	}
	published := 0
	if b.Seq == 0 { // nobody is to be told
		published = 1
	}
	_, err = q.ExecContext(ctx, `INSERT INTO events (event, room_id, seq, date, published, body) VALUES ($1, $2, $3, $4, $5, $6)`,
		event, b.Room, b.Seq, s.now(), published, string(body))
	return err
}

// place is where a room stands after a write.
type place struct {
	seq   int64
	date  int64 // of its last message
	power int64
}

// advance takes a room's next sequence number, and with it the room's lock until the end of the
// transaction: what is read after it is what the write is decided by. A message also takes the next
// date, and power is added.
func (s *Store) advance(ctx context.Context, q queryer, room, power int64, isMessage bool) (p place, err error) {
	var now int64
	if isMessage {
		now = s.now()
	}
	err = q.QueryRowContext(ctx, `UPDATE rooms SET seq = seq + 1, power = power + $2,
			last_date = CASE WHEN CAST($3 AS BIGINT) = 0 THEN last_date WHEN last_date < $3 THEN $3 ELSE last_date + 1 END
		WHERE id = $1 RETURNING seq, last_date, power`, room, power, now).Scan(&p.seq, &p.date, &p.power)
	return p, found(err)
}

// role returns what a user is in a room, ErrForbidden for a stranger.
func role(ctx context.Context, q queryer, room, user int64) (r Role, err error) {
	err = q.QueryRowContext(ctx, `SELECT permission FROM members WHERE room_id = $1 AND user_id = $2`, room, user).Scan(&r)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrForbidden
	}
	return r, err
}

// permit lets members pass whose role is at most the given one, which is in the order of what they may.
func permit(ctx context.Context, q queryer, room, user int64, atMost Role) error {
	r, err := role(ctx, q, room, user)
	if err == nil && r > atMost {
		err = ErrForbidden
	}
	return err
}

// found turns the error of a query without rows into ErrNotFound.
func found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// all reads the rows of a query.
func all[T any](ctx context.Context, q queryer, scan func(rows *sql.Rows, to *T) error, query string, args ...any) (list []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t T
		if err := scan(rows, &t); err != nil {
			return nil, err
		}
		list = append(list, t)
	}
	return list, rows.Err()
}
