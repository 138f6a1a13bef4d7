package logux

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/upstream"
	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

func mustCodec(tb testing.TB, version int, secret string) *Codec {
	tb.Helper()
	c, err := NewCodec(version, secret)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

func TestNewCodec(t *testing.T) {
	t.Parallel()
	for _, version := range []int{-1, 0, 5} {
		if _, err := NewCodec(version, "s"); err == nil {
			t.Errorf("version %d has a codec", version)
		}
	}
	for version, want := range map[int]string{
		1: `{"version":1,"password":"a\"b","secret":"a\"b","commands":[]}`,
		2: `{"version":2,"password":"a\"b","secret":"a\"b","commands":[]}`,
		3: `{"version":3,"secret":"a\"b","commands":[]}`,
		4: `{"version":4,"secret":"a\"b","commands":[]}`,
	} {
		c := mustCodec(t, version, `a"b`)
		if got := string(c.AppendBody(nil)); got != want || c.Version() != version {
			t.Errorf("version %d: %s, want %s", version, got, want)
		}
	}
}

// The requests of the published examples, but for the password that products of version 1 want.
func TestSeedRequests(t *testing.T) {
	t.Parallel()
	user := "38"
	c := mustCodec(t, 1, "secret")
	body := func(commands ...[]byte) string {
		b := c.Begin(nil)
		for i, command := range commands {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(b, command...)
		}
		return string(c.End(b))
	}
	action := func(action, id, time string) []byte {
		return c.AppendAction(nil, []byte(action), []byte(`{"id":"`+id+`","time":`+time+`}`), nil)
	}
	const head = `{"version":1,"password":"secret","secret":"secret","commands":[`
	tests := []struct{ name, got, want string }{
		{
			"authentication",
			body(c.AppendAuth(nil, &Auth{ID: "gf4Ygi6grYZYDH5Z2BsoR", UserID: &user, Token: []byte(`"good-token"`)})),
			head + `["auth","38","good-token","gf4Ygi6grYZYDH5Z2BsoR"]]}`,
		},
		{
			"actions",
			body(
				action(`{"type":"user/rename","user":38,"name":"New"}`, "1560954012838 38:Y7bysd:O0ETfc 0", "1560954012838"),
				action(`{"type":"user/rename","user":21,"name":"New"}`, "1560954012900 38:Y7bysd:O0ETfc 1", "1560954012900")),
			head + `["action",{"type":"user/rename","user":38,"name":"New"},{"id":"1560954012838 38:Y7bysd:O0ETfc 0","time":1560954012838}],` +
				`["action",{"type":"user/rename","user":21,"name":"New"},{"id":"1560954012900 38:Y7bysd:O0ETfc 1","time":1560954012900}]]}`,
		},
		{
			"subscription",
			body(action(`{"type":"logux/subscribe","channel":"38/name"}`, "1560954012858 38:Y7bysd:O0ETfc 0", "1560954012858")),
			head + `["action",{"type":"logux/subscribe","channel":"38/name"},{"id":"1560954012858 38:Y7bysd:O0ETfc 0","time":1560954012858}]]}`,
		},
	}
	for _, test := range tests {
		if test.got != test.want || !json.Valid([]byte(test.got)) {
			t.Errorf("%s is written %s, want %s", test.name, test.got, test.want)
		}
	}
}

func TestAppendAuth(t *testing.T) {
	t.Parallel()
	user, nobody := `3"8`, ""
	tests := []struct {
		version int
		auth    Auth
		want    string
	}{
		{1, Auth{ID: "i"}, `["auth",null,null,"i"]`},
		{2, Auth{ID: "i", UserID: &nobody, Token: []byte(`{"a":1.0}`)}, `["auth","",{"a":1.0},"i"]`},
		{3, Auth{ID: "i", UserID: &user, Token: []byte(`"t"`), Subprotocol: "1.0.0"}, `["auth","3\"8","t","i"]`},
		{4, Auth{ID: "i"}, `{"command":"auth","authId":"i","subprotocol":"0.0.0","cookie":{},"headers":{}}`},
		{
			4,
			Auth{ID: "i", UserID: &user, Token: []byte(`"good"`), Subprotocol: "1.1.0", Cookie: []byte(`{"token":"abc"}`), Headers: []byte(`{"lang":"fr"}`)},
			`{"command":"auth","authId":"i","userId":"3\"8","token":"good","subprotocol":"1.1.0","cookie":{"token":"abc"},"headers":{"lang":"fr"}}`,
		},
		{4, Auth{ID: "i", UserID: &nobody}, `{"command":"auth","authId":"i","userId":"","subprotocol":"0.0.0","cookie":{},"headers":{}}`},
	}
	for _, test := range tests {
		if got := string(mustCodec(t, test.version, "s").AppendAuth(nil, &test.auth)); got != test.want {
			t.Errorf("version %d: %s, want %s", test.version, got, test.want)
		}
	}
}

func TestAppendAction(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version int
		headers string
		want    string
	}{
		{3, `{"a":1}`, `["action",{"type":"x"},{"id":"1"}]`},
		{4, `{"a":1}`, `{"command":"action","action":{"type":"x"},"meta":{"id":"1"},"headers":{"a":1}}`},
		{4, ``, `{"command":"action","action":{"type":"x"},"meta":{"id":"1"},"headers":{}}`},
	} {
		var headers []byte
		if test.headers != "" {
			headers = []byte(test.headers)
		}
		got := string(mustCodec(t, test.version, "s").AppendAction(nil, []byte(`{"type":"x"}`), []byte(`{"id":"1"}`), headers))
		if got != test.want {
			t.Errorf("version %d: %s, want %s", test.version, got, test.want)
		}
	}
}

func TestAppendRequest(t *testing.T) {
	t.Parallel()
	const (
		old  = `["action",{"type":"a"},{"id":"1 a:b:c 0"}]`
		new4 = `{"command":"action","action":{"type":"a"},"meta":{"id":"1 a:b:c 0"},"headers":{"l":1}}`
	)
	bare := question()
	bare.Payload = nil
	odd := question()
	odd.Type, odd.Payload, odd.UserID = "a\"\n<é", []byte("{ \"b\":1.0,\n\"a\":12345678901234567890 }"), `a"ü\`
	guest := question()
	guest.UserID = ""
	channel := question()
	channel.Purpose, channel.Channel = "subscribe", `us"ers/38`
	raw := func(text string) *upstream.Request { return &upstream.Request{Raw: []byte(text)} }
	tests := []struct {
		name    string
		version int
		req     *upstream.Request
		want    string
	}{
		{"message", 4, question(), `{"command":"action","action":{"type":"user/rename","payload":{"name":"New"}},"meta":{"id":"$","time":1560954012838},"headers":{}}`},
		{"message", 3, question(), `["action",{"type":"user/rename","payload":{"name":"New"}},{"id":"$","time":1560954012838}]`},
		{"no payload", 1, bare, `["action",{"type":"user/rename"},{"id":"$","time":1560954012838}]`},
		{"kept as it is", 2, odd, `["action",{"type":"a\"\n<é","payload":` + string(odd.Payload) + `},{"id":"1560954012838 a\"ü\\:99:bridge 7","time":1560954012838}]`},
		{"nobody", 4, guest, `{"command":"action","action":{"type":"user/rename","payload":{"name":"New"}},"meta":{"id":"1560954012838 :99:bridge 7","time":1560954012838},"headers":{}}`},
		{"subscription", 4, channel, `{"command":"action","action":{"type":"logux/subscribe","channel":"us\"ers/38"},"meta":{"id":"$","time":1560954012838},"headers":{}}`},
		{"subscription", 2, channel, `["action",{"type":"logux/subscribe","channel":"us\"ers/38"},{"id":"$","time":1560954012838}]`},
		{"raw array", 3, raw(old), old},
		{"raw object", 4, raw(new4), new4},
		{"raw array", 4, raw(old), strings.Replace(new4, `{"l":1}`, `{}`, 1)},
		{"raw object", 1, raw(new4), old},
		{"raw authentication", 4, raw(`["auth","38",null,"i"]`), `{"command":"auth","authId":"i","userId":"38","subprotocol":"0.0.0","cookie":{},"headers":{}}`},
		{"raw authentication", 3, raw(`{"command":"auth","authId":"i","token":"t","subprotocol":"1.0.0","cookie":{},"headers":{}}`), `["auth",null,"t","i"]`},
		{"raw authentication of an old guest", 4, raw(`["auth",false,"t","i"]`), `{"command":"auth","authId":"i","token":"t","subprotocol":"0.0.0","cookie":{},"headers":{}}`},
	}
	for _, test := range tests {
		if err := Check(test.req); err != nil {
			t.Errorf("%s is refused: %v", test.name, err)
		}
		if got := string(mustCodec(t, test.version, "s").AppendRequest(nil, test.req)); got != fill(test.want) {
			t.Errorf("%s in version %d is written %s, want %s", test.name, test.version, got, fill(test.want))
		}
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	message := func(change func(*upstream.Request)) *upstream.Request {
		req := question()
		change(req)
		return req
	}
	raw := func(text string) *upstream.Request { return &upstream.Request{Raw: []byte(text)} }
	tests := []struct {
		name string
		req  *upstream.Request
		want error
	}{
		{"message", question(), nil},
		{"server", message(func(r *upstream.Request) { r.UserID = "server" }), ErrUser},
		{"another user in front", message(func(r *upstream.Request) { r.UserID = "38:99" }), ErrUser},
		{"space", message(func(r *upstream.Request) { r.UserID = "3 8" }), ErrUser},
		{"unusual space", message(func(r *upstream.Request) { r.UserID = "3\u20038" }), ErrUser},
		{"control character", message(func(r *upstream.Request) { r.UserID = "3\x008" }), ErrUser},
		{"not UTF-8", message(func(r *upstream.Request) { r.UserID = "3\xff" }), ErrUser},
		{"own type", message(func(r *upstream.Request) { r.Type = "logux/undo" }), ErrType},
		{"two payloads", message(func(r *upstream.Request) { r.Payload = []byte(`1},{"type":"x"`) }), ErrPayload},
		{"empty payload", message(func(r *upstream.Request) { r.Payload = []byte{} }), ErrPayload},
		{"no commands", raw(`[]`), ErrCommand},
		{"two commands", raw(`["action",{},{"id":"1"}],["action",{},{"id":"1"}]`), ErrCommand},
		{"other command", raw(`["other",{},{"id":"1"}]`), ErrCommand},
		{"no id", raw(`["action",{},{}]`), ErrCommand},
		{"no meta", raw(`["action",{}]`), ErrCommand},
		{"no action", raw(`{"command":"action","meta":{"id":"1"}}`), ErrCommand},
		{"action that is no object", raw(`["action","x",{"id":"1"}]`), ErrCommand},
		{"no authId", raw(`["auth","38","t"]`), ErrCommand},
		{"not JSON", raw(`["auth","38","t","i"`), ErrCommand},
		{"action", raw(`["action",{},{"id":"1"}]`), nil},
	}
	for _, test := range tests {
		if got := Check(test.req); !errors.Is(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}

func FuzzAppendRequest(f *testing.F) {
	f.Add(4, "38", "add", []byte(`{"a":1}`), []byte(nil))
	f.Add(1, `a"`, "\x00", []byte(`[1`), []byte(`["auth",false,null,"i",5]`))
	f.Add(3, ``, "é", []byte(nil), []byte(`{"command":"action","action":{},"meta":{"id":"1"}}`))
	f.Fuzz(func(t *testing.T, version int, user, typ string, payload, raw []byte) {
		c, err := NewCodec(version, user)
		if err != nil {
			return
		}
		req := question()
		req.UserID, req.Type, req.Payload, req.Raw = user, typ, payload, raw
		if Check(req) != nil || !utf8.Valid(raw) { // of what is no UTF-8 the id is mended on its way
			return
		}
		body := c.AppendBody(nil, req)
		var got struct {
			Commands []json.RawMessage `json:"commands"`
		}
		if err := json.Unmarshal(body, &got); err != nil || len(got.Commands) != 1 {
			t.Fatalf("%q is no request with one command: %v", body, err)
		}
		if (rawjson.KindOf(got.Commands[0]) == rawjson.Array) != (version < 4) {
			t.Errorf("version %d has the command %s", version, got.Commands[0])
		}
		want := appendID(nil, req)
		if raw != nil {
			want = commandID(raw)
		}
		if id := commandID(got.Commands[0]); string(id) != string(want) {
			t.Errorf("%s has the id %q, want %q", body, id, want)
		}
	})
}
