//go:build linux

package chat

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/plugins/chat/postgrestest"
)

// statement is a testable statement of the specification.
type statement struct {
	number int
	test   func(t *testing.T, p *place)
}

// statements are all but those that need a bridge of their own, which are tests by their name.
var statements = slices.Concat(accounts, rooms, messages, transfers, rules)

// elsewhere are statements that are tests of their own.
var elsewhere = map[int]string{21: "TestStatement21", 46: "TestStatement46", 47: "TestStatement47"}

// TestStatements plays the statements on both databases.
func TestStatements(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { play(t, "sqlite:chat.db") })
	t.Run("postgres", func(t *testing.T) { play(t, postgrestest.Start(t).Database(t)) })
}

func play(t *testing.T, database string) {
	t.Helper()
	p := open(t, database, "")
	for _, s := range statements {
		t.Run(fmt.Sprintf("%02d", s.number), func(t *testing.T) {
			t.Parallel() // it is waiting, mostly
			s.test(t, p)
		})
	}
}

// TestEveryStatementIsATest: each number is in the list, or a test of its own.
func TestEveryStatementIsATest(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	var sources strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(text)
	}
	for n := 1; n <= 47; n++ {
		listed := slices.ContainsFunc(statements, func(s statement) bool { return s.number == n })
		own := elsewhere[n] != "" && strings.Contains(sources.String(), "func "+elsewhere[n]+"(")
		if listed == own {
			t.Errorf("statement %d: listed %v, a test of its own %v", n, listed, own)
		}
	}
}

var accounts = []statement{
	{1, func(t *testing.T, p *place) {
		for transport, c := range p.both(t) {
			name := login("alice")
			c.say(`{"type":1,"login":%q,"pass":%q,"name":"","desc":"d"}`, name, pass)
			m := c.get()
			token := fmt.Sprint(m["token"])
			if !regexp.MustCompile(`^[0-9a-f]{64}`+name+`$`).MatchString(token) || m["desc"] != "d" || m["login"] != name || number(m["type"]) != 2 {
				t.Errorf("%s: %v", transport, m)
			}
			c.nothing() // it is logged in
		}
	}},
	{2, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		for _, c := range p.both(t) {
			c.say(`{"type":1,"login":%q,"pass":%q,"name":"","desc":""}`, alice.login, pass)
			c.want(`{"type":9,"error_code":1,"msg":"User already exist"}`)
			c.signUp(login("other")) // it is open
		}
	}},
	{3, func(t *testing.T, p *place) {
		for _, name := range []string{"ab", "Alice", "a b", strings.Repeat("x", 23), `abc\n`, "", "ä23"} {
			for _, c := range p.both(t) {
				for _, typ := range []int{1, 0}[:1] {
					c.say(`{"type":%d,"login":"%s","pass":%q,"name":"","desc":""}`, typ, name, pass)
					c.refused(100, typ)
				}
			}
		}
		c := p.dialTCP(t)
		c.say(`{"type":0,"login":"ab","pass":%q,"name":"","desc":""}`, pass)
		c.ended()
	}},
	{4, func(t *testing.T, p *place) {
		for _, hash := range []string{pass[1:], pass[1:] + "g", pass + "0", ""} {
			for _, c := range p.both(t) {
				c.say(`{"type":1,"login":%q,"pass":%q,"name":"","desc":""}`, login("alice"), hash)
				c.refused(100, 1)
			}
		}
	}},
	{5, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		for _, c := range p.both(t) {
			for _, name := range []string{alice.login, login("nobody")} {
				c.say(`{"type":0,"login":%q,"pass":%q}`, name, strings.Repeat("0", 64))
				c.want(`{"type":9,"error_code":0,"msg":"The email or password inccorect"}`)
			}
		}
		// Hex digits are the same in either case.
		alice.close()
		c := p.dial(t)
		for {
			c.say(`{"type":0,"login":%q,"pass":%q}`, alice.login, strings.ToUpper(pass))
			if m := c.get(); number(m["type"]) == 2 {
				break
			} else if number(m["error_code"]) != 2 {
				t.Fatal(m)
			}
		}
	}},
	{6, func(t *testing.T, p *place) {
		for transport, c := range p.both(t) {
			alice := p.user(t, "alice")
			ask := fmt.Sprintf(`{"type":0,"login":%q,"pass":%q,"name":"","desc":""}`, alice.login, pass)
			c.say(`{"type":0,"login":%q,"pass":%q}`, alice.login, strings.Repeat("0", 64))
			c.want(`{"type":9,"error_code":0,"msg":"The email or password inccorect"}`)
			c.send(ask)
			c.want(`{"type":9,"error_code":2,"msg":"User already authorized"}`)
			alice.close()
			for tries := 0; ; tries++ {
				c.send(ask)
				if m := c.get(); number(m["type"]) == 2 {
					break
				} else if number(m["error_code"]) != 2 || tries == 1000 {
					t.Fatalf("%s: %v", transport, m)
				}
			}
			c.send(ask) // who is logged in does not log in
			c.want(`{"type":9,"error_code":2,"msg":"User already authorized"}`)
		}
	}},
	{7, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		c := p.dial(t)
		c.say(`{"type":2,"token":%q}`, alice.token)
		c.want(`{"type":9,"error_code":2,"msg":"User already authorized"}`)
		alice.close()
		for {
			c.say(`{"type":2,"token":%q}`, alice.token)
			if m := c.get(); number(m["type"]) == 2 {
				if m["token"] != alice.token || m["login"] != alice.login || m["desc"] != "about "+alice.login {
					t.Errorf("answer %v", m)
				}
				break
			} else if number(m["error_code"]) != 2 {
				t.Fatal(m)
			}
		}
		for _, c := range p.both(t) {
			for _, wrong := range []string{strings.Repeat("0", 64) + alice.login, "nonsense"} {
				c.say(`{"type":2,"token":%q}`, wrong)
				c.want(`{"type":9,"error_code":0,"msg":"The email or password inccorect"}`)
			}
		}
	}},
	{8, func(t *testing.T, p *place) {
		for typ := range 27 {
			if slices.Contains([]int{0, 1, 2, 9, 17, 21, 24, 25}, typ) {
				continue
			}
			for _, c := range p.both(t) {
				c.say(`{"type":%d,"date":0}`, typ)
				c.refused(103, typ)
			}
		}
	}},
	{9, func(t *testing.T, p *place) {
		c := p.dial(t)
		c.say(`{"type":"RQ_GET_ROOMS","date":0}`)
		c.want(`{"type":"RQ_ERROR_MSG","error_code":"ER_NOT_AUTH","msg":"<any>","request":"RQ_GET_ROOMS"}`)
		name := login("alice")
		c.say(`{"type":"RQ_SIGN_UP","login":%q,"pass":%q,"name":"","desc":""}`, name, pass)
		c.want(`{"type":"RQ_TOKEN","token":"<hex>%s","login":"%s","desc":""}`, name, name)
		c.say(`{"type":"RQ_NEW_ROOM","name":"n","desc":"","type":"DB_LS_CHAT"}`)
		m := c.get()
		room := number(m["id"])
		if m["type"] != "RQ_NEW_ROOM" || m["room_type"] != "DB_LS_CHAT" {
			t.Errorf("new room %v", m)
		}
		c.say(`{"type":"RQ_GET_ROOMS","date":0}`)
		c.want(`{"type":"RQ_GET_ROOMS","rooms":[{"id":%d,"name":"n","customer_id":<n>,"date":<date>,"desc":"","type":"DB_LS_CHAT","power":0}]}`, room)
		c.say(`{"type":"RQ_GET_MEMBERS","room_id":%d}`, room)
		c.want(`{"type":"RQ_GET_MEMBERS","members":[{"id":<n>,"login":"%s","type":"DB_CUSTOMER"}],"room_id":%d}`, name, room)
		c.say(`{"type":"RQ_MSG","room_id":%d,"message":"smile","msg_type":"DB_STICKER"}`, room)
		c.want(`{"type":"RQ_MSG","message":"smile","room_id":%d,"date":<date>,"message_id":<n>,"user_id":<n>,"msg_type":"DB_STICKER","power":<n>}`, room)
		c.want(`{"type":"RQ_UPD_ROOM_POWR","power":<n>,"room_id":%d}`, room)
		c.say(`{"type":"RQ_SEARCH_MSG","room_id":%d,"msg":"x"}`, room)
		c.want(`{"type":"RQ_SEARCH_MSGS","msgs":[]}`)
		c.say(`{"type":"RQ_GET_NEW_MSGS","room_id":%d,"date":0,"count":1}`, room)
		c.want(`{"type":"RQ_GET_NEW_MSGS","room_id":%d,"messages":[{"user_id":<n>,"room_id":%d,"message_id":<n>,"date":<date>,"message":"smile","msg_type":"DB_STICKER","file_size":0,"file_name":"","status":"DB_MSG_START","power":<n>}]}`, room, room)
		c.want(`{"type":"RQ_UPD_ROOM_POWR","power":<n>,"room_id":%d}`, room)
		// Who speaks the other form hears the same in it.
		bob := p.user(t, "bob")
		bob.say(`{"type":14,"room_id":%d}`, room)
		bob.get()
		bob.id = number(bob.get()["user_id"])
		c.want(`{"type":"RQ_NEW_MEMBER","user_id":%d,"room_id":%d,"login":"%s"}`, bob.id, room, bob.login)
		bob.speak(room, "hi")
		c.want(`{"type":"RQ_MSG","message":"hi","room_id":%d,"date":<date>,"message_id":<n>,"user_id":%d,"msg_type":"DB_TEXT_MSG","power":<n>}`, room, bob.id)
		c.want(`{"type":"RQ_UPD_ROOM_POWR","power":<n>,"room_id":%d}`, room)
		// So does it of what is told it alone.
		alice := p.user(t, "alice")
		theirs := alice.room("r")
		c.say(`{"type":"RQ_JOIN_ROOM","room_id":%d}`, theirs)
		c.get()
		c.get()
		alice.say(`{"type":22,"room_id":%d,"user_id":%d}`, theirs, number(m["customer_id"]))
		c.want(`{"type":"RQ_DEL_ROOM","room_id":%d}`, theirs)
		c.say(`{"type":"RQ_GET_ROOMS","date":%s}`, far)
		c.want(`{"type":"RQ_GET_ROOMS","rooms":[]}`)
	}},
	{10, func(t *testing.T, p *place) {
		alice := p.user(t, "alice")
		alice.say(`{"type":"RQ_GET_ROOMS","date":%s}`, far)
		alice.want(`{"type":11,"rooms":[]}`)
		// TCP has no names: such a line is passed over.
		c := p.dialTCP(t)
		c.signUp(login("bob"))
		c.say(`{"type":"RQ_GET_ROOMS","date":0}`)
		c.nothing()
	}},
}

var rules = []statement{
	{42, func(t *testing.T, p *place) {
		for _, c := range p.both(t) {
			c.signUp(login("alice"))
			for _, text := range []string{`not json`, `{}`, `[]`, `{"type":99}`, `{"type":-1}`, `{"type":"3"}`, `{"type":null}`, `{"type":28}`, `{"type":1.5}`, `{"type":"RQ_NONE"}`, `3`, `{"type":11`} {
				c.send(text)
				if c.ws != nil {
					c.refused(100, -1)
				}
				c.nothing()
			}
		}
	}},
	{43, func(t *testing.T, p *place) {
		for _, typ := range []int{9, 17, 21} {
			for _, c := range p.both(t) {
				c.signUp(login("alice"))
				c.say(`{"type":%d}`, typ)
				c.refused(100, typ)
			}
		}
	}},
	{44, func(t *testing.T, p *place) {
		for transport, c := range p.both(t) {
			c.signUp(login("alice"))
			room := c.room("r")
			for i := range 60 {
				if i%2 == 0 {
					c.say(`{"type":16,"room_id":%d,"desc":"%d"}`, room, i)
				} else {
					c.say(`{"type":23,"desc":"%d"}`, i)
				}
			}
			for i := range 60 {
				m := c.get()
				if m["desc"] != fmt.Sprint(i) {
					t.Fatalf("%s: answer %d is %v", transport, i, m)
				}
			}
		}
		// Also in one frame.
		c := p.user(t, "alice")
		var frame strings.Builder
		for i := range 60 {
			fmt.Fprintf(&frame, "{\"type\":23,\"desc\":\"%d\"}\n", i)
		}
		c.send(frame.String())
		for i := range 60 {
			c.want(`{"type":23,"desc":"%d"}`, i)
		}
	}},
	{45, func(t *testing.T, p *place) {
		c := p.dialTCP(t)
		c.signUp(login("alice"))
		c.send("{\"type\":23,\"desc\":\"1\"}\r\n{\"type\":23,\"desc\":\"2\"} and more")
		c.want(`{"type":23,"desc":"1"}`)
		c.want(`{"type":23,"desc":"2"}`)
		for _, part := range []string{`{"type":`, `23,"de`, "sc\":\"3\"}\n"} {
			if _, err := c.tcp.Write([]byte(part)); err != nil {
				t.Fatal(err)
			}
		}
		c.want(`{"type":23,"desc":"3"}`)
	}},
}
