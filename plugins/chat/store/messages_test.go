package store

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func testHistory(t *testing.T, s *Store) {
	ctx := t.Context()
	at(s, 1_795_289_182_826)
	alice := user(t, s, "alice")
	r, other := room(t, s, alice, "room"), room(t, s, alice, "other")
	say(t, s, other, alice, "elsewhere")
	for i := range 40 {
		m := say(t, s, r, alice, fmt.Sprint(i))
		equal(t, "date in one millisecond", m.Date, 1_795_289_182_826+int64(i))
	}
	at(s, 1_000) // a clock that goes back
	equal(t, "date", say(t, s, r, alice, "40").Date, 1_795_289_182_866)

	newest, power, err := s.Newer(ctx, r, alice, 0, 30)
	equal(t, "newest", strings.Join(texts(ok(newest, err)(t))[:3], " "), "40 39 38")
	equal(t, "how many", len(newest), 30)
	equal(t, "power of the room", power, 10+31*2)
	older := ok(s.Older(ctx, r, alice, newest[29].Date, 30))(t)
	equal(t, "older", texts(older), strings.Fields("10 9 8 7 6 5 4 3 2 1 0"))
	after, _, err := s.Newer(ctx, r, alice, newest[2].Date, 30)
	equal(t, "after", texts(ok(after, err)(t)), []string{"40", "39"})
	for _, count := range []int{0, -1, -1 << 60} {
		none, _, err := s.Newer(ctx, r, alice, 0, count)
		equal(t, "none", len(ok(none, err)(t)), 0)
		equal(t, "none", len(ok(s.Older(ctx, r, alice, 1<<60, count))(t)), 0)
	}
	for i := range MaxMessages {
		ok(s.write.ExecContext(ctx, `INSERT INTO messages (room_id, user_id, date, text, search, type, power) VALUES ($1, $2, $3, 'x', 'x', 0, 1)`, r, alice, i))(t)
	}
	equal(t, "at most", len(ok(s.Older(ctx, r, alice, 1<<60, 1<<60))(t)), MaxMessages)
	equal(t, "one", ok(s.Older(ctx, r, alice, 1<<60, 1))(t)[0],
		Message{ID: newest[0].ID, Room: r, User: alice, Date: newest[0].Date, Text: "40", Power: 2})

	for _, text := range []string{"", strings.Repeat("x", 801)} {
		_, err := s.Say(ctx, event(), NewMessage{Room: r, User: alice, Text: text})
		wantErr(t, "text", err, ErrInvalid)
	}
	say(t, s, r, alice, strings.Repeat("x", 800))
	for _, kind := range []MessageType{-1, FileMessage, FileText, 77} {
		_, err := s.Say(ctx, event(), NewMessage{Room: r, User: alice, Text: "x", Type: kind})
		wantErr(t, "type", err, ErrInvalid)
	}
}

func testEdits(t *testing.T, s *Store) {
	ctx := t.Context()
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	r, other := room(t, s, alice, "room", bob), room(t, s, alice, "other", bob)
	m := *ok(s.Say(ctx, event(), NewMessage{Room: r, User: bob, Text: "Hello, World", Power: 65}))(t).Message
	b := ok(s.Edit(ctx, event(), r, bob, m.ID, "Hello, edited"))(t)
	equal(t, "broadcast", *b.Message, Message{ID: m.ID, Room: r, User: bob, Date: m.Date, Text: "Hello, edited", Edited: true, Power: 78})
	equal(t, "power of the room", b.Power, 78)
	equal(t, "seq", b.Seq, 3)
	equal(t, "in the list", ok(s.Older(ctx, r, bob, 1<<60, 1))(t)[0], *b.Message)
	equal(t, "found", texts(ok(s.SearchMessages(ctx, r, bob, "EDITED"))(t)), []string{"Hello, edited"})
	equal(t, "not found", len(ok(s.SearchMessages(ctx, r, bob, "world"))(t)), 0)

	sticker := *ok(s.Say(ctx, event(), NewMessage{Room: r, User: bob, Text: "cat", Type: Sticker}))(t).Message
	_, err := s.Edit(ctx, event(), r, bob, sticker.ID, "dog")
	wantErr(t, "a sticker", err, ErrForbidden)
	_, err = s.Edit(ctx, event(), other, bob, m.ID, "x")
	wantErr(t, "another room's", err, ErrNotFound)
	_, err = s.Edit(ctx, event(), r, bob, 999, "x")
	wantErr(t, "none", err, ErrNotFound)
	_, err = s.Edit(ctx, event(), r, bob, m.ID, "")
	wantErr(t, "to nothing", err, ErrInvalid)
	ok(s.Ban(ctx, event(), r, alice, bob))(t)
	_, err = s.Edit(ctx, event(), r, bob, m.ID, "x")
	wantErr(t, "when banned", err, ErrForbidden)
}

func testDeletions(t *testing.T, s *Store) {
	ctx := t.Context()
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	r, bobs := room(t, s, alice, "room", bob), room(t, s, bob, "other")
	m := say(t, s, r, bob, "x")
	_, err := s.DeleteMessage(ctx, event(), bobs, bob, say(t, s, r, alice, "alice's").ID)
	wantErr(t, "another room's", err, ErrNotFound)
	b := ok(s.DeleteMessage(ctx, event(), r, bob, m.ID))(t)
	equal(t, "kind", b.Kind, MessageGone)
	equal(t, "message", *b.Message, Message{ID: m.ID, Room: r})
	equal(t, "left", texts(ok(s.Older(ctx, r, bob, 1<<60, 10))(t)), []string{"alice's"})
	_, err = s.DeleteMessage(ctx, event(), r, bob, m.ID)
	wantErr(t, "again", err, ErrNotFound)
	newest := say(t, s, r, bob, "y")
	ok(s.DeleteMessage(ctx, event(), r, bob, newest.ID))(t)
	if next := say(t, s, r, bob, "z"); next.ID <= newest.ID || next.Date <= newest.Date {
		t.Errorf("after %+v came %+v", newest, next)
	}
	b = ok(s.ClearHistory(ctx, event(), r, alice))(t)
	equal(t, "kind", b.Kind, HistoryGone)
	left, power, err := s.Newer(ctx, r, bob, 0, 10)
	equal(t, "nothing", len(ok(left, err)(t)), 0)
	equal(t, "but the power", power, int64(len("x")+len("alice's")+len("y")+len("z")))
}

func testSearchMessages(t *testing.T, s *Store) {
	ctx := t.Context()
	alice := user(t, s, "alice")
	r, other := room(t, s, alice, "room"), room(t, s, alice, "other")
	say(t, s, r, alice, "Hello World")
	ok(s.Say(ctx, event(), NewMessage{Room: r, User: alice, Text: "hello", Type: Sticker}))(t)
	say(t, s, r, alice, `100% a_b \d`)
	say(t, s, r, alice, "Ünder hello")
	say(t, s, other, alice, "Hello elsewhere")
	for text, want := range map[string][]string{
		"WORLD": {"Hello World"}, "hello": {"Hello World", "Ünder hello"}, "%": {`100% a_b \d`}, "_": {`100% a_b \d`}, `\`: {`100% a_b \d`},
		"0%_": nil, "ü": nil, "Ü": {"Ünder hello"}, "o w": {"Hello World"}, "'": nil,
	} {
		equal(t, text, texts(ok(s.SearchMessages(ctx, r, alice, text))(t)), want)
	}
	for range MaxMessages + 1 {
		say(t, s, other, alice, "many")
	}
	equal(t, "many", len(ok(s.SearchMessages(ctx, other, alice, "MANY"))(t)), MaxMessages)
	_, err := s.SearchMessages(ctx, r, alice, "")
	wantErr(t, "nothing", err, ErrInvalid)
}

// Both databases find what a comparison of bytes finds, whatever the texts.
func testSearchModel(t *testing.T, s *Store) {
	ctx := t.Context()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	alphabet := []rune("aAbBzZ%_\\'\"*?[] \t\x01\x7fäÄßſKİıée\u0301\u200b\u2028\uFFFD\uFFFE\uFFFF🙂\U0010FFFF")
	text := func(most int) string {
		var b strings.Builder
		for range 1 + random.IntN(most) {
			b.WriteRune(alphabet[random.IntN(len(alphabet))])
		}
		return b.String()
	}
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	r := room(t, s, alice, "room")
	var all, rooms []string
	for range 300 {
		all = append(all, text(20))
		say(t, s, r, alice, all[len(all)-1])
	}
	for range 60 {
		rooms = append(rooms, text(6))
		room(t, s, alice, rooms[len(rooms)-1])
	}
	for range 300 {
		search := text(2)
		var want, wantRooms []string
		for _, text := range all {
			if strings.Contains(lower(text), lower(search)) {
				want = append(want, text)
			}
		}
		for i := range rooms {
			if name := rooms[len(rooms)-1-i]; strings.HasPrefix(lower(name), lower(search)) {
				wantRooms = append(wantRooms, name)
			}
		}
		if got := texts(ok(s.SearchMessages(ctx, r, alice, search))(t)); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("messages with %q: got %q, want %q", search, got, want)
		}
		if got := names(ok(s.SearchRooms(ctx, bob, search))(t)); fmt.Sprintf("%q", got) != fmt.Sprintf("%q", wantRooms) {
			t.Errorf("rooms with %q: got %q, want %q", search, got, wantRooms)
		}
	}
}

// One of the databases could not hold such a text.
func testTexts(t *testing.T, s *Store) {
	ctx := t.Context()
	alice := user(t, s, "alice")
	r := room(t, s, alice, "room")
	m := say(t, s, r, alice, "x")
	before := dump(t, s)
	for _, bad := range []string{"a\x00b", "\x00", "a\xff", "\xed\xa0\x80", "\xc0\x80"} {
		for what, err := range map[string]error{
			"event":          fail(s.Say(ctx, bad, NewMessage{Room: r, User: alice, Text: "x"})),
			"event of token": fail(s.IssueToken(ctx, bad, alice)),
			"event of file":  fail(s.BeginFile(ctx, bad, NewFile{Room: r, User: alice, Name: "x"})),
			"message":        fail(s.Say(ctx, event(), NewMessage{Room: r, User: alice, Text: bad})),
			"foreign":        fail(s.SayForeign(ctx, event(), Foreign{Room: r, Text: bad})),
			"edit":           fail(s.Edit(ctx, event(), r, alice, m.ID, bad)),
			"room":           fail(s.CreateRoom(ctx, event(), NewRoom{User: alice, Name: bad, Type: GlobalRoom})),
			"room's desc":    fail(s.CreateRoom(ctx, event(), NewRoom{User: alice, Name: "x", Desc: bad, Type: GlobalRoom})),
			"rename":         fail(s.RenameRoom(ctx, event(), r, alice, bad)),
			"describe":       fail(s.DescribeRoom(ctx, event(), r, alice, bad)),
			"user's desc":    s.DescribeUser(ctx, event(), alice, bad),
			"sign up":        fail(s.SignUp(ctx, event(), Account{Login: "bob", Pass: pass, Desc: bad})),
			"name":           fail(s.SignUp(ctx, event(), Account{Login: "bob", Pass: pass, Name: bad})),
			"login":          fail(s.SignUp(ctx, event(), Account{Login: bad, Pass: pass})),
			"search":         fail(s.SearchMessages(ctx, r, alice, bad)),
			"search rooms":   fail(s.SearchRooms(ctx, alice, bad)),
			"file":           fail(s.BeginFile(ctx, event(), NewFile{Room: r, User: alice, Name: bad})),
		} {
			wantErr(t, fmt.Sprintf("%s %q", what, bad), err, ErrInvalid)
		}
	}
	wantErr(t, "no event", fail(s.Say(ctx, "", NewMessage{Room: r, User: alice, Text: "x"})), ErrInvalid)
	wantErr(t, "long event", fail(s.Say(ctx, strings.Repeat("x", maxEvent+1), NewMessage{Room: r, User: alice, Text: "x"})), ErrInvalid)
	for _, id := range []int64{-1, 0, 1 << 31, 1 << 62, -1 << 63} {
		wantErr(t, "room", fail(s.Say(ctx, event(), NewMessage{Room: id, User: alice, Text: "x"})), ErrNotFound)
		wantErr(t, "message", fail(s.Edit(ctx, event(), r, alice, id, "x")), ErrNotFound)
		wantErr(t, "user", fail(s.User(ctx, id)), ErrNotFound)
		wantErr(t, "banned", fail(s.Ban(ctx, event(), r, alice, id)), ErrNotFound)
		wantErr(t, "stranger", fail(s.Older(ctx, r, id, 1, 1)), ErrForbidden)
	}
	equal(t, "what is left", dump(t, s), before)
	for _, good := range []string{"\x01", "\u2028<&>", "\"'\\", "\U0010FFFF", "\uFEFF", "ẞ"} {
		say(t, s, r, alice, good)
		equal(t, "kept", ok(s.Older(ctx, r, alice, 1<<62, 1))(t)[0].Text, good)
	}
}

func fail[T any](_ T, err error) error { return err }

func testForeign(t *testing.T, s *Store) {
	ctx := t.Context()
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	r := room(t, s, alice, "room")
	b := ok(s.SayForeign(ctx, "m1", Foreign{Room: r, Author: "bob", Text: "hi", Power: 9}))(t)
	equal(t, "the author's account, member or not", b.Message.User, bob)
	equal(t, "power", b.Power, 9)
	equal(t, "once", shown(ok(s.SayForeign(ctx, "m1", Foreign{Room: r, Author: "bob", Text: "hi", Power: 9}))(t)), shown(b))
	for i, author := range []string{"nobody", "", "x\x00", "\xff", "https://example.com/u/1"} {
		b := ok(s.SayForeign(ctx, fmt.Sprint("n", i), Foreign{Room: r, Author: author, Text: "hi"}))(t)
		equal(t, author, ok(s.User(ctx, b.Message.User))(t).Login, Reserved)
	}
	_, err := s.SayForeign(ctx, "m2", Foreign{Room: 999, Text: "hi"})
	wantErr(t, "no room", err, ErrNotFound)
	equal(t, "messages", len(ok(s.Older(ctx, r, alice, 1<<60, 100))(t)), 6)
}
