package auth

import (
	"context"
	"io"
	"time"

	"github.com/protocol-bridge/bridge/internal/attempts"
	"github.com/protocol-bridge/bridge/upstream"
)

const (
	// Wrong attempts of one client at one user, from which on the backend is not asked.
	maxUserAttempts = 3
	// Wrong attempts of one address at all users. It may be an office: whoever is turned away then may
	// come back.
	maxAddressAttempts = 30
	// Questions of one client about one user that run at a time.
	maxUserQuestions = 10
)

// LimitConfig is what a limit needs to know.
type LimitConfig struct {
	Now func() time.Time // nil: time.Now
}

// Limit returns a backend that asks b, but not for clients that guess. What b denies counts for
// 3 seconds: after 3 denials of a user from an address it is Denied at once, after 30 of an address
// Unavailable. The second does not hold for loopback, where a proxy may stand for everybody, and alone
// for clients that name no user. The addresses of an IPv6 /64 are one. Where a server asks on behalf of
// its clients its address says nothing: they count by the user alone, whichever server asks.
//
// A user is whom the client claims to be, and the name of its basic credentials. Of one user from one
// address 10 questions run at a time, so that guesses which come together count too; others wait, and
// get Unavailable when their context ends before.
//
// The backend is an [io.Closer], which closes b if that is one.
func Limit(b Backend, cfg LimitConfig) Backend {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &limited{backend: b, now: cfg.Now, wrong: attempts.New(0), turns: newTurns(maxUserQuestions)}
}

type limited struct {
	backend Backend
	now     func() time.Time
	wrong   *attempts.Counter
	turns   *turns
}

func (l *limited) Realm() string { return l.backend.Realm() }

// Close closes the backend.
func (l *limited) Close() error {
	if c, ok := l.backend.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

func (l *limited) Authenticate(ctx context.Context, req *Request) Answer {
	address, loopback := attempts.AddressName(req.RemoteAddress)
	if req.OnBehalf {
		address = "somewhere" // which is no address
	}
	if !req.OnBehalf && l.wrong.Count(l.now(), address) >= maxAddressAttempts {
		return cannotTell("too many wrong attempts from this address")
	}
	users := claimedUsers(address, req)
	for _, user := range users {
		leave, err := l.turns.take(ctx, user)
		if err != nil {
			return cannotTell(err.Error())
		}
		defer leave()
		if l.wrong.Count(l.now(), user) >= maxUserAttempts {
			return refuse(reasonAttempts, "too many wrong attempts at this user")
		}
	}
	ans := l.backend.Authenticate(ctx, req)
	if ans.Outcome != upstream.Denied {
		return ans
	}
	if !loopback && !req.OnBehalf {
		l.wrong.Add(l.now(), address)
	}
	for _, user := range users {
		l.wrong.Add(l.now(), user)
	}
	return ans
}

// claimedUsers returns under what names attempts at a user count. Both that a client may name do: which
// of them matters only the backend knows, and who could choose the other at will would never be
// stopped. Their order is always the same, as turns are taken in it.
func claimedUsers(address string, req *Request) (names []string) {
	if name, _, err := basicCredentials(req.Opening.Authorization); err == nil {
		names = append(names, address+" basic "+name)
	}
	if req.UserID != "" {
		names = append(names, address+" user "+req.UserID)
	}
	return names
}
