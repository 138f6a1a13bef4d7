package core

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/protocol-bridge/bridge/core/broker"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/queue"
	pluginv1 "github.com/protocol-bridge/bridge/proto/bridge/plugin/v1"
)

// queueDir is the folder in data_dir that has the queues.
const queueDir = "queue"

// queues are the durable queues of the node. The server that stores them starts when the first plugin says
// that it uses them.
type queues struct {
	dir string
	log *slog.Logger
	dry bool // nothing is stored: a configuration is only looked at

	mu        sync.Mutex     // guards what follows
	shared    *broker.Broker // the cluster's; nil: there is none
	replicas  int            // of what is stored; 0: as many as the broker says
	broker    *broker.Broker // of these queues alone
	store     *queue.Store
	syncLater bool
}

// share has the queues stored by the servers of a cluster, which bring everything to disk at once.
func (q *queues) share(b *broker.Broker, replicas int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.shared, q.replicas = b, replicas
}

// How the server brings to disk what it stores, see [broker.Config].
func syncMode(later bool) string {
	if later {
		return "interval"
	}
	return "always"
}

// use is what a plugin's host is given: the queues as the plugin wants them.
func (q *queues) use(ctx context.Context, said *pluginv1.Queues) (pluginhost.Queues, error) {
	if said.GetTopicTtlMs() < 0 {
		return nil, fmt.Errorf("%w: the ttl of a topic is negative", pluginhost.ErrConfig)
	}
	if q.dry {
		return unusedQueues{}, nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.store == nil {
		if err := q.startLocked(ctx, said.GetSyncLater()); err != nil {
			return nil, err
		}
	}
	if q.shared == nil && q.syncLater != said.GetSyncLater() {
		return nil, fmt.Errorf("%w: queues are stored with sync = %q, and this plugin wants %q: it is one for all plugins, and a change of it needs a restart",
			pluginhost.ErrConfig, syncMode(q.syncLater), syncMode(said.GetSyncLater()))
	}
	return pluginQueues{q.store.With(queue.Options{
		Size: int(said.GetTopicSize()), MaxTopics: int(said.GetMaxTopics()),
		TTL: time.Duration(said.GetTopicTtlMs()) * time.Millisecond, Memory: said.GetMemory(),
	})}, nil
}

func (q *queues) startLocked(ctx context.Context, syncLater bool) error {
	b := q.shared
	if b == nil {
		var err error
		if b, err = broker.Start(ctx, broker.Config{Dir: q.dir, Sync: syncMode(syncLater), Logger: q.log}); err != nil {
			if _, ok := errors.AsType[*broker.StoreError](err); ok {
				err = errors.Join(pluginhost.ErrConfig, err)
			}
			return err
		}
		q.broker = b
	}
	store, err := queue.Open(ctx, queue.Config{Conn: b.Conn(), Replicas: cmp.Or(q.replicas, b.Replicas()), Alone: q.shared == nil, Logger: q.log, Room: queue.Room(q.dir)})
	if err != nil {
		return errors.Join(err, q.closeBroker(ctx))
	}
	q.store, q.syncLater = store, syncLater
	return nil
}

// closeBroker ends the server of these queues alone.
func (q *queues) closeBroker(ctx context.Context) error {
	if q.broker == nil {
		return nil
	}
	b := q.broker
	q.broker = nil
	return b.Close(ctx)
}

// current is the store; nil: nobody uses queues.
func (q *queues) current() *queue.Store {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.store
}

// queuesCloseTimeout is how long the queues may take to end.
const queuesCloseTimeout = 10 * time.Second

// close ends the queues. All plugins have ended before.
func (q *queues) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.store == nil {
		return
	}
	q.store.Close()
	ctx, cancel := context.WithTimeout(context.Background(), queuesCloseTimeout)
	defer cancel()
	if err := q.closeBroker(ctx); err != nil {
		q.log.Warn("the queue store does not end", "err", err)
	}
	q.store = nil
}

// pluginQueues are the queues as one plugin wants them.
type pluginQueues struct{ view *queue.View }

// outcomeOf is what the contract says of an error of a queue.
func outcomeOf(err error) (pluginv1.Outcome, string) {
	if err == nil {
		return pluginv1.Outcome_OUTCOME_OK, ""
	}
	if r, ok := errors.AsType[*queue.RefusedError](err); ok {
		return pluginv1.Outcome_OUTCOME_DENIED, r.Error()
	}
	return pluginv1.Outcome_OUTCOME_UNAVAILABLE, err.Error()
}

func (p pluginQueues) Push(topic, id string, data []byte, done func(pluginv1.Outcome, string)) {
	p.view.Push(topic, id, data, func(err error) { done(outcomeOf(err)) })
}

func (p pluginQueues) Open(topics []string, done func(pluginv1.Outcome, string)) {
	p.view.Open(topics, func(err error) { done(outcomeOf(err)) })
}

func (p pluginQueues) Consume(by uint64, topic string, window int, deliver func(pluginhost.Entry)) pluginhost.Consumption {
	return p.view.Consume(by, topic, window, func(e *queue.Entry) { deliver(queueEntry{e}) })
}

type queueEntry struct{ *queue.Entry }

func (e queueEntry) Data() []byte    { return e.Entry.Data }
func (e queueEntry) Attempt() uint32 { return e.Entry.Attempt }

// unusedQueues are those of plugins that are only looked at.
type unusedQueues struct{}

func (unusedQueues) Push(_, _ string, _ []byte, done func(pluginv1.Outcome, string)) {
	done(outcomeOf(queue.ErrUnavailable))
}

func (unusedQueues) Open(_ []string, done func(pluginv1.Outcome, string)) {
	done(outcomeOf(queue.ErrUnavailable))
}

func (unusedQueues) Consume(uint64, string, int, func(pluginhost.Entry)) pluginhost.Consumption {
	return nil
}

// errUnused is why there is nothing to take elsewhere.
var errUnused = errors.New("no plugin of this node uses queues")

// export is [ExportQueues] of a node of a cluster, which runs.
func (q *queues) export(ctx context.Context, to io.Writer) (int, error) {
	s := q.current()
	if s == nil {
		return 0, errUnused
	}
	return s.Export(ctx, to)
}

// load is [ImportQueues] into a cluster, which runs.
func (q *queues) load(ctx context.Context, from io.Reader) (int, error) {
	s := q.current()
	if s == nil {
		return 0, errUnused
	}
	return s.Import(ctx, from)
}

// ExportQueues writes what waits in the queues of a node that does not run, and returns how many entries
// that are. An error is a [DataDirError] where the node runs.
func ExportQueues(ctx context.Context, dataDir string, log *slog.Logger, to io.Writer) (int, error) {
	return withQueues(ctx, dataDir, log, func(s *queue.Store) (int, error) { return s.Export(ctx, to) })
}

// ImportQueues stores what ExportQueues wrote in the queues of a node that does not run, all or nothing.
func ImportQueues(ctx context.Context, dataDir string, log *slog.Logger, from io.Reader) (int, error) {
	return withQueues(ctx, dataDir, log, func(s *queue.Store) (int, error) { return s.Import(ctx, from) })
}

func withQueues(ctx context.Context, dataDir string, log *slog.Logger, do func(*queue.Store) (int, error)) (int, error) {
	data, err := holdDataDir(dataDir)
	if err != nil {
		return 0, err
	}
	defer data.release()
	q := &queues{dir: filepath.Join(dataDir, queueDir), log: log}
	q.mu.Lock()
	// Each write is on disk before the next, as nobody else would notice that one is lost.
	err = q.startLocked(ctx, false)
	q.mu.Unlock()
	if err != nil {
		return 0, err
	}
	defer q.close()
	return do(q.store)
}
