package auth

import (
	"context"
	"io"
	"net/netip"
	"time"

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
// for clients that name no user. The addresses of an IPv6 /64 are one.
//
// A user is whom the client claims to be, and the name of its basic credentials. Of one user from one
// address 10 questions run at a time, so that guesses which come together count too; others wait, and
// get Unavailable when their context ends before.
//
// The backend is an [io.Closer], which closes b if that is one.
func Limit(b Backend, cfg LimitConfig) Backend {
	return &limited{backend: b, wrong: NewAttempts(cfg.Now), turns: newTurns(maxUserQuestions)}
}

type limited struct {
	backend Backend
	wrong   *Attempts
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
	address, loopback := AddressName(req.RemoteAddress)
	if l.wrong.Count(address) >= maxAddressAttempts {
		return cannotTell("too many wrong attempts from this address")
	}
	users := claimedUsers(address, req)
	for _, user := range users {
		leave, err := l.turns.take(ctx, user)
		if err != nil {
			return cannotTell(err.Error())
		}
		defer leave()
		if l.wrong.Count(user) >= maxUserAttempts {
			return refuse(reasonAttempts, "too many wrong attempts at this user")
		}
	}
	ans := l.backend.Authenticate(ctx, req)
	if ans.Outcome != upstream.Denied {
		return ans
	}
	if !loopback {
		l.wrong.Add(address)
	}
	for _, user := range users {
		l.wrong.Add(user)
	}
	return ans
}

// AddressName returns under what name attempts from a client's host:port count, as with [Attempts]: an
// IPv6 address stands for its /64, an IPv4-mapped one is IPv4, and what is no address stands for
// itself. It also reports whether that is this machine.
func AddressName(hostport string) (name string, loopback bool) {
	a := clientAddress(hostport)
	if !a.IsValid() {
		return hostport, false
	}
	if a.Is6() && !a.IsLoopback() {
		return netip.PrefixFrom(a, 64).Masked().String(), false
	}
	return a.String(), a.IsLoopback()
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
