package store

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/plugins/chat/files"
)

func testFiles(t *testing.T, s *Store) {
	ctx := t.Context()
	alice, bob, eve := user(t, s, "alice"), user(t, s, "bob"), user(t, s, "eve")
	r, other := room(t, s, alice, "room", bob), room(t, s, alice, "other", bob)
	f := ok(s.BeginFile(ctx, "e1", NewFile{Room: r, User: bob, Name: "note.txt", Size: 12}))(t)
	equal(t, "again", ok(s.BeginFile(ctx, "e1", NewFile{Room: r, User: bob, Name: "note.txt", Size: 12}))(t), f)
	if !files.IsID(f.ID) {
		t.Errorf("id %q", f.ID)
	}
	equal(t, "unseen", len(ok(s.Older(ctx, r, bob, 1<<60, 10))(t)), 0)
	b := ok(s.FinishFile(ctx, "e2", f.ID))(t)
	want := Message{
		ID: b.Message.ID, Room: r, User: bob, Date: b.Message.Date, Text: "files/" + f.ID + "__note.txt", Type: FileMessage,
		Power: 12, FileSize: 12, FileName: "note.txt",
	}
	equal(t, "message", *b.Message, want)
	equal(t, "power", b.Power, 12)
	equal(t, "in the list", ok(s.Older(ctx, r, bob, 1<<60, 10))(t), []Message{want})
	equal(t, "download", ok(s.FileOf(ctx, r, alice, want.ID))(t), f)

	wantErr(t, "finished again", fail(s.FinishFile(ctx, event(), f.ID)), ErrNotFound)
	wantErr(t, "no such file", fail(s.FinishFile(ctx, event(), strings.Repeat("0", 32))), ErrNotFound)
	wantErr(t, "no id", fail(s.FinishFile(ctx, event(), "../x")), ErrNotFound)
	text := say(t, s, r, alice, "/etc/passwd")
	wantErr(t, "of a text", fail(s.FileOf(ctx, r, alice, text.ID)), ErrNotFound)
	wantErr(t, "of another room", fail(s.FileOf(ctx, other, alice, want.ID)), ErrNotFound)
	wantErr(t, "by a stranger", fail(s.FileOf(ctx, r, eve, want.ID)), ErrNotFound)
	for _, size := range []int64{-1, MaxFile + 1} {
		wantErr(t, "size", fail(s.BeginFile(ctx, event(), NewFile{Room: r, User: bob, Name: "x", Size: size})), ErrInvalid)
	}

	open := ok(s.BeginFile(ctx, event(), NewFile{Room: r, User: bob, Name: "x", Size: MaxFile}))(t)
	dropped := ok(s.BeginFile(ctx, event(), NewFile{Room: r, User: bob, Name: "x"}))(t)
	ok(0, s.DropFile(ctx, dropped.ID))(t)
	ok(0, s.DropFile(ctx, f.ID))(t) // finished
	ok(0, s.DropFile(ctx, "../x"))(t)
	wantErr(t, "dropped", fail(s.FinishFile(ctx, event(), dropped.ID)), ErrNotFound)
	ok(s.Ban(ctx, event(), r, alice, bob))(t)
	wantErr(t, "finished when banned", fail(s.FinishFile(ctx, event(), open.ID)), ErrForbidden)
	wantErr(t, "download when banned", fail(s.FileOf(ctx, r, bob, want.ID)), ErrNotFound)
	equal(t, "download by others", ok(s.FileOf(ctx, r, alice, want.ID))(t).ID, f.ID)

	equal(t, "wanted", ok(s.HasFile(ctx, f.ID))(t), true)
	equal(t, "wanted", ok(s.HasFile(ctx, dropped.ID))(t), false)
	ok(s.DeleteMessage(ctx, event(), r, alice, want.ID))(t)
	equal(t, "wanted", ok(s.HasFile(ctx, f.ID))(t), false)
}

func testCleanup(t *testing.T, s *Store) {
	ctx := t.Context()
	at(s, 1_000)
	alice := user(t, s, "alice")
	kept, cleared, gone := room(t, s, alice, "kept"), room(t, s, alice, "cleared"), room(t, s, alice, "gone")
	upload := func(r int64, finish bool) string {
		f := ok(s.BeginFile(ctx, event(), NewFile{Room: r, User: alice, Name: "x"}))(t)
		if finish {
			ok(s.FinishFile(ctx, event(), f.ID))(t)
		}
		return f.ID
	}
	stays, old := upload(kept, true), upload(kept, false)
	goes := map[string]bool{old: true, upload(cleared, true): true, upload(gone, true): true, upload(gone, false): true}
	ok(s.ClearHistory(ctx, event(), cleared, alice))(t)
	ok(s.DeleteRoom(ctx, event(), gone, alice))(t)
	token := ok(s.IssueToken(ctx, event(), alice))(t)
	at(s, 2_000)
	recent := upload(kept, false)

	refusal := errors.New("the disk is away")
	err := s.Cleanup(ctx, time.UnixMilli(2_000), func(context.Context, string) error { return refusal })
	wantErr(t, "trouble", err, refusal)
	clean := func() (removed []string) {
		err := s.Cleanup(ctx, time.UnixMilli(2_000), func(_ context.Context, id string) error {
			removed = append(removed, id)
			return nil
		})
		ok(0, err)(t)
		return removed
	}
	removed := clean()
	for _, id := range removed {
		if !goes[id] {
			t.Errorf("%s is removed", id)
		}
	}
	equal(t, "removed", len(removed), len(goes))
	equal(t, "then", len(clean()), 0)
	equal(t, "kept", []bool{ok(s.HasFile(ctx, stays))(t), ok(s.HasFile(ctx, recent))(t), ok(s.HasFile(ctx, old))(t)}, []bool{true, true, false})
	equal(t, "token", ok(s.UserByToken(ctx, token))(t).ID, alice)

	// Tokens, and answers to events that nobody asks for any more.
	ok(0, s.MarkPublished(ctx, map[int64]int64{kept: 100}))(t)
	at(s, 2_000+tokenLife.Milliseconds())
	clean()
	count := func(query string) (n int) {
		ok(0, s.read.QueryRowContext(ctx, query).Scan(&n))(t)
		return n
	}
	equal(t, "tokens", count(`SELECT COUNT(*) FROM tokens`), 0)
	equal(t, "events that are told", count(`SELECT COUNT(*) FROM events WHERE published = 1`), 0)
	equal(t, "events that are not", count(`SELECT COUNT(*) FROM events`), 4)
}

// always is behind all that was written.
var always = time.UnixMilli(1 << 60)

func testOutbox(t *testing.T, s *Store) {
	ctx := t.Context()
	at(s, 1_000)
	alice := user(t, s, "alice")
	r, other := room(t, s, alice, "room"), room(t, s, alice, "other")
	first := ok(s.Say(ctx, event(), NewMessage{Room: r, User: alice, Text: "one", Power: 3}))(t)
	second := ok(s.RenameRoom(ctx, event(), r, alice, "two"))(t)
	third := ok(s.DeleteRoom(ctx, event(), r, alice))(t)
	at(s, 2_000)
	say(t, s, other, alice, "x")

	equal(t, "rooms", ok(s.UnpublishedRooms(ctx, time.UnixMilli(1_000)))(t), nil)
	equal(t, "rooms", ok(s.UnpublishedRooms(ctx, time.UnixMilli(2_000)))(t), []int64{r})
	equal(t, "rooms", ok(s.UnpublishedRooms(ctx, time.UnixMilli(2_001)))(t), []int64{r, other})
	got := ok(s.Unpublished(ctx, r, 0, third.Seq, always))(t)
	equal(t, "message", *got[0].Message, *first.Message)
	got[0].Message = first.Message
	equal(t, "all of it in order", got, []Broadcast{first, second, third})
	equal(t, "behind a number", len(ok(s.Unpublished(ctx, r, second.Seq, third.Seq, always))(t)), 1)
	equal(t, "of before", len(ok(s.Unpublished(ctx, r, 0, third.Seq, time.UnixMilli(1_000)))(t)), 0)
	equal(t, "up to a number", len(ok(s.Unpublished(ctx, r, 0, second.Seq, always))(t)), 2)
	ok(0, s.MarkPublished(ctx, nil))(t)
	ok(0, s.MarkPublished(ctx, map[int64]int64{r: second.Seq, 999: 5}))(t)
	equal(t, "left", ok(s.Unpublished(ctx, r, 0, 100, always))(t), []Broadcast{third})
	ok(0, s.MarkPublished(ctx, map[int64]int64{r: third.Seq, other: 1}))(t)
	equal(t, "rooms", ok(s.UnpublishedRooms(ctx, time.UnixMilli(5_000)))(t), nil)
}

// Of an upload that nobody finishes no byte stays.
func testChunks(t *testing.T, s *Store) {
	ctx := t.Context()
	alice := user(t, s, "alice")
	r, c := room(t, s, alice, "room"), s.Chunks()
	data := make([]byte, 3*chunk/2)
	upload := func() string {
		id := ok(s.BeginFile(ctx, event(), NewFile{Room: r, User: alice, Name: "x", Size: int64(len(data))}))(t).ID
		ok(0, c.Append(ctx, id, 0, data))(t)
		return id
	}
	rows := func() (n int) {
		ok(0, s.read.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM contents) + (SELECT COUNT(*) FROM chunks)`).Scan(&n))(t)
		return n
	}
	kept, late := upload(), upload()
	upload()
	ok(0, c.Finish(ctx, kept, int64(len(data))))(t)
	ok(s.FinishFile(ctx, event(), kept))(t)
	ok(0, c.Append(ctx, strings.Repeat("0", 32), 0, data))(t) // by one who did not hear that it was dropped
	equal(t, "rows", rows(), 4*3)
	ok(0, s.Cleanup(ctx, time.Now().Add(time.Hour), c.Remove))(t)
	equal(t, "rows of what has one in files", rows(), 2*3)
	wantErr(t, "going on", c.Append(ctx, late, int64(len(data)), data), files.ErrGap)
	ok(0, c.Sweep(ctx, time.Now().Add(-time.Hour), s.HasFile))(t)
	equal(t, "rows that are new", rows(), 2*3)
	ok(0, c.Sweep(ctx, time.Now().Add(time.Hour), s.HasFile))(t)
	equal(t, "rows of what is kept", rows(), 3)
	equal(t, "kept", len(ok(c.ReadAt(ctx, kept, 0, 1<<20))(t)), len(data))
}
