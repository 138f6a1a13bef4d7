package auth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/upstream"
)

func bcryptOf(t testing.TB, password string) string {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return string(h)
}

func newBasic(t testing.TB, users ...BasicUser) Backend {
	t.Helper()
	b, err := NewBasic("basic.ops", users)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func basicHeader(text string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(text))
}

func TestBasic(t *testing.T) {
	hash := bcryptOf(t, "sesame")
	b := newBasic(
		t,
		BasicUser{Name: "ops", Hash: hash},
		BasicUser{Name: "Jürgen", Hash: bcryptOf(t, "pässwörd:with:colons")},
		BasicUser{Name: "argon", Hash: argonOfSesame},
		BasicUser{Name: "empty", Hash: bcryptOf(t, "")},
		BasicUser{Name: "office", Hash: hash, Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("fe80::/10")}},
		BasicUser{Name: "nowhere", Hash: hash, Allow: []netip.Prefix{}},
	)
	from := func(address string) *Request {
		return &Request{RemoteAddress: address, Opening: Opening{Authorization: basicHeader("office:sesame")}}
	}
	header := func(authorization string) *Request {
		return &Request{RemoteAddress: "192.0.2.1:4711", Opening: Opening{Authorization: authorization}}
	}
	claimed := func(user string, req *Request) *Request { req.UserID = user; return req }
	pair := func(user, token string) *Request { return &Request{UserID: user, HasToken: true, Token: token} }
	tests := []struct {
		name   string
		req    *Request
		user   string // empty: denied
		reason string
	}{
		{"header", header(basicHeader("ops:sesame")), "ops", ""},
		{"argon2id", header(basicHeader("argon:sesame")), "argon", ""},
		{"scheme in another case", header("bAsIc " + basicHeader("ops:sesame")[6:]), "ops", ""},
		{"UTF-8 and colons", header(basicHeader("Jürgen:pässwörd:with:colons")), "Jürgen", ""},
		{"empty password that is right", header(basicHeader("empty:")), "empty", ""},
		{"the claimed user", claimed("ops", header(basicHeader("ops:sesame"))), "ops", ""},
		{"user id and token", pair("ops", "sesame"), "ops", ""},
		{"another scheme, user id and token", &Request{UserID: "ops", HasToken: true, Token: "sesame", Opening: Opening{Authorization: "Bearer x"}}, "ops", ""},
		{"allowed address", from("10.255.0.1:1"), "office", ""},
		{"allowed mapped address", from("[::ffff:10.1.2.3]:1"), "office", ""},
		{"allowed IPv6 address", from("[2001:db8::1]:1"), "office", ""},
		{"allowed address with a zone", from("[fe80::1%eth0]:1"), "office", ""},

		{"nothing", &Request{}, "", reasonWrong},
		{"wrong password", header(basicHeader("ops:Sesame")), "", reasonWrong},
		{"wrong password, argon2id", header(basicHeader("argon:sesamE")), "", reasonWrong},
		{"empty password", header(basicHeader("ops:")), "", reasonWrong},
		{"a NUL behind", header(basicHeader("ops:sesame\x00sesame")), "", reasonWrong},
		{"unknown user", header(basicHeader("nobody:sesame")), "", reasonWrong},
		{"empty user", header(basicHeader(":sesame")), "", reasonWrong},
		{"name in another case", header(basicHeader("Ops:sesame")), "", reasonWrong},
		{"no colon", header(basicHeader("ops")), "", reasonWrong},
		{"the hash as password", header(basicHeader("ops:" + hash)), "", reasonWrong},
		{"Latin-1", header(basicHeader("J\xfcrgen:p\xe4ssw\xf6rd:with:colons")), "", reasonWrong},
		{"not base64", header("Basic !!!"), "", reasonWrong},
		{"no padding", header(strings.TrimRight(basicHeader("ops:sesame"), "=")), "", reasonWrong},
		{"line break", header(basicHeader("ops:sesame")[:10] + "\n" + basicHeader("ops:sesame")[10:]), "", reasonWrong},
		{"scheme alone", header("Basic"), "", reasonWrong},
		{"too long", header(basicHeader("ops:" + strings.Repeat("x", 2000))), "", reasonWrong},
		{"another scheme", header("Bearer sesame"), "", reasonWrong},
		{"a bad header is not passed by", &Request{UserID: "ops", HasToken: true, Token: "sesame", Opening: Opening{Authorization: "Basic !"}}, "", reasonWrong},
		{"claims another", claimed("office", header(basicHeader("ops:sesame"))), "", reasonWrong},
		{"token without user id", pair("", "sesame"), "", reasonWrong},
		{"user id without token", &Request{UserID: "empty"}, "", reasonWrong},
		{"wrong token", pair("ops", "x"), "", reasonWrong},
		{"long token", pair("ops", strings.Repeat("x", 2000)), "", reasonWrong},
		{"address outside", from("11.0.0.1:1"), "", reasonAddress},
		{"mapped address outside", from("[::ffff:11.0.0.1]:1"), "", reasonAddress},
		{"no address", from(""), "", reasonAddress},
		{"no port", from("10.0.0.1"), "", reasonAddress},
		{"allowed from nowhere", header(basicHeader("nowhere:sesame")), "", reasonAddress},
		{"outside with a wrong password", header(basicHeader("nowhere:x")), "", reasonWrong},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// The second time a good pair is remembered.
			for range 2 {
				got := b.Authenticate(t.Context(), tt.req)
				want := upstream.Denied
				if tt.user != "" {
					want = upstream.OK
				}
				wantOutcome(t, fmt.Sprintf("%+v", tt.req), got, want)
				if got.UserID != tt.user || got.Reason != tt.reason {
					t.Errorf("%+v: user %q, reason %q, want %q, %q", tt.req, got.UserID, got.Reason, tt.user, tt.reason)
				}
			}
		})
	}
	if b.Realm() != "basic.ops" {
		t.Errorf("realm %q", b.Realm())
	}
}

func TestBasicAnswer(t *testing.T) {
	hash := bcryptOf(t, "x")
	tests := []struct {
		name   string
		user   BasicUser
		claims string
		within []channel.Pattern
	}{
		{"all", BasicUser{}, `{"roles":["read","write"]}`, nil},
		{"read only", BasicUser{Roles: []string{"read"}}, `{"roles":["read"]}`, nil},
		{"no roles", BasicUser{Roles: []string{}}, `{"roles":[]}`, nil},
		{
			"some channels",
			BasicUser{Channels: []channel.Pattern{"news", `a"b/*`}},
			`{"roles":["read","write"],"channels":["news","a\"b/*"]}`,
			[]channel.Pattern{"news", `a"b/*`},
		},
		{"no channels", BasicUser{Channels: []channel.Pattern{}}, `{"roles":["read","write"],"channels":[]}`, []channel.Pattern{}},
		{"topics", BasicUser{Topics: []channel.Pattern{"in*"}}, `{"roles":["read","write"],"topics":["in*"]}`, nil},
		{
			"both",
			BasicUser{Roles: []string{"write"}, Channels: []channel.Pattern{"c"}, Topics: []channel.Pattern{}},
			`{"roles":["write"],"channels":["c"],"topics":[]}`,
			[]channel.Pattern{"c"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.user.Name, tt.user.Hash = "u", hash
			got := newBasic(t, tt.user).Authenticate(t.Context(), &Request{UserID: "u", HasToken: true, Token: "x"})
			if string(got.Claims) != tt.claims || !reflect.DeepEqual(got.Within, tt.within) {
				t.Errorf("%+v: claims %s, within %#v, want %s, %#v", tt.user, got.Claims, got.Within, tt.claims, tt.within)
			}
		})
	}
}

func TestBasicUsers(t *testing.T) {
	hash := bcryptOf(t, "x")
	tests := []struct {
		name  string
		users []BasicUser
		want  string
	}{
		{"none", nil, "without users"},
		{"no name", []BasicUser{{Hash: hash}}, "a name is"},
		{"colon", []BasicUser{{Name: "a:b", Hash: hash}}, "a name is"},
		{"control character", []BasicUser{{Name: "a\n", Hash: hash}}, "a name is"},
		{"not UTF-8", []BasicUser{{Name: "\xff", Hash: hash}}, "a name is"},
		{"twice", []BasicUser{{Name: "a", Hash: hash}, {Name: "a", Hash: hash}}, "twice"},
		{"plain password", []BasicUser{{Name: "a", Hash: "hunter2"}}, "neither bcrypt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewBasic("r", tt.users)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%+v: %v, want something with %q and no password", tt.users, err, tt.want)
			}
		})
	}
}

// slowHash is as slow as a test wants, and counts.
type slowHash struct {
	mu                   sync.Mutex
	running, most, total int
	password             string
	takes                time.Duration
}

func (h *slowHash) matches(password string) bool {
	h.mu.Lock()
	h.total++
	h.running++
	h.most = max(h.most, h.running)
	h.mu.Unlock()
	<-time.After(h.takes)
	h.mu.Lock()
	h.running--
	h.mu.Unlock()
	return password == h.password
}

// slowBasic returns a backend with one user, "u".
func slowBasic(t *testing.T, h *slowHash) *basic {
	t.Helper()
	b := newBasic(t, BasicUser{Name: "u", Hash: bcryptOf(t, "x")}).(*basic)
	b.users[0].hash = h
	return b
}

func TestBasicBoundsItsWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &slowHash{takes: time.Second, password: "right"}
		b := slowBasic(t, h)
		places := runtime.GOMAXPROCS(0)
		ctx, cancel := context.WithTimeoutCause(t.Context(), 1500*time.Millisecond, errors.New("too late"))
		defer cancel()

		outcomes := make(map[upstream.Outcome]int)
		var mu sync.Mutex
		var all sync.WaitGroup
		for i := range 4 * places {
			all.Go(func() {
				name := []string{"u", "nobody"}[i%2]
				ans := b.Authenticate(ctx, &Request{UserID: name, HasToken: true, Token: fmt.Sprint("wrong", i)})
				mu.Lock()
				outcomes[ans.Outcome]++
				mu.Unlock()
				if ans.Outcome == upstream.Unavailable && !strings.Contains(ans.Detail, "too late") {
					t.Errorf("detail %q does not say why", ans.Detail)
				}
			})
		}
		all.Wait()
		if h.most != places {
			t.Errorf("%d comparisons at a time, want %d", h.most, places)
		}
		if outcomes[upstream.Denied] != 2*places || outcomes[upstream.Unavailable] != 2*places {
			t.Errorf("outcomes %v, want %d denied and %[2]d unavailable", outcomes, 2*places)
		}
	})
}

func TestBasicRemembersGoodPairs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &slowHash{takes: time.Second, password: "right"}
		b := slowBasic(t, h)
		try := func(name, password string, want upstream.Outcome, compared int) {
			t.Helper()
			before := h.total
			wantOutcome(t, name+":"+password, b.Authenticate(t.Context(), &Request{UserID: name, HasToken: true, Token: password}), want)
			if h.total-before != compared {
				t.Errorf("%s:%s took %d comparisons, want %d", name, password, h.total-before, compared)
			}
		}
		try("u", "right", upstream.OK, 1)
		try("u", "right", upstream.OK, 0)
		try("u", "wrong", upstream.Denied, 1)
		try("u", "wrong", upstream.Denied, 1)
		try("nobody", "right", upstream.Denied, 1)
		try("nobody", "right", upstream.Denied, 1)
		try("u", "right", upstream.OK, 0)
		time.Sleep(goodFor)
		try("u", "right", upstream.OK, 1)
	})
}

// Many requests of one client that come at once cost as many comparisons as run at a time.
func TestBasicComparesOnceForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &slowHash{takes: time.Second, password: "right"}
		b := slowBasic(t, h)
		var all sync.WaitGroup
		for range 100 {
			all.Go(func() {
				wantOutcome(t, "u:right", b.Authenticate(t.Context(), &Request{UserID: "u", HasToken: true, Token: "right"}), upstream.OK)
			})
		}
		all.Wait()
		if h.total > runtime.GOMAXPROCS(0) {
			t.Errorf("%d comparisons", h.total)
		}
	})
}

func TestGoodPairsAreBounded(t *testing.T) {
	g := newGoodPairs()
	for i := range 3 * maxGoodPairs {
		g.add(g.sum("u", fmt.Sprint(i)))
	}
	if len(g.until) != maxGoodPairs || len(g.order) != maxGoodPairs {
		t.Errorf("%d pairs, %d in order, want %d", len(g.until), len(g.order), maxGoodPairs)
	}
	if g.has(g.sum("u", "0")) || !g.has(g.sum("u", fmt.Sprint(3*maxGoodPairs-1))) {
		t.Error("it is not the oldest that went")
	}
	if g.sum("ab", "c") == g.sum("a", "bc") {
		t.Error("where the name ends makes no difference")
	}
	if g.sum("a", "b") == newGoodPairs().sum("a", "b") {
		t.Error("two processes have the same key")
	}
}

// A stranger costs a comparison with the hash of one of the users, always the same one.
func TestBasicHidesWhoThereIs(t *testing.T) {
	b := newBasic(t, BasicUser{Name: "a", Hash: bcryptOf(t, "x")}, BasicUser{Name: "b", Hash: bcryptOf(t, "x")}).(*basic)
	hashes := []*slowHash{{password: "x"}, {password: "x"}}
	b.users[0].hash, b.users[1].hash = hashes[0], hashes[1]
	for i := range 64 {
		before := [2]int{hashes[0].total, hashes[1].total}
		for range 2 {
			wantOutcome(t, "stranger", b.Authenticate(t.Context(), &Request{UserID: fmt.Sprint("stranger", i), HasToken: true, Token: "x"}), upstream.Denied)
		}
		got := [2]int{hashes[0].total - before[0], hashes[1].total - before[1]}
		if got != [2]int{2, 0} && got != [2]int{0, 2} {
			t.Fatalf("two tries of a stranger cost %v comparisons, want two with one hash", got)
		}
	}
	if hashes[0].total == 0 || hashes[1].total == 0 {
		t.Error("all strangers are compared with the same hash")
	}
}
