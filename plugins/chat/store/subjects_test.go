package store

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// A backend's user has one account, which is nobody else's.
func testSubjects(t *testing.T, s *Store) {
	ctx := t.Context()
	alice := user(t, s, "alice")
	first := ok(s.SubjectUser(ctx, "jwt.site", "user-38"))(t)
	equal(t, "login", first.Login, "user-38")
	equal(t, "again", ok(s.SubjectUser(ctx, "jwt.site", "user-38"))(t), first)
	made := regexp.MustCompile(`^u-[0-9a-f]{20}$`)
	seen := map[int64]string{alice: "alice", first.ID: "user-38"}
	for _, who := range [][2]string{
		{"jwt.other", "user-38"}, {"jwt.site", "alice"}, {"jwt.site", "38"}, {"jwt.site", "Zoë@example.com"}, {"jwt.site", Reserved},
	} {
		u := ok(s.SubjectUser(ctx, who[0], who[1]))(t)
		if !made.MatchString(u.Login) || seen[u.ID] != "" {
			t.Errorf("%v is %+v", who, u)
		}
		seen[u.ID] = u.Login
		equal(t, "again", ok(s.SubjectUser(ctx, who[0], who[1]))(t), u)
	}
	for _, who := range [][2]string{{"", "x"}, {"x", ""}, {"x", "a\x00b"}, {"x", "\xff"}, {"x", strings.Repeat("x", maxSubject+1)}} {
		wantErr(t, fmt.Sprintf("%.20q", who), fail(s.SubjectUser(ctx, who[0], who[1])), ErrInvalid)
	}
	wantErr(t, "password", fail(s.LogIn(ctx, "user-38", pass)), ErrAuth)
	wantErr(t, "sign up", fail(s.SignUp(ctx, event(), Account{Login: "user-38", Pass: pass})), ErrTaken)

	ids := make([]int64, 8)
	var group sync.WaitGroup
	for i := range ids {
		group.Go(func() {
			u, err := s.SubjectUser(ctx, "jwt.site", "at-once")
			if err != nil {
				t.Error(err)
			}
			ids[i] = u.ID
		})
	}
	group.Wait()
	for _, id := range ids {
		equal(t, "account", id, ids[0])
	}

	token := ok(s.IssueToken(ctx, event(), first.ID))(t)
	ok(0, s.RevokeHash(ctx, tokenHash(token)))(t)
	wantErr(t, "token", fail(s.UserByToken(ctx, token)), ErrAuth)
	r := room(t, s, alice, "room")
	equal(t, "member", s.Member(ctx, r, alice), nil)
	wantErr(t, "stranger", s.Member(ctx, r, first.ID), ErrForbidden)
	wantErr(t, "no room", s.Member(ctx, 999, alice), ErrNotFound)
}
