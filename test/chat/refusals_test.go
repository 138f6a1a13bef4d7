//go:build linux

package chat

import (
	"fmt"
	"strings"
	"testing"
)

// refusal is a request and the error that it is answered with; of is the request's type in it, -1: none.
type refusal struct {
	request  string
	code, of int
}

// refusals are requests of a member, ROOM being the room and MSG a message there, by what is wrong with them.
var refusals = map[string][]refusal{
	"no request": {
		{``, 100, -1},
		{`{"type":3`, 100, -1},
		{`"RQ_MSG"`, 100, -1},
		{`{"Type":11,"date":0}`, 100, -1},
		{`{"type":11e0,"date":0}`, 100, -1},
		{`{"type":[11],"date":0}`, 100, -1},
		{`{"type":true}`, 100, -1},
		{`{"type":11,"date":0}{"type":11,"date":0}`, 100, -1},
		{`{"type":"DB_TEXT_MSG"}`, 100, -1},
		{`{"type":null,"type":11,"date":0}`, 100, -1},
		{strings.Repeat("[", 10_000), 100, -1},
	},
	"a key is missing": {
		{`{"type":3,"message":"x","msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":"x"}`, 100, 3},
		{`{"type":4,"room_id":ROOM,"msg":"x"}`, 100, 4},
		{`{"type":4,"room_id":ROOM,"msg_id":MSG}`, 100, 4},
		{`{"type":5,"room_id":ROOM}`, 100, 5},
		{`{"type":6}`, 100, 6},
		{`{"type":7,"room_id":ROOM,"date":0}`, 100, 7},
		{`{"type":7,"room_id":ROOM,"count":1}`, 100, 7},
		{`{"type":8,"room_id":ROOM}`, 100, 8},
		{`{"type":10,"date":0,"count":1}`, 100, 10},
		{`{"type":11}`, 100, 11},
		{`{"type":12,"desc":""}`, 100, 12},
		{`{"type":13}`, 100, 13},
		{`{"type":14}`, 100, 14},
		{`{"type":15,"room_id":ROOM}`, 100, 15},
		{`{"type":16,"room_id":ROOM}`, 100, 16},
		{`{"type":18}`, 100, 18},
		{`{"type":19}`, 100, 19},
		{`{"type":20}`, 100, 20},
		{`{"type":22,"room_id":ROOM}`, 100, 22},
		{`{"type":23}`, 100, 23},
		{`{"type":24,"room_id":ROOM,"size":1}`, 100, 24},
		{`{"type":24,"room_id":ROOM,"name":"x"}`, 100, 24},
		{`{"type":25,"room_id":ROOM}`, 100, 25},
		{`{"type":26}`, 100, 26},
	},
	"a type is wrong": {
		{`{"type":3,"room_id":"ROOM","message":"x","msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":7,"msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":["x"],"msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":null,"msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":"x","msg_type":"0"}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":"x","msg_type":null}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":"x","msg_type":1}`, 100, 3}, // a file's, which is no text
		{`{"type":3,"room_id":ROOM,"message":"x","msg_type":77}`, 100, 3},
		{`{"type":3,"room_id":{},"message":"x","msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM.5,"message":"x","msg_type":0}`, 100, 3},
		{`{"type":7,"room_id":ROOM,"date":"0","count":1}`, 100, 7},
		{`{"type":7,"room_id":ROOM,"date":0,"count":"5"}`, 100, 7},
		{`{"type":7,"room_id":ROOM,"date":0.5,"count":1}`, 100, 7},
		{`{"type":11,"date":99999999999999999999}`, 100, 11},
		{`{"type":12,"name":7,"desc":""}`, 100, 12},
		{`{"type":12,"name":"n","desc":7}`, 100, 12},
		{`{"type":12,"name":"n","desc":"","type":3}`, 100, 12},
		{`{"type":12,"name":"n","desc":"","room_type":"x"}`, 100, 12},
		{`{"type":24,"room_id":ROOM,"name":"x","size":"1"}`, 100, 24},
		{`{"type":24,"room_id":ROOM,"name":7,"size":1}`, 100, 24},
		{`{"type":24,"room_id":ROOM,"name":"x","size":1,"token":7}`, 100, 24},
		{`{"type":26,"token":7}`, 100, 26},
	},
	"the first of two keys counts": {
		{`{"type":3,"room_id":0,"room_id":ROOM,"message":"x","msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":7,"message":"x","msg_type":0}`, 100, 3},
		{`{"type":9,"type":11,"date":0}`, 100, 9},
	},
	"a text is too short or too long, in bytes": {
		{`{"type":3,"room_id":ROOM,"message":"","msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":" \t\r\n","msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":"` + strings.Repeat("x", 801) + `","msg_type":0}`, 100, 3},
		{`{"type":3,"room_id":ROOM,"message":"` + strings.Repeat("ä", 401) + `","msg_type":0}`, 100, 3},
		{`{"type":4,"room_id":ROOM,"msg_id":MSG,"msg":"` + strings.Repeat("x", 801) + `"}`, 100, 4},
		{`{"type":8,"room_id":ROOM,"msg":""}`, 100, 8},
		{`{"type":8,"room_id":ROOM,"msg":"` + strings.Repeat("x", 801) + `"}`, 100, 8},
		{`{"type":12,"name":"","desc":""}`, 100, 12},
		{`{"type":12,"name":"` + strings.Repeat("ä", 51) + `","desc":""}`, 100, 12},
		{`{"type":12,"name":"n","desc":"` + strings.Repeat("x", 801) + `"}`, 100, 12},
		{`{"type":15,"room_id":ROOM,"room_name":"` + strings.Repeat("x", 101) + `"}`, 100, 15},
		{`{"type":16,"room_id":ROOM,"desc":"` + strings.Repeat("x", 801) + `"}`, 100, 16},
		{`{"type":18,"name":""}`, 100, 18},
		{`{"type":18,"name":"` + strings.Repeat("x", 101) + `"}`, 100, 18},
		{`{"type":23,"desc":"` + strings.Repeat("x", 801) + `"}`, 100, 23},
	},
	"a zero byte": {
		{`{"type":3,"room_id":ROOM,"message":"a\u0000b","msg_type":0}`, 100, 3},
		{`{"type":4,"room_id":ROOM,"msg_id":MSG,"msg":"\u0000"}`, 100, 4},
		{`{"type":8,"room_id":ROOM,"msg":"\u0000"}`, 100, 8},
		{`{"type":12,"name":"a\u0000","desc":""}`, 100, 12},
		{`{"type":18,"name":"\u0000"}`, 100, 18},
		{`{"type":23,"desc":"\u0000"}`, 100, 23},
	},
	"an id is out of range": {
		{`{"type":19,"room_id":0}`, 100, 19},
		{`{"type":19,"room_id":-1}`, 100, 19},
		{`{"type":19,"room_id":2147483648}`, 100, 19},
		{`{"type":19,"room_id":99999999999999999999}`, 100, 19},
		{`{"type":19,"room_id":1e3}`, 100, 19},
		{`{"type":19,"room_id":2147483647}`, 102, 19},
		{`{"type":20,"user_id":2147483647}`, 102, 20},
		{`{"type":5,"room_id":ROOM,"msg_id":2147483647}`, 102, 5},
		{`{"type":25,"room_id":ROOM,"msg_id":2147483647}`, 102, 25},
		{`{"type":22,"room_id":ROOM,"user_id":2147483647}`, 102, 22},
	},
	"a file's size is wrong": {
		{`{"type":24,"room_id":ROOM,"name":"x","size":-1}`, 100, 24},
		{`{"type":24,"room_id":ROOM,"name":"x","size":1.5}`, 100, 24},
		{`{"type":24,"room_id":ROOM,"name":"x","size":10000001}`, 104, 24},
		{`{"type":24,"room_id":ROOM,"name":"x","size":9223372036854775808}`, 100, 24},
	},
	"a token is wrong": {
		{`{"type":26,"token":"x"}`, 100, 26},
		{`{"type":26,"token":"` + strings.Repeat("0", 64) + `alice"}`, 101, 26},
		{`{"type":24,"room_id":ROOM,"name":"x","size":1,"token":"x"}`, 103, 24},
		{`{"type":25,"room_id":ROOM,"msg_id":MSG,"token":"` + strings.Repeat("0", 64) + `alice"}`, 103, 25},
	},
	"nothing waits": {{`{"type":27}`, 100, 27}},
	"logged in":     {{`{"type":0,"login":"abc","pass":"` + pass + `"}`, 2, -1}, {`{"type":2,"token":"x"}`, 2, -1}},
}

// TestRefusedRequests: what cannot be done is answered with its code, the connection goes on, and nothing of it is
// stored. Over TCP no request is passed over, and another refusal ends the connection without a word.
func TestRefusedRequests(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	for what, list := range refusals {
		t.Run(what, func(t *testing.T) {
			alice := p.user(t, "alice")
			room := alice.room("r")
			message, _ := alice.speak(room, "stays")
			fill := strings.NewReplacer("ROOM", fmt.Sprint(room), "MSG", fmt.Sprint(message)).Replace
			for i, r := range list {
				alice.send(fill(r.request))
				alice.refused(r.code, r.of)
				if i%8 == 7 {
					alice.nothing() // so many in a row would end the connection
				}
			}
			alice.nothing()
			alice.say(`{"type":7,"room_id":%d,"date":0,"count":500}`, room)
			alice.want(`{"type":7,"room_id":%d,"messages":[{"user_id":<n>,"room_id":%d,"message_id":%d,"date":<n>,"message":"stays","msg_type":0,"file_size":0,"file_name":"","status":0,"power":<n>}]}`, room, room, message)
			alice.want(`{"type":17,<any>`)
			alice.say(`{"type":11,"date":0}`)
			alice.want(`{"type":11,"rooms":[{"id":%d,"name":"r",<any>,"desc":"","type":1,"power":<n>}]}`, room)
			alice.say(`{"type":20,"user_id":%d}`, alice.id)
			alice.want(`{"type":20,"desc":"about %s",<any>`, alice.login)

			first := list[0]
			c := p.dialTCP(t)
			c.signUp(login("tcp"))
			own := c.room("r")
			c.send(strings.NewReplacer("ROOM", fmt.Sprint(own), "MSG", "1").Replace(first.request))
			switch {
			case first.code <= 2:
				c.want(`{"type":9,"error_code":%d,<any>`, first.code)
				c.nothing()
			case first.of < 0:
				c.nothing()
			default:
				c.ended()
			}
		})
	}
}

// TestSearchesAreLiteral: what would be a wildcard or end a string of SQL finds itself and nothing else.
func TestSearchesAreLiteral(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	alice, bob := p.user(t, "alice"), p.user(t, "bob")
	texts := []string{`%`, `_`, `\`, `'`, `"`, `*`, `?`, `[a]`, `'; DROP TABLE users; --`, `$1`, `ÄÖ`}
	room := alice.room("plain")
	alice.speak(room, "plain text")
	for _, text := range texts {
		alice.say(`{"type":8,"room_id":%d,"msg":%q}`, room, "n"+text+"t")
		alice.want(`{"type":8,"msgs":[]}`)
		bob.say(`{"type":18,"name":%q}`, text)
		bob.want(`{"type":18,"rooms":[]}`)
	}
	for _, text := range texts {
		alice.speak(room, "n"+text+"t")
		alice.say(`{"type":8,"room_id":%d,"msg":%q}`, room, text+"T")
		if m := alice.get(); len(m["msgs"].([]any)) != 1 {
			t.Errorf("%s finds %v", text, m["msgs"])
		}
		alice.room(text + " room")
		bob.say(`{"type":18,"name":%q}`, text)
		if m := bob.get(); len(m["rooms"].([]any)) != 1 {
			t.Errorf("%s finds %v", text, m["rooms"])
		}
	}
}

// TestBytesThatAreNoText: over WebSocket they end the connection with 1007, over TCP they are replaced.
func TestBytesThatAreNoText(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	alice := p.user(t, "alice")
	room := alice.room("r")
	c := p.dialTCP(t)
	c.signUp(login("tcp"))
	c.join(room, alice)
	c.send(fmt.Sprintf("{\"type\":3,\"room_id\":%d,\"message\":\"a\xffb\",\"msg_type\":0}", room))
	for _, c := range []*client{alice, c} {
		c.hears("a\uFFFDb")
	}
	alice.send("{\"type\":23,\"desc\":\"\xff\"}")
	alice.closed(1007)
}
