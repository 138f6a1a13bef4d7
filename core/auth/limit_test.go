package auth

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/protocol-bridge/bridge/upstream"
)

// scripted answers with what the token says, and counts.
type scripted struct {
	asked  int
	closed bool
}

func (*scripted) Realm() string { return "scripted.x" }

func (s *scripted) Close() error { s.closed = true; return nil }

func (s *scripted) Authenticate(_ context.Context, req *Request) Answer {
	s.asked++
	switch req.Token {
	case "good":
		return Answer{Outcome: upstream.OK, UserID: "u"}
	case "down":
		return cannotTell("it is down")
	case "other":
		return Answer{Outcome: upstream.Other, Supported: "^1.0.0", Detail: "other subprotocol"}
	}
	return refuse(reasonWrong, "wrong")
}

// A step asks once. Its answer must have the outcome; if not asked, the limit's own.
type limitStep struct {
	wait                 time.Duration
	address, user, token string
	basic                string // name of basic credentials
	want                 upstream.Outcome
	asked                bool
}

func TestLimit(t *testing.T) {
	const (
		ok, denied, unavailable, other = upstream.OK, upstream.Denied, upstream.Unavailable, upstream.Other

		a, b = "192.0.2.1:1000", "192.0.2.2:1000"
	)
	times := func(n int, s limitStep) (all []limitStep) {
		for range n {
			all = append(all, s)
		}
		return all
	}
	// users are wrong attempts at n users, so that none of them has too many.
	users := func(n int, address string) (all []limitStep) {
		for i := range n {
			all = append(all, limitStep{0, address, fmt.Sprint("user", i), "bad", "", denied, true})
		}
		return all
	}
	tests := []struct {
		name  string
		steps [][]limitStep
	}{
		{"three wrong ones, then also a good one is refused", [][]limitStep{
			times(3, limitStep{0, a, "u", "bad", "", denied, true}),
			{{0, a, "u", "good", "", denied, false}, {0, a, "u", "down", "", denied, false}},
		}},
		{"they count for three seconds", [][]limitStep{
			times(3, limitStep{0, a, "u", "bad", "", denied, true}),
			{{3*time.Second - 1, a, "u", "good", "", denied, false}, {1, a, "u", "good", "", ok, true}},
		}},
		{"each for itself", [][]limitStep{
			{{0, a, "u", "bad", "", denied, true}},
			times(2, limitStep{time.Second, a, "u", "bad", "", denied, true}),
			{{999 * time.Millisecond, a, "u", "good", "", denied, false}, {time.Millisecond, a, "u", "bad", "", denied, true}},
			{{0, a, "u", "good", "", denied, false}},
		}},
		{"what is refused here does not count", [][]limitStep{
			times(3, limitStep{0, a, "u", "bad", "", denied, true}),
			times(50, limitStep{time.Second / 20, a, "u", "bad", "", denied, false}),
			{{time.Second / 2, a, "u", "good", "", ok, true}},
		}},
		{"another user and another address are free", [][]limitStep{
			times(3, limitStep{0, a, "u", "bad", "", denied, true}),
			{{0, a, "v", "good", "", ok, true}, {0, b, "u", "good", "", ok, true}, {0, a, "u", "good", "", denied, false}},
		}},
		{"the port makes no difference", [][]limitStep{
			times(3, limitStep{0, "192.0.2.1:1", "u", "bad", "", denied, true}),
			{{0, "192.0.2.1:2", "u", "good", "", denied, false}},
		}},
		{"other outcomes never count", [][]limitStep{
			times(40, limitStep{0, a, "u", "down", "", unavailable, true}),
			times(40, limitStep{0, a, "u", "good", "", ok, true}),
			times(40, limitStep{0, a, "u", "other", "", other, true}),
			times(3, limitStep{0, a, "u", "bad", "", denied, true}),
		}},
		{"good ones do not take back wrong ones", [][]limitStep{
			times(2, limitStep{0, a, "u", "bad", "", denied, true}),
			{{0, a, "u", "good", "", ok, true}, {0, a, "u", "bad", "", denied, true}, {0, a, "u", "good", "", denied, false}},
		}},
		{"IPv6 by /64", [][]limitStep{
			{{0, "[2001:db8::1]:1", "u", "bad", "", denied, true}, {0, "[2001:db8::2]:1", "u", "bad", "", denied, true}},
			{{0, "[2001:db8:0:0:ffff::]:1", "u", "bad", "", denied, true}, {0, "[2001:db8::3]:1", "u", "good", "", denied, false}},
			{{0, "[2001:db8:0:1::1]:1", "u", "good", "", ok, true}},
		}},
		{"a zone makes no difference", [][]limitStep{
			times(3, limitStep{0, "[fe80::1%eth0]:1", "u", "bad", "", denied, true}),
			{{0, "[fe80::1%eth1]:1", "u", "good", "", denied, false}},
		}},
		{"a mapped address is its IPv4 one", [][]limitStep{
			times(3, limitStep{0, "[::ffff:192.0.2.1]:1", "u", "bad", "", denied, true}),
			{{0, a, "u", "good", "", denied, false}, {0, "[::ffff:192.0.2.2]:1", "u", "good", "", ok, true}},
		}},
		{"the name of basic credentials is a user", [][]limitStep{
			times(3, limitStep{0, a, "", "bad", "ops", denied, true}),
			{{0, a, "", "good", "ops", denied, false}, {0, a, "", "good", "dev", ok, true}, {0, a, "ops", "good", "ops", denied, false}},
		}},
		{"who changes one of both names is stopped", [][]limitStep{
			{{0, a, "x", "bad", "ops", denied, true}, {0, a, "y", "bad", "ops", denied, true}, {0, a, "z", "bad", "ops", denied, true}},
			{{0, a, "w", "good", "ops", denied, false}},
			{{0, b, "u", "bad", "1", denied, true}, {0, b, "u", "bad", "2", denied, true}, {0, b, "u", "bad", "3", denied, true}},
			{{0, b, "u", "good", "4", denied, false}},
		}},
		{"thirty of an address are told to come back", [][]limitStep{
			users(30, a),
			{{0, a, "v", "good", "", unavailable, false}, {0, a, "", "good", "", unavailable, false}, {0, b, "v", "good", "", ok, true}},
			{{3 * time.Second, a, "v", "good", "", ok, true}},
		}},
		{"also who has a user's own limit", [][]limitStep{
			times(3, limitStep{0, a, "u", "bad", "", denied, true}), users(27, a),
			{{0, a, "u", "good", "", unavailable, false}},
		}},
		{"no user has the address's limit alone", [][]limitStep{
			times(30, limitStep{0, a, "", "bad", "", denied, true}),
			{{0, a, "", "good", "", unavailable, false}},
		}},
		{"loopback has no limit of its own", [][]limitStep{
			users(100, "127.0.0.1:1"), users(100, "127.1.2.3:1"), users(100, "[::1]:1"), users(100, "[::ffff:127.0.0.9]:1"),
			times(100, limitStep{0, "127.0.0.1:1", "", "bad", "", denied, true}),
		}},
		{"but its users have", [][]limitStep{
			times(3, limitStep{0, "127.0.0.1:1", "u", "bad", "", denied, true}),
			{{0, "127.0.0.1:1", "u", "good", "", denied, false}},
		}},
		{"what is no address counts as one", [][]limitStep{
			users(30, ""), {{0, "", "v", "good", "", unavailable, false}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, backend := newClock(), &scripted{}
			limited := Limit(backend, LimitConfig{Now: c.now})
			n := 0
			for _, steps := range tt.steps {
				for _, s := range steps {
					n++
					c.advance(s.wait)
					req := &Request{RemoteAddress: s.address, UserID: s.user, HasToken: true, Token: s.token}
					if s.basic != "" {
						req.Opening.Authorization = basicHeader(s.basic + ":x")
					}
					before := backend.asked
					got := limited.Authenticate(t.Context(), req)
					asked := backend.asked > before
					if got.Outcome != s.want || asked != s.asked {
						t.Fatalf("step %d, %+v: %v, asked %v (%s)", n, s, got.Outcome, asked, got.Detail)
					}
					if !asked {
						wantOutcome(t, "the limit's own answer", got, s.want)
					}
					if !asked && s.want == denied && got.Reason != reasonAttempts {
						t.Errorf("step %d: reason %q, want %q", n, got.Reason, reasonAttempts)
					}
				}
			}
		})
	}
}

func TestLimitIsTheBackend(t *testing.T) {
	s := &scripted{}
	l := Limit(s, LimitConfig{})
	if l.Realm() != s.Realm() {
		t.Errorf("realm %q, want %q", l.Realm(), s.Realm())
	}
	if err := l.(io.Closer).Close(); err != nil || !s.closed {
		t.Errorf("close: %v, the backend is closed: %v", err, s.closed)
	}
	if err := Limit(NewStatic("static.x", nil), LimitConfig{}).(io.Closer).Close(); err != nil {
		t.Errorf("close a backend that cannot be closed: %v", err)
	}
}

// guessed denies what it is asked, and everybody waits until it is told how it ends.
type guessed struct {
	asking chan struct{}
	answer chan upstream.Outcome
}

func (*guessed) Realm() string { return "guessed.x" }

func (g *guessed) Authenticate(context.Context, *Request) Answer {
	g.asking <- struct{}{}
	if outcome := <-g.answer; outcome == upstream.OK {
		return Answer{Outcome: outcome, UserID: "u"}
	}
	return refuse(reasonWrong, "wrong")
}

// Guesses that come together are not more guesses.
func TestLimitTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guessed{make(chan struct{}, 1000), make(chan upstream.Outcome)}
		l := Limit(g, LimitConfig{}).(*limited)
		answers := make(chan Answer, 1000)
		ask := func(ctx context.Context, n int, user, basic string) {
			for range n {
				req := &Request{RemoteAddress: "192.0.2.1:1", UserID: user, Opening: Opening{Authorization: basicHeader(basic + ":x")}}
				go func() { answers <- l.Authenticate(ctx, req) }()
			}
			synctest.Wait()
		}
		reply := func(n int, outcome upstream.Outcome) {
			for range n {
				g.answer <- outcome
			}
			synctest.Wait()
		}
		take := func(what string, n int, outcome upstream.Outcome) {
			t.Helper()
			for range n {
				wantOutcome(t, what, <-answers, outcome)
			}
			if len(answers) > 0 {
				t.Fatalf("%s: %d more answers", what, len(answers))
			}
		}
		asked := func(what string, want int) {
			t.Helper()
			if got := len(g.asking); got != want {
				t.Fatalf("%s: %d were asked, want %d", what, got, want)
			}
		}

		// Two names that cross each other do not block each other for ever.
		ask(t.Context(), 100, "u", "v")
		ask(t.Context(), 100, "v", "u")
		asked("at a time", 2*maxUserQuestions)
		ask(t.Context(), 1, "w", "w")
		asked("another user does not wait", 2*maxUserQuestions+1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		ask(ctx, 5, "u", "v")
		<-ctx.Done()
		synctest.Wait()
		take("who cannot wait", 5, upstream.Unavailable)

		reply(1, upstream.OK)
		asked("one after the other", 2*maxUserQuestions+2)
		take("good", 1, upstream.OK)
		for len(answers) < 200 {
			select {
			case g.answer <- 0:
			default:
			}
			synctest.Wait()
		}
		if got := len(g.asking); got > 2*2*maxUserQuestions+2 {
			t.Errorf("%d of 201 guesses were asked", got)
		}
		take("wrong", 200, upstream.Denied)
		if len(l.turns.byName) != 0 {
			t.Errorf("%d names are kept", len(l.turns.byName))
		}
	})
}
