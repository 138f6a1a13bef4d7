package auth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
)

func TestJWKSIsLazyAndKept(t *testing.T) {
	r := newRemote(t, keySetOf(keyA(t)))
	r.wantFetches("before the first token", 0)
	r.want("not a token", "x.y.z", upstream.Denied, 0)
	r.want("expired", sign(t, "ES256", keysOfTests().p256, "a", `{"sub":"1","exp":1}`), upstream.Denied, 0)
	r.want("first", r.p256("a"), upstream.OK, 1)
	for range 100 {
		r.want("again", r.p256("a"), upstream.OK, 1)
		r.want("without a key id", r.p256(""), upstream.OK, 1)
		r.want("signed by another key", craft(t, `{"alg":"ES256","kid":"a"}`, claimsOf(r.clock.now(), "38", ""), "ES256", keysOfTests().p384), upstream.Denied, 1)
	}
	if log := r.log.String(); log != "" {
		t.Errorf("log: %s", log)
	}
}

func TestJWKSFreshness(t *testing.T) {
	tests := map[string]struct {
		header []string
		fresh  time.Duration
	}{
		"nothing":              {nil, 10 * time.Minute},
		"max-age":              {[]string{"Cache-Control", "public, max-age=1800, must-revalidate"}, 30 * time.Minute},
		"another case, quotes": {[]string{"Cache-Control", `Public,MAX-AGE="1800"`}, 30 * time.Minute},
		"two headers":          {[]string{"Cache-Control", "public", "Cache-Control", "max-age=120"}, 2 * time.Minute},
		"short":                {[]string{"Cache-Control", "max-age=1"}, time.Minute},
		"zero":                 {[]string{"Cache-Control", "max-age=0"}, time.Minute},
		"long":                 {[]string{"Cache-Control", "max-age=31536000"}, time.Hour},
		"too large":            {[]string{"Cache-Control", "max-age=99999999999999999999"}, 10 * time.Minute},
		"negative":             {[]string{"Cache-Control", "max-age=-5"}, 10 * time.Minute},
		"no number":            {[]string{"Cache-Control", "max-age=x"}, 10 * time.Minute},
		"no-store":             {[]string{"Cache-Control", "no-store"}, time.Minute},
		"no-cache and max-age": {[]string{"Cache-Control", "max-age=1800, no-cache"}, time.Minute},
		"age":                  {[]string{"Cache-Control", "max-age=1800", "Age", "600"}, 20 * time.Minute},
		"older than max-age":   {[]string{"Cache-Control", "max-age=1800", "Age", "6000"}, time.Minute},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t, "")
			r.server.serve(keySetOf(keyA(t)), tt.header...)
			r.want("first", r.p256("a"), upstream.OK, 1)
			r.clock.advance(tt.fresh*4/5 - 1)
			r.want("fresh", r.p256("a"), upstream.OK, 1)
			r.clock.advance(1)
			wantOutcome(t, "stale", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.OK)
			r.settled()
			r.wantFetches("in the background", 2)
			r.clock.advance(tt.fresh)
			r.want("over", r.p256("a"), upstream.OK, 3)
		})
	}
}

func TestJWKSRotation(t *testing.T) {
	r := newRemote(t, keySetOf(keyA(t)))
	r.want("old key", r.p256("a"), upstream.OK, 1)
	r.server.serve(keySetOf(keyA(t), keyB(t)))
	r.want("the new key works at once", r.p384("b"), upstream.OK, 2)
	r.want("so does the old one", r.p256("a"), upstream.OK, 2)
	r.server.serve(keySetOf(keyB(t)))
	r.clock.advance(8*time.Minute - 1)
	r.want("the removed key is still there", r.p256("a"), upstream.OK, 2)
	r.clock.advance(10 * time.Minute)
	r.want("the removed key is refused", r.p256("a"), upstream.Denied, 3)
	r.want("also the second time", r.p256("a"), upstream.Denied, 4)
	r.want("the new key goes on", r.p384("b"), upstream.OK, 4)

	r.server.serve(keySetOf(withID(t, &keysOfTests().p256.PublicKey, "b")))
	r.clock.advance(10 * time.Minute)
	r.want("another key under an old id", r.p256("b"), upstream.OK, 5)
	r.want("the key that had it", r.p384("b"), upstream.Denied, 5)
}

func TestJWKSRotationWithoutIDs(t *testing.T) {
	k := keysOfTests()
	r := newRemote(t, keySetOf(publicJWK(t, &k.p256.PublicKey, nil)))
	r.want("old key", r.p256(""), upstream.OK, 1)
	r.want("a token with an id", r.p256("x"), upstream.OK, 1)
	r.server.serve(keySetOf(publicJWK(t, &k.p384.PublicKey, nil)))
	r.want("new key", r.p384(""), upstream.OK, 2)
	r.want("new key and an id", r.p384("x"), upstream.OK, 2)
	r.want("old key", r.p256(""), upstream.Denied, 2)
}

// However many strangers make up key ids, the server hears of it once in ten seconds.
func TestJWKSFlood(t *testing.T) {
	r := newRemote(t, keySetOf(keyA(t)))
	claims := claimsOf(r.clock.now(), "38", "")
	flood := func(n int) {
		var all sync.WaitGroup
		for w := range 8 {
			all.Go(func() {
				for i := range n / 8 {
					token := sign(t, "ES384", keysOfTests().p384, fmt.Sprintf("made up %d %d", w, i), claims)
					wantOutcome(t, "made up", r.b.Authenticate(t.Context(), withToken(token)), upstream.Denied)
				}
			})
		}
		all.Wait()
	}
	flood(400)
	if n := r.server.fetches.Load(); n < 1 || n > 2 {
		t.Errorf("%d fetches at first, want the first one and at most one more", n)
	}
	r.want("a good token", r.p256("a"), upstream.OK, r.server.fetches.Load())
	r.clock.advance(retryPause)
	before := r.server.fetches.Load()
	for second := range 30 {
		flood(40)
		r.want("a good token", r.p256("a"), upstream.OK, before+int64(second/10)+1)
		r.clock.advance(time.Second)
	}

	// A key that is new while strangers have used up the fetch: it is not known that it is bad.
	r.server.serve(keySetOf(keyA(t), keyB(t)))
	flood(8)
	before = r.server.fetches.Load()
	r.server.serve(keySetOf(keyA(t), withID(t, &keysOfTests().p384.PublicKey, "c")))
	r.clock.advance(time.Second)
	young := r.p384("c")
	r.want("a young token", young, upstream.Unavailable, before)
	r.clock.advance(retryPause)
	r.want("it comes back", young, upstream.OK, before+1)
}

func TestJWKSDown(t *testing.T) {
	r := newRemote(t, "")
	r.server.fail()
	r.want("no keys ever", r.p256("a"), upstream.Unavailable, 1)
	for range 20 {
		r.want("not asked again at once", r.p256("a"), upstream.Unavailable, 1)
		r.want("nor for an unknown key", r.p384("b"), upstream.Unavailable, 1)
	}
	r.want("what is wrong anyhow", sign(t, "ES256", keysOfTests().p256, "a", `{"sub":"1","exp":1}`), upstream.Denied, 1)
	r.clock.advance(retryPause)
	r.want("asked again", r.p256("a"), upstream.Unavailable, 2)
	r.server.serve(keySetOf(keyA(t)))
	r.clock.advance(retryPause)
	r.want("up", r.p256("a"), upstream.OK, 3)

	r.server.fail()
	r.want("unknown key while it is down", r.p384("b"), upstream.Unavailable, 4)
	r.want("and again", r.p384("b"), upstream.Unavailable, 4)
	r.want("known key, not its signature", craft(t, `{"alg":"ES256","kid":"a"}`, claimsOf(r.clock.now(), "38", ""), "ES256", keysOfTests().p384), upstream.Denied, 4)
	r.want("known key", r.p256("a"), upstream.OK, 4)

	for range 23 {
		r.clock.advance(time.Hour)
		before := r.server.fetches.Load()
		wantOutcome(t, "an old key goes on", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.OK)
		r.settled()
		r.wantFetches("asked in the background", before+1)
	}
	before := r.server.fetches.Load()
	r.clock.advance(time.Hour)
	r.want("but not for a day", r.p256("a"), upstream.Unavailable, before+1)
	r.server.serve(keySetOf(keyA(t)))
	r.clock.advance(retryPause)
	r.want("up again", r.p256("a"), upstream.OK, before+2)

	log := r.log.String()
	for _, line := range []string{`"msg":"key set unavailable","err":"the server answered with status 503"`, `"msg":"key set available again","keys":1`} {
		if !strings.Contains(log, line) {
			t.Errorf("no %s in the log:\n%s", line, log)
		}
	}
	if strings.Contains(log, "hunter2") {
		t.Errorf("the log shows a secret:\n%s", log)
	}
}

func TestJWKSSlow(t *testing.T) {
	r := newRemote(t, "")
	release := make(chan struct{})
	free := sync.OnceFunc(func() { close(release) })
	t.Cleanup(free)
	r.server.handle(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		fmt.Fprint(w, keySetOf(keyA(t)))
	})

	// Who cannot wait gets Unavailable; the fetch goes on for the others, and there is one.
	reason := errors.New("the client left")
	ctx, leave := context.WithCancelCause(t.Context())
	leave(reason)
	for range 10 {
		wantOutcome(t, "left", r.b.Authenticate(ctx, withToken(r.p256("a"))), upstream.Unavailable)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			wantOutcome(t, "waited", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.OK)
		})
	}
	free()
	all.Wait()
	r.wantFetches("together", 1)

	// A refresh that hangs does not hold up those whose key is known.
	hang := make(chan struct{})
	t.Cleanup(func() { close(hang) })
	r.server.handle(func(_ http.ResponseWriter, q *http.Request) {
		select {
		case <-hang:
		case <-q.Context().Done():
		}
	})
	r.clock.advance(9 * time.Minute)
	for range 10 {
		wantOutcome(t, "while it is refreshed", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.OK)
	}
	got := r.b.Authenticate(ctx, withToken(r.p384("b")))
	wantOutcome(t, "unknown key while it is refreshed", got, upstream.Unavailable)
	if !strings.Contains(got.Detail, reason.Error()) {
		t.Errorf("detail %q does not say why", got.Detail)
	}
	r.clock.advance(10 * time.Minute)
	wantOutcome(t, "who cannot wait goes by old keys", r.b.Authenticate(ctx, withToken(r.p256("a"))), upstream.OK)
}

// While the server hangs, who has a known key waits at most once.
func TestJWKSHangs(t *testing.T) {
	r := newRemote(t, keySetOf(keyA(t)))
	r.want("a good set", r.p256("a"), upstream.OK, 1)
	r.server.fail()
	r.clock.advance(10 * time.Minute)
	r.want("once", r.p256("a"), upstream.OK, 2)
	hang := make(chan struct{})
	r.server.handle(func(http.ResponseWriter, *http.Request) { <-hang })
	r.clock.advance(retryPause)
	for range 10 {
		wantOutcome(t, "no more", r.b.Authenticate(t.Context(), withToken(r.p256("a"))), upstream.OK)
	}
	j := r.b.(*jwtBackend).remote
	j.mu.Lock()
	if j.fetching == nil {
		t.Error("it was waited for")
	}
	j.mu.Unlock()
	close(hang)
	r.settled()
	r.wantFetches("in the end", 3)
}

// An answer that drips has as little time as one that does not begin.
func TestJWKSTimeout(t *testing.T) {
	r := newRemote(t, "")
	r.b.(*jwtBackend).remote.client.Timeout = 50 * time.Millisecond
	r.server.handle(func(w http.ResponseWriter, q *http.Request) {
		_, _ = w.Write([]byte(`{"keys":[`))
		_ = http.NewResponseController(w).Flush()
		<-q.Context().Done()
	})
	r.want("drips", r.p256("a"), upstream.Unavailable, 1)
	r.server.handle(func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
	r.clock.advance(retryPause)
	r.want("never begins", r.p256("a"), upstream.Unavailable, 2)
}

func TestJWKSClose(t *testing.T) {
	for name, had := range map[string]bool{"without keys": false, "with keys": true} {
		t.Run(name, func(t *testing.T) {
			r := newRemote(t, keySetOf(keyA(t)))
			before, known := int64(1), upstream.Unavailable
			if had {
				r.want("a good set", r.p256("a"), upstream.OK, 1)
				before, known = 2, upstream.OK
			}
			asked := make(chan struct{})
			r.server.handle(func(_ http.ResponseWriter, q *http.Request) {
				close(asked)
				<-q.Context().Done()
			})
			answer := make(chan Answer)
			unknown := withToken(r.p384("b"))
			go func() { answer <- r.b.Authenticate(context.Background(), unknown) }()
			<-asked
			closing := r.b.(*jwtBackend)
			for range 2 {
				if err := closing.Close(); err != nil {
					t.Fatal(err)
				}
			}
			closing.remote.mu.Lock()
			if closing.remote.fetching != nil {
				t.Error("a fetch goes on")
			}
			closing.remote.mu.Unlock()
			wantOutcome(t, "in flight", <-answer, upstream.Unavailable)
			r.clock.advance(retryPause)
			r.want("afterwards, a known key", r.p256("a"), known, before)
			r.want("afterwards, an unknown key", r.p384("b"), upstream.Unavailable, before)
			if log := r.log.String(); log != "" {
				t.Errorf("closing is no news: %s", log)
			}
		})
	}
}
