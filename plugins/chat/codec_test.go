package chat

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParse(t *testing.T) {
	tests := []struct {
		text  string
		kind  kind // -1: no request
		lines kind // over TCP
		named bool
	}{
		{`{"type":3}`, rqMsg, rqMsg, false},
		{` {"type" : 3 } `, rqMsg, rqMsg, false},
		{`{"type":3.0}`, rqMsg, rqMsg, false},
		{`{"type":3.5}`, -1, -1, false},
		{`{"type":3e0}`, -1, -1, false},
		{`{"type":-0}`, rqLogIn, rqLogIn, false},
		{`{"type":28}`, -1, -1, false},
		{`{"type":-1}`, -1, -1, false},
		{`{"type":99999999999999999999}`, -1, -1, false},
		{`{"type":"3"}`, -1, -1, false},
		{`{"type":"RQ_MSG"}`, rqMsg, -1, true},
		{`{"type":"RQ_\u004dSG"}`, rqMsg, -1, true},
		{`{"\u0074ype":3}`, rqMsg, rqMsg, false},
		{`{"Type":3}`, -1, -1, false},
		{`{"type":"RQ_SEARCH_MSG"}`, rqSearchMsgs, -1, true},
		{`{"type":"RQ_SEARCH_MSGS"}`, rqSearchMsgs, -1, true},
		{`{"type":"DB_LS_CHAT"}`, rqNewRoom, -1, true},
		{`{"type":RQ_MSG}`, -1, -1, false},
		{`{"type":null}`, -1, -1, false},
		{`{"type":null,"type":3}`, -1, -1, false},
		{`{"type":12,"type":1}`, rqNewRoom, rqNewRoom, false},
		{`{}`, -1, -1, false},
		{`[]`, -1, -1, false},
		{`[{"type":3}]`, -1, -1, false},
		{`3`, -1, -1, false},
		{``, -1, -1, false},
		{`not json`, -1, -1, false},
		{`{"type":3} x`, -1, rqMsg, false},
		{`{"type":3}}`, -1, rqMsg, false},
		{`{"type":3`, -1, -1, false},
		{`x {"type":3}`, -1, -1, false},
	}
	for _, tt := range tests {
		for _, lines := range []bool{false, true} {
			want := tt.kind
			if lines {
				want = tt.lines
			}
			r, ok := parse([]byte(tt.text), lines)
			if ok != (want >= 0) || ok && (r.kind != want || r.named != (tt.named && !lines) || r.size != len(tt.text)+1) {
				t.Errorf("%s, lines %v: %v, %v, size %d; want %v", tt.text, lines, r.kind, ok, r.size, want)
			}
		}
	}
}

func TestFirstKeyCounts(t *testing.T) {
	r, ok := parse([]byte(`{"room_id":1,"type":12,"name":"a","name":"b","type":0,"type":2,"room_id":2}`), false)
	name, _ := r.text(fName)
	id, _ := r.integer(fRoomID)
	second, _ := r.roomType()
	if !ok || r.kind != rqNewRoom || name != "a" || id != 1 || second != 0 {
		t.Errorf("got %v %q %d %d", r.kind, name, id, second)
	}
}

func TestNewRoom(t *testing.T) {
	tests := []struct {
		text string
		kind kind
		of   int // room type; -1: refused
	}{
		{`{"type":12,"name":"n","desc":""}`, rqNewRoom, 1},
		{`{"type":12,"name":"n","desc":"","type":0}`, rqNewRoom, 0},
		{`{"type":12,"name":"n","desc":"","type":12}`, rqNewRoom, 1},
		{`{"type":12,"name":"n","desc":"","type":3}`, rqNewRoom, -1},
		{`{"type":12,"name":"n","desc":"","type":"x"}`, rqNewRoom, -1},
		{`{"type":12,"name":"n","desc":"","type":null}`, rqNewRoom, -1},
		{`{"type":12,"name":"n","room_type":2,"type":0}`, rqNewRoom, 2},
		{`{"type":"RQ_NEW_ROOM","name":"n","type":"DB_PRIVAT_CHAT"}`, rqNewRoom, 0},
		{`{"type":"RQ_NEW_ROOM","name":"n","type":"RQ_NEW_ROOM"}`, rqNewRoom, 1},
		{`{"type":"DB_LS_CHAT","name":"n"}`, rqNewRoom, 2},
		{`{"type":0,"name":"n","desc":""}`, rqNewRoom, 0},
		{`{"type":1,"name":"n","desc":""}`, rqNewRoom, 1},
		{`{"type":2,"name":"n","desc":""}`, rqNewRoom, 2},
		{`{"type":1,"name":"n","desc":"","login":"x"}`, rqSignUp, 1},
		{`{"type":1,"name":"n","desc":"","pass":null}`, rqSignUp, 1},
		{`{"type":2,"name":"n","desc":"","token":"x"}`, rqToken, 1},
		{`{"type":1,"name":"n"}`, rqSignUp, 1},
		{`{"type":1,"name":1,"desc":""}`, rqSignUp, 1},
	}
	for _, tt := range tests {
		r, ok := parse([]byte(tt.text), false)
		r.asNewRoom()
		of, err := r.roomType()
		if err != nil {
			of = -1
		}
		if !ok || r.kind != tt.kind || of != tt.of {
			t.Errorf("%s: %v, room type %d, %v; want %v, %d", tt.text, r.kind, of, err, tt.kind, tt.of)
		}
	}
}

func TestTexts(t *testing.T) {
	tests := []struct {
		value string // JSON
		lines bool
		want  string
		ok    bool
	}{
		{`" \t\n\u000b\f\r a b \r\n"`, false, "a b", true},
		{`"  "`, false, "", false},
		{`"a\u0000"`, false, "", false},
		{`"` + strings.Repeat("x", 800) + `"`, false, strings.Repeat("x", 800), true},
		{`"` + strings.Repeat("x", 801) + `"`, false, "", false},
		{`"` + strings.Repeat("x", 799) + "\uFFFD" + `"`, false, "", false},
		{`"` + strings.Repeat("x", 799) + "\uFFFD" + `"`, true, strings.Repeat("x", 799), true},
		{`"` + strings.Repeat("x", 800) + "\uFFFD" + `"`, true, "", false},
		{`"\u00a0"`, false, "\u00a0", true}, // only ASCII white space is taken away
		{`7`, false, "", false},
		{`null`, false, "", false},
	}
	for _, tt := range tests {
		r, _ := parse([]byte(`{"type":3,"message":`+tt.value+`}`), tt.lines)
		got, err := r.stripped(fMessage)
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%.40s: %q, %v", tt.value, got, err)
		}
	}
}

func TestIDs(t *testing.T) {
	for value, ok := range map[string]bool{
		"1": true, "2147483647": true, "1.0": true, "0": false, "-1": false, "2147483648": false, "1.5": false, `"1"`: false,
		"1e3": false, "null": false, "99999999999999999999": false,
	} {
		r, _ := parse([]byte(`{"type":3,"room_id":`+value+`}`), false)
		if _, err := r.id(fRoomID); (err == nil) != ok {
			t.Errorf("%s: %v", value, err)
		}
	}
}

func TestRequestsOfAFrame(t *testing.T) {
	for frame, want := range map[string][]string{
		`{"a":1}`:                        {`{"a":1}`},
		"{\"a\":1}\n{\"a\":2}":           {`{"a":1}`, `{"a":2}`},
		"\n{\"a\":1}\n\n \n{\"a\":2}\n":  {`{"a":1}`, `{"a":2}`},
		"{\n  \"a\": 1\n}\n":             {"{\n  \"a\": 1\n}\n"},
		"{\"a\":1}\nnot json\n{\"a\":2}": {`{"a":1}`, `not json`, `{"a":2}`},
		"":                               {""},
	} {
		var got []string
		for r := range requests([]byte(frame)) {
			got = append(got, string(r))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", frame, got, want)
		}
	}
}

// FuzzParse: whatever comes, what is read of it is within its bounds, and what is an object for the standard
// library has the type that its first key says.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`{"type":3,"room_id":1,"message":"x","msg_type":0}`, `{"type":12,"name":"n","desc":"","type":1}`, `{"type":"RQ_MSG"}`,
		`{"type":"DB_LS_CHAT","name":"n"}`, `{"type":3} and`, `[[[`, `{"a":{"type":3}}`, "{\"type\":3,\"message\":\"\xff\\ud800\"}",
	} {
		f.Add(seed, false)
		f.Add(seed, true)
	}
	f.Fuzz(func(t *testing.T, text string, lines bool) {
		r, ok := parse([]byte(text), lines)
		if !ok {
			return
		}
		if r.kind < 0 || r.kind >= kinds {
			t.Fatalf("kind %d", r.kind)
		}
		r.asNewRoom()
		if of, err := r.roomType(); err == nil && (of < 0 || of > 2) {
			t.Fatalf("room type %d", of)
		}
		if id, err := r.id(fRoomID); err == nil && (id < 1 || id > maxID) {
			t.Fatalf("id %d", id)
		}
		if s, err := r.stripped(fMessage); err == nil && (s == "" || len(s) > maxText+2 || strings.IndexByte(s, 0) >= 0) {
			t.Fatalf("text %q", s)
		}
		if !lines && utf8.ValidString(text) && !json.Valid([]byte(text)) {
			t.Fatalf("%q is no JSON", text)
		}
	})
}
