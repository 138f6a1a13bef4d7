//go:build linux

package chat

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// What the original's client must find in what it is told; it ends its process where something is missing.
var needs = map[int64][]string{
	2: {"token", "login", "desc"}, 3: {"message", "room_id", "date", "message_id", "user_id", "msg_type", "power"},
	4: {"msg", "room_id", "msg_id", "power"}, 5: {"room_id", "msg_id"}, 6: {"room_id"}, 7: {"room_id", "messages"},
	8: {"msgs"}, 10: {"room_id", "messages"}, 11: {"rooms"}, 12: {"name", "customer_id", "id", "date", "desc", "power"},
	13: {"room_id"}, 14: {"name", "customer_id", "id", "date", "desc", "power"}, 17: {"power", "room_id"},
	18: {"rooms"}, 19: {"members", "room_id"}, 21: {"login", "user_id", "room_id"}, 22: {"room_id", "user_id"},
	26: {"token"},
}

// original is a client as strict as the original's: it knows rooms and members as that does, and fails where
// that would end.
type original struct {
	*client
	in      bool                     // it is logged in
	members map[int64]map[int64]bool // by room
}

// told reads until something of that type comes, and returns it.
func (o *original) told(typ int64) map[string]any {
	o.t.Helper()
	for {
		m := o.get()
		is := number(m["type"])
		keys, known := needs[is]
		if !known {
			o.t.Fatalf("told %v, which ends it", m)
		}
		for _, key := range keys {
			if m[key] == nil {
				o.t.Fatalf("told %v without %s", m, key)
			}
		}
		o.take(is, m)
		if is == typ {
			return m
		}
	}
}

func (o *original) take(typ int64, m map[string]any) {
	o.t.Helper()
	room := number(m["room_id"])
	switch {
	case o.in == (typ == 2):
		o.t.Fatalf("told %v, and is logged in: %t", m, o.in)
	case typ == 2 || typ == 26:
		o.in = typ == 2
		clear(o.members)
		return
	case typ == 12 || typ == 14:
		o.members[number(m["id"])] = make(map[int64]bool)
		return
	case typ == 11:
		for _, room := range m["rooms"].([]any) {
			o.members[number(room.(map[string]any)["id"])] = make(map[int64]bool)
		}
		return
	case typ == 8 || typ == 18:
		return
	case o.members[room] == nil:
		o.t.Fatalf("told %v of a room that it does not know", m)
	}
	switch typ {
	case 13:
		delete(o.members, room)
	case 19:
		for _, member := range m["members"].([]any) {
			o.members[room][number(member.(map[string]any)["id"])] = true
		}
	case 21, 22:
		user := number(m["user_id"])
		if o.members[room][user] == (typ == 21) {
			o.t.Fatalf("told %v, with members %v", m, o.members[room])
		}
		o.members[room][user] = typ == 21
	}
}

// enter does what the original's client does with a room: it asks twice who is there, and for what was said.
func (o *original) enter(room int64) {
	o.t.Helper()
	o.say(`{"type":19,"room_id":%d}`, room)
	o.say(`{"type":19,"room_id":%d}`, room)
	o.say(`{"type":7,"room_id":%d,"date":0,"count":30}`, room)
	o.told(7)
}

// hears reads until somebody says that.
func (o *original) hears(text string) {
	o.t.Helper()
	for o.told(3)["message"] != text {
		continue
	}
}

// original signs one up, which makes a room.
func (p *place) original(t testing.TB) (gtk *original, room int64) {
	t.Helper()
	gtk = &original{client: p.dialTCP(t), members: make(map[int64]map[int64]bool)}
	gtk.login = login("gtkuser")
	gtk.say(`{"type":1,"login":%q,"pass":%q,"name":"","desc":""}`, gtk.login, pass)
	gtk.token = gtk.told(2)["token"].(string)
	gtk.say(`{"type":11,"date":0}`)
	gtk.told(11)
	gtk.say(`{"type":12,"name":"gtk room","desc":"","type":1}`)
	room = number(gtk.told(12)["id"])
	gtk.enter(room)
	return gtk, room
}

// TestStatement46: a client as strict as the original's is told what it can take, while others come to its room
// and are banned from it as fast as they can.
func TestStatement46(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	gtk, room := p.original(t)
	for i := range 8 {
		bob := p.user(t, "bob")
		bob.say(`{"type":14,"room_id":%d}`, room)
		gtk.enter(room) // at the same time
		bob.get()
		id := number(bob.get()["user_id"])
		bob.say(`{"type":3,"room_id":%d,"message":"hi %d","msg_type":0}`, room, i)
		gtk.hears(fmt.Sprint("hi ", i))
		gtk.say(`{"type":3,"room_id":%d,"message":"hello %d","msg_type":0}`, room, i)
		gtk.hears(fmt.Sprint("hello ", i))
		if i%2 == 0 {
			gtk.say(`{"type":22,"room_id":%d,"user_id":%d}`, room, id)
			gtk.told(22)
		}
	}
}

// TestOriginalComesBack: a client as strict as the original's logs out and in while others talk in its room as
// fast as they may. It hears of the room once it knows it, and of what is said from then on.
func TestOriginalComesBack(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	gtk, room := p.original(t)
	const talkers = 3
	stop := make(chan struct{})
	var talking sync.WaitGroup
	for range talkers {
		bob := p.user(t, "bob")
		bob.say(`{"type":14,"room_id":%d}`, room)
		talking.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				if err := harness.Send(bob.ws, fmt.Sprintf(`{"type":3,"room_id":%d,"message":"%d","msg_type":0}`, room, i)); err != nil {
					t.Error(err)
					return
				}
				for heard := false; !heard; { // its own, or that of another
					text, _, err := bob.next()
					if err != nil {
						t.Error(err)
						return
					}
					heard = strings.HasPrefix(text, `{"type":3,`)
				}
			}
		})
	}
	defer talking.Wait()
	defer close(stop)
	for range 12 {
		gtk.told(3)
		gtk.say(`{"type":26,"token":%q}`, gtk.token)
		gtk.told(26)
		gtk.say(`{"type":0,"login":%q,"pass":%q}`, gtk.login, pass)
		gtk.token = gtk.told(2)["token"].(string)
		gtk.say(`{"type":11,"date":0}`)
		gtk.told(11)
		gtk.enter(room)
	}
	gtk.told(3)
}
