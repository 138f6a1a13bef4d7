//go:build linux

package chat

import (
	"strings"
	"testing"
	"time"

	"github.com/protocol-bridge/bridge/test/internal/harness"
)

// TestManySessions: without single_session a login is online as often as it likes, and all its sessions hear
// its rooms, also those that one of them makes or joins, until it is banned there.
func TestManySessions(t *testing.T) {
	p := open(t, "sqlite:chat.db", "    single_session = false\n")
	alice := p.user(t, "alice")
	room := alice.room("r")
	also := p.dial(t)
	also.logIn(alice.login)
	alice.speak(room, "one", also)
	bob := p.user(t, "bob")
	bobs := p.dial(t)
	bobs.logIn(bob.login)
	bob.join(room, alice, also)
	bobs.want(`{"type":14,"name":"r",<any>`)
	bobs.want(`{"type":21,"user_id":%d,"room_id":%d,"login":"%s"}`, bob.id, room, bob.login)
	also.speak(room, "two", alice, bob, bobs)
	alice.say(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
	for _, c := range []*client{alice, also} {
		c.want(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
	}
	for _, c := range []*client{bob, bobs} {
		c.want(`{"type":13,"room_id":%d}`, room)
	}
	alice.speak(room, "three", also)
	bob.nothing()
	bobs.nothing()
	room = alice.room("of alice")
	also.want(`{"type":12,"name":"of alice",<any>,"id":%d,<any>`, room)
	// Who logs out ends one session.
	also.say(`{"type":26,"token":%q}`, also.token)
	also.want(`{"type":26,"token":"%s"}`, also.token)
	alice.speak(room, "four")
}

// TestNoSignUp: where nobody can sign up nobody does.
func TestNoSignUp(t *testing.T) {
	p := open(t, "sqlite:chat.db", "    signup = false\n")
	for _, c := range p.both(t) {
		c.say(`{"type":1,"login":"alice","pass":%q,"name":"","desc":""}`, pass)
		c.refused(101, 1)
	}
}

// TestPrivateRooms: rooms of the types 0 and 2 are hidden and closed where the operator says so.
func TestPrivateRooms(t *testing.T) {
	p := open(t, "sqlite:chat.db", "    private_rooms = true\n")
	alice, bob := p.user(t, "alice"), p.user(t, "bob")
	for typ, found := range []int{0, 1, 0} {
		alice.say(`{"type":12,"name":"room %d","desc":"","type":%d}`, typ, typ)
		room := number(alice.get()["id"])
		bob.say(`{"type":18,"name":"room %d"}`, typ)
		if m := bob.get(); len(m["rooms"].([]any)) != found {
			t.Errorf("of type %d is found %v", typ, m)
		}
		bob.say(`{"type":14,"room_id":%d}`, room)
		if m := bob.get(); (number(m["type"]) == 14) != (found == 1) {
			t.Errorf("joined one of type %d: %v", typ, m)
		}
		if found == 1 {
			bob.get() // told of itself, as alice is
			alice.get()
		}
	}
}

// TestGuessing: from the eleventh wrong log-in on answers come later, and right ones as well.
func TestGuessing(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	alice := p.user(t, "alice")
	alice.close()
	c := p.dial(t)
	for range 10 {
		c.say(`{"type":0,"login":%q,"pass":%q}`, alice.login, strings.Repeat("0", 64))
		c.want(`{"type":9,"error_code":0,"msg":"The email or password inccorect"}`)
	}
	began := time.Now()
	c.say(`{"type":0,"login":%q,"pass":%q}`, alice.login, strings.Repeat("0", 64))
	c.say(`{"type":2,"token":%q}`, alice.token) // waits for its turn
	c.want(`{"type":9,"error_code":0,"msg":"The email or password inccorect"}`)
	if took := time.Since(began); took < time.Second {
		t.Errorf("answered after %v", took)
	}
	c.want(`{"type":2,"token":"%s","login":"%s","desc":"<any>"}`, alice.token, alice.login)
	p.user(t, "bob") // others are not delayed
}

// TestRefusals: ten requests refused in a row for want of permission end a connection, others do not count.
func TestRefusals(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	c := p.user(t, "alice")
	for i := range 9 {
		c.say(`{"type":19,"room_id":%d}`, 1000+i)
		c.refused(102, 19)
		c.send("nonsense")
		c.refused(100, -1)
	}
	c.nothing() // what is not refused begins anew
	for range 10 {
		c.say(`{"type":19,"room_id":1000}`)
		c.refused(102, 19)
	}
	c.closed(1008)
	c = p.user(t, "bob")
	c.send(strings.Repeat("{\"type\":23,\"desc\":\"\"}\n", 100))
	for {
		if text, _, err := c.next(); err != nil {
			if !strings.Contains(err.Error(), "1008") {
				t.Errorf("%s, %v", text, err)
			}
			break
		}
	}
	c = p.user(t, "carol")
	c.send(strings.Repeat(" ", 64<<10+1))
	c.closed(1009)
	c = p.dialTCP(t)
	c.send(strings.Repeat(" ", 64<<10+2))
	c.ended()
}

// TestSlowDownload: a client that does not read its file for a while goes on hearing its rooms, in the end.
func TestSlowDownload(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	alice := p.user(t, "alice")
	room := alice.room("r")
	data := strings.Repeat("0123456789abcdef", 600_000)
	file := number(alice.upload(room, "big", data)["message_id"])
	bob := p.user(t, "bob")
	bob.join(room, alice)
	bob.say(`{"type":25,"room_id":%d,"msg_id":%d}`, room, file)
	bob.get()
	bob.say(`{"type":27}`)
	harness.Pause(200 * time.Millisecond) // what fits on the way is full
	for range 20 {
		alice.speak(room, "meanwhile")
	}
	bytes, heard := 0, 0
	for bytes < len(data) || heard < 20 {
		text, binary, err := bob.next()
		switch {
		case err != nil:
			t.Fatalf("%d bytes and %d messages came: %v", bytes, heard, err)
		case binary:
			if text != data[bytes:bytes+len(text)] {
				t.Fatalf("other bytes at %d", bytes)
			}
			bytes += len(text)
		case strings.HasPrefix(text, `{"type":3,`):
			heard++
		}
	}
}
