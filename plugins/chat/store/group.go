package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// group is SQLite's writer. It puts what waits into one transaction, so that many who write at the
// same time share the cost of one wait for the disk; a savepoint keeps them apart.
type group struct {
	db      *sql.DB
	jobs    chan job
	closing chan struct{}
	once    sync.Once
	done    chan struct{}
}

type job struct {
	work   work
	result chan error
}

// maxGroup bounds how long the first of a group waits for the others.
const maxGroup = 64

var errClosed = errors.New("the database is closed")

func newGroup(db *sql.DB) *group {
	g := &group{db: db, jobs: make(chan job), closing: make(chan struct{}), done: make(chan struct{})}
	go g.run()
	return g
}

// do returns when the work is on the disk, or was not done. A context ends only the wait for a turn:
// cutting a statement short would undo what others have in the same transaction.
func (g *group) do(ctx context.Context, w work) error {
	j := job{w, make(chan error, 1)}
	select {
	case g.jobs <- j:
		return <-j.result
	case <-ctx.Done():
		return ctx.Err()
	case <-g.closing:
		return errClosed
	}
}

func (g *group) close() {
	g.once.Do(func() { close(g.closing) })
	<-g.done
}

func (g *group) run() {
	defer close(g.done)
	for {
		select {
		case j := <-g.jobs:
			g.commit(g.take(j))
		case <-g.closing:
			return
		}
	}
}

// take adds those who wait already.
func (g *group) take(first job) []job {
	jobs := []job{first}
	for len(jobs) < maxGroup {
		select {
		case j := <-g.jobs:
			jobs = append(jobs, j)
		default:
			return jobs
		}
	}
	return jobs
}

func (g *group) commit(jobs []job) {
	refused := make([]error, len(jobs))
	err := g.try(jobs, refused)
	for i, j := range jobs {
		if err != nil {
			j.result <- err
		} else {
			j.result <- refused[i]
		}
	}
}

func (g *group) try(jobs []job, refused []error) error {
	ctx := context.Background()
	tx, err := g.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	for i, j := range jobs {
		if refused[i], err = isolate(ctx, tx, j.work); err != nil {
			return errors.Join(err, tx.Rollback())
		}
	}
	return tx.Commit()
}

// isolate undoes work that was refused. Its second result is of the transaction as a whole: after
// trouble with the disk SQLite has ended it, and there is no savepoint to return to.
func isolate(ctx context.Context, tx *sql.Tx, w work) (refused, broken error) {
	if _, err := tx.ExecContext(ctx, `SAVEPOINT one`); err != nil {
		return nil, err
	}
	if refused = safely(ctx, tx, w); refused != nil {
		if _, err := tx.ExecContext(ctx, `ROLLBACK TO one`); err != nil {
			return nil, errors.Join(refused, err)
		}
	}
	_, broken = tx.ExecContext(ctx, `RELEASE one`)
	return refused, broken
}

// safely keeps a mistake in one's work from ending the process for all.
func safely(ctx context.Context, q queryer, w work) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("write panicked: %v", p)
		}
	}()
	return w(ctx, q)
}
