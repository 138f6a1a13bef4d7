package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
)

const (
	writers = 8
	each    = 25
)

// crowd lets many write in one room through some stores and returns how many messages there are.
func crowd(t *testing.T, r int64, users []int64, stores ...*Store) int {
	t.Helper()
	errs := make(chan error, writers*len(stores))
	var group sync.WaitGroup
	for _, s := range stores {
		for w := range writers {
			group.Go(func() {
				var err error
				for i := range each {
					_, sayErr := s.Say(t.Context(), event(), NewMessage{Room: r, User: users[w%len(users)], Text: fmt.Sprint(w, " ", i), Power: 1})
					err = errors.Join(err, sayErr)
				}
				errs <- err
			})
		}
	}
	group.Wait()
	for range cap(errs) {
		ok(0, <-errs)(t)
	}
	return writers * each * len(stores)
}

// ordered fails unless a room's messages and broadcasts are all there and in one order.
func ordered(t *testing.T, s *Store, r, reader int64, want int) {
	t.Helper()
	messages := ok(s.Older(t.Context(), r, reader, 1<<60, MaxMessages))(t)
	equal(t, "messages", len(messages), want)
	broadcasts := ok(s.Unpublished(t.Context(), r, 0, 1<<60, always))(t)
	var last, lastID int64
	said := 0
	for i, b := range broadcasts {
		if b.Seq != int64(i+1) {
			t.Fatalf("number %d is %d", i+1, b.Seq)
		}
		if b.Kind != Said {
			continue
		}
		if b.Message.Date <= last {
			t.Fatalf("message %d has date %d after %d", b.Message.ID, b.Message.Date, last)
		}
		last, lastID = b.Message.Date, b.Message.ID
		if messages[want-1-said].ID != lastID {
			t.Fatalf("message %d is at another place in the history", lastID)
		}
		said++
	}
	equal(t, "broadcasts", said, want)
}

func testManyWriters(t *testing.T, s *Store) {
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	r := room(t, s, alice, "room", bob)
	n := crowd(t, r, []int64{alice, bob}, s)
	ordered(t, s, r, alice, n)
	_, power, err := s.Newer(t.Context(), r, alice, 0, 1)
	equal(t, "power", ok(power, err)(t), int64(n))
}

// Two nodes with one database, or an instance and its successor.
func testTwoStores(t *testing.T, s *Store) {
	second := open(t, address(s), Options{})
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	r := room(t, s, alice, "room", bob)
	n := crowd(t, r, []int64{alice, bob}, s, second)
	ordered(t, second, r, alice, n)

	var ids [2]int64 // a message of another protocol reaches both
	var group sync.WaitGroup
	for i, s := range []*Store{s, second} {
		group.Go(func() {
			if b, err := s.SayForeign(t.Context(), "one", Foreign{Room: r, Text: "x"}); err == nil {
				ids[i] = b.Message.ID
			}
		})
	}
	group.Wait()
	if ids[0] == 0 || ids[0] != ids[1] {
		t.Errorf("one message became %d", ids)
	}
	ordered(t, s, r, alice, n+1)

	var logins [2]error // of two who want a login one gets it
	for i, s := range []*Store{s, second} {
		group.Go(func() { _, logins[i] = s.SignUp(t.Context(), event(), Account{Login: "carl", Pass: pass}) })
	}
	group.Wait()
	if (logins[0] == nil) == (logins[1] == nil) || !errors.Is(errors.Join(logins[:]...), ErrTaken) {
		t.Errorf("two sign ups: %v", logins)
	}
	for range 20 { // rooms never share a date
		for _, s := range []*Store{s, second} {
			group.Go(func() {
				if _, err := s.CreateRoom(t.Context(), event(), NewRoom{User: bob, Name: "x", Type: GlobalRoom}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
}

// writerDatabase names the database that this test's program writes to when it is its own child.
const writerDatabase = "CHAT_STORE_TEST_WRITER"

// writeUntilKilled prints each message that is acknowledged.
func writeUntilKilled(database string) {
	ctx := context.Background()
	s, err := Open(ctx, database, "", Options{})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var room, user int64
	if err := s.read.QueryRowContext(ctx, `SELECT id, user_id FROM rooms`).Scan(&room, &user); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	failed := make(chan error)
	for w := range 4 {
		go func() {
			for i := 0; ; i++ {
				b, err := s.Say(ctx, fmt.Sprint(os.Getpid(), w, i), NewMessage{Room: room, User: user, Text: "x"})
				if err != nil {
					failed <- err
				}
				fmt.Printf("%d\n", b.Message.ID) // one write: lines stay whole
			}
		}()
	}
	fmt.Println(<-failed)
	os.Exit(1)
}

// killWriter runs a child that writes, has it killed while it does, and returns what it acknowledged.
func killWriter(t *testing.T, database string, kill func(child *os.Process)) (ids []int64) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerDatabase+"="+database)
	out := ok(cmd.StdoutPipe())(t)
	ok(0, cmd.Start())(t)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		id, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Log(lines.Text())
			break
		}
		if ids = append(ids, id); len(ids) == 200 {
			kill(cmd.Process)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if len(ids) < 200 {
		t.Fatalf("the child wrote %d messages only", len(ids))
	}
	return ids
}

// What was acknowledged survives whatever dies.
func TestKill(t *testing.T) {
	prepare := func(t *testing.T, database string) (r, alice int64) {
		s := ok(Open(t.Context(), database, "", Options{}))(t)
		alice = user(t, s, "alice")
		r = room(t, s, alice, "room")
		ok(0, s.Close())(t)
		return r, alice
	}
	check := func(t *testing.T, s *Store, r int64, ids []int64) {
		for _, id := range ids {
			ok(0, s.read.QueryRowContext(t.Context(), `SELECT id FROM messages WHERE id = $1 AND room_id = $2`, id, r).Scan(&id))(t)
		}
		var messages, seq int
		ok(0, s.read.QueryRowContext(t.Context(), `SELECT (SELECT COUNT(*) FROM messages), seq FROM rooms`).Scan(&messages, &seq))(t)
		equal(t, "numbers", seq, messages)
	}
	killed := func(child *os.Process) { _ = child.Kill() }

	t.Run("sqlite", func(t *testing.T) {
		database := newSQLite(t)
		r, _ := prepare(t, database)
		ids := killWriter(t, database, killed)
		s := open(t, database, Options{})
		check(t, s, r, ids)
		var integrity string
		ok(0, s.read.QueryRowContext(t.Context(), `PRAGMA integrity_check`).Scan(&integrity))(t)
		equal(t, "integrity", integrity, "ok")
		equal(t, "settings", settings(t, s), "wal 2 1")
	})
	t.Run("postgres", func(t *testing.T) {
		server := postgrestest.Start(t)
		database := server.Database(t)
		r, alice := prepare(t, database)
		ids := killWriter(t, database, killed)
		ids = append(ids, killWriter(t, database, func(*os.Process) { server.Kill() })...)
		server.Restart(t)
		s := open(t, database, Options{})
		check(t, s, r, ids)

		// A store outlives its server.
		server.Kill()
		if _, err := s.Say(t.Context(), event(), NewMessage{Room: r, User: alice, Text: "x"}); err == nil {
			t.Error("written without a server")
		}
		server.Restart(t)
		say(t, s, r, alice, "y")
	})
}

// settings returns what the writing connection of an SQLite runs with.
func settings(t *testing.T, s *Store) string {
	t.Helper()
	var values []string
	for _, pragma := range []string{"journal_mode", "synchronous", "foreign_keys"} {
		var value string
		ok(0, s.write.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&value))(t)
		values = append(values, value)
	}
	return strings.Join(values, " ")
}
