package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// fill says many messages at once, without events and without looking up the author for each.
func fill(t testing.TB, s *Store, room, user int64, n int) {
	t.Helper()
	conn := ok(s.write.Conn(t.Context()))(t)
	unchecked, checked := `PRAGMA foreign_keys = 0`, `PRAGMA foreign_keys = 1`
	if s.postgres {
		unchecked, checked = `SET session_replication_role = replica`, `RESET session_replication_role`
	}
	ok(conn.ExecContext(t.Context(), unchecked))(t)
	ok(conn.ExecContext(t.Context(), `INSERT INTO messages (room_id, user_id, date, text, search, type, power)
		WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < CAST($3 AS BIGINT))
		SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), n, 'Some text', 'some text', 0, 1 FROM series`, room, user, n))(t)
	ok(conn.ExecContext(t.Context(), `UPDATE rooms SET last_date = $2 WHERE id = $1`, room, n))(t)
	ok(conn.ExecContext(t.Context(), `ANALYZE`))(t)
	ok(conn.ExecContext(t.Context(), checked))(t)
	ok(0, conn.Close())(t)
}

func explain(t *testing.T, s *Store, query string, args ...any) string {
	t.Helper()
	verb := "EXPLAIN QUERY PLAN "
	if s.postgres {
		verb = "EXPLAIN "
	}
	rows := ok(s.read.QueryContext(t.Context(), verb+query, args...))(t)
	defer rows.Close()
	columns := ok(rows.Columns())(t)
	var plan strings.Builder
	for rows.Next() {
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		ok(0, rows.Scan(values...))(t)
		fmt.Fprintln(&plan, *values[len(values)-1].(*any))
	}
	ok(0, rows.Err())(t)
	return plan.String()
}

// A page of a room with a million messages is read from an index, and fast; nobody waits for its
// deletion.
func TestLongHistory(t *testing.T) {
	n := longHistory
	if testing.Short() {
		n = 10_000
	}
	onBoth(t, func(t *testing.T, database func(t testing.TB) string) {
		s := open(t, database(t), Options{})
		alice := user(t, s, "alice")
		r := room(t, s, alice, "room")
		fill(t, s, r, alice, n)
		for _, dates := range [][2]int{{n / 2, 1 << 60}, {0, n / 2}} {
			plan := explain(t, s, history, r, dates[0], dates[1], 30)
			byIndex := strings.Contains(plan, "USING INDEX sqlite_autoindex_messages_1 (room_id=? AND date>? AND date<?)") ||
				strings.Contains(plan, "Index Scan Backward using messages_room_id_date_key")
			if !byIndex || strings.Contains(plan, "TEMP B-TREE") || strings.Contains(plan, "Sort") {
				t.Errorf("plan\n%s", plan)
			}
		}
		quick := func(what string, do func()) {
			start := time.Now()
			do()
			if took := time.Since(start); took > 2*time.Second { // a million rows take longer, even on a fast machine
				t.Errorf("%s takes %v", what, took)
			}
		}
		quick("a hundred pages", func() {
			for i := range 100 {
				equal(t, "page", len(ok(s.Older(t.Context(), r, alice, int64(n/2+i), 30))(t)), 30)
			}
		})
		quick("to clear", func() { ok(s.ClearHistory(t.Context(), event(), r, alice))(t) })
		first := say(t, s, r, alice, "first")
		equal(t, "left", ok(s.Older(t.Context(), r, alice, 1<<60, 30))(t), []Message{first})
		all, _, err := s.Newer(t.Context(), r, alice, 0, 30)
		equal(t, "left", ok(all, err)(t), []Message{first})
		equal(t, "found", len(ok(s.SearchMessages(t.Context(), r, alice, "some"))(t)), 0)
		wantErr(t, "edit what is cleared", fail(s.Edit(t.Context(), event(), r, alice, first.ID-1, "x")), ErrNotFound)
	})
}

// What is deleted is gone from the disk after the next cleanup.
func testLongDeletion(t *testing.T, s *Store) {
	alice := user(t, s, "alice")
	rows := func() (n int) {
		ok(0, s.read.QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM messages) + (SELECT COUNT(*) FROM emptied)`).Scan(&n))(t)
		return n
	}
	n := 2*cleanupBatch + 10
	for _, remove := range []func(room int64) error{
		func(r int64) error { return fail(s.ClearHistory(t.Context(), event(), r, alice)) },
		func(r int64) error { return fail(s.DeleteRoom(t.Context(), event(), r, alice)) },
	} {
		r := room(t, s, alice, "room")
		fill(t, s, r, alice, n)
		ok(0, remove(r))(t)
		equal(t, "rows for later", rows(), n-cleanupBatch+1)
		ok(0, s.Cleanup(t.Context(), time.Time{}, nil))(t)
		equal(t, "rows", rows(), 0)
	}
}
