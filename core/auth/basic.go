package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"runtime"
	"slices"
	"strings"

	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// BasicUser is one of the users of a basic backend, and what is open to them.
type BasicUser struct {
	Name  string         // not empty, without a colon
	Hash  string         // of the password: bcrypt, or argon2id as a PHC string
	Roles []string       // nil: all, that is "read" and "write"
	Allow []netip.Prefix // where the user may come from; nil: everywhere
	// Channels and Topics that the user may name; nil: all, empty: none.
	Channels, Topics []channel.Pattern
}

// NewBasic returns a backend that knows its users by name and password. It takes them from the header
// Authorization, or, where that has no basic credentials, from what the client claims as its user id
// with the token as its password.
//
// The claims of its answers are `{"roles":["read","write"],"channels":["news"],"topics":[]}`, the last
// two only where the user is restricted.
//
// At most GOMAXPROCS passwords are compared at a time; one that waits longer than its context gets
// Unavailable. Pairs that were right are remembered for a minute, as hashes under a random key. Time
// does not tell whether there is a user of some name.
//
// It returns an error where there are no users, and for a user without a good name or hash.
func NewBasic(realm string, users []BasicUser) (Backend, error) {
	if len(users) == 0 {
		return nil, errors.New("basic authentication without users")
	}
	b := &basic{
		realm:     realm,
		byName:    make(map[string]*basicUser, len(users)),
		seed:      maphash.MakeSeed(),
		good:      newGoodPairs(),
		comparing: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	for _, u := range users {
		if u.Name == "" || strings.Contains(u.Name, ":") || checkCredentials(u.Name, "") != nil {
			return nil, fmt.Errorf("user %q: a name is UTF-8 without colons and control characters", u.Name)
		}
		if b.byName[u.Name] != nil {
			return nil, fmt.Errorf("user %q is there twice", u.Name)
		}
		hash, err := parseHash(u.Hash)
		if err != nil {
			return nil, fmt.Errorf("user %q: %w", u.Name, err)
		}
		user := &basicUser{
			name: u.Name, hash: hash, claims: basicClaims(&u),
			allow: slices.Clone(u.Allow), within: slices.Clone(u.Channels),
		}
		b.byName[u.Name] = user
		b.users = append(b.users, user)
	}
	return b, nil
}

type basic struct {
	realm     string
	users     []*basicUser
	byName    map[string]*basicUser
	seed      maphash.Seed
	good      *goodPairs
	comparing chan struct{} // has room for so many comparisons at a time
}

type basicUser struct {
	name   string
	hash   passwordHash
	claims []byte
	allow  []netip.Prefix
	within []channel.Pattern
}

func (b *basic) Realm() string { return b.realm }

func (b *basic) Authenticate(ctx context.Context, req *Request) Answer {
	name, password, err := basicCredentials(req.Opening.Authorization)
	if errors.Is(err, errNoBasic) && req.HasToken && req.UserID != "" {
		name, password = req.UserID, req.Token
		err = checkCredentials(name, password)
	}
	if err != nil {
		return refuse(reasonWrong, err.Error())
	}
	user, err := b.find(ctx, name, password)
	switch {
	case err != nil:
		return cannotTell(err.Error())
	case user == nil:
		return refuse(reasonWrong, "wrong name or password")
	case req.UserID != "" && req.UserID != name:
		return refuse(reasonWrong, claimsAnother)
	// Only now: who does not know the password does not learn where it would count.
	case !user.mayComeFrom(req.RemoteAddress):
		ans := refuse(reasonAddress, "the user may not come from this address")
		ans.Elsewhere = true
		return ans
	}
	return Answer{
		Outcome: upstream.OK, UserID: name,
		Claims: bytes.Clone(user.claims), Within: slices.Clone(user.within),
	}
}

// find returns the user of a name and password, nil where there is none. It waits for its turn to
// compare, and returns an error when ctx ends before.
func (b *basic) find(ctx context.Context, name, password string) (*basicUser, error) {
	user := b.byName[name]
	pair := b.good.sum(name, password)
	if b.good.has(pair) {
		return user, nil
	}
	select {
	case b.comparing <- struct{}{}:
		defer func() { <-b.comparing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for other password comparisons: %w", context.Cause(ctx))
	}
	// Others may have shown the same pair while this one waited.
	if b.good.has(pair) {
		return user, nil
	}
	if user == nil {
		// A stranger costs what one of the users does, and the same one each time.
		double := b.users[maphash.String(b.seed, name)%uint64(len(b.users))]
		double.hash.matches(password)
		return nil, nil
	}
	if !user.hash.matches(password) {
		return nil, nil
	}
	b.good.add(pair)
	return user, nil
}

func (u *basicUser) mayComeFrom(hostport string) bool {
	if u.allow == nil {
		return true
	}
	from := clientAddress(hostport)
	return slices.ContainsFunc(u.allow, func(p netip.Prefix) bool { return p.Contains(from) })
}

func basicClaims(u *BasicUser) []byte {
	roles := u.Roles
	if roles == nil {
		roles = []string{"read", "write"}
	}
	claims := appendList([]byte(`{"roles":`), roles)
	if u.Channels != nil {
		claims = appendList(append(claims, `,"channels":`...), u.Channels)
	}
	if u.Topics != nil {
		claims = appendList(append(claims, `,"topics":`...), u.Topics)
	}
	return append(claims, '}')
}

func appendList[T ~string](dst []byte, list []T) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = rawjson.AppendString(dst, string(s))
	}
	return append(dst, ']')
}
