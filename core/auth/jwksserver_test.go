package auth

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/protocol-bridge/bridge/upstream"
)

// keyServer serves a key set, and whatever else a test makes of it.
type keyServer struct {
	*httptest.Server
	fetches atomic.Int64
	handler atomic.Pointer[http.HandlerFunc]
}

func newKeyServer(t testing.TB, body string) *keyServer {
	t.Helper()
	s := &keyServer{}
	s.serve(body)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		(*s.handler.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *keyServer) handle(h http.HandlerFunc) { s.handler.Store(&h) }

func (s *keyServer) serve(body string, header ...string) {
	s.handle(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Add(header[i], header[i+1])
		}
		fmt.Fprint(w, body)
	})
}

func (s *keyServer) fail() {
	s.handle(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
}

// remoteTest is a backend with a key server.
type remoteTest struct {
	t      *testing.T
	clock  *clock
	server *keyServer
	b      Backend
	log    *logBuffer
}

type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func newRemote(t *testing.T, body string) *remoteTest {
	t.Helper()
	r := &remoteTest{t: t, clock: newClock(), server: newKeyServer(t, body), log: &logBuffer{}}
	r.b = newJWT(t, JWTConfig{
		JWKSURL: r.server.URL + "/jwks.json?apikey=hunter2", Now: r.clock.now,
		Logger: slog.New(slog.NewJSONHandler(r.log, nil)),
	})
	return r
}

// p256 and p384 are the current key and the next one.
func (r *remoteTest) p256(id string) string {
	return sign(r.t, "ES256", keysOfTests().p256, id, claimsOf(r.clock.now(), "38", ""))
}

func (r *remoteTest) p384(id string) string {
	return sign(r.t, "ES384", keysOfTests().p384, id, claimsOf(r.clock.now(), "38", ""))
}

func (r *remoteTest) want(what, token string, outcome upstream.Outcome, fetches int64) {
	r.t.Helper()
	wantOutcome(r.t, what, r.b.Authenticate(r.t.Context(), withToken(token)), outcome)
	r.wantFetches(what, fetches)
}

func (r *remoteTest) wantFetches(what string, fetches int64) {
	r.t.Helper()
	if got := r.server.fetches.Load(); got != fetches {
		r.t.Errorf("%s: %d fetches so far, want %d", what, got, fetches)
	}
}

// settled waits until no fetch is in flight.
func (r *remoteTest) settled() {
	r.t.Helper()
	j := r.b.(*jwtBackend).remote
	j.mu.Lock()
	done := j.fetching
	j.mu.Unlock()
	if done != nil {
		<-done
	}
}

func keyA(t testing.TB) string { return withID(t, &keysOfTests().p256.PublicKey, "a") }
func keyB(t testing.TB) string { return withID(t, &keysOfTests().p384.PublicKey, "b") }
