//go:build linux

package chat

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
)

// document is what the API's document says: by type the keys of the request, and of what the server says.
// Where it contradicts itself it is what its program does.
var document = []struct {
	typ, asked, said string
}{
	{"RQ_LOG_IN", "type login pass name desc", ""},
	{"RQ_SIGN_UP", "type login pass name desc", ""},
	{"RQ_TOKEN", "type token", "type token login desc"},
	{"RQ_MSG", "type room_id message msg_type", "type room_id message date message_id user_id msg_type"},
	{"RQ_EDIT_MSG", "type room_id msg_id msg", "type room_id msg_id msg"},
	{"RQ_DEL_MSG", "type room_id msg_id", "type room_id msg_id"},
	{"RQ_DEL_HIST", "type room_id", "type room_id"},
	{"RQ_GET_NEW_MSGS", "type date room_id count", "type room_id messages"},
	{"RQ_SEARCH_MSGS", "type msg room_id", "type msgs"},
	{"RQ_ERROR_MSG", "", "type error_code msg"},
	{"RQ_OLD_MSGS", "type date room_id count", "type room_id message"},
	{"RQ_GET_ROOMS", "type date", "type rooms"},
	{"RQ_NEW_ROOM", "type name desc", "type name customer_id id date desc"},
	{"RQ_DEL_ROOM", "type room_id", "type room_id"},
	{"RQ_JOIN_ROOM", "type room_id", "type room_id name customer_id id date desc"},
	{"RQ_UPD_ROOM_NAME", "type room_id room_name", "type room_id room_name"},
	{"RQ_UPD_ROOM_DESC", "type room_id desc", "type room_id desc"},
	{"RQ_UPD_ROOM_POWR", "", ""},
	{"RQ_SEARCH_CH", "type name", "type rooms"},
	{"RQ_GET_MEMBERS", "type room_id", "type room_id members"},
	{"RQ_MEMBER_INFO", "type user_id", "type desc login"},
	{"RQ_NEW_MEMBER", "", "type user_id room_id login"},
	{"RQ_BAN_MEMBER", "type room_id user_id", "type room_id user_id"},
	{"RQ_UPD_USER_DESC", "type desc", "type desc"},
	{"RQ_UPLOAD_FILE", "type name size room_id token", ""},
	{"RQ_DOWNLOAD_FILE", "type room_id msg_id token", "type size name"},
	{"RQ_LOG_OUT", "type token", "type token"},
	{"RQ_READY_READ", "type", "type"},
}

// speaker is a client that notes the keys of all that it says and hears.
type speaker struct {
	*client
	names       bool
	asked, said map[string]string // by type, the keys in the order in which they came
}

func (s *speaker) constant(typ string) string {
	if s.names {
		return `"` + typ + `"`
	}
	return fmt.Sprint(slices.IndexFunc(document, func(d struct{ typ, asked, said string }) bool { return d.typ == typ }))
}

// ask says a request, with the rest of its object.
func (s *speaker) ask(typ, rest string, args ...any) {
	s.t.Helper()
	text := `{"type":` + s.constant(typ)
	if rest != "" {
		text += "," + fmt.Sprintf(rest, args...)
	}
	s.send(text + "}")
	s.asked[typ] = keys(s.t, text+"}")
}

// hear reads what the server says, which must be of that type.
func (s *speaker) hear(typ string) map[string]any {
	s.t.Helper()
	text := s.line()
	if !strings.Contains(text, `"type":`+s.constant(typ)+`,`) && !strings.HasSuffix(text, `"type":`+s.constant(typ)+`}`) {
		s.t.Fatalf("heard %s, want %s", text, typ)
	}
	s.said[typ] = keys(s.t, text)
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	m := make(map[string]any)
	if err := d.Decode(&m); err != nil {
		s.t.Fatal(err)
	}
	return m
}

func keys(t testing.TB, text string) string {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return strings.Join(slices.Sorted(maps.Keys(m)), " ")
}

// TestDocument plays every request, answer and broadcast of the API's document, with names and with numbers,
// over WebSocket and TCP.
func TestDocument(t *testing.T) {
	p := open(t, "sqlite:chat.db", "")
	for name, dial := range map[string]func(testing.TB) *client{"names": p.dial, "numbers": p.dial, "TCP": p.dialTCP} {
		t.Run(name, func(t *testing.T) {
			s := &speaker{dial(t), name == "names", map[string]string{}, map[string]string{}}
			say(t, p, s)
			for _, d := range document {
				for key := range strings.FieldsSeq(d.asked) {
					if !slices.Contains(strings.Fields(s.asked[d.typ]), key) {
						t.Errorf("a request %s has %q: no %q", d.typ, s.asked[d.typ], key)
					}
				}
				for key := range strings.FieldsSeq(d.said) {
					if d.typ == "RQ_JOIN_ROOM" && key == "room_id" {
						continue // there it is called id, in the document's own list as well
					}
					if !slices.Contains(strings.Fields(s.said[d.typ]), key) {
						t.Errorf("the server's %s has %q: no %q", d.typ, s.said[d.typ], key)
					}
				}
			}
		})
	}
}

// say says everything that there is to say.
func say(t *testing.T, p *place, s *speaker) {
	t.Helper()
	other, banned := p.user(t, "other"), p.user(t, "banned")
	theirs := other.room("theirs")
	s.login = login("user")
	s.ask("RQ_SIGN_UP", `"login":%q,"pass":%q,"name":"user's name","desc":"user's description"`, s.login, pass)
	s.token = fmt.Sprint(s.hear("RQ_TOKEN")["token"])
	s.ask("RQ_LOG_IN", `"login":%q,"pass":%q,"name":"","desc":""`, s.login, pass)
	s.hear("RQ_ERROR_MSG")
	s.ask("RQ_UPD_USER_DESC", `"desc":"new"`)
	s.hear("RQ_UPD_USER_DESC")

	s.ask("RQ_SEARCH_CH", `"name":"the"`)
	s.hear("RQ_SEARCH_CH")
	s.ask("RQ_JOIN_ROOM", `"room_id":%d`, theirs)
	s.hear("RQ_JOIN_ROOM")
	me := number(s.hear("RQ_NEW_MEMBER")["user_id"])
	s.ask("RQ_MEMBER_INFO", `"user_id":%d`, me)
	s.hear("RQ_MEMBER_INFO")

	s.ask("RQ_NEW_ROOM", `"name":"room name","desc":"room description","type":1`)
	room := number(s.hear("RQ_NEW_ROOM")["id"])
	s.ask("RQ_GET_ROOMS", `"date":0`)
	s.hear("RQ_GET_ROOMS")
	s.ask("RQ_UPD_ROOM_NAME", `"room_id":%d,"room_name":"new"`, room)
	s.hear("RQ_UPD_ROOM_NAME")
	s.ask("RQ_UPD_ROOM_DESC", `"room_id":%d,"desc":"new"`, room)
	s.hear("RQ_UPD_ROOM_DESC")

	s.ask("RQ_MSG", `"room_id":%d,"message":"message","msg_type":0`, room)
	id := number(s.hear("RQ_MSG")["message_id"])
	s.hear("RQ_UPD_ROOM_POWR")
	s.ask("RQ_EDIT_MSG", `"room_id":%d,"msg_id":%d,"msg":"edited"`, room, id)
	s.hear("RQ_EDIT_MSG")
	s.hear("RQ_UPD_ROOM_POWR")
	s.ask("RQ_GET_NEW_MSGS", `"date":0,"room_id":%d,"count":10`, room)
	s.hear("RQ_GET_NEW_MSGS")
	s.hear("RQ_UPD_ROOM_POWR")
	s.ask("RQ_OLD_MSGS", `"date":%s,"room_id":%d,"count":10`, far, room)
	s.hear("RQ_OLD_MSGS")
	s.ask("RQ_SEARCH_MSGS", `"msg":"edi","room_id":%d`, room)
	s.hear("RQ_SEARCH_MSGS")
	s.ask("RQ_DEL_MSG", `"room_id":%d,"msg_id":%d`, room, id)
	s.hear("RQ_DEL_MSG")

	file := s.file(p, room)
	s.fetch(p, room, file)
	s.ask("RQ_DEL_HIST", `"room_id":%d`, room)
	s.hear("RQ_DEL_HIST")

	banned.join(room)
	s.hear("RQ_NEW_MEMBER")
	s.ask("RQ_GET_MEMBERS", `"room_id":%d`, room)
	s.hear("RQ_GET_MEMBERS")
	s.ask("RQ_BAN_MEMBER", `"room_id":%d,"user_id":%d`, room, banned.id)
	s.hear("RQ_BAN_MEMBER")
	s.ask("RQ_DEL_ROOM", `"room_id":%d`, room)
	s.hear("RQ_DEL_ROOM")

	s.ask("RQ_LOG_OUT", `"token":%q`, s.token)
	s.hear("RQ_LOG_OUT")
	s.ask("RQ_TOKEN", `"token":%q`, s.token)
	s.hear("RQ_ERROR_MSG")
	s.ask("RQ_LOG_IN", `"login":%q,"pass":%q,"name":"","desc":""`, s.login, pass)
	s.hear("RQ_TOKEN")
}

// apart is the connection for a file: over TCP one of its own.
func (s *speaker) apart(p *place) *speaker {
	if s.ws != nil {
		return s
	}
	return &speaker{p.dialTCP(s.t), s.names, s.asked, s.said}
}

// file uploads one, and returns its message.
func (s *speaker) file(p *place, room int64) int64 {
	s.t.Helper()
	up := s.apart(p)
	up.ask("RQ_UPLOAD_FILE", `"name":"filename","size":3,"room_id":%d,"token":%q`, room, s.token)
	up.hear("RQ_READY_READ")
	if up.ws != nil {
		up.binary("abc")
	} else {
		if _, err := up.tcp.Write([]byte("abc")); err != nil {
			s.t.Fatal(err)
		}
		if err := up.tcp.CloseWrite(); err != nil {
			s.t.Fatal(err)
		}
		up.ended()
	}
	s.hear("RQ_UPD_ROOM_POWR")
	return number(s.hear("RQ_MSG")["message_id"])
}

// fetch downloads it.
func (s *speaker) fetch(p *place, room, message int64) {
	s.t.Helper()
	down := s.apart(p)
	down.ask("RQ_DOWNLOAD_FILE", `"room_id":%d,"msg_id":%d,"token":%q`, room, message, s.token)
	down.hear("RQ_DOWNLOAD_FILE")
	down.ask("RQ_READY_READ", "")
	var data string
	var err error
	if down.ws != nil {
		data, _, err = down.next()
	} else {
		var all []byte
		all, err = io.ReadAll(down.lines)
		data = string(all)
	}
	if err != nil || data != "abc" {
		s.t.Fatalf("downloaded %q, %v", data, err)
	}
}
