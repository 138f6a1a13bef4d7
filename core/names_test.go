package core

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protocol-bridge/bridge/core/cluster"
	"github.com/protocol-bridge/bridge/core/pluginhost"
	"github.com/protocol-bridge/bridge/core/session"
)

// away is a cluster of this node alone whose confirmations are lost while it is cut off.
type away struct {
	mu       sync.Mutex
	cut      bool
	revision uint64
	entries  map[string]uint64
}

var errCut = errors.New("no answer")

func (a *away) Claim(_ context.Context, key string, _ *cluster.Eviction) (uint64, bool, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.revision++
	a.entries[key] = a.revision
	if a.cut {
		return 0, false, errCut
	}
	return a.revision, true, nil
}

func (a *away) Unclaim(_ context.Context, key string, revision uint64) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cut {
		return errCut
	}
	if a.entries[key] == revision {
		delete(a.entries, key)
	}
	return nil
}

func (a *away) set(cut bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.cut = cut
}

func (a *away) held() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.entries)
}

// TestNamesCutOff: what a node that reached nobody could not let go of, and what it claimed without an answer, it
// lets go of later; and it ends without that.
func TestNamesCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		plugin := &attached{Plugin: pluginhost.New(pluginhost.Config{Label: "lines", NewID: func() uint64 { return 9 }, Logger: slog.New(slog.DiscardHandler)})}
		limits := session.NewLimits(session.Limits{})
		s := session.New(1, &session.Info{}, silent{}, silent{}, limits)
		bucket := &away{entries: make(map[string]uint64)}
		var local claims
		n := newNames(bucket, &local)
		claim := func(name string) error {
			_, _, err := n.claim(t.Context(), claimKey{plugin, name}, s, nil)
			return err
		}
		release := func(names ...string) {
			for _, name := range names {
				local.release(claimKey{plugin, name}, s)
				n.release(claimKey{plugin, name})
			}
			synctest.Wait()
		}
		if err := errors.Join(claim("let go"), claim("kept")); err != nil {
			t.Fatal(err)
		}
		bucket.set(true)
		release("let go")
		if err := claim("unconfirmed"); !errors.Is(err, errCut) {
			t.Errorf("error %v", err)
		}
		time.Sleep(3 * retryAfter)
		if got := bucket.held(); got != 3 {
			t.Errorf("%d are held while nobody can be asked, want 3", got)
		}
		bucket.set(false)
		time.Sleep(retryAfter)
		synctest.Wait()
		if got := bucket.held(); got != 1 {
			t.Errorf("%d are held, want the one that is kept", got)
		}
		// One that is claimed again meanwhile stays.
		bucket.set(true)
		_ = claim("again")
		bucket.set(false)
		if err := claim("again"); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * retryAfter)
		synctest.Wait()
		if got := bucket.held(); got != 2 {
			t.Errorf("%d are held, want two", got)
		}
		if len(n.m) != 2 {
			t.Errorf("%d names are known, want two", len(n.m))
		}

		bucket.set(true)
		release("kept", "again")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n.end(ctx)
		time.Sleep(2 * retryAfter) // and nothing is left that would go on
	})
}
