// Package queue keeps topics: durable queues on JetStream, a stream each. A push is confirmed when it is
// stored. Consumers of a topic compete, on all nodes: each entry is one consumer's until that settles it,
// gives it back or ends.
package queue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config is what queues are made with.
type Config struct {
	Conn     *nats.Conn // to the server that has the store
	Replicas int        // of each topic that is made; 0: 1
	// Alone says that no other node uses the topics. What consumers of a process had that ended goes back
	// at once then; otherwise it does after AckWait.
	Alone  bool
	Logger *slog.Logger // nil: nothing is logged
	// AckWait is after how long an entry goes back whose consumer shows no sign of life; 0: 30 s.
	AckWait time.Duration
	// Room says why nothing more is to be stored; nil where it may be. It is asked before each push.
	Room func() error
}

// Options are how topics are to be kept. A zero field means its default.
type Options struct {
	Size      int           // entries that may wait in one; 2,000
	MaxTopics int           // that there may be when one more is made; 100
	TTL       time.Duration // for an entry to be settled; 24 h
	Memory    bool          // rather than in files
}

func (o Options) withDefaults() Options {
	if o.Size == 0 {
		o.Size = 2000
	}
	if o.MaxTopics == 0 {
		o.MaxTopics = 100
	}
	if o.TTL == 0 {
		o.TTL = 24 * time.Hour
	}
	return o
}

// RefusedError is why something is not stored, or a topic not made: for good, as long as nothing else changes.
type RefusedError struct{ reason string }

func (r *RefusedError) Error() string { return r.reason }

// Refusals.
var (
	ErrFull          = &RefusedError{"full"}
	ErrTooManyTopics = &RefusedError{"too many topics"}
	ErrTooLarge      = &RefusedError{"too large"}
	ErrNotTopic      = &RefusedError{"not a topic"}
)

// ErrUnavailable is wrapped by errors of the store. Whether something was stored is then not known, and
// nothing that was confirmed is lost.
var ErrUnavailable = errors.New("the queue store is unavailable")

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// Store is all topics of a node. It is safe for concurrent use.
type Store struct {
	cfg Config
	nc  *nats.Conn
	js  jetstream.JetStream
	log *slog.Logger
	out *publisher

	making sync.Mutex // one topic is made at a time, so that they are counted

	mu         sync.Mutex
	topics     map[string]*topic
	allowances map[uint64]*allowance // by consumer
	unopened   atomic.Uint64         // pushes and consumptions refused for want of a topic

	done chan struct{}
	wg   sync.WaitGroup
}

// Open returns the store behind a connection, with the topics that it has.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.AckWait == 0 {
		cfg.AckWait = 30 * time.Second
	}
	if cfg.Replicas == 0 {
		cfg.Replicas = 1
	}
	if cfg.Room == nil {
		cfg.Room = func() error { return nil }
	}
	js, err := jetstream.New(cfg.Conn)
	if err != nil {
		return nil, unavailable(err)
	}
	s := &Store{cfg: cfg, nc: cfg.Conn, js: js, log: cfg.Logger, topics: make(map[string]*topic), allowances: make(map[uint64]*allowance), done: make(chan struct{})}
	list, err := s.list(ctx)
	if err != nil {
		return nil, err
	}
	if cfg.Alone {
		for _, t := range list {
			s.reclaim(ctx, t.info.Config.Name)
		}
	}
	// Pushes have a connection of their own: the server reads it no faster than the disk is.
	opts := cfg.Conn.Opts
	push, err := opts.Connect()
	if err != nil {
		return nil, unavailable(err)
	}
	if s.out, err = newPublisher(push); err != nil {
		push.Close()
		return nil, unavailable(err)
	}
	s.wg.Go(s.out.run)
	s.wg.Go(s.watch)
	return s, nil
}

// Close gives back what consumers have, and answers pushes that are not confirmed. Nothing may be asked of
// the store any more. It does not close Config.Conn.
func (s *Store) Close() {
	for _, t := range s.all() {
		for _, c := range t.all() {
			c.Stop()
		}
	}
	for end := time.Now().Add(closeTimeout); time.Now().Before(end) && s.draining(); {
		time.Sleep(time.Millisecond)
	}
	close(s.done)
	s.out.close()
	s.wg.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.nc.FlushWithContext(ctx) // what does not get there goes back later
	s.out.nc.Close()
}

// reclaim gives back, in order, what consumers had that are no more.
func (s *Store) reclaim(ctx context.Context, stream string) {
	c, err := s.js.Consumer(ctx, stream, consumerName)
	if err != nil {
		return // nobody ever consumed it, or it goes back later
	}
	info := c.CachedInfo()
	if info.NumAckPending == 0 {
		return
	}
	// Only of entries that were delivered and not acked the server takes it.
	for seq := info.AckFloor.Stream + 1; seq <= info.Delivered.Stream; seq++ {
		subject := fmt.Sprintf("$JS.ACK.%s.%s.1.%d.%d.0.0", stream, consumerName, seq, info.Delivered.Consumer)
		if seq < info.Delivered.Stream {
			_ = s.nc.Publish(subject, []byte(nak))
			continue
		}
		_, _ = s.nc.RequestWithContext(ctx, subject, []byte(nak))
	}
}

func (s *Store) draining() bool {
	for _, t := range s.all() {
		if t.isDraining() {
			return true
		}
	}
	return false
}

// View is the store as one user wants its topics.
type View struct {
	store   *Store
	options Options
}

// With returns a view.
func (s *Store) With(o Options) *View { return &View{s, o.withDefaults()} }

// Push appends to a topic, which is made if it is not there. id names the push: within two minutes the same
// one is stored once. Pushes to a topic are stored in the order of the calls. done is called once, and does
// not block: with nil when data is stored, with a [RefusedError] when it is not, or with an error that wraps
// [ErrUnavailable]. data is kept. Push does not block.
func (v *View) Push(name, id string, data []byte, done func(error)) {
	s := v.store
	if int64(len(data)+len(id)+headerSize) > s.nc.MaxPayload() {
		done(ErrTooLarge)
		return
	}
	v.open(name, func(t *topic, err error) {
		if err == nil {
			t.fresh.Store(false)
			if err = s.cfg.Room(); err != nil {
				t.count(err)
			}
		}
		if err != nil {
			done(err)
			return
		}
		s.out.add(&push{topic: t, id: id, data: data, done: func(err error) {
			t.count(err)
			done(err)
		}})
	})
}

// headerSize is a little more than what is sent beside an entry and its id.
const headerSize = 64

// Open makes topics that are not there: all, or none of them. done is called once, with nil or as that of
// Push. Open does not block.
func (v *View) Open(names []string, done func(error)) {
	if len(names) == 0 {
		done(nil)
		return
	}
	v.open(names[0], func(t *topic, err error) {
		if err != nil {
			done(err)
			return
		}
		made := t.fresh.Swap(false)
		v.Open(names[1:], func(err error) {
			if err != nil && made {
				v.store.wg.Go(func() { v.store.drop(t) })
			}
			done(err)
		})
	})
}

// open calls then with the topic once it is as the view wants it. Calls for one topic come in the order in
// which they were asked for.
func (v *View) open(name string, then func(*topic, error)) {
	s := v.store
	if !validTopic(name) {
		s.unopened.Add(1)
		then(nil, ErrNotTopic)
		return
	}
	s.mu.Lock()
	t := s.topics[name]
	if t == nil {
		t = newTopic(s, name)
		s.topics[name] = t
	}
	s.mu.Unlock()
	t.open(v.options, then)
}

// all returns the topics that are known here.
func (s *Store) all() []*topic {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*topic, 0, len(s.topics))
	for _, t := range s.topics {
		list = append(list, t)
	}
	return list
}

// forget drops what is known of a topic that could not be made, or is no more.
func (s *Store) forget(t *topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.topics[t.name] == t {
		delete(s.topics, t.name)
	}
}

// watch keeps what consumers have theirs, and gives back what they let go of.
func (s *Store) watch() {
	tick := time.NewTicker(s.cfg.AckWait / 6)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-tick.C:
		}
		for _, t := range s.all() {
			for _, c := range t.all() {
				c.keep()
			}
		}
	}
}
