package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
)

const messageColumns = `m.id, m.room_id, m.user_id, m.date, m.text, m.type, m.status, m.power, COALESCE(f.size, 0), COALESCE(f.name, '')
	FROM messages m LEFT JOIN files f ON f.id = m.file_id`

func scanMessage(rows *sql.Rows, m *Message) error {
	var status int
	err := rows.Scan(&m.ID, &m.Room, &m.User, &m.Date, &m.Text, &m.Type, &status, &m.Power, &m.FileSize, &m.FileName)
	m.Edited = status == 1
	return err
}

// Say is for members. It returns ErrInvalid, ErrNotFound or ErrForbidden.
func (s *Store) Say(ctx context.Context, event string, m NewMessage) (Broadcast, error) {
	if !isText(m.Text, 1, MaxText) || m.Power < 0 || (m.Type != Text && m.Type != Sticker) {
		return Broadcast{}, ErrInvalid
	}
	return s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		said := Message{Room: m.Room, User: m.User, Text: m.Text, Type: m.Type, Power: m.Power}
		return s.say(ctx, q, &said, nil, func() error { return permit(ctx, q, m.Room, m.User, Simple) })
	})
}

// SayForeign stores what another protocol published for a room, once for a message's id, whichever
// node does it. It returns ErrInvalid or ErrNotFound.
func (s *Store) SayForeign(ctx context.Context, id string, m Foreign) (Broadcast, error) {
	if !isText(m.Text, 1, MaxText) || m.Power < 0 {
		return Broadcast{}, ErrInvalid
	}
	return s.once(ctx, "message "+id, func(ctx context.Context, q queryer) (Broadcast, error) {
		said := Message{Room: m.Room, Text: m.Text, Type: Text, Power: m.Power}
		b, err := s.say(ctx, q, &said, nil, func() (err error) {
			said.User, err = s.author(ctx, q, m.Author)
			return err
		})
		b.Foreign = true
		return b, err
	})
}

// author returns the account with a login, else the reserved one.
func (s *Store) author(ctx context.Context, q queryer, login string) (id int64, err error) {
	const byLogin = `SELECT id FROM users WHERE login = $1`
	err = sql.ErrNoRows
	if loginForm.MatchString(login) {
		err = q.QueryRowContext(ctx, byLogin, login).Scan(&id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = q.QueryRowContext(ctx, byLogin, Reserved).Scan(&id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = q.QueryRowContext(ctx, `INSERT INTO users (login, name, about, date) VALUES ($1, '', '', $2) RETURNING id`, Reserved, s.now()).Scan(&id)
	}
	return id, err
}

// say stores a message that may be said, with the room's lock held while that is decided.
func (s *Store) say(ctx context.Context, q queryer, m *Message, file *string, may func() error) (Broadcast, error) {
	p, err := s.advance(ctx, q, m.Room, m.Power, true)
	if err != nil {
		return Broadcast{}, err
	}
	if err := may(); err != nil {
		return Broadcast{}, err
	}
	m.Date = p.date
	err = q.QueryRowContext(ctx, `INSERT INTO messages (room_id, user_id, date, text, search, type, power, file_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id`,
		m.Room, m.User, m.Date, m.Text, lower(m.Text), m.Type, m.Power, file).Scan(&m.ID)
	return Broadcast{Room: m.Room, Seq: p.seq, Kind: Said, Message: m, Power: p.power}, err
}

// Edit is for the author of a text, while a member. It returns ErrInvalid, ErrNotFound or
// ErrForbidden.
func (s *Store) Edit(ctx context.Context, event string, room, user, message int64, text string) (Broadcast, error) {
	if !isText(text, 1, MaxText) {
		return Broadcast{}, ErrInvalid
	}
	growth := int64(len(text))
	return s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		p, err := s.advance(ctx, q, room, growth, false)
		if err != nil {
			return Broadcast{}, err
		}
		if err := permit(ctx, q, room, user, Simple); err != nil {
			return Broadcast{}, err
		}
		m, _, err := inRoom(ctx, q, room, message)
		if err != nil {
			return Broadcast{}, err
		}
		if m.User != user || m.Type != Text {
			return Broadcast{}, ErrForbidden
		}
		m.Text, m.Edited = text, true
		err = q.QueryRowContext(ctx, `UPDATE messages SET text = $2, search = $3, status = 1, power = power + $4
			WHERE id = $1 RETURNING power`, message, text, lower(text), growth).Scan(&m.Power)
		return Broadcast{Room: room, Seq: p.seq, Kind: Edited, Message: &m, Power: p.power}, err
	})
}

// DeleteMessage is for a message's author, and for the customer, admins and moderators of its room.
// It returns ErrNotFound or ErrForbidden.
func (s *Store) DeleteMessage(ctx context.Context, event string, room, user, message int64) (Broadcast, error) {
	return s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		p, err := s.advance(ctx, q, room, 0, false)
		if err != nil {
			return Broadcast{}, err
		}
		r, err := role(ctx, q, room, user)
		if err != nil {
			return Broadcast{}, err
		}
		if r == Banned {
			return Broadcast{}, ErrForbidden
		}
		m, file, err := inRoom(ctx, q, room, message)
		if err != nil {
			return Broadcast{}, err
		}
		if r > Moderator && m.User != user {
			return Broadcast{}, ErrForbidden
		}
		if file.Valid {
			if _, err := q.ExecContext(ctx, `UPDATE files SET status = 2 WHERE id = $1`, file.String); err != nil {
				return Broadcast{}, err
			}
		}
		_, err = q.ExecContext(ctx, `DELETE FROM messages WHERE id = $1`, message)
		return Broadcast{Room: room, Seq: p.seq, Kind: MessageGone, Message: &Message{ID: message, Room: room}}, err
	})
}

// inRoom returns a message of a room, as it is without its file, and its file's id.
func inRoom(ctx context.Context, q queryer, room, message int64) (m Message, file sql.NullString, err error) {
	err = q.QueryRowContext(ctx, `SELECT m.id, m.room_id, m.user_id, m.date, m.type, m.file_id
		FROM messages m JOIN rooms r ON r.id = m.room_id WHERE m.id = $1 AND m.room_id = $2 AND m.date > r.cleared`, message, room).
		Scan(&m.ID, &m.Room, &m.User, &m.Date, &m.Type, &file)
	return m, file, found(err)
}

// history is a page of a room, between two dates.
const history = `SELECT ` + messageColumns + ` WHERE m.room_id = $1 AND m.date > $2 AND m.date < $3 ORDER BY m.date DESC LIMIT $4`

// Newer returns the newest messages after a date, newest first, at most count and at most
// MaxMessages, and the room's power. A count below 1 is none. It returns ErrNotFound or ErrForbidden.
func (s *Store) Newer(ctx context.Context, room, user, date int64, count int) ([]Message, int64, error) {
	v, err := s.member(ctx, room, user)
	if err != nil {
		return nil, 0, err
	}
	messages, err := s.page(ctx, room, max(date, v.cleared), math.MaxInt64, count)
	return messages, v.power, err
}

// Older returns the newest messages before a date, as Newer does.
func (s *Store) Older(ctx context.Context, room, user, date int64, count int) ([]Message, error) {
	v, err := s.member(ctx, room, user)
	if err != nil {
		return nil, err
	}
	return s.page(ctx, room, v.cleared, date, count)
}

func (s *Store) page(ctx context.Context, room, after, before int64, count int) ([]Message, error) {
	return all(ctx, s.read, scanMessage, history, room, after, before, min(max(count, 0), MaxMessages))
}

// SearchMessages returns the oldest MaxMessages texts of a room that contain a text, ASCII letters in
// either case, oldest first. It returns ErrInvalid, ErrNotFound or ErrForbidden.
func (s *Store) SearchMessages(ctx context.Context, room, user int64, text string) ([]Message, error) {
	if !isText(text, 1, MaxText) {
		return nil, ErrInvalid
	}
	v, err := s.member(ctx, room, user)
	if err != nil {
		return nil, err
	}
	return all(ctx, s.read, scanMessage, s.sql(`SELECT `+messageColumns+`
		WHERE m.room_id = $1 AND m.date > $2 AND m.type = $3 AND instr(m.search, $4) > 0 ORDER BY m.date LIMIT $5`),
		room, v.cleared, Text, lower(text), MaxMessages)
}
