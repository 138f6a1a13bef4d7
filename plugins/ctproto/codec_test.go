package ctproto

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
)

func TestDecode(t *testing.T) {
	const id = `"messageId":"abcdefghij"`
	tests := []struct {
		name, frame string
		strict      bool
		want        error
		message     message
	}{
		{name: "message", frame: `{` + id + `,"type":"sum","payload":{"a":1}}`, message: message{"abcdefghij", "sum", []byte(`{"a":1}`)}},
		{name: "space", frame: " {\n" + id + " ,\t\"type\" : \"sum\",\r\n\"payload\" : { \"a\" : 1 } } \n", message: message{"abcdefghij", "sum", []byte(`{ "a" : 1 }`)}},
		{name: "all characters of an id", frame: `{"messageId":"aZ09_-aZ09","type":"","payload":{}}`, message: message{"aZ09_-aZ09", "", []byte(`{}`)}},
		{name: "other members", frame: `{"x":[1,{"messageId":5}],` + id + `,"type":"t","payload":{},"y":null}`, message: message{"abcdefghij", "t", []byte(`{}`)}},
		{name: "last duplicate", frame: `{` + id + `,"type":"x","payload":1,"type":"authorize","payload":{}}`, message: message{"abcdefghij", "authorize", []byte(`{}`)}},
		{name: "escapes", frame: `{"message\u0049d":"abcdefghi\u006a","typ\u0065":"\"\u00e9\n","p\u0061yload":{}}`, message: message{"abcdefghij", "\"é\n", []byte(`{}`)}},
		{name: "half a surrogate", frame: `{` + id + `,"type":"\ud800","payload":{}}`, message: message{"abcdefghij", "\uFFFD", []byte(`{}`)}},
		{name: "digits", frame: `{` + id + `,"type":"t","payload":{"n":1463786910324359168.50}}`, message: message{"abcdefghij", "t", []byte(`{"n":1463786910324359168.50}`)}},
		{name: "null payload", frame: `{` + id + `,"type":"t","payload":null}`, message: message{"abcdefghij", "t", []byte(`null`)}},
		{name: "array payload", frame: `{` + id + `,"type":"t","payload":[]}`, message: message{"abcdefghij", "t", []byte(`[]`)}},

		{name: "strict null", frame: `{` + id + `,"type":"t","payload":null}`, strict: true, want: payloadKind},
		{name: "strict array", frame: `{` + id + `,"type":"t","payload":[]}`, strict: true, want: payloadKind},
		{name: "strict object", frame: `{` + id + `,"type":"t","payload":{}}`, strict: true, message: message{"abcdefghij", "t", []byte(`{}`)}},

		{name: "empty", frame: ``, want: errNotJSON},
		{name: "space alone", frame: ` `, want: errNotJSON},
		{name: "word", frame: `oops`, want: errNotJSON},
		{name: "two values", frame: `{} {}`, want: errNotJSON},
		{name: "comma at the end", frame: `{"a":1,}`, want: errNotJSON},
		{name: "no comma", frame: `{"a":1 "b":2}`, want: errNotJSON},
		{name: "array without end", frame: `[1,2`, want: errNotJSON},
		{name: "array with a comma at the end", frame: `[1,]`, want: errNotJSON},
		{name: "string without end", frame: `"abc`, want: errNotJSON},
		{name: "bad escape", frame: `"\x"`, want: errNotJSON},
		{name: "short escape", frame: `"\u00"`, want: errNotJSON},
		{name: "line in a string", frame: "\"a\nb\"", want: errNotJSON},
		{name: "leading zero", frame: `01`, want: errNotJSON},
		{name: "plus", frame: `+1`, want: errNotJSON},
		{name: "point without digits", frame: `1.`, want: errNotJSON},
		{name: "exponent without digits", frame: `1e`, want: errNotJSON},
		{name: "minus alone", frame: `-`, want: errNotJSON},
		{name: "NaN", frame: `NaN`, want: errNotJSON},
		{name: "cut literal", frame: `tru`, want: errNotJSON},
		{name: "byte order mark", frame: "\uFEFF{}", want: errNotJSON},
		{name: "too deep", frame: strings.Repeat("[", maxDepth+1) + strings.Repeat("]", maxDepth+1), want: errNotJSON},

		{name: "null", frame: `null`, want: idMissed},
		{name: "number", frame: `5`, want: idMissed},
		{name: "array", frame: `[]`, want: idMissed},
		{name: "true", frame: `true`, want: idMissed},
		{name: "string", frame: `"..."`, want: idMissed},
		{name: "JSON in a string", frame: `"{\"messageId\":\"abcdefghij\",\"type\":\"t\",\"payload\":{}}"`, want: idMissed},
		{name: "no members", frame: `{}`, want: idMissed},
		{name: "another member", frame: `{"foo":1}`, want: idMissed},
		{name: "other case", frame: `{"MessageId":"abcdefghij","Type":"authorize","Payload":{}}`, want: idMissed},
		{name: "id alone", frame: `{"messageId":"123"}`, want: typeMissed},
		{name: "no type", frame: `{"messageId":1,"payload":{}}`, want: typeMissed},
		{name: "no payload", frame: `{` + id + `,"type":"t"}`, want: payloadMissed},
		{name: "id null", frame: `{"messageId":null,"type":"t","payload":{}}`, want: idKind},
		{name: "id number", frame: `{"messageId":123,"type":"t","payload":{}}`, want: idKind},
		{name: "all wrong", frame: `{"messageId":1,"type":2,"payload":3}`, want: idKind},
		{name: "type number", frame: `{` + id + `,"type":123,"payload":"x"}`, want: typeKind},
		{name: "type null", frame: `{` + id + `,"type":null,"payload":{}}`, want: typeKind},
		{name: "payload text", frame: `{` + id + `,"type":"t","payload":"text"}`, want: payloadKind},
		{name: "payload number", frame: `{` + id + `,"type":"t","payload":5}`, want: payloadKind},
		{name: "payload true", frame: `{` + id + `,"type":"t","payload":true}`, want: payloadKind},
		{name: "payload false", frame: `{"messageId":"x","type":"t","payload":false}`, want: payloadKind},
		{name: "id of 9", frame: `{"messageId":"abcdefghi","type":"t","payload":{}}`, want: idInvalid},
		{name: "id of 11", frame: `{"messageId":"abcdefghijk","type":"t","payload":{}}`, want: idInvalid},
		{name: "id with a point", frame: `{"messageId":"abcdefghi.","type":"t","payload":{}}`, want: idInvalid},
		{name: "id with a space", frame: `{"messageId":"abcdefghi ","type":"t","payload":{}}`, want: idInvalid},
		{name: "id with a newline", frame: `{"messageId":"abcdefghij\n","type":"t","payload":{}}`, want: idInvalid},
		{name: "id with a newline for a letter", frame: `{"messageId":"abcdefghi\n","type":"t","payload":{}}`, want: idInvalid},
		{name: "id not ASCII", frame: `{"messageId":"abcdefghé","type":"t","payload":{}}`, want: idInvalid},
		{name: "id empty", frame: `{"messageId":"","type":"t","payload":{}}`, want: idInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := decode([]byte(tt.frame), tt.strict)
			if err != tt.want { //nolint:errorlint // they are compared as they are
				t.Fatalf("%s\ngot  %v\nwant %v", tt.frame, err, tt.want)
			}
			if got.id != tt.message.id || got.typ != tt.message.typ || !bytes.Equal(got.payload, tt.message.payload) {
				t.Errorf("%s\ngot  %+v\nwant %+v", tt.frame, got, tt.message)
			}
		})
	}
}

func TestDepthIsThatOfEncodingJSON(t *testing.T) {
	deepest := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	if _, ok := scan([]byte(deepest)); !ok || !json.Valid([]byte(deepest)) {
		t.Error("the deepest value is refused")
	}
}

func TestFalsy(t *testing.T) {
	for _, v := range []string{"", "null", "false", `""`, "0", "-0", "0.0", "-0.00", "0e5", "0E+1", "1e-400"} {
		if !falsy([]byte(v)) {
			t.Errorf("%q is taken for true", v)
		}
	}
	for _, v := range []string{"{}", "[]", "true", `"0"`, `" "`, "1", "-1", "0.1", "1e400", "12345678901234567890"} {
		if falsy([]byte(v)) {
			t.Errorf("%q is taken for false", v)
		}
	}
}

var freshID = regexp.MustCompile(`^[A-Za-z0-9_-]{10}$`)

func TestFreshIDs(t *testing.T) {
	seen := make(map[string]bool)
	letters := make(map[rune]bool)
	for range 1000 {
		id := string(appendFreshID(nil))
		if !freshID.MatchString(id) || seen[id] {
			t.Fatalf("id %q", id)
		}
		seen[id] = true
		for _, c := range id {
			letters[c] = true
		}
	}
	if len(letters) != len(alphabet) {
		t.Errorf("%d of %d letters are used", len(letters), len(alphabet))
	}
}

func TestEncode(t *testing.T) {
	if got, want := string(appendResponse(nil, "abcdefghij", []byte(`{"n":1}`))), `{"messageId":"abcdefghij","payload":{"n":1}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got := string(appendError(nil, `a "b"`))
	if want := regexp.MustCompile(`^\{"type":"error","payload":\{"error":"a \\"b\\""\},"messageId":"[A-Za-z0-9_-]{10}"\}$`); !want.MatchString(got) {
		t.Errorf("got %s", got)
	}
	frame, at := appendNew(nil, "t", nil)
	if want := `{"type":"t","payload":{},"messageId":""}`; string(frame) != want || string(frame[at:]) != `"}` {
		t.Errorf("got %s, %d", frame, at)
	}
}

// FuzzDecode compares with the standard library, which takes JSON apart with no regard to the
// protocol.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"messageId":"abcdefghij","type":"authorize","payload":{"token":"x"}}`,
		`{"messageId":"abcdefghij","type":"t","payload":{"n":-1.5e+3,"l":[1,"é\u0000",null,true,false]}}`,
		`{"messageId":1,"type":2,"payload":3}`, `null`, `""`, `[`, `{"a":1}`, "\"\xff\"", `{"type":"x","type":"y"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		got, err := decode(frame, false)
		if valid := json.Valid(frame); valid == (err == errNotJSON) { //nolint:errorlint // it is not wrapped
			t.Fatalf("%q: valid is %t, got %v", frame, valid, err)
		}
		var std map[string]json.RawMessage
		if json.Unmarshal(frame, &std) != nil {
			if err == nil {
				t.Fatalf("%q: taken for an object", frame)
			}
			return
		}
		var want formatError
		var id, typ string
		payload := bytes.TrimSpace(std["payload"])
		switch {
		case std["messageId"] == nil:
			want = idMissed
		case std["type"] == nil:
			want = typeMissed
		case std["payload"] == nil:
			want = payloadMissed
		case !isString(std["messageId"], &id):
			want = idKind
		case !isString(std["type"], &typ):
			want = typeKind
		case payload[0] != '{' && payload[0] != '[' && string(payload) != "null":
			want = payloadKind
		case !freshID.MatchString(id) || len(id) != idLength:
			want = idInvalid
		}
		if want != "" {
			if err != want { //nolint:errorlint // it is not wrapped
				t.Fatalf("%q: got %v, want %v", frame, err, want)
			}
			return
		}
		if err != nil || got.id != id || got.typ != typ || !bytes.Equal(got.payload, payload) {
			t.Fatalf("%q: got %+v, %v, want %q %q %s", frame, got, err, id, typ, payload)
		}
	})
}

func isString(raw json.RawMessage, into *string) bool {
	return raw[0] == '"' && json.Unmarshal(raw, into) == nil
}
