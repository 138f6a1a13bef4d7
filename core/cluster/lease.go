package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/protocol-bridge/bridge/internal/snowflake"
)

const (
	// leaseTime is how long a number stays a node's that does not renew its lease. It is long, since
	// there are many numbers, and few reasons for a node that cannot reach the others to stop.
	leaseTime  = 24 * time.Hour
	renewEvery = 5 * time.Second
	// leaseSlack is by how much the clocks of two machines may differ.
	leaseSlack = time.Hour
	// lateAfter is from when on it is said that a lease is not renewed.
	lateAfter = 30 * time.Second
)

// holder is the entry of a number.
type holder struct {
	Identity string `json:"identity"` // of the data
	Run      string `json:"run"`      // of the process
	Host     string `json:"host"`
	Newest   int64  `json:"newest"` // when its newest id was made, in ms since 1970
	Released bool   `json:"released,omitempty"`
}

// HeldError says that a number is another node's.
type HeldError struct {
	Node  int
	Host  string
	Since time.Time // when that node renewed its lease last
	Copy  bool      // that node has the same data as this one
}

func (e *HeldError) Error() string {
	if e.Copy {
		return fmt.Sprintf("node %d of the cluster, on %q, is running with a copy of this data_dir", e.Node, e.Host)
	}
	return fmt.Sprintf("node %d of the cluster is another: one on %q, whose lease was last renewed at %s",
		e.Node, e.Host, e.Since.UTC().Format(time.RFC3339))
}

// ErrNoNumber is returned when all numbers are taken.
var ErrNoNumber = errors.New("all numbers of nodes are taken")

// lease is the number of this node.
type lease struct {
	kv       jetstream.KeyValue
	node     uint16
	before   int64 // see Cluster.Before
	holder   holder
	revision uint64                // of the entry as this node wrote it last; of keepLease
	renewed  time.Time             // when it began to write it; of keepLease
	lost     atomic.Pointer[error] // why it is not this node's any more
}

// take leases a number: the one that is asked for, the one that this data had before, or the first that
// nobody has.
func (c *Cluster) take(ctx context.Context, kv jetstream.KeyValue) (*lease, error) {
	for {
		l, err := c.tryTake(ctx, kv)
		var held *HeldError
		if err == nil || errors.As(err, &held) || errors.Is(err, ErrNoNumber) {
			return l, err
		}
		c.log.Debug("no number yet", "err", err)
		if wait(ctx, retryEvery) != nil {
			return nil, fmt.Errorf("lease a number in the cluster: %w", err)
		}
	}
}

func (c *Cluster) tryTake(ctx context.Context, kv jetstream.KeyValue) (*lease, error) {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	entries, err := readHolders(ctx, kv)
	if err != nil {
		return nil, err
	}
	node, err := c.choose(entries)
	if err != nil {
		return nil, err
	}
	if e := entries[node]; e.Identity == c.cfg.Identity && !e.Released {
		// The process before was killed; or it lives, and one of the two has a copy of the other's data.
		if err := wait(ctx, listenFor-time.Since(c.members.began)); err != nil {
			return nil, err
		}
		if c.members.lives(e.Run) {
			return nil, &HeldError{Node: node, Host: e.Host, Since: e.written, Copy: true}
		}
	}
	l := &lease{kv: kv, node: uint16(node), renewed: time.Now()}
	l.holder = holder{Identity: c.cfg.Identity, Run: c.run, Host: c.cfg.Host, Newest: c.cfg.Newest()}
	e, taken := entries[node]
	if taken && e.Identity != c.cfg.Identity {
		l.before = e.Newest
		if !e.Released {
			l.before += (2 * renewEvery).Milliseconds()
		}
	}
	if taken {
		l.revision, err = kv.Update(ctx, strconv.Itoa(node), l.holder.encode(), e.revision)
	} else {
		l.revision, err = kv.Create(ctx, strconv.Itoa(node), l.holder.encode())
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// entry is a number's as it was read.
type entry struct {
	holder
	revision uint64
	written  time.Time // by the clock of the server
}

// free says whether whoever had the number has it no more.
func (e entry) free(now time.Time) bool {
	return e.Released || now.Sub(e.written) > leaseTime+leaseSlack
}

func (c *Cluster) choose(entries map[int]entry) (int, error) {
	now := time.Now()
	if node := c.cfg.Node; node >= 0 {
		e, ok := entries[node]
		if ok && e.Identity != c.cfg.Identity && !e.free(now) {
			return 0, &HeldError{Node: node, Host: e.Host, Since: e.written}
		}
		return node, nil
	}
	var unused []int // of others, who have them no more
	next := -1
	for node := range snowflake.MaxNode + 1 {
		e, ok := entries[node]
		switch {
		case ok && e.Identity == c.cfg.Identity:
			return node, nil
		case !ok && next < 0:
			next = node
		case ok && e.free(now):
			unused = append(unused, node)
		}
	}
	switch {
	case next >= 0:
		return next, nil
	case len(unused) == 0:
		return 0, ErrNoNumber
	}
	return slices.MinFunc(unused, func(a, b int) int { return entries[a].written.Compare(entries[b].written) }), nil
}

func readHolders(ctx context.Context, kv jetstream.KeyValue) (map[int]entry, error) {
	w, err := kv.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Stop() }()
	entries := make(map[int]entry)
	for {
		select {
		case e := <-w.Updates():
			if e == nil {
				return entries, nil
			}
			node, err := strconv.Atoi(e.Key())
			if err != nil {
				continue
			}
			var h holder
			if err := json.Unmarshal(e.Value(), &h); err != nil {
				return nil, fmt.Errorf("lease of node %d: %w", node, err)
			}
			entries[node] = entry{h, e.Revision(), e.Created()}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (h holder) encode() []byte {
	b, _ := json.Marshal(h) // a struct of strings and numbers always can be
	return b
}

// keepLease renews the lease until the cluster is closed.
func (c *Cluster) keepLease() {
	l := c.lease
	told := false
	for wait(c.ctx, renewEvery) == nil {
		if l.lost.Load() != nil {
			return
		}
		err := c.renew()
		since := time.Since(l.renewed)
		switch {
		case err == nil:
			if told {
				c.log.Info("lease of the node's number is renewed again", "node", l.node)
				told = false
			}
			c.raiseReplicas()
		case l.lost.Load() != nil:
			c.log.Error("this node has lost its number, and takes no more sessions: restart it", "node", l.node, "err", err)
		case since > leaseTime:
			err = fmt.Errorf("the lease could not be renewed for %s: %w", since.Round(time.Minute), err)
			l.lost.Store(&err)
			c.log.Error("this node has lost its number, and takes no more sessions: restart it", "node", l.node, "err", err)
		case since > lateAfter && !told:
			told = true
			c.log.Warn("lease of the node's number cannot be renewed: most of the cluster is not reached", "node", l.node, "valid_for", leaseTime-since, "err", err)
		}
	}
}

// renew writes the entry again, unless it is another's.
func (c *Cluster) renew() error {
	ctx, cancel := context.WithTimeout(c.ctx, storeWithin)
	defer cancel()
	l := c.lease
	began := time.Now()
	h := l.holder
	h.Newest = c.cfg.Newest()
	key := strconv.Itoa(int(l.node))
	revision, err := l.kv.Update(ctx, key, h.encode(), l.revision)
	if err == nil {
		l.revision, l.renewed = revision, began
		return nil
	}
	// It may have been written by a renewal that was not confirmed.
	e, getErr := l.kv.Get(ctx, key)
	switch {
	case errors.Is(getErr, jetstream.ErrKeyNotFound):
		if l.revision, err = l.kv.Create(ctx, key, h.encode()); err == nil {
			l.renewed = began
		}
		return err
	case getErr != nil || e.Revision() <= l.revision: // an old reading, of a copy that is behind
		return err
	}
	var now holder
	if jsonErr := json.Unmarshal(e.Value(), &now); jsonErr != nil || now.Run != h.Run {
		err := error(&HeldError{Node: int(l.node), Host: now.Host, Since: e.Created()})
		l.lost.Store(&err)
		return err
	}
	l.revision = e.Revision()
	return err
}

// release lets others have the number.
func (l *lease) release(ctx context.Context, newest int64) error {
	if l.lost.Load() != nil {
		return nil
	}
	h := l.holder
	h.Newest, h.Released = newest, true
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	if _, err := l.kv.Update(ctx, strconv.Itoa(int(l.node)), h.encode(), l.revision); err != nil {
		return fmt.Errorf("let go of the node's number: %w", err)
	}
	return nil
}
