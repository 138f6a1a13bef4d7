package logux

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/protocol-bridge/bridge/upstream/rawjson"
)

func TestDecodeAnswer(t *testing.T) {
	t.Parallel()
	to := Addressees{Channels: []string{"users/38"}}
	tests := []struct {
		array, object string // one of the forms may be missing
		want          Answer
	}{
		{`["authenticated","i"]`, `{"answer":"authenticated","authId":"i"}`, Answer{Kind: Authenticated, ID: []byte("i")}},
		{``, `{"answer":"authenticated","authId":"i","subprotocol":"1.2.0"}`, Answer{Kind: Authenticated, ID: []byte("i"), Subprotocol: "1.2.0"}},
		{`["denied","i"]`, `{"answer":"denied","authId":"i"}`, Answer{Kind: Denied, ID: []byte("i")}},
		{`["wrongSubprotocol","i","^1.0.0"]`, `{"answer":"wrongSubprotocol","authId":"i","supported":"^1.0.0"}`, Answer{Kind: WrongSubprotocol, ID: []byte("i"), Supported: "^1.0.0"}},
		{`["error","stack"]`, `{"answer":"error","details":"stack"}`, Answer{Kind: Error, Details: []byte("stack")}},
		{`["error","i","a\nb"]`, `{"answer":"error","authId":"i","details":"a\nb"}`, Answer{Kind: Error, ID: []byte("i"), Details: []byte("a\nb")}},
		{`["error","i",{"a":1}]`, `{"answer":"error","id":"i","details":{"a":1}}`, Answer{Kind: Error, ID: []byte("i"), Details: []byte(`{"a":1}`)}},
		{`["error",5,"stack"]`, `{"answer":"error","id":5,"details":"stack"}`, Answer{Kind: Error, Details: []byte("stack")}},
		{`["resend","i",{"channels":["users/38"]}]`, `{"answer":"resend","id":"i","channels":["users/38"]}`, Answer{Kind: Resend, ID: []byte("i"), To: to}},
		{`["resend","i",{"channel":"users/38","users":[]}]`, `{"answer":"resend","id":"i","channel":"users/38","users":[]}`, Answer{Kind: Resend, ID: []byte("i"), To: to}},
		{`["approved","i"]`, `{"answer":"approved","id":"i"}`, Answer{Kind: Approved, ID: []byte("i")}},
		{`["forbidden","i"]`, `{"answer":"forbidden","id":"i"}`, Answer{Kind: Forbidden, ID: []byte("i")}},
		{`["processed","i"]`, `{"answer":"processed","id":"i","custom_data":null}`, Answer{Kind: Processed, ID: []byte("i")}},
		{`["unknownAction","i"]`, `{"answer":"unknownAction","id":"i"}`, Answer{Kind: UnknownAction, ID: []byte("i")}},
		{`["unknownChannel","i"]`, `{"answer":"unknownChannel","id":"i"}`, Answer{Kind: UnknownChannel, ID: []byte("i")}},
		{
			`["action","i",{"type":"a"},{"channels":["users/38"]}]`, `{"answer":"action","id":"i","action":{"type":"a"},"meta":{"channels":["users/38"]}}`,
			Answer{Kind: Action, ID: []byte("i"), To: to, Action: []byte(`{"type":"a"}`), Meta: []byte(`{"channels":["users/38"]}`)},
		},
		{`["action","i",{"type":"a"}]`, `{"answer":"action","id":"i","action":{"type":"a"}}`, Answer{Kind: Action, ID: []byte("i"), Action: []byte(`{"type":"a"}`)}},
		{`["approved"]`, `{"answer":"approved","id":null}`, Answer{Kind: Approved}},
		{`["later","i"]`, `{"answer":"later","id":"i"}`, Answer{Kind: Unknown, ID: []byte("i")}},
		{`null`, ` null `, Answer{}},
	}
	for _, test := range tests {
		for _, element := range []string{test.array, test.object} {
			if element == "" {
				continue
			}
			got, err := DecodeAnswer([]byte(element))
			if name := got.Kind.String(); name != "" && name != string(got.Name) {
				t.Errorf("%s is called %s", element, name)
			}
			got.Name = nil
			if err != nil || !reflect.DeepEqual(got, test.want) {
				t.Errorf("%s is read %+v, %v, want %+v", element, got, err, test.want)
			}
		}
	}
}

func TestDecodeAnswerErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		element, id string
		want        error
	}{
		{`"approved"`, "", ErrNotAnswer},
		{`5`, "", ErrNotAnswer},
		{`true`, "", ErrNotAnswer},
		{`[]`, "", ErrNoName},
		{`[null,"i"]`, "i", ErrNoName},
		{`{}`, "", ErrNoName},
		{`{"answer":["approved"],"id":"i"}`, "i", ErrNoName},
		{`["action","i"]`, "i", ErrWrongAction},
		{`["action","i",[]]`, "i", ErrWrongAction},
		{`{"answer":"action","id":"i","action":{"payload":1}}`, "i", ErrWrongAction},
	}
	for _, test := range tests {
		got, err := DecodeAnswer([]byte(test.element))
		if !errors.Is(err, test.want) || string(got.ID) != test.id {
			t.Errorf("%s is read with %v, id %q, want %v, %q", test.element, err, got.ID, test.want, test.id)
		}
	}
}

// The responses of the published examples.
func TestSeedResponses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       []string
	}{
		{"authentication", "[\n  [\"authenticated\", \"gf4Ygi6grYZYDH5Z2BsoR\"]\n]", []string{`authenticated "gf4Ygi6grYZYDH5Z2BsoR" []`}},
		{
			"actions", `[
  ["resend", "1560954012838 38:Y7bysd:O0ETfc 0", { "channels": ["users/38"] }],
  ["resend", "1560954012900 38:Y7bysd:O0ETfc 1", { "channels": ["users/21"] }],
  ["approved", "1560954012838 38:Y7bysd:O0ETfc 0"],
  ["denied", "1560954012900 38:Y7bysd:O0ETfc 1"],
  ["processed", "1560954012838 38:Y7bysd:O0ETfc 0"]
]`,
			[]string{
				`resend "1560954012838 38:Y7bysd:O0ETfc 0" [users/38]`, `resend "1560954012900 38:Y7bysd:O0ETfc 1" [users/21]`,
				`approved "1560954012838 38:Y7bysd:O0ETfc 0" []`, `denied "1560954012900 38:Y7bysd:O0ETfc 1" []`,
				`processed "1560954012838 38:Y7bysd:O0ETfc 0" []`,
			},
		},
		{
			"subscription", "[\n  [\"approved\", \"1560954012858 38:Y7bysd:O0ETfc 0\"],\n  [\"processed\", \"1560954012858 38:Y7bysd:O0ETfc 0\"]\n]",
			[]string{`approved "1560954012858 38:Y7bysd:O0ETfc 0" []`, `processed "1560954012858 38:Y7bysd:O0ETfc 0" []`},
		},
		{
			"wrong actions", `[
  ["unknownChannel", "1560954022858 38:Y7bysd:O0ETfc 0"],
  ["unknownAction", "1560954022858 38:Y7bysd:O0ETfc 1"]
]`, []string{`unknownChannel "1560954022858 38:Y7bysd:O0ETfc 0" []`, `unknownAction "1560954022858 38:Y7bysd:O0ETfc 1" []`},
		},
		{
			"error", `[
  ["error", "PostgreSQLError: No connection to database\n    at DB.connnect"]
]`, []string{"error \"\" [] PostgreSQLError: No connection to database\n    at DB.connnect"},
		},
	}
	for _, test := range tests {
		var got []string
		var s rawjson.Splitter
		for rest := []byte(test.body); ; {
			var element []byte
			var err error
			if element, rest, err = s.Next(rest); element == nil || err != nil {
				break
			}
			a, err := DecodeAnswer(element)
			if err != nil {
				t.Errorf("%s: %s: %v", test.name, element, err)
			}
			line := fmt.Sprintf("%v %q %v", a.Kind, a.ID, a.To.Channels)
			if a.Details != nil {
				line += " " + string(a.Details)
			}
			got = append(got, line)
		}
		if !slices.Equal(got, test.want) || s.End() != nil {
			t.Errorf("%s: %q, %v, want %q", test.name, got, s.End(), test.want)
		}
	}
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, element := range []string{
		`["resend","i",{"channels":["a",1,null],"user":"b"}]`, `{"answer":"action","id":"i","action":{"type":"a","payload":1,"x":2},"meta":{"node":"n"}}`,
		`["error"]`, `["error",{},"x"]`, `[[]]`, `{"id":1}`, `null`, `["action","i",{"type":1}]`, `{"answer":"\u0061ction"}`,
	} {
		f.Add([]byte(element))
	}
	f.Fuzz(func(t *testing.T, element []byte) {
		a, err := DecodeAnswer(element) // must not fail on what is not valid either
		if !rawjson.Valid(element) || err != nil || a.Kind != Action {
			return
		}
		if fields := WithoutType(a.Action); !rawjson.Valid(fields) || rawjson.KindOf(fields) != rawjson.Object {
			t.Errorf("%s without type is %s", a.Action, fields)
		}
	})
}
