package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

const (
	// retryPause is between fetches that strangers can cause: after one that failed, and because of
	// key ids that are not in the set.
	retryPause = 10 * time.Second
	// A set that cannot be had again goes on for so long.
	maxKeyAge = 24 * time.Hour
)

// errNoKeys is wrapped by what prove returns when the keys to tell by are not there.
var errNoKeys = errors.New("no current key set")

// jwks is a key set that is served by somebody. It is fetched when it is needed: with the first token,
// in the background when most of its time is over, again when all of it is, and when a token names a
// key that is not in it. There is at most one fetch at a time, of which all that need it wait.
type jwks struct {
	url    string
	client *http.Client
	log    *slog.Logger
	now    func() time.Time

	ctx     context.Context //nolint:containedctx // of the fetches, which belong to no token
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu       sync.Mutex // guards what follows
	closed   bool
	set      *keySet       // the last that could be had; nil: none yet
	fetching chan struct{} // closed when the fetch in flight is over; nil: none is in flight
	failed   time.Time     // when the last fetch began, if it failed; zero: it did not
	asked    time.Time     // when the last fetch because of an unknown key began
}

// keySet is what was served at a time. It is immutable.
type keySet struct {
	keys    []verifyKey
	fetched time.Time // when the fetch began
	fresh   time.Duration
}

// stale reports whether a new set is to be fetched, and over whether that is to be waited for. Between
// the two a busy server has a new one before anybody waits.
func (s *keySet) stale(now time.Time) bool { return now.Sub(s.fetched) >= s.fresh*4/5 }
func (s *keySet) over(now time.Time) bool  { return now.Sub(s.fetched) >= s.fresh }

// refusal is what becomes of a token that none of the keys signed. A server that says that there are no
// keys is not taken at its word.
func (s *keySet) refusal() error {
	if len(s.keys) == 0 {
		return fmt.Errorf("%w: it has no key that can verify signatures", errNoKeys)
	}
	return &refusal{reasonWrong, "signature is of none of the keys"}
}

func newJWKS(address string, log *slog.Logger, now func() time.Time) (*jwks, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, errors.New("URL of the key set is not that of an HTTP server, or holds a password")
	}
	j := &jwks{url: address, client: keyClient(), log: log, now: now}
	j.ctx, j.cancel = context.WithCancel(context.Background())
	return j, nil
}

// close ends a fetch in flight. What needs one later gets errNoKeys, or goes on with old keys.
func (j *jwks) close() {
	j.mu.Lock()
	j.closed = true
	j.mu.Unlock()
	j.cancel()
	j.running.Wait()
}

// prove returns nil when a key of the set signed the token, a refusal when none did, and else an error
// that wraps errNoKeys. It waits for fetches until ctx ends.
func (j *jwks) prove(ctx context.Context, t *token) error {
	set, began := j.current(ctx)
	switch {
	case set == nil:
		return fmt.Errorf("%w: it could not be had", errNoKeys)
	case t.signedByOne(set.keys):
		return nil
	case began || t.names(set.keys):
		return set.refusal()
	}
	return j.proveNewer(ctx, t)
}

// proveNewer does what prove does for a token whose key is perhaps newer than the set.
func (j *jwks) proveNewer(ctx context.Context, t *token) error {
	done, began := j.fetchUnknown()
	if err := wait(ctx, done); err != nil {
		return fmt.Errorf("%w: %w", errNoKeys, err)
	}
	j.mu.Lock()
	set, failed := j.set, j.closed || !j.failed.IsZero()
	j.mu.Unlock()
	switch {
	case t.signedByOne(set.keys):
		return nil
	case failed:
		return fmt.Errorf("%w: the key is not in the old one", errNoKeys)
	case !began && t.issuedAt.After(set.fetched):
		// No fetch was due yet, and the token is younger than the set: so may be its key.
		return fmt.Errorf("%w: the token is newer than the one there is", errNoKeys)
	}
	return set.refusal()
}

// current returns the set to go by, nil where there is none. It waits for a fetch where that must be;
// began is true when it was this call that began it, and it went well: nothing newer can be had.
func (j *jwks) current(ctx context.Context) (set *keySet, began bool) {
	now := j.now()
	j.mu.Lock()
	var done chan struct{}
	switch {
	case j.usable(now) == nil:
		done, began = j.fetch(now)
	case j.set.stale(now):
		done, began = j.fetch(now)
		if !j.set.over(now) || !j.failed.IsZero() {
			done, began = nil, false // not waited for
		}
	}
	j.mu.Unlock()

	waited := wait(ctx, done) == nil
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.usable(now), began && waited && j.failed.IsZero()
}

// usable needs the lock. It returns the set unless that is too old.
func (j *jwks) usable(now time.Time) *keySet {
	if j.set == nil || now.Sub(j.set.fetched) >= maxKeyAge {
		return nil
	}
	return j.set
}

// fetchUnknown begins a fetch because of a key that is not in the set, if one is due.
func (j *jwks) fetchUnknown() (done chan struct{}, began bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.now()
	if j.fetching == nil && !j.asked.IsZero() && now.Sub(j.asked) < retryPause {
		return nil, false
	}
	if done, began = j.fetch(now); began {
		j.asked = now
	}
	return done, began
}

// fetch needs the lock. It begins a fetch unless there is one, or one has just failed; done is closed
// when it is over, and nil when there is none.
func (j *jwks) fetch(now time.Time) (done chan struct{}, began bool) {
	if j.fetching != nil {
		return j.fetching, false
	}
	if j.closed || !j.failed.IsZero() && now.Sub(j.failed) < retryPause {
		return nil, false
	}
	done = make(chan struct{})
	j.fetching = done
	j.running.Go(func() {
		defer close(done)
		keys, fresh, err := fetchKeys(j.ctx, j.client, j.url)
		j.fetched(&keySet{keys, now, fresh}, err)
	})
	return done, true
}

// fetched takes the outcome of a fetch.
func (j *jwks) fetched(set *keySet, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	again := !j.failed.IsZero()
	j.fetching = nil
	switch {
	case err != nil:
		j.failed = set.fetched
		if !j.closed { // else it is no news
			j.log.Warn("key set unavailable", "err", err)
		}
	default:
		j.set, j.failed = set, time.Time{}
		if again {
			j.log.Info("key set available again", "keys", len(set.keys))
		}
	}
}

// wait returns when done is closed, at once where it is nil, or with an error when ctx ends before.
func wait(ctx context.Context, done <-chan struct{}) error {
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the key set: %w", context.Cause(ctx))
	}
}
