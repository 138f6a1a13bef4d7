// Package postgrestest starts the PostgreSQL of this machine for tests: a server of their own, in a
// folder that is gone afterwards.
package postgrestest

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Server is a running PostgreSQL that listens on a socket in its folder only.
type Server struct {
	dir       string
	bin       string
	settings  []string
	databases atomic.Int64
	process   *process
}

const (
	owner     = "bridge"
	startTime = 60 * time.Second
)

// Start starts a server that a test owns, with settings as "fsync=off". Without PostgreSQL on the
// machine the test is skipped, under CI it fails.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	s, err := Run(settings...)
	switch {
	case errors.Is(err, ErrMissing) && os.Getenv("CI") == "":
		tb.Skip(err)
	case err != nil:
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// ErrMissing says that there is no PostgreSQL on the machine.
var ErrMissing = errors.New("PostgreSQL is not installed")

// Run is Start for who has no test, and closes it.
func Run(settings ...string) (*Server, error) {
	bin := binaries()
	if bin == "" {
		return nil, ErrMissing
	}
	dir, err := os.MkdirTemp("", "postgres") // the server runs as another user, who may not look into a test's TempDir
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, bin: bin, settings: settings}
	if err = s.init(); err == nil {
		err = s.start()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close kills the server and removes its databases.
func (s *Server) Close() {
	if s.process != nil {
		s.Kill()
	}
	_ = os.RemoveAll(s.dir)
}

// binaries returns the folder of the newest server's programs, which is not in the path everywhere.
func binaries() string {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	slices.Sort(found)
	if len(found) > 0 {
		return filepath.Dir(found[len(found)-1])
	}
	if path, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) init() error {
	if err := own(s.dir); err != nil {
		return err
	}
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", owner, "-A", "trust",
		"-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.Dir = s.dir
	cmd.SysProcAttr = attributes()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// process is the server's process. The thread that started it stays until it ends, since it is killed
// when that thread is gone: a test that dies leaves no server behind.
type process struct {
	cmd  *exec.Cmd
	log  bytes.Buffer // read when done
	done chan struct{}
}

func (s *Server) start() error {
	args := make([]string, 0, 4+2*(len(s.settings)+1))
	args = append(args, "-D", s.data(), "-k", s.dir)
	for _, setting := range append([]string{"listen_addresses="}, s.settings...) {
		args = append(args, "-c", setting)
	}
	p := &process{cmd: exec.CommandContext(context.Background(), filepath.Join(s.bin, "postgres"), args...), done: make(chan struct{})}
	p.cmd.Dir = s.dir
	p.cmd.SysProcAttr = attributes()
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.done)
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.process = p
	return s.await()
}

// await returns when the server answers.
func (s *Server) await() error {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.process.done:
			return fmt.Errorf("postgres ended: %s", s.process.log.String())
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Kill kills the server, as a machine's death would. It says nothing about one that is dead.
func (s *Server) Kill() {
	_ = s.process.cmd.Process.Signal(quit)
	<-s.process.done
}

// Restart starts a server that was killed, with its databases.
func (s *Server) Restart(tb testing.TB) {
	tb.Helper()
	if err := s.start(); err != nil {
		tb.Fatal(err)
	}
}

// Database makes a database and returns its URL.
func (s *Server) Database(tb testing.TB) string {
	tb.Helper()
	url, err := s.Create(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	return url
}

// Create is Database for who has no test.
func (s *Server) Create(ctx context.Context) (url string, err error) {
	db, err := sql.Open("pgx", s.url("postgres"))
	if err != nil {
		return "", err
	}
	defer db.Close()
	name := fmt.Sprintf("test%d", s.databases.Add(1))
	if _, err := db.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return "", err
	}
	return s.url(name), nil
}

func (s *Server) url(database string) string {
	query := url.Values{"host": {s.dir}, "user": {owner}}
	return (&url.URL{Scheme: "postgres", Path: "/" + database, RawQuery: query.Encode()}).String()
}
