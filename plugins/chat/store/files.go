package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"github.com/protocol-bridge/bridge/plugins/chat/files"
)

// The states of a file's row.
const (
	fileOpen = iota
	fileKept
	fileGone
)

// BeginFile gives an upload its id, for members. Until FinishFile nobody sees it. It returns
// ErrInvalid, ErrNotFound or ErrForbidden.
func (s *Store) BeginFile(ctx context.Context, event string, f NewFile) (File, error) {
	if !isText(event, 1, maxEvent) || !isText(f.Name, 1, MaxName) || f.Size < 0 || f.Size > MaxFile {
		return File{}, ErrInvalid
	}
	var random [16]byte
	rand.Read(random[:])
	var made File
	err := s.transact(ctx, func(ctx context.Context, q queryer) error {
		if err := q.QueryRowContext(ctx, `SELECT id FROM rooms WHERE id = $1`, f.Room).Scan(new(int64)); err != nil {
			return found(err)
		}
		if err := permit(ctx, q, f.Room, f.User, Simple); err != nil {
			return err
		}
		made = File{Room: f.Room, User: f.User, Name: f.Name, Size: f.Size}
		return q.QueryRowContext(ctx, `INSERT INTO files (id, room_id, user_id, event, name, size, date, status) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (event) DO UPDATE SET event = excluded.event RETURNING id`,
			hex.EncodeToString(random[:]), f.Room, f.User, event, f.Name, f.Size, s.now(), fileOpen).Scan(&made.ID)
	})
	return made, err
}

// FinishFile makes a message of an upload whose bytes are all there, for who began it while a member.
// It returns ErrNotFound or ErrForbidden.
func (s *Store) FinishFile(ctx context.Context, event, id string) (Broadcast, error) {
	if !files.IsID(id) {
		return Broadcast{}, ErrNotFound
	}
	return s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		f := File{ID: id}
		err := q.QueryRowContext(ctx, `SELECT room_id, user_id, name, size FROM files WHERE id = $1`, id).Scan(&f.Room, &f.User, &f.Name, &f.Size)
		if err != nil {
			return Broadcast{}, found(err)
		}
		m := Message{
			Room: f.Room, User: f.User, Text: "files/" + id + "__" + f.Name, Type: FileMessage,
			Power: f.Size, FileSize: f.Size, FileName: f.Name,
		}
		return s.say(ctx, q, &m, &id, func() error {
			if err := permit(ctx, q, f.Room, f.User, Simple); err != nil {
				return err
			}
			return found(q.QueryRowContext(ctx, `UPDATE files SET status = $2 WHERE id = $1 AND status = $3 RETURNING size`,
				id, fileKept, fileOpen).Scan(new(int64)))
		})
	})
}

// DropFile gives up an upload. Cleanup removes its bytes. It says nothing about one that is finished.
func (s *Store) DropFile(ctx context.Context, id string) error {
	if !files.IsID(id) {
		return nil
	}
	return s.transact(ctx, func(ctx context.Context, q queryer) error {
		_, err := q.ExecContext(ctx, `UPDATE files SET status = $2 WHERE id = $1 AND status = $3`, id, fileGone, fileOpen)
		return err
	})
}

// FileOf returns the file of a message to a member of its room. Whatever is not so is ErrNotFound.
func (s *Store) FileOf(ctx context.Context, room, user, message int64) (f File, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT f.id, f.room_id, f.user_id, f.name, f.size FROM messages m
		JOIN files f ON f.id = m.file_id JOIN members r ON r.room_id = m.room_id AND r.user_id = $3 AND r.permission <> $4
		WHERE m.id = $1 AND m.room_id = $2 AND m.type IN ($5, $6) AND f.status = $7`,
		message, room, user, Banned, FileMessage, FileText, fileKept).Scan(&f.ID, &f.Room, &f.User, &f.Name, &f.Size)
	return f, found(err)
}

// HasFile reports whether a file's bytes are still wanted: what a folder holds beside is of no use.
func (s *Store) HasFile(ctx context.Context, id string) (has bool, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM files WHERE id = $1 AND status <> $2)`, id, fileGone).Scan(&has)
	return has, err
}
