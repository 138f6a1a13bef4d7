package logux

import (
	"reflect"
	"testing"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

func TestAppendAnswer(t *testing.T) {
	t.Parallel()
	const id = `1560954012838 38:Y7bysd:O0ETfc 0`
	to := Addressees{Channels: []string{"users/38", `a"b`}, Clients: []string{"38:Y7bysd"}}
	tests := []struct {
		answer      Answer
		auth        bool
		one, three  string
		four        string
		notBefore4  bool // no such answer there
		differently bool // is read as something else: what there is no word for
	}{
		{
			answer: Answer{Kind: Authenticated, ID: []byte("i"), Subprotocol: "1.2.0"}, auth: true,
			one: `["authenticated","i"]`, three: `["authenticated","i"]`,
			four: `{"answer":"authenticated","authId":"i","subprotocol":"1.2.0"}`,
		},
		{
			answer: Answer{Kind: Denied, ID: []byte("i")}, auth: true,
			one: `["denied","i"]`, three: `["denied","i"]`, four: `{"answer":"denied","authId":"i"}`,
		},
		{
			answer: Answer{Kind: WrongSubprotocol, ID: []byte("i"), Supported: "^1.0.0"}, auth: true,
			one: `["denied","i"]`, three: `["denied","i"]`, four: `{"answer":"wrongSubprotocol","authId":"i","supported":"^1.0.0"}`,
			differently: true,
		},
		{
			answer: Answer{Kind: Error, ID: []byte("i"), Details: []byte("st\nack")}, auth: true,
			one: `["error","st\nack"]`, three: `["error","i","st\nack"]`, four: `{"answer":"error","authId":"i","details":"st\nack"}`,
		},
		{
			answer: Answer{Kind: Error, Details: []byte("x")},
			one:    `["error","x"]`, three: `["error","x"]`, four: `{"answer":"error","details":"x"}`,
		},
		{
			answer: Answer{Kind: Error, ID: []byte(id), Details: []byte("x")},
			one:    `["error","x"]`, three: `["error","` + id + `","x"]`, four: `{"answer":"error","id":"` + id + `","details":"x"}`,
		},
		{
			answer: Answer{Kind: Resend, ID: []byte(id), To: to},
			one:    `["resend","` + id + `",{"channels":["users/38","a\"b"],"clients":["38:Y7bysd"]}]`,
			three:  `["resend","` + id + `",{"channels":["users/38","a\"b"],"clients":["38:Y7bysd"]}]`,
			four:   `{"answer":"resend","id":"` + id + `","channels":["users/38","a\"b"],"clients":["38:Y7bysd"]}`,
		},
		{
			answer: Answer{Kind: Resend, ID: []byte(id)},
			one:    `["resend","` + id + `",{}]`, three: `["resend","` + id + `",{}]`, four: `{"answer":"resend","id":"` + id + `"}`,
		},
		{
			answer: Answer{Kind: Approved, ID: []byte(id)},
			one:    `["approved","` + id + `"]`, three: `["approved","` + id + `"]`, four: `{"answer":"approved","id":"` + id + `"}`,
		},
		{
			answer: Answer{Kind: Denied, ID: []byte(id)}, differently: true,
			one: `["forbidden","` + id + `"]`, three: `["forbidden","` + id + `"]`, four: `{"answer":"forbidden","id":"` + id + `"}`,
		},
		{
			answer: Answer{Kind: UnknownChannel, ID: []byte(id)},
			one:    `["unknownChannel","` + id + `"]`, three: `["unknownChannel","` + id + `"]`,
			four: `{"answer":"unknownChannel","id":"` + id + `"}`,
		},
		{
			answer: Answer{Kind: Action, ID: []byte(id), Action: []byte(`{"type":"a", "n":12345678901234567890}`), Meta: []byte(`{ }`)}, notBefore4: true,
			four: `{"answer":"action","id":"` + id + `","action":{"type":"a", "n":12345678901234567890},"meta":{ }}`,
		},
		{
			answer: Answer{Kind: Processed, ID: []byte(id)},
			one:    `["processed","` + id + `"]`, three: `["processed","` + id + `"]`, four: `{"answer":"processed","id":"` + id + `"}`,
		},
	}
	for _, test := range tests {
		for version, want := range map[int]string{1: test.one, 2: test.one, 3: test.three, 4: test.four} {
			if version < 4 && test.notBefore4 {
				continue
			}
			got := AppendAnswer([]byte("["), version, &test.answer, test.auth)
			if string(got) != "["+want {
				t.Errorf("%v in version %d is written %s, want %s", test.answer.Kind, version, got[1:], want)
			}
			back, err := DecodeAnswer(got[1:])
			if err != nil {
				t.Errorf("%s cannot be read: %v", got[1:], err)
			}
			if !test.differently && (back.Kind != test.answer.Kind || !reflect.DeepEqual(back.To, test.answer.To)) {
				t.Errorf("%s is read as %+v", got[1:], back)
			}
		}
	}
}

// FuzzAppendAnswer: what a back-end says is handed on as JSON, and read as the same.
func FuzzAppendAnswer(f *testing.F) {
	for _, seed := range []string{
		`["resend","1560954012838 38:Y7bysd:O0ETfc 0",{"channels":["users/38"]}]`,
		`["error","PostgreSQLError: No connection to database\n    at DB.connnect"]`,
		`{"answer":"action","id":"1 a:b 0","action":{"type":"x"},"meta":{"clients":["a:b"],"user":38}}`,
		`{"answer":"wrongSubprotocol","authId":"i","supported":"^1.0.0"}`,
	} {
		f.Add([]byte(seed), 4, true)
		f.Add([]byte(seed), 1, false)
	}
	f.Fuzz(func(t *testing.T, element []byte, version int, auth bool) {
		if version < MinVersion || version > MaxVersion || !rawjson.Valid(element) {
			return
		}
		a, err := DecodeAnswer(element)
		if err != nil || a.Kind == None || a.Kind == Unknown || a.Kind == Action && (version < 4 || a.Meta == nil) {
			return
		}
		out := AppendAnswer(nil, version, &a, auth)
		if !rawjson.Valid(out) {
			t.Fatalf("%s is written %s", element, out)
		}
		back, err := DecodeAnswer(out)
		if err != nil || len(back.To.Channels) != len(a.To.Channels) || len(back.To.Users) != len(a.To.Users) {
			t.Fatalf("%s is written %s, and read as %+v, %v", element, out, back, err)
		}
	})
}
