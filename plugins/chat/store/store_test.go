package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
)

func TestMain(m *testing.M) {
	if database := os.Getenv(writerDatabase); database != "" {
		writeUntilKilled(database)
	}
	goleak.VerifyTestMain(m)
}

// TestStore runs everything that both databases must do alike on each of them.
func TestStore(t *testing.T) {
	cases := []struct {
		name string
		run  func(t *testing.T, s *Store)
	}{
		{"accounts", testAccounts},
		{"tokens", testTokens},
		{"secrets", testSecrets},
		{"rooms", testRooms},
		{"search of rooms", testSearchRooms},
		{"private rooms", testPrivateRooms},
		{"permissions", testPermissions},
		{"members", testMembers},
		{"history", testHistory},
		{"edits", testEdits},
		{"deletions", testDeletions},
		{"search of messages", testSearchMessages},
		{"search of anything", testSearchModel},
		{"texts", testTexts},
		{"other protocols", testForeign},
		{"files", testFiles},
		{"outbox", testOutbox},
		{"users of backends", testSubjects},
		{"redelivery", testRedelivery},
		{"redelivery at once", testRedeliveryAtOnce},
		{"many writers", testManyWriters},
		{"two stores", testTwoStores},
		{"cleanup", testCleanup},
		{"bytes of files", testChunks},
		{"long deletions", testLongDeletion},
	}
	onBoth(t, func(t *testing.T, database func(t testing.TB) string) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.run(t, open(t, database(t), Options{})) })
		}
	})
}

// onBoth runs a test on both databases: each call of database is of a new one.
func onBoth(t *testing.T, run func(t *testing.T, database func(t testing.TB) string)) {
	t.Run("sqlite", func(t *testing.T) { run(t, newSQLite) })
	t.Run("postgres", func(t *testing.T) { run(t, postgrestest.Start(t, "fsync=off").Database) })
}

func newSQLite(t testing.TB) string { return "sqlite:" + t.TempDir() + "/chat.db" }

func open(t testing.TB, database string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), database, "", o)
	if err != nil {
		t.Fatal(err)
	}
	addresses.Store(s, database)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// addresses has for each Store what it was opened with.
var addresses sync.Map

func address(s *Store) string {
	database, _ := addresses.Load(s)
	return database.(string)
}

var events atomic.Int64

// event returns the id of a new event.
func event() string { return fmt.Sprintf("event %d", events.Add(1)) }

const pass = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"

// user makes an account without the cost of a password.
func user(t testing.TB, s *Store, login string) int64 {
	t.Helper()
	var id int64
	err := s.write.QueryRowContext(t.Context(), `INSERT INTO users (login, name, about, date) VALUES ($1, '', '', 0) RETURNING id`, login).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func room(t testing.TB, s *Store, customer int64, name string, members ...int64) int64 {
	t.Helper()
	r := ok(s.CreateRoom(t.Context(), event(), NewRoom{User: customer, Name: name, Type: GlobalRoom}))(t)
	for _, member := range members {
		ok(s.Join(t.Context(), event(), r.ID, member))(t)
	}
	return r.ID
}

func say(t testing.TB, s *Store, room, user int64, text string) Message {
	t.Helper()
	b := ok(s.Say(t.Context(), event(), NewMessage{Room: room, User: user, Text: text, Power: int64(len(text))}))(t)
	return *b.Message
}

// ok fails for an error.
func ok[T any](value T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func wantErr(t testing.TB, what string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

// at sets the clock.
func at(s *Store, ms int64) { s.now = func() int64 { return ms } }

// dump returns all that a database holds.
func dump(t testing.TB, s *Store) string {
	t.Helper()
	var out strings.Builder
	for _, table := range []string{"users", "subjects", "tokens", "rooms", "members", "messages", "files", "contents", "chunks", "events"} {
		rows := ok(s.read.QueryContext(context.Background(), "SELECT * FROM "+table))(t)
		columns := ok(rows.Columns())(t)
		var lines []string
		for rows.Next() {
			values, pointers := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				pointers[i] = &values[i]
			}
			if err := rows.Scan(pointers...); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%s %q", table, fmt.Sprintf("%s", values)))
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(lines)
		out.WriteString(strings.Join(lines, "\n") + "\n")
	}
	return out.String()
}

func texts(messages []Message) (texts []string) {
	for _, m := range messages {
		texts = append(texts, m.Text)
	}
	return texts
}
