package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Options are what an operator may choose. The zero value is the original's behaviour.
type Options struct {
	// PrivateRooms hides rooms of the types PrivateRoom and DialogRoom from searches, and refuses
	// whoever wants to join them.
	PrivateRooms bool
}

// Store is an open database. Its methods may be called from several goroutines.
type Store struct {
	options  Options
	postgres bool
	read     *sql.DB
	write    *sql.DB // the same as read but for SQLite, where it is one connection
	group    *group  // SQLite only
	hashing  chan struct{}
	now      func() int64 // milliseconds since 1970
}

// connections is how many of them one Store opens to PostgreSQL, or for reading of SQLite.
const connections = 8

// Open opens a database and brings its schema up to date: "sqlite:PATH", where PATH is relative to
// dir, or "postgres://…". Several processes may have the same one open.
func Open(ctx context.Context, database, dir string, o Options) (*Store, error) {
	s := &Store{
		options: o,
		hashing: make(chan struct{}, runtime.GOMAXPROCS(0)),
		now:     func() int64 { return time.Now().UnixMilli() },
	}
	var err error
	if path, ok := strings.CutPrefix(database, "sqlite:"); ok {
		err = s.openSQLite(path, dir)
	} else if strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://") {
		err = s.openPostgres(ctx, database)
	} else {
		return nil, errors.New(`a database is "sqlite:FILE" or "postgres://…"`)
	}
	if err == nil {
		err = s.migrate(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the chat database: %w", err), s.Close())
	}
	if !s.postgres {
		s.group = newGroup(s.write) //nolint:contextcheck // it writes for whoever comes, until Close
	}
	return s, nil
}

// Shared says whether other nodes may have the same database.
func (s *Store) Shared() bool { return s.group == nil }

// Close waits for what is being written.
func (s *Store) Close() error {
	if s.group != nil {
		s.group.close()
	}
	var errs []error
	if s.write != nil && s.write != s.read {
		errs = append(errs, s.write.Close())
	}
	if s.read != nil {
		errs = append(errs, s.read.Close())
	}
	return errors.Join(errs...)
}

// A commit returns when it is on the disk (synchronous). One connection writes, so that no writer
// polls for another one's lock; the time to wait is for a second process, as when a plugin is
// replaced.
func (s *Store) openSQLite(path, dir string) (err error) {
	if path == "" {
		return errors.New("sqlite: has no file")
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(dir, path)
	}
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	query := url.Values{
		"_pragma": {"busy_timeout(8000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)"},
		"_txlock": {"immediate"},
	}
	dsn := url.URL{Scheme: "file", Path: filepath.ToSlash(path), RawQuery: query.Encode()}
	if s.write, err = sql.Open("sqlite", dsn.String()); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	query.Set("_txlock", "deferred")
	query.Add("_pragma", "query_only(1)")
	dsn.RawQuery = query.Encode()
	if s.read, err = sql.Open("sqlite", dsn.String()); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(connections)
	s.read.SetMaxIdleConns(connections)
	return nil
}

func (s *Store) openPostgres(ctx context.Context, database string) (err error) {
	s.postgres = true
	if s.read, err = sql.Open("pgx", database); err != nil {
		return err
	}
	s.read.SetMaxOpenConns(connections)
	s.read.SetMaxIdleConns(connections)
	s.read.SetConnMaxIdleTime(5 * time.Minute)
	s.write = s.read
	var encoding string
	if err := s.read.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil {
		return err
	}
	if encoding != "UTF8" {
		return fmt.Errorf("its encoding is %s, create it with UTF8", encoding)
	}
	return nil
}

// migrate runs what is missing. PostgreSQL has a lock for it, and two processes that begin with one
// new file get in each other's way at most once.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(schema{postgres: s.postgres}, "migrations")
	if err != nil {
		return err
	}
	dialect, options := goose.DialectSQLite3, []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if s.postgres {
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		dialect, options = goose.DialectPostgres, append(options, goose.WithSessionLocker(locker))
	}
	provider, err := goose.NewProvider(dialect, s.write, files, options...)
	if err != nil {
		return err
	}
	if _, err = provider.Up(ctx); err != nil && !s.postgres {
		_, err = provider.Up(ctx)
	}
	return err
}

// sql returns a query in the database's words: SQLite finds a text with instr, PostgreSQL with
// strpos. Both compare bytes, where LIKE differs.
func (s *Store) sql(query string) string {
	if s.postgres {
		return strings.ReplaceAll(query, "instr(", "strpos(")
	}
	return query
}
