//go:build linux

package chat

import (
	"fmt"
	"strings"
	"testing"
)

var messages = []statement{
	{19, func(t *testing.T, p *place) {
		for _, bob := range p.both(t) {
			alice := p.user(t, "alice")
			room := alice.room("r")
			bob.signUp(login("bob"))
			bob.join(room, alice)
			ask := fmt.Sprintf(`{"type":3,"room_id":%d,"message":" \t Hello, World\n ","msg_type":0}`, room)
			bob.send(ask)
			for _, c := range []*client{alice, bob} {
				c.want(`{"type":3,"message":"Hello, World","room_id":%d,"date":<date>,"message_id":<n>,"user_id":%d,"msg_type":0,"power":%d}`, room, bob.id, len(ask)+1)
				c.want(`{"type":17,"power":%d,"room_id":%d}`, len(ask)+1, room)
			}
		}
	}},
	{20, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		room := alice.room("r")
		alice.speak(room, strings.Repeat("x", 800))
		alice.speak(room, strings.Repeat("ä", 400))
		bad := []string{
			fmt.Sprintf(`"message":"%s","msg_type":0`, strings.Repeat("x", 801)), fmt.Sprintf(`"message":"%sx","msg_type":0`, strings.Repeat("ä", 400)),
			`"message":" \t ","msg_type":0`, `"message":"","msg_type":0`, `"message":"x"`, `"message":"x","msg_type":77`, `"message":"x","msg_type":1`,
			`"message":"x","msg_type":"0"`, `"message":7,"msg_type":0`, `"message":"a\u0000b","msg_type":0`, `"msg_type":0`,
		}
		for _, b := range bad {
			alice.say(`{"type":3,"room_id":%d,%s}`, room, b)
			alice.refused(100, 3)
			c := p.dialTCP(t)
			c.signUp(login("bob"))
			c.say(`{"type":3,"room_id":%d,%s}`, c.room("r"), b)
			c.ended()
		}
		alice.say(`{"type":3,"message":"x","msg_type":0}`)
		alice.refused(100, 3)
		for _, c := range p.both(t) {
			c.signUp(login("bob"))
			c.say(`{"type":3,"room_id":%d,"message":"x","msg_type":0}`, room)
			c.refused(101, 3)
		}
		alice.nothing()
		// The original's client cuts a text at 800 bytes, perhaps inside a character.
		c := p.dialTCP(t)
		c.signUp(login("bob"))
		c.say(`{"type":3,"room_id":%d,"message":"%s","msg_type":0}`, c.room("r"), strings.Repeat("x", 799)+"ä"[:1])
		c.want(`{"type":3,"message":"%s","room_id":<any>}`, strings.Repeat("x", 799))
	}},
	{22, func(t *testing.T, p *place) {
		for _, bob := range p.both(t) {
			alice := p.user(t, "alice")
			room := alice.room("r")
			bob.signUp(login("bob"))
			bob.join(room, alice)
			bob.say(`{"type":3,"room_id":%d,"message":"first","msg_type":0}`, room)
			m := bob.get()
			id, power := number(m["message_id"]), number(m["power"])
			bob.get()
			alice.get()
			alice.get()
			bob.say(`{"type":4,"room_id":%d,"msg_id":%d,"msg":"  Hello, edited "}`, room, id)
			for _, c := range []*client{alice, bob} {
				c.want(`{"type":4,"room_id":%d,"msg_id":%d,"msg":"Hello, edited","power":%d}`, room, id, power+13)
				c.want(`{"type":17,"power":%d,"room_id":%d}`, power+13, room)
			}
			bob.say(`{"type":7,"room_id":%d,"date":0,"count":30}`, room)
			bob.want(`{"type":7,"room_id":%d,"messages":[{"user_id":%d,"room_id":%d,"message_id":%d,"date":<date>,"message":"Hello, edited","msg_type":0,"file_size":0,"file_name":"","status":1,"power":%d}]}`,
				room, bob.id, room, id, power+13)
			bob.want(`{"type":17,"power":%d,"room_id":%d}`, power+13, room)
			alice.nothing() // the room's power was for who asked
		}
	}},
	{23, func(t *testing.T, p *place) {
		alice, bob, carol := p.user(t, "alice"), p.user(t, "bob"), p.user(t, "carol")
		room := alice.room("r")
		bob.join(room, alice)
		carol.join(room, alice, bob)
		id, _ := bob.speak(room, "mine", alice, carol)
		for _, c := range []*client{alice, carol} {
			c.say(`{"type":4,"room_id":%d,"msg_id":%d,"msg":"theirs"}`, room, id)
			c.refused(101, 4)
		}
		bob.say(`{"type":4,"room_id":%d,"msg_id":%d,"msg":" "}`, room, id)
		bob.refused(100, 4)
		bob.say(`{"type":4,"room_id":%d,"msg_id":%d,"msg":"x"}`, room, id+1000)
		bob.refused(102, 4)
		bob.nothing()
	}},
	{24, func(t *testing.T, p *place) {
		for _, bob := range p.both(t) {
			alice := p.user(t, "alice")
			room := alice.room("r")
			bob.signUp(login("bob"))
			bob.join(room, alice)
			one, _ := bob.speak(room, "one", alice)
			two, _ := bob.speak(room, "two", alice)
			hers, _ := alice.speak(room, "hers", bob)
			gone := func(by *client, id int64) {
				t.Helper()
				by.say(`{"type":5,"room_id":%d,"msg_id":%d}`, room, id)
				for _, c := range []*client{alice, bob} {
					c.want(`{"type":5,"room_id":%d,"msg_id":%d}`, room, id)
				}
			}
			gone(bob, one)
			gone(alice, two)
			bob.say(`{"type":5,"room_id":%d,"msg_id":%d}`, room, hers)
			bob.refused(101, 5)
			alice.nothing()
			alice.say(`{"type":5,"room_id":%d,"msg_id":%d}`, room, one)
			alice.refused(102, 5)
			alice.say(`{"type":6,"room_id":%d}`, room)
			alice.want(`{"type":6,"room_id":%d}`, room)
			alice.say(`{"type":7,"room_id":%d,"date":0,"count":5}`, room)
			alice.want(`{"type":7,"room_id":%d,"messages":[]}`, room)
		}
	}},
	{25, func(t *testing.T, p *place) {
		alice, bob := p.user(t, "alice"), p.user(t, "bob")
		hers, his := alice.room("hers"), bob.room("his")
		id, _ := bob.speak(his, "lives")
		alice.say(`{"type":5,"room_id":%d,"msg_id":%d}`, hers, id)
		alice.refused(102, 5)
		bob.say(`{"type":8,"room_id":%d,"msg":"lives"}`, his)
		bob.want(`{"type":8,"msgs":[{<any>"message_id":%d,<any>}]}`, id)
	}},
	{26, func(t *testing.T, p *place) {
		c := p.user(t, "alice")
		room := c.room("r")
		var ids, dates []int64
		for i := range 40 {
			id, date := c.speak(room, fmt.Sprint("message ", i))
			ids, dates = append(ids, id), append(dates, date)
		}
		page := func(ask int, date int64, count int, from, to int) {
			t.Helper()
			c.say(`{"type":%d,"room_id":%d,"date":%d,"count":%d}`, ask, room, date, count)
			list := c.get()["messages"].([]any)
			if len(list) != from-to {
				t.Fatalf("%d messages, want %d", len(list), from-to)
			}
			for i, m := range list {
				if got := number(m.(map[string]any)["message_id"]); got != ids[from-1-i] {
					t.Fatalf("message %d is %d, want %d", i, got, ids[from-1-i])
				}
			}
			if ask == 7 {
				c.get()
			}
		}
		page(7, 0, 30, 40, 10)
		page(10, dates[10], 30, 10, 0)
		page(7, dates[20], 30, 40, 21)
		page(7, 0, 9999, 40, 0)
	}},
	{27, func(t *testing.T, p *place) {
		for _, c := range p.both(t) {
			c.signUp(login("alice"))
			room := c.room("r")
			c.speak(room, "old")
			c.say(`{"type":10,"room_id":%d,"date":%s,"count":30}`, room, far)
			m := c.get()
			if fmt.Sprint(m["messages"]) != fmt.Sprint(m["message"]) || len(m["message"].([]any)) != 1 || number(m["type"]) != 10 || number(m["room_id"]) != room {
				t.Errorf("answer %v", m)
			}
		}
	}},
	{28, func(t *testing.T, p *place) {
		for _, c := range p.both(t) {
			c.signUp(login("alice"))
			room := c.room("r")
			c.speak(room, "x")
			for _, count := range []string{"-1", "0", "-99999999999"} {
				c.say(`{"type":7,"room_id":%d,"date":0,"count":%s}`, room, count)
				c.want(`{"type":7,"room_id":%d,"messages":[]}`, room)
				c.get()
			}
			c.say(`{"type":7,"room_id":%d,"date":0,"count":1.0}`, room)
			c.want(`{"type":7,"room_id":%d,"messages":[{<any>}]}`, room)
			c.get()
			c.say(`{"type":7,"room_id":%d,"date":0,"count":"5"}`, room)
			c.refused(100, 7)
		}
	}},
	{29, func(t *testing.T, p *place) {
		for _, c := range p.both(t) {
			c.signUp(login("alice"))
			room := c.room("r")
			c.speak(room, "Hello World")
			c.say(`{"type":3,"room_id":%d,"message":"hello","msg_type":3}`, room)
			c.want(`{"type":3,"message":"hello",<any>"msg_type":3,<any>}`)
			c.get()
			for what, found := range map[string]int{"WORLD": 1, "hello": 1, "lo wo": 1, "%": 0, "_": 0, `\\`: 0, "worlds": 0} {
				c.say(`{"type":8,"room_id":%d,"msg":"%s"}`, room, what)
				m := c.get()
				list := m["msgs"].([]any)
				if number(m["type"]) != 8 || len(list) != found {
					t.Fatalf("%q finds %v", what, m)
				}
				if found == 1 && list[0].(map[string]any)["message"] != "Hello World" {
					t.Errorf("%q finds %v", what, m)
				}
			}
			c.say(`{"type":8,"room_id":%d,"msg":""}`, room)
			c.refused(100, 8)
		}
	}},
}
