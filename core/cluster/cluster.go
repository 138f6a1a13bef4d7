package cluster

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/protocol-bridge/bridge/core/broker"
	"github.com/protocol-bridge/bridge/internal/quiet"
	clusterv1 "github.com/protocol-bridge/bridge/proto/bridge/cluster/v1"
)

// Config is what a node needs to be one of a cluster.
type Config struct {
	Broker   *broker.Broker
	Name     string // of the cluster
	Node     int    // its number, 0 to 1023; -1: one is leased
	Identity string // of its data: the same after each start, and unlike that of any other node
	Replicas int    // copies of the cluster's own buckets; 0: as many as the broker says
	Host     string // name of the machine, for people
	Version  string // of Bridge, for people
	Logger   *slog.Logger
	// Newest is when the newest id of this node was made, in ms since 1970.
	Newest func() int64
}

// Handler does what other nodes ask for. Its methods are called by one goroutine for what goes to all and
// another for what goes to this node, each in the order of the sender.
type Handler interface {
	// Take does what a message asks for. The answer is not used where none is wanted; nil is an empty one.
	Take(from uint16, m *clusterv1.Envelope) *clusterv1.Answer
	// Beat is what this node says of itself.
	Beat() *clusterv1.Beat
	// Evicted is told that a name which this node held until that revision is another's: what it was
	// closed with is why. It does not block.
	Evicted(key string, revision uint64, why Eviction)
}

// Cluster is this node among the others. It is safe for concurrent use.
type Cluster struct {
	cfg   Config
	log   *slog.Logger
	quiet quiet.Limiter
	conn  *nats.Conn
	run   string // names this process

	lease   *lease
	members members
	asks    asks
	names   jetstream.KeyValue
	handler Handler       // set by Serve
	serving atomic.Bool   // it is set
	sweep   chan struct{} // holds one: somebody is gone whose names are to be freed
	counts  counts

	mu     sync.Mutex // guards what follows
	subs   []*nats.Subscription
	ctx    context.Context //nolint:containedctx // it ends with the cluster
	cancel context.CancelFunc
	wg     sync.WaitGroup
	ended  bool
}

type counts struct {
	sent, received, foreign, tooLarge, silent atomic.Uint64
}

// Counts are what was said to and by other nodes since the start. They never fall.
type Counts struct {
	Sent     uint64 // messages
	Received uint64
	Foreign  uint64 // messages of another version, or that cannot be read
	TooLarge uint64 // messages that NATS does not take
	Silent   uint64 // answers of nodes that live which did not come in time
}

// Join takes a number for this node. It waits for the other nodes as long as most of them are missing,
// until ctx ends. What others say is taken from [Cluster.Serve] on. The error may be a [HeldError].
func Join(ctx context.Context, cfg Config) (*Cluster, error) {
	c := &Cluster{cfg: cfg, log: cfg.Logger, conn: cfg.Broker.Conn(), run: rand.Text(), sweep: make(chan struct{}, 1)}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.members.init()
	if err := c.join(ctx); err != nil {
		_ = c.Close(ctx) // that it could not join is what counts
		return nil, err
	}
	return c, nil
}

func (c *Cluster) join(ctx context.Context) error {
	if err := c.subscribe(c.subject("beat"), c.beat); err != nil {
		return err
	}
	nodes, err := c.bucket(ctx, "nodes", jetstream.FileStorage)
	if err != nil {
		return err
	}
	if c.names, err = c.bucket(ctx, "names", jetstream.MemoryStorage); err != nil {
		return err
	}
	if c.lease, err = c.take(ctx, nodes); err != nil {
		return err
	}
	c.wg.Go(c.keepLease)
	return nil
}

// Serve begins to take what others say, and to tell them that this node is there.
func (c *Cluster) Serve(h Handler) error {
	c.handler = h
	c.serving.Store(true)
	if err := c.answersTo(); err != nil {
		return err
	}
	if err := c.watchNames(); err != nil {
		return err
	}
	for _, to := range []string{"all", "node." + strconv.Itoa(int(c.Node()))} {
		if err := c.subscribe(c.subject(to), c.received); err != nil {
			return err
		}
	}
	c.wg.Go(c.beats)
	c.wg.Go(c.sweeps)
	return nil
}

// Close says that this node goes and lets go of its number. The connection stays open.
func (c *Cluster) Close(ctx context.Context) error {
	c.mu.Lock()
	ended := c.ended
	c.ended = true
	subs := c.subs
	c.mu.Unlock()
	if ended {
		return nil
	}
	c.cancel()
	c.wg.Wait()
	if c.serving.Load() {
		c.sayBeat(true)
		_ = c.conn.FlushWithContext(ctx) // others would find out anyway
	}
	for _, s := range subs {
		_ = s.Unsubscribe() // of a connection that may be gone
	}
	if c.lease == nil {
		return nil
	}
	return c.lease.release(ctx, c.cfg.Newest())
}

// Node is this node's number.
func (c *Cluster) Node() uint16 { return c.lease.node }

// Before is until when ids of this node's number may have been made by another, in ms since 1970; 0: by
// none.
func (c *Cluster) Before() int64 { return c.lease.before }

// Lost says why this node has its number no more; nil while it does.
func (c *Cluster) Lost() error {
	if err := c.lease.lost.Load(); err != nil {
		return *err
	}
	return nil
}

// Counts returns what was said so far.
func (c *Cluster) Counts() Counts {
	return Counts{
		Sent: c.counts.sent.Load(), Received: c.counts.received.Load(),
		Foreign: c.counts.foreign.Load(), TooLarge: c.counts.tooLarge.Load(),
		Silent: c.counts.silent.Load(),
	}
}

func (c *Cluster) subject(what string) string { return "bridge." + c.cfg.Name + "." + what }

// subscribe has messages of a subject taken until the end.
func (c *Cluster) subscribe(subject string, take nats.MsgHandler) error {
	sub, err := c.conn.Subscribe(subject, take)
	if err != nil {
		return err
	}
	// What is beyond is dropped, and said so: a node that is so far behind is better off without.
	if err := sub.SetPendingLimits(-1, mostPending); err != nil {
		return err
	}
	c.mu.Lock()
	c.subs = append(c.subs, sub)
	c.mu.Unlock()
	return nil
}

// mostPending is how many bytes of messages wait to be taken.
const mostPending = 256 << 20

// replicas is how many copies of the cluster's own buckets there are to be.
func (c *Cluster) replicas() int {
	if c.cfg.Replicas > 0 {
		return c.cfg.Replicas
	}
	return c.cfg.Broker.Replicas()
}

// bucket opens one of the cluster's buckets, and makes it where there is none: with one copy while there
// are too few servers, to which others are added later.
func (c *Cluster) bucket(ctx context.Context, what string, storage jetstream.StorageType) (jetstream.KeyValue, error) {
	cfg := jetstream.KeyValueConfig{
		Bucket: c.bucketName(what), Storage: storage, History: 1, Replicas: c.replicas(), LimitMarkerTTL: markerTTL,
	}
	for {
		kv, err := c.openBucket(ctx, cfg)
		if err == nil {
			return kv, nil
		}
		c.log.Debug("bucket of the cluster is not there yet", "bucket", cfg.Bucket, "err", err)
		if wait(ctx, retryEvery) != nil {
			return nil, err
		}
	}
}

func (c *Cluster) bucketName(what string) string { return "bridge-" + c.cfg.Name + "-" + what }

func (c *Cluster) openBucket(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	js := c.cfg.Broker.JetStream()
	kv, err := js.KeyValue(ctx, cfg.Bucket)
	if err == nil {
		return kv, nil
	}
	if kv, err = js.CreateKeyValue(ctx, cfg); err == nil || cfg.Replicas == 1 {
		return kv, err
	}
	cfg.Replicas = 1
	return js.CreateKeyValue(ctx, cfg)
}

const (
	// markerTTL is how long a name that was let go of is remembered as such.
	markerTTL = 10 * time.Second
	// storeWithin is how long one request to JetStream may take.
	storeWithin = 3 * time.Second
	retryEvery  = 250 * time.Millisecond
)

// wait waits, unless ctx ends before.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
