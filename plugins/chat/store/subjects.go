package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
)

// maxSubject is how long the name of a backend may be, and a user's id there.
const maxSubject = 1000

// SubjectUser returns the account of a user whom an auth backend knows, and makes it when there is none. Its
// login is the user's id, where that can be one which nobody has, else one that is made of it. Nobody logs in
// to it with a password. It returns ErrInvalid.
func (s *Store) SubjectUser(ctx context.Context, realm, subject string) (u User, err error) {
	if !isText(realm, 1, maxSubject) || !isText(subject, 1, maxSubject) {
		return User{}, ErrInvalid
	}
	find := func(ctx context.Context, q queryer) error {
		return q.QueryRowContext(ctx, `SELECT u.id, u.login, u.about FROM subjects s JOIN users u ON u.id = s.user_id
			WHERE s.realm = $1 AND s.subject = $2`, realm, subject).Scan(&u.ID, &u.Login, &u.Desc)
	}
	if err = find(ctx, s.read); !errors.Is(err, sql.ErrNoRows) {
		return u, err
	}
	err = s.transact(ctx, func(ctx context.Context, q queryer) error {
		err := find(ctx, q)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		u = User{}
		for _, login := range loginsFor(realm, subject) {
			err = q.QueryRowContext(ctx, `INSERT INTO users (login, name, about, date) VALUES ($1, '', '', $2)
				ON CONFLICT (login) DO NOTHING RETURNING id`, login, s.now()).Scan(&u.ID)
			if !errors.Is(err, sql.ErrNoRows) {
				u.Login = login
				break
			}
		}
		if errors.Is(err, sql.ErrNoRows) {
			return ErrTaken
		}
		if err != nil {
			return err
		}
		_, err = q.ExecContext(ctx, `INSERT INTO subjects (realm, subject, user_id) VALUES ($1, $2, $3)`, realm, subject, u.ID)
		return err
	})
	if err != nil {
		return User{}, err
	}
	return u, nil
}

// loginsFor are the logins that a backend's user may have, the best first.
func loginsFor(realm, subject string) []string {
	sum := sha256.Sum256([]byte(realm + "\x00" + subject))
	made := "u-" + hex.EncodeToString(sum[:10])
	if loginForm.MatchString(subject) && subject != Reserved {
		return []string{subject, made}
	}
	return []string{made}
}

// RevokeHash makes void the token of that SHA-256, in hex.
func (s *Store) RevokeHash(ctx context.Context, hash string) error {
	return s.transact(ctx, func(ctx context.Context, q queryer) error {
		_, err := q.ExecContext(ctx, `DELETE FROM tokens WHERE hash = $1`, hash)
		return err
	})
}

// Member returns nil for who may take part in a room, else ErrForbidden or ErrNotFound.
func (s *Store) Member(ctx context.Context, room, user int64) error {
	_, err := s.member(ctx, room, user)
	return err
}
