//go:build linux

package chat

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// send uploads a file over WebSocket, of which the uploader and others are told; it returns the message.
func (c *client) upload(room int64, name, data string, others ...*client) map[string]any {
	c.t.Helper()
	c.say(`{"type":24,"name":%q,"size":%d,"room_id":%d}`, name, len(data), room)
	c.want(`{"type":27}`)
	for data != "" {
		n := min(len(data), 100_000)
		c.binary(data[:n])
		data = data[n:]
	}
	var m map[string]any
	for _, o := range append([]*client{c}, others...) {
		o.want(`{"type":17,"power":<n>,"room_id":%d}`, room)
		m = o.get()
		if number(m["type"]) != 3 || number(m["msg_type"]) != 1 {
			c.t.Fatalf("told of a file: %v", m)
		}
	}
	return m
}

// download fetches a file over WebSocket.
func (c *client) download(room, message int64) string {
	c.t.Helper()
	c.say(`{"type":25,"room_id":%d,"msg_id":%d}`, room, message)
	m := c.get()
	if number(m["type"]) != 25 {
		c.t.Fatalf("answer to a download: %v", m)
	}
	c.say(`{"type":27}`)
	var data strings.Builder
	for int64(data.Len()) < number(m["size"]) {
		piece, binary, err := c.next()
		if err != nil || !binary || len(piece) > 64<<10 {
			c.t.Fatalf("%d bytes, binary %v, %v", len(piece), binary, err)
		}
		data.WriteString(piece)
	}
	return data.String()
}

var transfers = []statement{
	{37, func(t *testing.T, p *place) {
		alice, bob := p.user(t, "alice"), p.user(t, "bob")
		room := alice.room("r")
		bob.join(room, alice)
		alice.say(`{"type":24,"name":"note.txt","size":12,"room_id":%d,"token":%q}`, room, alice.token)
		alice.want(`{"type":27}`)
		alice.binary("Hello")
		alice.nothing() // text frames are answered between
		alice.binary(", World")
		for _, c := range []*client{alice, bob} {
			c.want(`{"type":17,"power":12,"room_id":%d}`, room)
			c.want(`{"type":3,"message":"files/<hex>__note.txt","room_id":%d,"date":<date>,"message_id":<n>,"user_id":%d,"msg_type":1,"power":12}`, room, alice.id)
		}
		alice.say(`{"type":7,"room_id":%d,"date":0,"count":1}`, room)
		alice.want(`{"type":7,<any>"file_size":12,"file_name":"note.txt",<any>}`)
		alice.get()
		alice.upload(room, "empty", "", bob)

		// Over TCP it is a connection of its own, which ends with the file.
		up := p.dialTCP(t)
		up.say(`{"type":24,"name":"note.txt","size":12,"room_id":%d,"token":%q}`, room, alice.token)
		up.want(`{"type":27}`)
		if _, err := up.tcp.Write([]byte("12 raw\nbytes")); err != nil {
			t.Fatal(err)
		}
		if err := up.tcp.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		bob.want(`{"type":17,"power":24,"room_id":%d}`, room)
		m := bob.get()
		if number(m["msg_type"]) != 1 {
			t.Fatal(m)
		}
		up.ended()
		down := p.dialTCP(t)
		down.say(`{"type":25,"room_id":%d,"msg_id":%d,"token":%q}`, room, number(m["message_id"]), bob.token)
		down.want(`{"type":25,"size":12,"name":"%s"}`, m["message"])
		down.say(`{"type":27}`)
		if data, err := io.ReadAll(down.lines); err != nil || string(data) != "12 raw\nbytes" {
			t.Errorf("downloaded %q, %v", data, err)
		}
	}},
	{38, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		room := alice.room("r")
		for name, clean := range map[string]string{"../../etc/x": "x", `a\b`: "b", "..": "file", ".hidden": "hidden", "a/": "file", strings.Repeat("ä", 60): strings.Repeat("ä", 50)} {
			m := alice.upload(room, name, "data")
			text := fmt.Sprint(m["message"])
			if !strings.HasPrefix(text, "files/") || !strings.HasSuffix(text, "__"+clean) || strings.Count(text, "/") != 1 {
				t.Errorf("%s is called %s", name, text)
			}
		}
	}},
	{39, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		room := alice.room("r")
		alice.say(`{"type":24,"name":"x","size":10000001,"room_id":%d}`, room)
		alice.refused(104, 24)
		alice.say(`{"type":24,"name":"x","size":-1,"room_id":%d}`, room)
		alice.refused(100, 24)
		alice.say(`{"type":24,"name":"x","size":3,"room_id":%d}`, room)
		alice.want(`{"type":27}`)
		alice.say(`{"type":24,"name":"y","size":3,"room_id":%d}`, room) // one at a time
		alice.refused(104, 24)
		alice.binary("four")
		alice.refused(104, 24)
		alice.say(`{"type":7,"room_id":%d,"date":0,"count":1}`, room)
		alice.want(`{"type":7,"room_id":%d,"messages":[]}`, room)
		alice.get()
		for _, size := range []int{3, 5} { // more and fewer bytes than that
			up := p.dialTCP(t)
			up.say(`{"type":24,"name":"x","size":%d,"room_id":%d,"token":%q}`, size, room, alice.token)
			up.want(`{"type":27}`)
			if _, err := up.tcp.Write([]byte("four")); err != nil {
				t.Fatal(err)
			}
			_ = up.tcp.CloseWrite() // it may have been closed already
			up.ended()
		}
		big := p.dialTCP(t)
		big.say(`{"type":24,"name":"x","size":10000001,"room_id":%d,"token":%q}`, room, alice.token)
		big.ended()
		alice.nothing()
		c := p.dial(t)
		c.binary("nobody asked")
		c.closed(1003)
	}},
	{40, func(t *testing.T, p *place) {
		alice, bob, eve := p.user(t, "alice"), p.user(t, "bob"), p.user(t, "eve")
		room := alice.room("r")
		data := strings.Repeat("0123456789abcdef", 40_000) // ten pieces
		bob.join(room, alice)
		m := alice.upload(room, "big.bin", data, bob)
		file := number(m["message_id"])
		if got := bob.download(room, file); got != data {
			t.Errorf("%d bytes came, of %d", len(got), len(data))
		}
		bob.nothing() // it goes on
		bob.say(`{"type":27}`)
		bob.refused(100, 27)
		// On a connection of its own.
		fresh := p.dial(t)
		fresh.say(`{"type":25,"room_id":%d,"msg_id":%d,"token":%q}`, room, file, bob.token)
		fresh.want(`{"type":25,"size":%d,"name":"%s"}`, len(data), m["message"])
		fresh.say(`{"type":11,"date":0}`)
		fresh.refused(103, 11)

		refused := func(c *client, room, message int64, token string, code int) {
			t.Helper()
			c.say(`{"type":25,"room_id":%d,"msg_id":%d,"token":%q}`, room, message, token)
			c.refused(code, 25)
			tcp := p.dialTCP(t)
			tcp.say(`{"type":25,"room_id":%d,"msg_id":%d,"token":%q}`, room, message, token)
			tcp.ended()
		}
		refused(p.dial(t), room, file, strings.Repeat("0", 64)+bob.login, 103)
		refused(eve, room, file, eve.token, 102)
		other := alice.room("other")
		refused(alice, other, file, alice.token, 102)
		text, _ := alice.speak(room, "text", bob)
		refused(alice, room, text, alice.token, 102)
		alice.say(`{"type":22,"room_id":%d,"user_id":%d}`, room, bob.id)
		bob.want(`{"type":13,"room_id":%d}`, room)
		refused(bob, room, file, bob.token, 102)
	}},
	{41, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		room := alice.room("r")
		for _, text := range []string{"/etc/passwd", "files/x__passwd", "info.log"} {
			id, _ := alice.speak(room, text)
			alice.say(`{"type":25,"room_id":%d,"msg_id":%d}`, room, id)
			alice.refused(102, 25)
		}
	}},
}
