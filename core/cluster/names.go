package cluster

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Eviction is what a session is closed with whose name another takes over.
type Eviction struct {
	Code   int    `json:"code,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// owner is the entry of a name.
type owner struct {
	Run string `json:"run"` // of the node that holds it
	Eviction
}

// claimWithin is how long it may take to find out who has a name.
const claimWithin = 5 * time.Second

// NameKey is a name of a plugin as the cluster knows it: whatever it is made of, and however long.
func NameKey(plugin, name string) string {
	sum := sha256.Sum256([]byte(plugin + "\x00" + name))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Claim has this node hold a name, of which the revision is another time each. It is refused (false) while
// another node that lives holds it, unless takeOver is set: that node learns of it by [Handler.Evicted]
// with why. An error means that most of the cluster cannot be reached.
//
// Of this node's own claims of a name one is made, or let go of, after the other.
func (c *Cluster) Claim(ctx context.Context, key string, takeOver *Eviction) (revision uint64, granted bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, claimWithin)
	defer cancel()
	mine := owner{Run: c.run}
	if takeOver != nil {
		mine.Eviction = *takeOver
	}
	value, _ := json.Marshal(mine) // a struct of strings and numbers always can be
	for {
		revision, err = c.names.Create(ctx, key, value)
		if err == nil {
			return revision, true, nil
		}
		if errors.Is(err, jetstream.ErrKeyExists) {
			var decided bool
			if revision, granted, decided, err = c.contend(ctx, key, value, takeOver != nil); decided {
				return revision, granted, nil
			}
		}
		if waitErr := wait(ctx, retryEvery/10); waitErr != nil {
			return 0, false, fmt.Errorf("claim a name: %w", errors.Join(err, waitErr))
		}
	}
}

// contend tries to get a name that somebody has.
func (c *Cluster) contend(ctx context.Context, key string, value []byte, takeOver bool) (revision uint64, granted, decided bool, err error) {
	e, err := c.names.Get(ctx, key)
	if err != nil {
		return 0, false, false, err // it was let go of meanwhile, perhaps
	}
	var has owner
	_ = json.Unmarshal(e.Value(), &has) // who cannot be read does not live
	if !takeOver && has.Run != c.run && c.alive(ctx, has.Run) {
		return 0, false, true, nil
	}
	revision, err = c.names.Update(ctx, key, value, e.Revision())
	return revision, err == nil, err == nil, err
}

// alive says whether a process is one of the cluster. A node that has just come listens for a while.
func (c *Cluster) alive(ctx context.Context, run string) bool {
	if c.members.lives(run) {
		return true
	}
	if wait(ctx, goneAfter-time.Since(c.members.began)) != nil {
		return true // it is not known, so nobody is harmed
	}
	return c.members.lives(run)
}

// Unclaim lets go of a name that this node has held since that revision. Where another has it by now,
// nothing happens.
func (c *Cluster) Unclaim(ctx context.Context, key string, revision uint64) error {
	ctx, cancel := context.WithTimeout(ctx, storeWithin)
	defer cancel()
	err := c.names.Purge(ctx, key, jetstream.LastRevision(revision), jetstream.PurgeTTL(markerTTL))
	if isConflict(err) {
		return nil
	}
	return err
}

// isConflict says whether an entry was not of the revision that a change was for.
func isConflict(err error) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence
}

// watchNames tells the handler of names that became another node's. What it says of a revision that was
// this node's before is never missed: where the watch was cut off it goes on from what it saw last.
func (c *Cluster) watchNames() error {
	ctx, cancel := context.WithTimeout(c.ctx, storeWithin)
	defer cancel()
	w, err := c.names.WatchAll(c.ctx, jetstream.UpdatesOnly(), jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("watch names: %w", errors.Join(err, ctx.Err()))
	}
	c.wg.Go(func() {
		<-c.ctx.Done()
		_ = w.Stop() // of a connection that may be gone
	})
	c.wg.Go(func() {
		for {
			select {
			case e, open := <-w.Updates():
				if !open {
					return
				}
				if e == nil {
					continue
				}
				var has owner
				if json.Unmarshal(e.Value(), &has) != nil || has.Run == c.run {
					continue
				}
				c.handler.Evicted(e.Key(), e.Revision(), has.Eviction)
			case <-c.ctx.Done():
				return
			}
		}
	})
	return nil
}

// sweeps frees the names of processes that are gone, each time that one is, and once at the start, as the last
// of them may have gone when nobody was left to see it. One node does so for all.
func (c *Cluster) sweeps() {
	for {
		for c.isFirst() {
			err := c.freeNames()
			if err == nil {
				break
			}
			if c.ctx.Err() == nil {
				c.warn("names of nodes that are gone are not freed yet", err)
			}
			if wait(c.ctx, renewEvery) != nil {
				return
			}
		}
		select {
		case <-c.sweep:
		case <-c.ctx.Done():
			return
		}
	}
}

// sweepNames has the names of who is gone freed. It does not block.
func (c *Cluster) sweepNames() {
	select {
	case c.sweep <- struct{}{}:
	default: // that is to be done anyway, and is not begun
	}
}

// isFirst says whether this node has the lowest number of those that live.
func (c *Cluster) isFirst() bool {
	others := c.Others()
	return len(others) == 0 || c.Node() < others[0].Node
}

// freeNames takes the names of processes that are gone out of the bucket. Others may have them anyway; this
// keeps it small. What there was no time for is an error.
func (c *Cluster) freeNames() error {
	ctx, cancel := context.WithTimeout(c.ctx, time.Minute)
	defer cancel()
	left, err := c.namesOfUnknown(ctx)
	if err != nil || len(left) == 0 {
		return err
	}
	// Who has just come, or come back, is heard of by the next beat.
	if err := wait(ctx, listenFor); err != nil {
		return err
	}
	for _, n := range left {
		if c.alive(ctx, n.run) {
			continue
		}
		if err := c.Unclaim(ctx, n.key, n.revision); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// namesOfUnknown are those of processes that this node has not heard of.
func (c *Cluster) namesOfUnknown(ctx context.Context) (list []nameOf, err error) {
	w, err := c.names.WatchAll(ctx, jetstream.IgnoreDeletes())
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Stop() }()
	for {
		select {
		case e := <-w.Updates():
			if e == nil {
				return list, ctx.Err()
			}
			var has owner
			if json.Unmarshal(e.Value(), &has) == nil && has.Run != c.run && !c.members.lives(has.Run) {
				list = append(list, nameOf{has.Run, e.Key(), e.Revision()})
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// nameOf is a name with who had it at that revision.
type nameOf struct {
	run, key string
	revision uint64
}
