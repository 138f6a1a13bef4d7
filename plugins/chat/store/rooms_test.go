package store

import (
	"strings"
	"testing"
)

func names(rooms []Room) (names []string) {
	for _, r := range rooms {
		names = append(names, r.Name)
	}
	return names
}

func testRooms(t *testing.T, s *Store) {
	ctx := t.Context()
	at(s, 5_000_000_000_000)
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	first := ok(s.CreateRoom(ctx, event(), NewRoom{User: alice, Name: "one", Desc: "d", Type: DialogRoom}))(t)
	equal(t, "room", first, Room{ID: first.ID, Name: "one", Desc: "d", Type: DialogRoom, Customer: alice, Date: 5_000_000_000_000})
	second := ok(s.CreateRoom(ctx, event(), NewRoom{User: alice, Name: strings.Repeat("é", 50), Type: GlobalRoom}))(t)
	equal(t, "in the same millisecond", second.Date, first.Date+1)
	equal(t, "all", ok(s.Rooms(ctx, alice, 0))(t), []Room{second, first})
	equal(t, "after the first", ok(s.Rooms(ctx, alice, first.Date))(t), []Room{second})
	equal(t, "bob's", len(ok(s.Rooms(ctx, bob, 0))(t)), 0)

	for _, r := range []NewRoom{
		{User: alice, Type: GlobalRoom},
		{User: alice, Name: strings.Repeat("x", 101), Type: GlobalRoom},
		{User: alice, Name: "x", Desc: strings.Repeat("x", 801), Type: GlobalRoom},
		{User: alice, Name: "x", Type: 3},
		{User: alice, Name: "x", Type: -1},
	} {
		_, err := s.CreateRoom(ctx, event(), r)
		wantErr(t, r.Name, err, ErrInvalid)
	}

	b := ok(s.RenameRoom(ctx, event(), first.ID, alice, "Eins"))(t)
	equal(t, "renamed", b, Broadcast{Room: first.ID, Seq: 1, Kind: Renamed, Text: "Eins"})
	b = ok(s.DescribeRoom(ctx, event(), first.ID, alice, ""))(t)
	equal(t, "described", b, Broadcast{Room: first.ID, Seq: 2, Kind: Redescribed})
	equal(t, "after it", ok(s.Rooms(ctx, alice, 0))(t)[1], Room{ID: first.ID, Name: "Eins", Type: DialogRoom, Customer: alice, Date: first.Date})
	_, err := s.RenameRoom(ctx, event(), first.ID, alice, "")
	wantErr(t, "no name", err, ErrInvalid)

	say(t, s, first.ID, alice, "hello")
	b = ok(s.DeleteRoom(ctx, event(), first.ID, alice))(t)
	equal(t, "gone", b, Broadcast{Room: first.ID, Seq: 4, Kind: RoomGone})
	equal(t, "left", ok(s.Rooms(ctx, alice, 0))(t), []Room{second})
	_, err = s.DeleteRoom(ctx, event(), first.ID, alice)
	wantErr(t, "again", err, ErrNotFound)
	third := ok(s.CreateRoom(ctx, event(), NewRoom{User: alice, Name: "three", Type: GlobalRoom}))(t)
	ok(s.DeleteRoom(ctx, event(), third.ID, alice))(t)
	if fourth := ok(s.CreateRoom(ctx, event(), NewRoom{User: alice, Name: "four", Type: GlobalRoom}))(t); fourth.ID <= third.ID {
		t.Errorf("the id %d is used again after %d", fourth.ID, third.ID)
	}
}

func testSearchRooms(t *testing.T, s *Store) {
	ctx := t.Context()
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	for _, name := range []string{"General talk", "general", "GENERAL", "Genesis", `100%`, `a_b`, `a\b`, "axb", "Ärger", "\U0010FFFF"} {
		room(t, s, alice, name)
	}
	for prefix, want := range map[string][]string{
		"gen": {"Genesis", "GENERAL", "general", "General talk"}, "GENERAL T": {"General talk"}, "eneral": nil, "%": nil, "G_n": nil,
		"100%": {"100%"}, "100": {"100%"}, "a_": {"a_b"}, `a\`: {`a\b`}, "A": {"axb", `a\b`, "a_b"},
		"ä": nil, "Ä": {"Ärger"}, "talk": nil, "\U0010FFFF": {"\U0010FFFF"},
	} {
		equal(t, prefix, names(ok(s.SearchRooms(ctx, bob, prefix))(t)), want)
		equal(t, prefix+" of a member", len(ok(s.SearchRooms(ctx, alice, prefix))(t)), 0)
	}
	for _, prefix := range []string{"", strings.Repeat("x", 101)} {
		_, err := s.SearchRooms(ctx, bob, prefix)
		wantErr(t, prefix, err, ErrInvalid)
	}
	r := room(t, s, alice, "ban", bob)
	ok(s.Ban(ctx, event(), r, alice, bob))(t)
	equal(t, "banned", len(ok(s.SearchRooms(ctx, bob, "ban"))(t)), 0)
	ok(s.RenameRoom(ctx, event(), ok(s.SearchRooms(ctx, bob, "genesis"))(t)[0].ID, alice, "Exodus"))(t)
	equal(t, "by the old name", len(ok(s.SearchRooms(ctx, bob, "genesis"))(t)), 0)
	equal(t, "by the new name", names(ok(s.SearchRooms(ctx, bob, "exo"))(t)), []string{"Exodus"})
	for range MaxRooms + 1 {
		room(t, s, alice, "many")
	}
	equal(t, "many", len(ok(s.SearchRooms(ctx, bob, "many"))(t)), MaxRooms)
}

func testPrivateRooms(t *testing.T, s *Store) {
	ctx := t.Context()
	alice, bob := user(t, s, "alice"), user(t, s, "bob")
	for _, kind := range []RoomType{PrivateRoom, GlobalRoom, DialogRoom} {
		r := ok(s.CreateRoom(ctx, event(), NewRoom{User: alice, Name: "room", Type: kind}))(t)
		s.options.PrivateRooms = true
		found := len(ok(s.SearchRooms(ctx, bob, "room"))(t)) == 1
		_, err := s.Join(ctx, event(), r.ID, bob)
		if isOpen := kind == GlobalRoom; found != isOpen || (err == nil) != isOpen {
			t.Errorf("type %d: found %t, joined with error %v", kind, found, err)
		}
		if kind != GlobalRoom {
			wantErr(t, "join", err, ErrForbidden)
			s.options.PrivateRooms = false
			equal(t, "found as in the original", len(ok(s.SearchRooms(ctx, bob, "room"))(t)), 1)
			ok(s.Join(ctx, event(), r.ID, bob))(t)
		}
		ok(s.DeleteRoom(ctx, event(), r.ID, alice))(t)
	}
}

func testMembers(t *testing.T, s *Store) {
	ctx := t.Context()
	alice, bob, carl := user(t, s, "alice"), user(t, s, "bob"), user(t, s, "carl")
	r := room(t, s, alice, "room")
	b := ok(s.Join(ctx, event(), r, bob))(t)
	equal(t, "broadcast", *b.User, User{ID: bob, Login: "bob"})
	equal(t, "room", b.Of.Name, "room")
	equal(t, "seq", b.Seq, 1)
	ok(s.Join(ctx, event(), r, carl))(t)
	members, seq, err := s.Members(ctx, r, bob)
	equal(t, "members", ok(members, err)(t), []Member{{alice, "alice", Customer}, {bob, "bob", Simple}, {carl, "carl", Simple}})
	equal(t, "as of", seq, 2)
	b = ok(s.Ban(ctx, event(), r, alice, bob))(t)
	equal(t, "ban", *b.User, User{ID: bob, Login: "bob"})
	members, seq, err = s.Members(ctx, r, carl)
	equal(t, "members", ok(members, err)(t), []Member{{alice, "alice", Customer}, {carl, "carl", Simple}})
	equal(t, "as of", seq, 3)
	equal(t, "rooms of the banned", len(ok(s.Rooms(ctx, bob, 0))(t)), 0)

	_, err = s.Ban(ctx, event(), r, alice, alice)
	wantErr(t, "the customer himself", err, ErrForbidden)
	_, err = s.Ban(ctx, event(), r, alice, bob)
	wantErr(t, "twice", err, ErrNotFound)
	_, err = s.Ban(ctx, event(), r, alice, 999)
	wantErr(t, "nobody", err, ErrNotFound)
	_, err = s.Join(ctx, event(), r, bob)
	wantErr(t, "a banned one joins", err, ErrForbidden)
	_, err = s.Join(ctx, event(), r, carl)
	wantErr(t, "a member joins", err, ErrForbidden)
	_, err = s.Join(ctx, event(), 999, carl)
	wantErr(t, "a room that is not there", err, ErrNotFound)
	_, err = s.Join(ctx, event(), r, 999)
	wantErr(t, "nobody joins", err, ErrNotFound)
	_, seq, err = s.Members(ctx, r, carl)
	equal(t, "what was refused took no number", ok(seq, err)(t), 3)
}

// Who may do what.
func testPermissions(t *testing.T, s *Store) {
	ctx := t.Context()
	alice, dora := user(t, s, "alice"), user(t, s, "dora")
	who := map[string]int64{
		"customer": alice, "admin": user(t, s, "admin"), "moderator": user(t, s, "moderator"),
		"simple": user(t, s, "simple"), "banned": user(t, s, "banned"), "stranger": user(t, s, "stranger"),
	}
	const everybody, nobody = "customer admin moderator simple", ""
	tests := []struct {
		what string
		may  string
		do   func(r, user, message int64) error
	}{
		{"say", everybody, func(r, u, _ int64) error {
			_, err := s.Say(ctx, event(), NewMessage{Room: r, User: u, Text: "x"})
			return err
		}},
		{"newer", everybody, func(r, u, _ int64) error { _, _, err := s.Newer(ctx, r, u, 0, 1); return err }},
		{"older", everybody, func(r, u, _ int64) error { _, err := s.Older(ctx, r, u, 0, 1); return err }},
		{"search", everybody, func(r, u, _ int64) error { _, err := s.SearchMessages(ctx, r, u, "x"); return err }},
		{"members", everybody, func(r, u, _ int64) error { _, _, err := s.Members(ctx, r, u); return err }},
		{"upload", everybody, func(r, u, _ int64) error {
			_, err := s.BeginFile(ctx, event(), NewFile{Room: r, User: u, Name: "x"})
			return err
		}},
		{"edit another's", nobody, func(r, u, m int64) error { _, err := s.Edit(ctx, event(), r, u, m, "y"); return err }},
		{"delete another's", "customer admin moderator", func(r, u, m int64) error {
			_, err := s.DeleteMessage(ctx, event(), r, u, m)
			return err
		}},
		{"rename", "customer", func(r, u, _ int64) error { _, err := s.RenameRoom(ctx, event(), r, u, "y"); return err }},
		{"describe", "customer", func(r, u, _ int64) error { _, err := s.DescribeRoom(ctx, event(), r, u, "y"); return err }},
		{"ban", "customer", func(r, u, _ int64) error { _, err := s.Ban(ctx, event(), r, u, dora); return err }},
		{"clear", "customer", func(r, u, _ int64) error { _, err := s.ClearHistory(ctx, event(), r, u); return err }},
		{"delete", "customer", func(r, u, _ int64) error { _, err := s.DeleteRoom(ctx, event(), r, u); return err }},
		{"join", "stranger", func(r, u, _ int64) error { _, err := s.Join(ctx, event(), r, u); return err }},
	}
	for _, test := range tests {
		for name, u := range who {
			r := room(t, s, alice, "room", dora, who["admin"], who["moderator"], who["simple"], who["banned"])
			ok(s.Ban(ctx, event(), r, alice, who["banned"]))(t)
			ok(s.write.ExecContext(ctx, `UPDATE members SET permission = 1 WHERE room_id = $1 AND user_id = $2`, r, who["admin"]))(t)
			ok(s.write.ExecContext(ctx, `UPDATE members SET permission = 2 WHERE room_id = $1 AND user_id = $2`, r, who["moderator"]))(t)
			message := say(t, s, r, dora, "dora's")
			before := dump(t, s)
			err := test.do(r, u, message.ID)
			if strings.Contains(test.may, name) {
				ok(0, err)(t)
				continue
			}
			wantErr(t, name+": "+test.what, err, ErrForbidden)
			equal(t, "what is left by "+name+": "+test.what, dump(t, s), before)
		}
		wantErr(t, test.what+" in no room", test.do(999, alice, 1), ErrNotFound)
	}
}
