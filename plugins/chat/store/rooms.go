package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
)

const roomColumns = `r.id, r.name, r.about, r.type, r.user_id, r.date, r.power`

func scanRoom(rows *sql.Rows, r *Room) error {
	return rows.Scan(&r.ID, &r.Name, &r.Desc, &r.Type, &r.Customer, &r.Date, &r.Power)
}

// CreateRoom makes a room whose customer is the user. It returns ErrInvalid.
func (s *Store) CreateRoom(ctx context.Context, event string, r NewRoom) (Room, error) {
	if !isText(r.Name, 1, MaxName) || !isText(r.Desc, 0, MaxText) || r.Type < PrivateRoom || r.Type > DialogRoom {
		return Room{}, ErrInvalid
	}
	b, err := s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		made := Room{Name: r.Name, Desc: r.Desc, Type: r.Type, Customer: r.User}
		// Clients ask for rooms after a date, so that two must not have the same.
		err := q.QueryRowContext(ctx, `INSERT INTO rooms (name, search, about, type, user_id, date)
			SELECT $1, $2, $3, $4, $5, CASE WHEN newest.date < $6 THEN $6 ELSE newest.date + 1 END
			FROM (SELECT COALESCE(MAX(date), 0) AS date FROM rooms) newest
			RETURNING id, date`, r.Name, []byte(lower(r.Name)), r.Desc, r.Type, r.User, s.now()).Scan(&made.ID, &made.Date)
		if err != nil {
			return Broadcast{}, err
		}
		err = s.addMember(ctx, q, made.ID, r.User, Customer)
		return Broadcast{Room: made.ID, Of: &made}, err
	})
	if err != nil {
		return Room{}, err
	}
	if b.Of == nil {
		return Room{}, ErrInvalid // the event was another write's
	}
	return *b.Of, nil
}

func (s *Store) addMember(ctx context.Context, q queryer, room, user int64, r Role) error {
	_, err := q.ExecContext(ctx, `INSERT INTO members (room_id, user_id, permission, date) VALUES ($1, $2, $3, $4)`, room, user, r, s.now())
	return err
}

// RenameRoom is for the customer. It returns ErrInvalid, ErrNotFound or ErrForbidden.
func (s *Store) RenameRoom(ctx context.Context, event string, room, user int64, name string) (Broadcast, error) {
	if !isText(name, 1, MaxName) {
		return Broadcast{}, ErrInvalid
	}
	return s.asCustomer(ctx, event, room, user, func(ctx context.Context, q queryer, b *Broadcast) error {
		b.Kind, b.Text = Renamed, name
		_, err := q.ExecContext(ctx, `UPDATE rooms SET name = $2, search = $3 WHERE id = $1`, room, name, []byte(lower(name)))
		return err
	})
}

// DescribeRoom is for the customer. It returns ErrInvalid, ErrNotFound or ErrForbidden.
func (s *Store) DescribeRoom(ctx context.Context, event string, room, user int64, desc string) (Broadcast, error) {
	if !isText(desc, 0, MaxText) {
		return Broadcast{}, ErrInvalid
	}
	return s.asCustomer(ctx, event, room, user, func(ctx context.Context, q queryer, b *Broadcast) error {
		b.Kind, b.Text = Redescribed, desc
		_, err := q.ExecContext(ctx, `UPDATE rooms SET about = $2 WHERE id = $1`, room, desc)
		return err
	})
}

// DeleteRoom is for the customer. Nothing of the room is seen any more but the broadcast that says so.
// It returns ErrNotFound or ErrForbidden.
func (s *Store) DeleteRoom(ctx context.Context, event string, room, user int64) (Broadcast, error) {
	return s.asCustomer(ctx, event, room, user, func(ctx context.Context, q queryer, b *Broadcast) error {
		b.Kind = RoomGone
		for _, query := range []string{
			`UPDATE files SET status = 2 WHERE room_id = $1`,
			`DELETE FROM members WHERE room_id = $1`,
			`DELETE FROM rooms WHERE id = $1`,
		} {
			if _, err := q.ExecContext(ctx, query, room); err != nil {
				return err
			}
		}
		return empty(ctx, q, room, math.MaxInt64)
	})
}

// ClearHistory deletes a room's messages, for the customer. It returns ErrNotFound or ErrForbidden.
func (s *Store) ClearHistory(ctx context.Context, event string, room, user int64) (Broadcast, error) {
	return s.asCustomer(ctx, event, room, user, func(ctx context.Context, q queryer, b *Broadcast) error {
		b.Kind = HistoryGone
		if _, err := q.ExecContext(ctx, `UPDATE files SET status = 2 WHERE room_id = $1 AND status = 1`, room); err != nil {
			return err
		}
		var upTo int64
		if err := q.QueryRowContext(ctx, `UPDATE rooms SET cleared = last_date WHERE id = $1 RETURNING cleared`, room).Scan(&upTo); err != nil {
			return err
		}
		return empty(ctx, q, room, upTo)
	})
}

const deleteMessages = `DELETE FROM messages WHERE id IN (SELECT id FROM messages WHERE room_id = $1 AND date <= $2 LIMIT $3)`

// empty deletes messages that nobody sees any more: some at once, the rest of a long history with the
// next Cleanup, as a million of them takes longer than others should wait.
func empty(ctx context.Context, q queryer, room, upTo int64) error {
	result, err := q.ExecContext(ctx, deleteMessages, room, upTo, cleanupBatch)
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n < cleanupBatch {
		return err
	}
	_, err = q.ExecContext(ctx, `INSERT INTO emptied (room_id, up_to) VALUES ($1, $2) ON CONFLICT DO NOTHING`, room, upTo)
	return err
}

// asCustomer does what only the customer of a room may.
func (s *Store) asCustomer(ctx context.Context, event string, room, user int64, write func(ctx context.Context, q queryer, b *Broadcast) error) (Broadcast, error) {
	return s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		p, err := s.advance(ctx, q, room, 0, false)
		if err != nil {
			return Broadcast{}, err
		}
		if err := permit(ctx, q, room, user, Customer); err != nil {
			return Broadcast{}, err
		}
		b := Broadcast{Room: room, Seq: p.seq}
		return b, write(ctx, q, &b)
	})
}

// Join makes a user a simple member. It returns ErrNotFound for an unknown room or user, ErrForbidden
// for a member, for a banned one, and for a room that takes none.
func (s *Store) Join(ctx context.Context, event string, room, user int64) (Broadcast, error) {
	return s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		p, err := s.advance(ctx, q, room, 0, false)
		if err != nil {
			return Broadcast{}, err
		}
		r := Room{ID: room}
		err = q.QueryRowContext(ctx, `SELECT r.name, r.about, r.type, r.user_id, r.date, r.power FROM rooms r WHERE r.id = $1`, room).
			Scan(&r.Name, &r.Desc, &r.Type, &r.Customer, &r.Date, &r.Power)
		if err != nil {
			return Broadcast{}, err
		}
		u := User{ID: user}
		if err := q.QueryRowContext(ctx, `SELECT login FROM users WHERE id = $1`, user).Scan(&u.Login); err != nil {
			return Broadcast{}, found(err)
		}
		switch _, err := role(ctx, q, room, user); {
		case err == nil || s.options.PrivateRooms && r.Type != GlobalRoom:
			return Broadcast{}, ErrForbidden
		case !errors.Is(err, ErrForbidden):
			return Broadcast{}, err
		}
		return Broadcast{Room: room, Seq: p.seq, Kind: Joined, User: &u, Of: &r}, s.addMember(ctx, q, room, user, Simple)
	})
}

// Ban is for the customer. It returns ErrNotFound for an unknown room and for who is no member,
// ErrForbidden also for the customer himself.
func (s *Store) Ban(ctx context.Context, event string, room, user, banned int64) (Broadcast, error) {
	return s.asCustomer(ctx, event, room, user, func(ctx context.Context, q queryer, b *Broadcast) error {
		if user == banned {
			return ErrForbidden
		}
		u := User{ID: banned}
		err := q.QueryRowContext(ctx, `SELECT u.login FROM members m JOIN users u ON u.id = m.user_id
			WHERE m.room_id = $1 AND m.user_id = $2 AND m.permission <> $3`, room, banned, Banned).Scan(&u.Login)
		if err != nil {
			return found(err)
		}
		b.Kind, b.User = MemberBanned, &u
		_, err = q.ExecContext(ctx, `UPDATE members SET permission = $3 WHERE room_id = $1 AND user_id = $2`, room, banned, Banned)
		return err
	})
}

// Rooms lists the rooms made after a date in which a user is a member, newest first.
func (s *Store) Rooms(ctx context.Context, user, after int64) ([]Room, error) {
	return all(ctx, s.read, scanRoom, `SELECT `+roomColumns+` FROM members m JOIN rooms r ON r.id = m.room_id
		WHERE m.user_id = $1 AND m.permission <> $2 AND r.date > $3 ORDER BY r.date DESC`, user, Banned, after)
}

// SearchRooms lists the newest MaxRooms rooms whose name begins with a text, ASCII letters in either
// case, and in which the user neither is nor was. It returns ErrInvalid.
func (s *Store) SearchRooms(ctx context.Context, user int64, prefix string) ([]Room, error) {
	if !isText(prefix, 1, MaxName) {
		return nil, ErrInvalid
	}
	from := []byte(lower(prefix))
	to := []byte(lower(prefix))
	to[len(to)-1]++ // no byte of a text is 0xFF
	hidden := 0
	if s.options.PrivateRooms {
		hidden = 1
	}
	return all(ctx, s.read, scanRoom, `SELECT `+roomColumns+` FROM rooms r
		WHERE r.search >= $1 AND r.search < $2 AND ($3 = 0 OR r.type = $4)
			AND NOT EXISTS (SELECT 1 FROM members m WHERE m.room_id = r.id AND m.user_id = $5)
		ORDER BY r.date DESC LIMIT $6`, from, to, hidden, GlobalRoom, user, MaxRooms)
}

// Members lists who is in a room and not banned, and the room's sequence number as of then, to a
// member. It returns ErrNotFound or ErrForbidden.
func (s *Store) Members(ctx context.Context, room, user int64) (members []Member, seq int64, err error) {
	type row struct {
		Member
		seq int64
	}
	// One statement, so that list and number are of one moment.
	rows, err := all(ctx, s.read, func(rows *sql.Rows, r *row) error {
		return rows.Scan(&r.ID, &r.Login, &r.Role, &r.seq)
	}, `SELECT u.id, u.login, m.permission, r.seq FROM members m
		JOIN users u ON u.id = m.user_id JOIN rooms r ON r.id = m.room_id
		WHERE m.room_id = $1 AND m.permission <> $2 ORDER BY m.date, u.id`, room, Banned)
	if err != nil {
		return nil, 0, err
	}
	isMember := false
	for _, r := range rows {
		isMember = isMember || r.ID == user
		members, seq = append(members, r.Member), r.seq
	}
	if !isMember {
		_, err := s.member(ctx, room, user)
		return nil, 0, errors.Join(err, ErrForbidden)
	}
	return members, seq, nil
}

// view is what a member may see of a room: messages after a date, and its power.
type view struct{ cleared, power int64 }

// member returns what a user sees of a room, to who may read in it.
func (s *Store) member(ctx context.Context, room, user int64) (v view, err error) {
	var r Role
	err = s.read.QueryRowContext(ctx, `SELECT r.cleared, r.power, COALESCE(m.permission, $3) FROM rooms r
		LEFT JOIN members m ON m.room_id = r.id AND m.user_id = $2 WHERE r.id = $1`, room, user, Banned).Scan(&v.cleared, &v.power, &r)
	if err == nil && r == Banned {
		err = ErrForbidden
	}
	return v, found(err)
}
