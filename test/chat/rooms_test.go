//go:build linux

package chat

import (
	"fmt"
	"strings"
	"testing"
)

var rooms = []statement{
	{11, func(t *testing.T, p *place) {
		for _, c := range p.both(t) {
			c.signUp(login("alice"))
			c.say(`{"type":12,"name":"n","desc":"","type":1}`)
			c.want(`{"type":12,"name":"n","customer_id":<n>,"id":<n>,"date":<date>,"desc":"","power":0,"room_type":1}`)
			c.say(`{"type":12,"name":"m"}`)
			c.want(`{"type":12,"name":"m","customer_id":<n>,"id":<n>,"date":<date>,"desc":"","power":0,"room_type":1}`)
			c.say(`{"type":12,"name":"m","type":0,"room_type":2}`)
			c.want(`{"type":12,"name":"m","customer_id":<n>,"id":<n>,"date":<date>,"desc":"","power":0,"room_type":2}`)
			c.say(`{"type":12,"name":"m","desc":"","type":12}`)
			c.want(`{"type":12,"name":"m","customer_id":<n>,"id":<n>,"date":<date>,"desc":"","power":0,"room_type":1}`)
			c.say(`{"type":12,"name":"m","desc":"","type":3}`)
			c.refused(100, 12)
		}
	}},
	{12, func(t *testing.T, p *place) {
		for typ := range 3 {
			c := p.user(t, "alice")
			c.say(`{"type":%d,"name":"n","desc":""}`, typ)
			c.want(`{"type":12,"name":"n","customer_id":<n>,"id":<n>,"date":<date>,"desc":"","power":0,"room_type":%d}`, typ)
		}
		c := p.user(t, "alice")
		c.say(`{"type":"DB_PRIVAT_CHAT","name":"n","desc":""}`)
		c.want(`{"type":12,"name":"n","customer_id":<n>,"id":<n>,"date":<date>,"desc":"","power":0,"room_type":0}`)
	}},
	{13, func(t *testing.T, p *place) {
		for _, name := range []string{"", strings.Repeat("x", 101), strings.Repeat("ä", 50) + "x", `a\u0000b`} {
			for _, c := range p.both(t) {
				c.signUp(login("alice"))
				c.say(`{"type":12,"name":"%s","desc":"","type":1}`, name)
				c.refused(100, 12)
			}
		}
		c := p.user(t, "alice")
		room := c.room(strings.Repeat("ä", 50))
		c.say(`{"type":15,"room_id":%d,"room_name":"%s"}`, room, strings.Repeat("x", 101))
		c.refused(100, 15)
		c.say(`{"type":15,"room_id":%d,"room_name":"%s"}`, room, strings.Repeat("y", 100))
		c.want(`{"type":15,"room_id":%d,"room_name":"%s"}`, room, strings.Repeat("y", 100))
		c.say(`{"type":16,"room_id":%d,"desc":"%s"}`, room, strings.Repeat("x", 801))
		c.refused(100, 16)
		c.say(`{"type":16,"room_id":%d,"desc":""}`, room)
		c.want(`{"type":16,"room_id":%d,"desc":""}`, room)
	}},
	{14, func(t *testing.T, p *place) {
		for _, c := range p.both(t) {
			c.signUp(login("alice"))
			c.say(`{"type":11,"date":0}`)
			c.want(`{"type":11,"rooms":[]}`)
			c.say(`{"type":12,"name":"first","desc":"","type":1}`)
			first := c.get()
			c.room("second")
			const room = `{"id":<n>,"name":"%s","customer_id":<n>,"date":<date>,"desc":"","type":1,"power":0}`
			c.say(`{"type":11,"date":0}`)
			c.want(`{"type":11,"rooms":[`+room+`,`+room+`]}`, "second", "first")
			c.say(`{"type":11,"date":%v}`, first["date"])
			c.want(`{"type":11,"rooms":[`+room+`]}`, "second")
		}
	}},
	{15, func(t *testing.T, p *place) {
		alice, bob := p.user(t, "alice"), p.user(t, "bob")
		mark := login("General") // so that the rooms of others are not found
		alice.room(mark)
		find := func(c *client, what string, found int) {
			t.Helper()
			c.say(`{"type":18,"name":%q}`, what)
			if m := c.get(); number(m["type"]) != 18 || len(m["rooms"].([]any)) != found {
				t.Errorf("%s finds %v", what, m)
			}
		}
		find(bob, strings.ToUpper(mark), 1)
		find(bob, "g"+mark[1:len(mark)-1], 1)
		find(bob, mark[1:], 0)
		find(bob, "%", 0)
		find(bob, "G_neral", 0)
		find(bob, `G\`, 0)
		find(alice, mark, 0)
		bob.say(`{"type":18,"name":""}`)
		bob.refused(100, 18)
	}},
	{16, func(t *testing.T, p *place) {
		for _, bob := range p.both(t) {
			alice := p.user(t, "alice")
			room := alice.room("General talk")
			bob.signUp(login("bob"))
			bob.join(room, alice)
			alice.nothing()
			bob.nothing()
		}
	}},
	{17, func(t *testing.T, p *place) {
		alice, bob := p.user(t, "alice"), p.user(t, "bob")
		room := alice.room("r")
		bob.join(room, alice)
		bob.say(`{"type":14,"room_id":%d}`, room)
		bob.refused(101, 14)
		alice.say(`{"type":14,"room_id":%d}`, room)
		alice.refused(101, 14)
		alice.say(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
		alice.want(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
		bob.want(`{"type":13,"room_id":%d}`, room)
		bob.say(`{"type":14,"room_id":%d}`, room)
		bob.refused(101, 14)
		alice.nothing()
		bob.nothing()
	}},
	{18, func(t *testing.T, p *place) {
		for _, c := range p.both(t) {
			c.signUp(login("alice"))
			c.say(`{"type":14,"room_id":2147483647}`)
			c.refused(102, 14)
		}
		p.user(t, "alice").nothing() // it lives
	}},
	{30, func(t *testing.T, p *place) {
		alice, bob, carol := p.user(t, "alice"), p.user(t, "bob"), p.user(t, "carol")
		room := alice.room("r")
		bob.join(room, alice)
		carol.join(room, alice, bob)
		alice.say(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
		alice.want(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
		alice.say(`{"type":19,"room_id":%d}`, room)
		alice.want(`{"type":19,"members":[{"id":%d,"login":"%s","type":0},{"id":%d,"login":"%s","type":3}],"room_id":%d}`,
			alice.id, alice.login, carol.id, carol.login, room)
	}},
	{31, func(t *testing.T, p *place) {
		for transport, bob := range p.both(t) {
			alice, carol := p.user(t, "alice"), p.user(t, "carol")
			room := alice.room("r")
			bob.signUp(login("bob"))
			bob.join(room, alice)
			carol.join(room, alice, bob)
			alice.say(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
			for _, c := range []*client{alice, carol} {
				c.want(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
			}
			bob.want(`{"type":13,"room_id":%d}`, room)
			alice.speak(room, "without bob", carol)
			bob.nothing()
			bob.say(`{"type":11,"date":0}`)
			bob.want(`{"type":11,"rooms":[]}`)
			asks := []string{
				`{"type":3,"room_id":%d,"message":"x","msg_type":0}`, `{"type":7,"room_id":%d,"date":0,"count":1}`,
				`{"type":19,"room_id":%d}`, `{"type":25,"room_id":%d,"msg_id":1}`,
			}
			if transport == "TCP" {
				asks = asks[:1] // it closes
			}
			for i, ask := range asks {
				bob.say(ask, room)
				if i == 3 {
					bob.refused(102, 25)
				} else {
					bob.refused(101, -1)
				}
			}
		}
	}},
	{32, func(t *testing.T, p *place) {
		alice, bob := p.user(t, "alice"), p.user(t, "bob")
		room := alice.room("r")
		bob.join(room, alice)
		alice.id = 0
		asks := map[int]string{
			22: fmt.Sprintf(`"user_id":%d`, bob.id-1), 15: `"room_name":"n"`, 16: `"desc":"d"`, 6: `"x":0`, 13: `"x":0`,
		}
		for typ, more := range asks {
			bob.say(`{"type":%d,"room_id":%d,%s}`, typ, room, more)
			bob.refused(101, typ)
		}
		alice.nothing()
		for typ, more := range asks {
			c := p.dialTCP(t)
			c.signUp(login("carol"))
			c.join(room, alice, bob)
			c.say(`{"type":%d,"room_id":%d,%s}`, typ, room, more)
			c.ended()
		}
	}},
	{33, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		room := alice.room("r")
		alice.say(`{"type":22,"room_id":%d,"user_id":%d}`, room, alice.id)
		alice.refused(101, 22)
		alice.speak(room, "still here")
	}},
	{34, func(t *testing.T, p *place) {
		alice, bob := p.user(t, "alice"), p.user(t, "bob")
		room := alice.room("r")
		bob.join(room, alice)
		alice.say(`{"type":13,"room_id":%d}`, room)
		for _, c := range []*client{alice, bob} {
			c.want(`{"type":13,"room_id":%d}`, room)
			c.say(`{"type":3,"room_id":%d,"message":"x","msg_type":0}`, room)
			c.refused(102, 3)
			c.say(`{"type":19,"room_id":%d}`, room)
			c.refused(102, 19)
			c.say(`{"type":11,"date":0}`)
			c.want(`{"type":11,"rooms":[]}`)
		}
	}},
	{35, func(t *testing.T, p *place) {
		for transport, bob := range p.both(t) {
			alice := p.user(t, "alice")
			room := alice.room("r")
			bob.signUp(login("bob"))
			bob.join(room, alice)
			bob.say(`{"type":26,"token":%q}`, bob.token)
			for range 20 { // the room has traffic
				alice.say(`{"type":3,"room_id":%d,"message":"x","msg_type":0}`, room)
			}
			for { // what was said before it is heard
				if m := bob.get(); number(m["type"]) == 26 {
					if m["token"] != bob.token {
						t.Errorf("%s: %v", transport, m)
					}
					break
				}
			}
			for range 40 {
				alice.get()
			}
			// Nothing came behind it, and the token is void.
			bob.say(`{"type":2,"token":%q}`, bob.token)
			bob.want(`{"type":9,"error_code":0,"msg":"The email or password inccorect"}`)
			bob.logIn(bob.login)
			bob.say(`{"type":19,"room_id":%d}`, room)
			bob.want(`{"type":19,"members":[<any>],"room_id":%d}`, room)
		}
	}},
	{36, func(t *testing.T, p *place) {
		for _, c := range p.both(t) {
			c.signUp(login("alice"))
			c.say(`{"type":26,"token":"%s%s"}`, strings.Repeat("0", 64), c.login)
			c.refused(101, 26)
		}
		c := p.user(t, "alice")
		c.say(`{"type":26,"token":"x"}`)
		c.refused(100, 26)
		c.nothing()
	}},
}
