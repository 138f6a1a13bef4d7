package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
)

// Reserved is the account that messages of other protocols have whose author has none. Nobody can
// sign up or log in as it.
const Reserved = "bridge"

const (
	tokenLife = 30 * 24 * time.Hour
	maxTokens = 100 // of one user; the oldest give way
)

// SignUp makes an account. It returns ErrTaken or ErrInvalid.
func (s *Store) SignUp(ctx context.Context, event string, a Account) (User, error) {
	if !loginForm.MatchString(a.Login) || !passForm.MatchString(a.Pass) || !isText(a.Name, 0, MaxText) || !isText(a.Desc, 0, MaxText) {
		return User{}, ErrInvalid
	}
	if a.Login == Reserved {
		return User{}, ErrTaken
	}
	var password string // hashed only for a login that is free, and outside of a transaction that others wait for
	err := s.read.QueryRowContext(ctx, `SELECT 1 FROM users WHERE login = $1`, a.Login).Scan(new(int))
	if errors.Is(err, sql.ErrNoRows) {
		password, err = s.hash(ctx, a.Pass)
	}
	if err != nil {
		return User{}, err
	}
	b, err := s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		if password == "" {
			return Broadcast{}, ErrTaken
		}
		u := User{Login: a.Login, Desc: a.Desc}
		err := q.QueryRowContext(ctx, `INSERT INTO users (login, password, name, about, date) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (login) DO NOTHING RETURNING id`, a.Login, password, a.Name, a.Desc, s.now()).Scan(&u.ID)
		if errors.Is(err, sql.ErrNoRows) {
			err = ErrTaken
		}
		return Broadcast{User: &u}, err
	})
	if err != nil {
		return User{}, err
	}
	if b.User == nil {
		return User{}, ErrInvalid // the event was another write's
	}
	return *b.User, nil
}

// LogIn finds an account by what its client made of the password. It returns ErrAuth, after the same
// time, for a wrong one and for an unknown login, and ErrInvalid for what can be neither. It takes
// some ten milliseconds of one core, and waits for one.
func (s *Store) LogIn(ctx context.Context, login, pass string) (User, error) {
	if !loginForm.MatchString(login) || !passForm.MatchString(pass) {
		return User{}, ErrInvalid
	}
	var u User
	var stored sql.NullString
	err := s.read.QueryRowContext(ctx, `SELECT id, login, about, password FROM users WHERE login = $1`, login).
		Scan(&u.ID, &u.Login, &u.Desc, &stored)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return User{}, err
	}
	known := stored.Valid
	if !known {
		stored.String = nobody
	}
	same, err := s.verify(ctx, pass, stored.String)
	if err != nil {
		return User{}, err
	}
	if !same || !known {
		return User{}, ErrAuth
	}
	return u, nil
}

// IssueToken makes a token that logs a user in for 30 days: 64 hex digits and the login. Only a hash
// of it is kept, so that the same event delivered again gets another one, and the first is void.
func (s *Store) IssueToken(ctx context.Context, event string, user int64) (token string, err error) {
	if !isText(event, 1, maxEvent) {
		return "", ErrInvalid
	}
	var random [32]byte
	rand.Read(random[:])
	err = s.transact(ctx, func(ctx context.Context, q queryer) error {
		var login string
		if err := q.QueryRowContext(ctx, `SELECT login FROM users WHERE id = $1`, user).Scan(&login); err != nil {
			return found(err)
		}
		token = hex.EncodeToString(random[:]) + login
		expires := s.now() + tokenLife.Milliseconds()
		_, err := q.ExecContext(ctx, `INSERT INTO tokens (hash, user_id, event, expires) VALUES ($1, $2, $3, $4)
			ON CONFLICT (event) DO UPDATE SET hash = excluded.hash, user_id = excluded.user_id, expires = excluded.expires`,
			tokenHash(token), user, event, expires)
		if err != nil {
			return err
		}
		_, err = q.ExecContext(ctx, `DELETE FROM tokens WHERE user_id = $1 AND hash IN
			(SELECT hash FROM tokens WHERE user_id = $1 ORDER BY expires DESC LIMIT 1000 OFFSET $2)`, user, maxTokens)
		return err
	})
	return token, err
}

// UserByToken finds the account of a token, or returns ErrAuth.
func (s *Store) UserByToken(ctx context.Context, token string) (u User, err error) {
	if !tokenForm.MatchString(token) {
		return User{}, ErrAuth
	}
	err = s.read.QueryRowContext(ctx, `SELECT u.id, u.login, u.about FROM tokens t JOIN users u ON u.id = t.user_id
		WHERE t.hash = $1 AND t.expires > $2`, tokenHash(token), s.now()).Scan(&u.ID, &u.Login, &u.Desc)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrAuth
	}
	return u, err
}

// Revoke makes a token void. It says nothing about one that is void already.
func (s *Store) Revoke(ctx context.Context, token string) error {
	if !tokenForm.MatchString(token) {
		return nil
	}
	return s.transact(ctx, func(ctx context.Context, q queryer) error {
		_, err := q.ExecContext(ctx, `DELETE FROM tokens WHERE hash = $1`, tokenHash(token))
		return err
	})
}

// User returns a user's account, or ErrNotFound.
func (s *Store) User(ctx context.Context, id int64) (u User, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT id, login, about FROM users WHERE id = $1`, id).Scan(&u.ID, &u.Login, &u.Desc)
	return u, found(err)
}

// DescribeUser changes a user's description. It returns ErrInvalid or ErrNotFound.
func (s *Store) DescribeUser(ctx context.Context, event string, user int64, desc string) error {
	if !isText(desc, 0, MaxText) {
		return ErrInvalid
	}
	_, err := s.once(ctx, event, func(ctx context.Context, q queryer) (Broadcast, error) {
		err := q.QueryRowContext(ctx, `UPDATE users SET about = $2 WHERE id = $1 RETURNING id`, user, desc).Scan(new(int64))
		return Broadcast{}, found(err)
	})
	return err
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// The cost of one hash: 19 MiB, two passes.
const (
	hashMemory = 19 * 1024
	hashPasses = 2
	hashForm   = "$argon2id$v=19$m=19456,t=2,p=1$"
)

// nobody is compared with where there is no account. No password has it.
var nobody = hashForm + strings.Repeat("A", 22) + "$" + strings.Repeat("A", 43)

// hash returns argon2id of a client's hash, with its salt and cost.
func (s *Store) hash(ctx context.Context, pass string) (string, error) {
	var salt [16]byte
	rand.Read(salt[:])
	key, err := s.key(ctx, pass, salt[:])
	if err != nil {
		return "", err
	}
	return hashForm + base64.RawStdEncoding.EncodeToString(salt[:]) + "$" + base64.RawStdEncoding.EncodeToString(key), nil
}

func (s *Store) verify(ctx context.Context, pass, stored string) (bool, error) {
	rest, ok := strings.CutPrefix(stored, hashForm)
	salt64, key64, _ := strings.Cut(rest, "$")
	salt, err := base64.RawStdEncoding.DecodeString(salt64)
	want, keyErr := base64.RawStdEncoding.DecodeString(key64)
	if !ok || err != nil || keyErr != nil || len(salt) != 16 || len(want) != 32 {
		return false, fmt.Errorf("a stored password has not the form %s…", hashForm)
	}
	key, err := s.key(ctx, pass, salt)
	return subtle.ConstantTimeCompare(key, want) == 1, err
}

// key bounds how many are computed at a time by the number of cores: more would be no faster and take
// 19 MiB each.
func (s *Store) key(ctx context.Context, pass string, salt []byte) ([]byte, error) {
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(strings.ToLower(pass)), salt, hashPasses, hashMemory, 1, 32), nil
}
