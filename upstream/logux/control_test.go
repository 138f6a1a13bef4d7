package logux

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

func TestAppendControl(t *testing.T) {
	t.Parallel()
	const (
		old  = `["action",{"type":"user/name","user":38,"name":"The User"},{"clients":["38:Y7bysd"]}]`
		new4 = `{"command":"action","action":{"type":"user/name","user":38,"name":"The User"},"meta":{"clients":["38:Y7bysd"]}}`
	)
	message := upstream.Request{Type: "a\"b", Channel: "users/38", Payload: []byte(`{ "n":12345678901234567890 }`)}
	raw := func(text string) upstream.Request { return upstream.Request{Raw: []byte(text)} }
	tests := []struct {
		name    string
		version int
		req     upstream.Request
		want    string
	}{
		{"message", 1, message, `["action",{"type":"a\"b","payload":{ "n":12345678901234567890 }},{"channels":["users/38"]}]`},
		{"message", 2, message, `["action",{"type":"a\"b","payload":{ "n":12345678901234567890 }},{"channels":["users/38"]}]`},
		{"message", 3, message, `["action",{"type":"a\"b","payload":{ "n":12345678901234567890 }},{"channels":["users/38"]}]`},
		{"message", 4, message, `{"command":"action","action":{"type":"a\"b","payload":{ "n":12345678901234567890 }},"meta":{"channels":["users/38"]}}`},
		{"to nobody", 3, upstream.Request{Type: "a"}, `["action",{"type":"a"},{}]`},
		{"to nobody", 4, upstream.Request{Type: "a", Payload: []byte("null")}, `{"command":"action","action":{"type":"a","payload":null},"meta":{}}`},
		{"raw array", 1, raw(old), old},
		{"raw array", 3, raw(old), old},
		{"raw array", 4, raw(old), new4},
		{"raw object", 1, raw(new4), old},
		{"raw object", 4, raw(new4), new4},
		{"raw object with headers", 2, raw(`{"headers":{"a":1},"meta":{},"action":{"type":"x"},"command":"action"}`), `["action",{"type":"x"},{}]`},
		{"raw list", 4, raw(`[` + old + `, ` + new4 + ` ]`), new4 + "," + new4},
		{"raw list", 2, raw(`[` + new4 + `,` + old + `]`), old + "," + old},
		{"empty raw list", 4, raw(` [ ] `), ``},
		// A server of an old version knows lists alone, and all of them strings and numbers apart.
		{
			"names alone", 1, raw(`["action",{"type":"a"},{"user":38,"client":"38:a","x":1,"users":["21"],"time":"1560954012838"}]`),
			`["action",{"type":"a"},{"x":1,"time":1560954012838,"users":["38","21"],"clients":["38:a"]}]`,
		},
		{
			"a number among names", 4, raw(`{"command":"action","action":{"type":"a"},"meta":{"users":["21",38]},"headers":{}}`),
			`{"command":"action","action":{"type":"a"},"meta":{"users":["21","38"]}}`,
		},
		{"names of nobody", 4, raw(`["action",{"type":"a"},{"channels":{},"reasons":["r"]}]`), `{"command":"action","action":{"type":"a"},"meta":{"reasons":["r"]}}`},
		{"as long as before", 1, raw(`["action",{"type":"a"},{"client":"a","time":"5" }]`), `["action",{"type":"a"},{"time":5,"clients":["a"]}]`},
		{"time without sense", 3, raw(`["action",{"type":"a"},{"time":"soon"}]`), `["action",{"type":"a"},{"time":"soon"}]`},
	}
	for _, test := range tests {
		if err := CheckControl(&test.req); err != nil {
			t.Errorf("%s is refused: %v", test.name, err)
		}
		if got := string(mustCodec(t, test.version, "s").AppendControl(nil, &test.req)); got != test.want {
			t.Errorf("%s in version %d is written %s, want %s", test.name, test.version, got, test.want)
		}
	}
}

// The bodies of the table of products, and of the published examples but for the password.
func TestControlBodies(t *testing.T) {
	t.Parallel()
	req := &upstream.Request{Raw: []byte(`["action",{"type":"user/name","user":38,"name":"The User"},{"clients":["38:Y7bysd"]}]`)}
	const command = `["action",{"type":"user/name","user":38,"name":"The User"},{"clients":["38:Y7bysd"]}]`
	for version, want := range map[int]string{
		1: `{"version":1,"password":"secret","secret":"secret","commands":[` + command + `]}`,
		2: `{"version":2,"password":"secret","secret":"secret","commands":[` + command + `]}`,
		3: `{"version":3,"secret":"secret","commands":[` + command + `]}`,
		4: `{"version":4,"secret":"secret","commands":[{"command":"action","action":{"type":"user/name","user":38,"name":"The User"},"meta":{"clients":["38:Y7bysd"]}}]}`,
	} {
		c := mustCodec(t, version, "secret")
		if got := string(c.End(c.AppendControl(c.Begin(nil), req))); got != want {
			t.Errorf("version %d asks %s, want %s", version, got, want)
		}
	}
}

func TestAppendMessage(t *testing.T) {
	t.Parallel()
	for version, want := range map[int]string{
		3: `["action",{"type":"t","payload":[1]},{"channels":["a","b\"c"]}]`,
		4: `{"command":"action","action":{"type":"t","payload":[1]},"meta":{"channels":["a","b\"c"]}}`,
	} {
		got := string(mustCodec(t, version, "s").AppendMessage(nil, []string{"a", `b"c`}, "t", []byte("[1]")))
		if got != want {
			t.Errorf("version %d: %s, want %s", version, got, want)
		}
	}
}

func TestCheckControl(t *testing.T) {
	t.Parallel()
	raw := func(text string) upstream.Request { return upstream.Request{Raw: []byte(text)} }
	tests := []struct {
		name string
		req  upstream.Request
		want error
	}{
		{"message", upstream.Request{Type: "a"}, nil},
		{"own type", upstream.Request{Type: "logux/undo"}, ErrType},
		{"own type in a raw command", raw(`["action",{"type":"logux/undo"},{}]`), nil},
		{"two payloads", upstream.Request{Type: "a", Payload: []byte(`1},"x":{"y":1`)}, ErrPayload},
		{"empty payload", upstream.Request{Type: "a", Payload: []byte{}}, ErrPayload},
		{"no id", raw(`["action",{"type":"a"},{}]`), nil},
		{"not JSON", raw(`["action",{"type":"a"},{}`), ErrControl},
		{"empty", raw(``), ErrControl},
		{"text", raw(`"action"`), ErrControl},
		{"authentication", raw(`["auth","38","t","i"]`), ErrControl},
		{"authentication as object", raw(`{"command":"auth","authId":"i"}`), ErrControl},
		{"no meta", raw(`["action",{"type":"a"}]`), ErrControl},
		{"meta is no object", raw(`["action",{"type":"a"},[]]`), ErrControl},
		{"meta is null", raw(`{"command":"action","action":{"type":"a"},"meta":null}`), ErrControl},
		{"no type", raw(`["action",{},{}]`), ErrControl},
		{"type is a number", raw(`["action",{"type":5},{}]`), ErrControl},
		{"action is no object", raw(`["action",["type"],{}]`), ErrControl},
		{"list with one wrong", raw(`[["action",{"type":"a"},{}],["auth","38","t","i"]]`), ErrControl},
		{"list of numbers", raw(`[1]`), ErrControl},
		{"list of lists", raw(`[[["action",{"type":"a"},{}]]]`), ErrControl},
	}
	for _, test := range tests {
		if got := CheckControl(&test.req); !errors.Is(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

// Whatever is accepted becomes a request with commands that a Logux server accepts, in its version.
func FuzzAppendControl(f *testing.F) {
	f.Add(4, "add", "news", []byte(`{"a":1}`), []byte(nil))
	f.Add(1, `a"`, "\x00", []byte(`[1`), []byte(`[["action",{"type":"a"},{}],{"command":"action","action":{"type":"b"},"meta":{}}]`))
	f.Add(3, "logux/x", "", []byte(nil), []byte(`{"command":"action","action":{"type":"b"},"meta":{},"meta":{"id":"1"}}`))
	f.Add(2, "", "é", []byte("null"), []byte(`["action",{"type":"a"},{},5]`))
	f.Fuzz(func(t *testing.T, version int, typ, channel string, payload, raw []byte) {
		c, err := NewCodec(version, typ)
		req := &upstream.Request{Type: typ, Channel: channel, Payload: payload, Raw: raw}
		if err != nil || CheckControl(req) != nil {
			return
		}
		body := c.End(c.AppendControl(c.Begin(nil), req))
		var got struct {
			Commands []json.RawMessage `json:"commands"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%q is no request: %v", body, err)
		}
		if raw == nil && len(got.Commands) != 1 {
			t.Errorf("%q has %d commands", body, len(got.Commands))
		}
		for _, command := range got.Commands {
			if err := checkCommand(command); err != nil {
				t.Errorf("%q is refused: %v", command, err)
			}
			if (rawjson.KindOf(command) == rawjson.Array) != (version < 4) {
				t.Errorf("version %d has the command %s", version, command)
			}
		}
	})
}
