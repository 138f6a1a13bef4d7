package logux

import (
	"errors"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

// seedAuth and the others are requests of the published examples, as they are on the wire.
const (
	seedAuth = `{
  "version": 1,
  "secret": "secret",
  "commands": [
    ["auth", "38", "good-token", "gf4Ygi6grYZYDH5Z2BsoR"]
  ]
}`
	seedActions = `{
  "version": 1,
  "secret": "secret",
  "commands": [
    [
      "action",
      { "type": "user/rename", "user": 38, "name": "New" },
      { "id": "1560954012838 38:Y7bysd:O0ETfc 0", "time": 1560954012838 }
    ],
    [
      "action",
      { "type": "user/rename", "user": 21, "name": "New" },
      { "id": "1560954012900 38:Y7bysd:O0ETfc 1", "time": 1560954012900 }
    ]
  ]
}`
	seedPush = `{
  "version": 1,
  "secret": "secret",
  "commands": [
    [
      "action",
      { "type": "user/name", "user": 38, "name": "The User" },
      { "clients": ["38:Y7bysd"] }
    ]
  ]
}`
)

func TestDecodeEnvelope(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		version    int
		secret     string
		commands   []string
	}{
		{"seed: auth", seedAuth, 1, "secret", []string{`["auth", "38", "good-token", "gf4Ygi6grYZYDH5Z2BsoR"]`}},
		{"version 1 as shipped", `{"version":1,"password":"p","commands":[["a"]]}`, 1, "p", []string{`["a"]`}},
		{"version 2", `{"version":2,"password":"p","commands":[]}`, 2, "p", nil},
		{"version 3", `{"version":3,"secret":"s","commands":[["a"],["b"]]}`, 3, "s", []string{`["a"]`, `["b"]`}},
		{"version 4", `{"version":4,"secret":"s","commands":[{"command":"a"}]}`, 4, "s", []string{`{"command":"a"}`}},
		{"both names", `{"password":"p","secret":"s","version":1,"commands":[]}`, 1, "s", nil},
		{"objects that say 2", `{"commands":[{}],"version":2,"secret":"s"}`, 2, "s", []string{`{}`}},
		{"a fraction that is none", `{"version":4.0,"secret":"s","commands":[]}`, 4, "s", nil},
		{"an exponent", `{"version":40e-1,"secret":"s","commands":[]}`, 4, "s", nil},
		{"the last counts", `{"version":9,"secret":1,"secret":"s","version":3,"commands":1,"commands":[]}`, 3, "s", nil},
		{"escapes", `{"\u0076ersion":1,"secret":"a\"\u00e9","commands":[]}`, 1, `a"é`, nil},
		{"more members", `{"version":1,"secret":"","commands":[],"x":{"secret":1}}`, 1, "", nil},
	}
	for _, test := range tests {
		got, err := DecodeEnvelope([]byte(test.body))
		if err != nil || got.Version != test.version || got.Secret != test.secret {
			t.Errorf("%s: %d, %q, %v; want %d, %q", test.name, got.Version, got.Secret, err, test.version, test.secret)
		}
		var commands []string
		for _, c := range got.Commands {
			commands = append(commands, string(c))
		}
		if strings.Join(commands, "\n") != strings.Join(test.commands, "\n") {
			t.Errorf("%s: commands %q, want %q", test.name, commands, test.commands)
		}
	}
}

func TestDecodeEnvelopeErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		body string
		want error
	}{
		{``, ErrNotJSON},
		{`{`, ErrNotJSON},
		{`nope`, ErrNotJSON},
		{`{ version: 1, secret: 'secret', commands: [] }`, ErrNotJSON},
		{`{"version":1,"secret":"s","commands":[]}x`, ErrNotJSON},
		{`{"version":1,"secret":"s","commands":[],}`, ErrNotJSON},
		{"{\"version\":1,\"secret\":\"\xff\",\"commands\":[]}", ErrNotJSON},
		{strings.Repeat("[", rawjson.MaxDepth+1) + strings.Repeat("]", rawjson.MaxDepth+1), ErrNotJSON},
		{`[]`, ErrShape},
		{`{}`, ErrShape},
		{`"x"`, ErrShape},
		{`null`, ErrShape},
		{`{"version":"4","secret":"s","commands":[]}`, ErrShape},
		{`{"secret":"s","commands":[]}`, ErrShape},
		{`{"version":4,"secret":1,"commands":[]}`, ErrShape},
		{`{"version":4,"secret":null,"password":"p","commands":[]}`, ErrShape},
		{`{"version":4,"commands":[]}`, ErrShape},
		{`{"version":4,"secret":"s"}`, ErrShape},
		{`{"version":4,"secret":"s","commands":{}}`, ErrShape},
		{`{"version":4,"secret":"s","commands":[{},1]}`, ErrShape},
		{`{"version":4,"secret":"s","commands":[null]}`, ErrShape},
		{`{"version":4,"secret":"s","commands":["action"]}`, ErrShape},
		{`{"version":1000,"secret":"s","commands":["action"]}`, ErrShape}, // the shape is looked at first
		{`{"version":1000,"secret":"s","commands":[]}`, ErrVersion},
		{`{"version":5,"secret":"s","commands":[]}`, ErrVersion},
		{`{"version":0,"secret":"s","commands":[]}`, ErrVersion},
		{`{"version":-1,"secret":"s","commands":[]}`, ErrVersion},
		{`{"version":3.5,"secret":"s","commands":[]}`, ErrVersion},
		{`{"version":4.0000000000000001e400,"secret":"s","commands":[]}`, ErrVersion},
		{`{"version":1e-400,"secret":"s","commands":[]}`, ErrVersion},
	}
	for _, test := range tests {
		if _, err := DecodeEnvelope([]byte(test.body)); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.body, err, test.want)
		}
	}
}

func TestDecodeCommand(t *testing.T) {
	t.Parallel()
	show := func(c Command) string {
		parts := []string{string(c.Name)}
		for _, p := range [][]byte{c.AuthID, c.UserID, c.Token, c.Subprotocol, c.Cookie, c.Action, c.Meta, c.Headers, c.ID()} {
			if p == nil {
				p = []byte("-")
			}
			parts = append(parts, string(p))
		}
		return strings.Join(parts, " ")
	}
	tests := []struct {
		raw, want string
		array     bool
	}{
		{`["auth","38","good-token","i"]`, `auth i "38" "good-token" - - - - - i`, true},
		{`["auth",null,null,"i"]`, `auth i - - - - - - - i`, true},
		{`["auth",false,{"any":1},"i",1,2]`, `auth i false {"any":1} - - - - - i`, true},
		{`["auth","38"]`, `auth - "38" - - - - - - -`, true},
		{`["action",{"type":"a"},{"id":"1 a:b:c 0"}]`, `action - - - - - {"type":"a"} {"id":"1 a:b:c 0"} - 1 a:b:c 0`, true},
		{`["action",{"type":"a"}]`, `action - - - - - {"type":"a"} - - -`, true},
		{`["action",1,{"id":"x"}]`, `action - - - - - 1 {"id":"x"} - -`, true},
		{`[]`, ` - - - - - - - - -`, true},
		{`[1,2]`, ` - - - - - - - - -`, true},
		{
			`{"headers":{"h":1},"cookie":{"c":"d"},"subprotocol":"1.0.0","token":"t","userId":"38","authId":"i","command":"auth"}`,
			`auth i "38" "t" "1.0.0" {"c":"d"} - - {"h":1} i`, false,
		},
		{`{"command":"auth","authId":"i","userId":null,"token":null}`, `auth i - - - - - - - i`, false},
		{`{"command":"action","meta":{"id":"1","id":"2"},"action":{}}`, `action - - - - - {} {"id":"1","id":"2"} - 2`, false},
		{`{"command":"other","authId":"i"}`, `other i - - - - - - - -`, false},
		{`{}`, ` - - - - - - - - -`, false},
	}
	for _, test := range tests {
		got := DecodeCommand([]byte(test.raw))
		if show(got) != test.want || got.Array != test.array {
			t.Errorf("%s is taken for %s, array %t, want %s", test.raw, show(got), got.Array, test.want)
		}
	}
}

func TestCommandAuth(t *testing.T) {
	t.Parallel()
	tests := []struct{ raw, want string }{
		{`["auth","38","t","i"]`, `{"command":"auth","authId":"i","userId":"38","token":"t","subprotocol":"0.0.0","cookie":{},"headers":{}}`},
		{`["auth",false,null,"i"]`, `{"command":"auth","authId":"i","subprotocol":"0.0.0","cookie":{},"headers":{}}`},
		{`["auth","",{"any":1},"i"]`, `{"command":"auth","authId":"i","userId":"","token":{"any":1},"subprotocol":"0.0.0","cookie":{},"headers":{}}`},
		{
			`{"command":"auth","authId":"i","subprotocol":"1.2.0","cookie":{"a":"b"},"headers":{"l":"fr"}}`,
			`{"command":"auth","authId":"i","subprotocol":"1.2.0","cookie":{"a":"b"},"headers":{"l":"fr"}}`,
		},
		{
			`{"command":"auth","authId":"i","subprotocol":7,"cookie":null,"headers":[1]}`,
			`{"command":"auth","authId":"i","subprotocol":"7.0.0","cookie":{},"headers":{}}`,
		},
		{
			`{"command":"auth","authId":"i","subprotocol":7.5}`,
			`{"command":"auth","authId":"i","subprotocol":"0.0.0","cookie":{},"headers":{}}`,
		},
	}
	for _, test := range tests {
		command := DecodeCommand([]byte(test.raw))
		a := command.Auth()
		if got := string(mustCodec(t, 4, "s").AppendAuth(nil, &a)); got != test.want {
			t.Errorf("%s is asked as %s, want %s", test.raw, got, test.want)
		}
	}
}

// FuzzDecodeEnvelope: whatever comes, there is an envelope with commands that can be looked at, or one of
// the errors; an envelope is read again from what it says.
func FuzzDecodeEnvelope(f *testing.F) {
	for _, seed := range []string{
		seedAuth, seedActions, seedPush, `[]`, `{`, `null`,
		`{"version":4,"secret":"s","commands":[{"command":"action","action":{"type":"a"},"meta":{"id":"1 a:b 0"}}]}`,
		`{"version":2,"password":"\u0000","commands":[["auth",false,null,"i"],[],{}]}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := DecodeEnvelope(body)
		if err != nil {
			if !errors.Is(err, ErrNotJSON) && !errors.Is(err, ErrShape) && !errors.Is(err, ErrVersion) {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		codec := mustCodec(t, e.Version, e.Secret)
		again := codec.Begin(nil)
		for i, raw := range e.Commands {
			if !rawjson.Valid(raw) {
				t.Fatalf("%q has the command %q", body, raw)
			}
			command := DecodeCommand(raw)
			if a := command.Auth(); !rawjson.Valid(codec.AppendAuth(nil, &a)) {
				t.Fatalf("%q is asked as %q", raw, codec.AppendAuth(nil, &a))
			}
			if i > 0 {
				again = append(again, ',')
			}
			again = append(again, raw...)
		}
		second, err := DecodeEnvelope(codec.End(again))
		if err != nil || second.Version != e.Version || second.Secret != e.Secret || len(second.Commands) != len(e.Commands) {
			t.Fatalf("%q is read as %+v, and then as %+v, %v", body, e, second, err)
		}
	})
}
