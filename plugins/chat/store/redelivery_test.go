package store

import (
	"fmt"
	"strings"
	"sync"
	"testing"
)

// scene is what the writes of a test are made in.
type scene struct {
	alice, bob, carl, room int64
	message                Message
	file                   File
}

func newScene(t *testing.T, s *Store) scene {
	t.Helper()
	n := events.Add(1)
	c := scene{alice: user(t, s, fmt.Sprint("alice", n)), bob: user(t, s, fmt.Sprint("bob", n)), carl: user(t, s, fmt.Sprint("carl", n))}
	c.room = room(t, s, c.alice, "room", c.bob)
	c.message = say(t, s, c.room, c.alice, "hello")
	c.file = ok(s.BeginFile(t.Context(), event(), NewFile{Room: c.room, User: c.alice, Name: "x", Size: 3}))(t)
	return c
}

// writes are all the methods that write.
func writes(t *testing.T, s *Store) map[string]func(event string, c scene) (any, error) {
	ctx := t.Context()
	return map[string]func(event string, c scene) (any, error){
		"sign up": func(event string, c scene) (any, error) {
			return s.SignUp(ctx, event, Account{Login: fmt.Sprint("new", c.room), Pass: pass})
		},
		"create room": func(event string, c scene) (any, error) {
			return s.CreateRoom(ctx, event, NewRoom{User: c.alice, Name: "new", Type: GlobalRoom})
		},
		"describe user": func(event string, c scene) (any, error) { return 0, s.DescribeUser(ctx, event, c.alice, "d") },
		"rename":        func(event string, c scene) (any, error) { return s.RenameRoom(ctx, event, c.room, c.alice, "n") },
		"describe":      func(event string, c scene) (any, error) { return s.DescribeRoom(ctx, event, c.room, c.alice, "d") },
		"delete room":   func(event string, c scene) (any, error) { return s.DeleteRoom(ctx, event, c.room, c.alice) },
		"clear":         func(event string, c scene) (any, error) { return s.ClearHistory(ctx, event, c.room, c.alice) },
		"join":          func(event string, c scene) (any, error) { return s.Join(ctx, event, c.room, c.carl) },
		"ban":           func(event string, c scene) (any, error) { return s.Ban(ctx, event, c.room, c.alice, c.bob) },
		"say": func(event string, c scene) (any, error) {
			return s.Say(ctx, event, NewMessage{Room: c.room, User: c.bob, Text: "x", Power: 1})
		},
		"say of another protocol": func(event string, c scene) (any, error) {
			return s.SayForeign(ctx, event, Foreign{Room: c.room, Author: "somebody", Text: "x", Power: 1})
		},
		"edit": func(event string, c scene) (any, error) {
			return s.Edit(ctx, event, c.room, c.alice, c.message.ID, "edited")
		},
		"delete": func(event string, c scene) (any, error) {
			return s.DeleteMessage(ctx, event, c.room, c.alice, c.message.ID)
		},
		"begin file": func(event string, c scene) (any, error) {
			return s.BeginFile(ctx, event, NewFile{Room: c.room, User: c.bob, Name: "y"})
		},
		"finish file": func(event string, c scene) (any, error) { return s.FinishFile(ctx, event, c.file.ID) },
	}
}

// shown prints a result, with what it points to.
func shown(result any) string {
	b, isBroadcast := result.(Broadcast)
	if !isBroadcast {
		return fmt.Sprintf("%+v", result)
	}
	text := fmt.Sprintf("%d %d %d %s %d", b.Room, b.Seq, b.Kind, b.Text, b.Power)
	if b.Message != nil {
		text += fmt.Sprintf(" %+v", *b.Message)
	}
	if b.User != nil {
		text += fmt.Sprintf(" %+v", *b.User)
	}
	if b.Of != nil {
		text += fmt.Sprintf(" %+v", *b.Of)
	}
	return text
}

// What is delivered again writes nothing and is answered as before, even if it was not possible now.
func testRedelivery(t *testing.T, s *Store) {
	for name, write := range writes(t, s) {
		c := newScene(t, s)
		event := event()
		first := ok(write(event, c))(t)
		held := dump(t, s)
		equal(t, name, shown(ok(write(event, c))(t)), shown(first))
		equal(t, "what is left by "+name, dump(t, s), held)
		if name == "begin file" || name == "delete room" || name == "describe user" {
			continue // says no more of the room
		}
		if _, err := s.DeleteRoom(t.Context(), name+event, c.room, c.alice); err != nil {
			t.Fatal(err)
		}
		equal(t, name+" when the room is gone", shown(ok(write(event, c))(t)), shown(first))
	}
}

// An event that two processes have at the same time is written by one.
func testRedeliveryAtOnce(t *testing.T, s *Store) {
	for name, write := range writes(t, s) {
		c := newScene(t, s)
		event := event()
		results := make([]string, 4)
		var group sync.WaitGroup
		for i := range results {
			group.Go(func() {
				result, err := write(event, c)
				results[i] = shown(result)
				if err != nil {
					results[i] = err.Error()
				}
			})
		}
		group.Wait()
		for _, result := range results {
			equal(t, name, result, results[0])
		}
		if strings.Contains(dump(t, s), "somebody") {
			t.Error("an author without account has one")
		}
	}
}
