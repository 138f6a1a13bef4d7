package store

import (
	"os"
	"strings"
	"testing"
	"time"
)

func testAccounts(t *testing.T, s *Store) {
	ctx := t.Context()
	alice := ok(s.SignUp(ctx, "e1", Account{Login: "alice", Pass: pass, Name: "A", Desc: "d"}))(t)
	equal(t, "user", alice, User{ID: alice.ID, Login: "alice", Desc: "d"})
	equal(t, "again", ok(s.SignUp(ctx, "e1", Account{Login: "alice", Pass: pass, Desc: "d"}))(t), alice)
	equal(t, "log in", ok(s.LogIn(ctx, "alice", pass))(t), alice)
	equal(t, "log in with capitals", ok(s.LogIn(ctx, "alice", strings.ToUpper(pass)))(t), alice)
	equal(t, "info", ok(s.User(ctx, alice.ID))(t), alice)

	_, err := s.SignUp(ctx, "e2", Account{Login: "alice", Pass: pass})
	wantErr(t, "taken", err, ErrTaken)
	_, err = s.SignUp(ctx, "e3", Account{Login: Reserved, Pass: pass})
	wantErr(t, "reserved", err, ErrTaken)
	for _, login := range []string{"ab", "Alice", "a b", strings.Repeat("a", 23), "abc\n", "", "böb"} {
		_, err := s.SignUp(ctx, event(), Account{Login: login, Pass: pass})
		wantErr(t, "sign up as "+login, err, ErrInvalid)
		_, err = s.LogIn(ctx, login, pass)
		wantErr(t, "log in as "+login, err, ErrInvalid)
	}
	for _, pass := range []string{"", pass[1:], "g" + pass[1:], pass + "0", pass + "\n"} {
		_, err := s.SignUp(ctx, event(), Account{Login: "carl", Pass: pass})
		wantErr(t, "sign up with "+pass, err, ErrInvalid)
		_, err = s.LogIn(ctx, "alice", pass)
		wantErr(t, "log in with "+pass, err, ErrInvalid)
	}
	_, err = s.LogIn(ctx, "alice", strings.Repeat("0", 64))
	wantErr(t, "wrong password", err, ErrAuth)
	_, err = s.LogIn(ctx, "nobody", pass)
	wantErr(t, "unknown login", err, ErrAuth)
	user(t, s, Reserved)
	_, err = s.LogIn(ctx, Reserved, pass)
	wantErr(t, "log in without a password", err, ErrAuth)
	_, err = s.User(ctx, 999)
	wantErr(t, "unknown user", err, ErrNotFound)

	ok(0, s.DescribeUser(ctx, event(), alice.ID, "new"))(t)
	equal(t, "description", ok(s.User(ctx, alice.ID))(t).Desc, "new")
	wantErr(t, "long description", s.DescribeUser(ctx, event(), alice.ID, strings.Repeat("x", MaxText+1)), ErrInvalid)
	wantErr(t, "description of nobody", s.DescribeUser(ctx, event(), 999, ""), ErrNotFound)
}

func testTokens(t *testing.T, s *Store) {
	ctx := t.Context()
	at(s, 1_000_000)
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	first := ok(s.IssueToken(ctx, "e1", alice))(t)
	if !strings.HasSuffix(first, "alice") || len(first) != 64+len("alice") {
		t.Errorf("token %q", first)
	}
	equal(t, "user", ok(s.UserByToken(ctx, first))(t).ID, alice)
	again := ok(s.IssueToken(ctx, "e1", alice))(t)
	_, err := s.UserByToken(ctx, first)
	wantErr(t, "the token that nobody saw", err, ErrAuth)
	other := ok(s.IssueToken(ctx, "e2", alice))(t)
	equal(t, "several", ok(s.UserByToken(ctx, again))(t), ok(s.UserByToken(ctx, other))(t))
	for _, token := range []string{"", again[1:], again + "x", again[:64] + "bob", again[:64], strings.ToUpper(again[:64]) + "alice", again + "\n"} {
		_, err := s.UserByToken(ctx, token)
		wantErr(t, token, err, ErrAuth)
		ok(0, s.Revoke(ctx, token))(t)
	}
	ok(0, s.Revoke(ctx, again))(t)
	ok(0, s.Revoke(ctx, again))(t)
	_, err = s.UserByToken(ctx, again)
	wantErr(t, "revoked", err, ErrAuth)
	equal(t, "the other", ok(s.UserByToken(ctx, other))(t).Login, "alice")
	_, err = s.IssueToken(ctx, "e3", 999)
	wantErr(t, "nobody's", err, ErrNotFound)

	at(s, 1_000_000+30*24*time.Hour.Milliseconds()-1)
	equal(t, "before it expires", ok(s.UserByToken(ctx, other))(t).Login, "alice")
	at(s, 1_000_000+30*24*time.Hour.Milliseconds())
	_, err = s.UserByToken(ctx, other)
	wantErr(t, "expired", err, ErrAuth)

	oldest := ok(s.IssueToken(ctx, event(), bob))(t)
	for i := range int64(maxTokens) {
		equal(t, "one of not too many", ok(s.UserByToken(ctx, oldest))(t).Login, "bob")
		at(s, s.now()+1+i)
		ok(s.IssueToken(ctx, event(), bob))(t)
	}
	_, err = s.UserByToken(ctx, oldest)
	wantErr(t, "one of too many", err, ErrAuth)
}

// What is stolen with the database logs nobody in.
func testSecrets(t *testing.T, s *Store) {
	ctx := t.Context()
	alice := ok(s.SignUp(ctx, event(), Account{Login: "alice", Pass: strings.ToUpper(pass)}))(t)
	token := ok(s.IssueToken(ctx, event(), alice.ID))(t)
	held := strings.ToLower(dump(t, s))
	if !strings.Contains(held, "$argon2id$") {
		t.Error("no password is kept")
	}
	if path, isFile := strings.CutPrefix(address(s), "sqlite:"); isFile {
		for _, suffix := range []string{"", "-wal"} {
			held += strings.ToLower(string(ok(os.ReadFile(path + suffix))(t)))
		}
	}
	for _, secret := range []string{pass, token, token[:64]} {
		if strings.Contains(held, secret) {
			t.Errorf("the database holds %q", secret)
		}
	}
}

// An unknown login takes as long as a wrong password, whatever the machine does meanwhile: both hash.
func TestUnknownLoginTakesItsTime(t *testing.T) {
	s := open(t, newSQLite(t), Options{})
	ok(s.SignUp(t.Context(), event(), Account{Login: "alice", Pass: pass}))(t)
	fastest := func(login string) time.Duration {
		least := time.Hour
		for range 5 {
			start := time.Now()
			_, err := s.LogIn(t.Context(), login, strings.Repeat("0", 64))
			least = min(least, time.Since(start))
			wantErr(t, login, err, ErrAuth)
		}
		return least
	}
	known, unknown := fastest("alice"), fastest("nobody")
	if unknown < known/2 || known < unknown/2 {
		t.Errorf("a known login takes %v, an unknown one %v", known, unknown)
	}
}
