package logux

import (
	"reflect"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/upstream"
)

func TestAuthExchange(t *testing.T) {
	t.Parallel()
	user := "38"
	tests := []struct {
		name, body string
		want       AuthResult
	}{
		{"authenticated", `[["authenticated","i"]]`, AuthResult{Outcome: upstream.OK, UserID: &user}},
		{"authenticated in version 4", `[{"answer":"authenticated","authId":"i","subprotocol":"1.2.0"}]`, AuthResult{Outcome: upstream.OK, UserID: &user, Subprotocol: "1.2.0"}},
		{"more follows", `[["authenticated","i"],["denied","i"]]`, AuthResult{Outcome: upstream.OK, UserID: &user}},
		{"not yet ended", `[["authenticated","i"]`, AuthResult{Outcome: upstream.OK, UserID: &user}},
		{"denied", `[["denied","i"]]`, AuthResult{Outcome: upstream.Denied}},
		{"denied in version 4", `[{"answer":"denied","authId":"i","subprotocol":"1.0.0"}]`, AuthResult{Outcome: upstream.Denied}},
		{"wrong subprotocol", `[{"answer":"wrongSubprotocol","authId":"i","supported":"^2.0.0"}]`, AuthResult{Outcome: upstream.Other, Supported: "^2.0.0"}},
		{"error", `[["error","i","stack"]]`, AuthResult{Outcome: upstream.Error, Detail: "stack"}},
		{"error without id", `[["error","stack"]]`, AuthResult{Outcome: upstream.Error, Detail: "stack"}},
		{"error with a null id", `[{"id":null,"answer":"error","details":"stack"}]`, AuthResult{Outcome: upstream.Error, Detail: "stack"}},
		{"null", `[null,["denied","i"]]`, AuthResult{Outcome: upstream.Denied}},
		{"empty", ``, AuthResult{Outcome: upstream.Unavailable, Detail: "the answer cannot be read: empty"}},
		{"no answers", `[]`, AuthResult{Outcome: upstream.Unavailable, Detail: "the answer has nothing for this question"}},
		{"truncated", `[`, AuthResult{Outcome: upstream.Unavailable, Detail: "the answer cannot be read: ends inside the array"}},
		{"not JSON", `ok`, AuthResult{Outcome: upstream.Unavailable, Detail: "the answer cannot be read: not JSON at byte 0"}},
		{"not UTF-8", "[[\"authenticated\",\"i\",\"\xff\"]]", AuthResult{Outcome: upstream.Unavailable, Detail: "the answer cannot be read: not UTF-8"}},
		{
			"somebody else", `[["authenticated","j"]]`,
			AuthResult{Outcome: upstream.Unavailable, Detail: `an answer "authenticated" to something else, "j"; the answer has nothing for this question`},
		},
		{"nobody", `[["authenticated"]]`, AuthResult{Outcome: upstream.Unavailable, Detail: `an answer "authenticated" has no id`}},
		{"answer of an action", `[["approved","i"]]`, AuthResult{Outcome: upstream.Unavailable, Detail: `an answer "approved" is not known for an authentication`}},
		{"nonsense", `[5]`, AuthResult{Outcome: upstream.Unavailable, Detail: "an answer is neither an array nor an object"}},
	}
	for _, test := range tests {
		for _, pieces := range [][]string{{test.body}, single(test.body)} {
			x := NewAuthExchange(&Auth{ID: "i", UserID: &user}, 0)
			for _, piece := range pieces {
				x.Feed([]byte(piece))
			}
			x.End()
			if got := x.Result(); !reflect.DeepEqual(got, test.want) || !x.Done() {
				t.Errorf("%s in %d pieces: %+v, want %+v", test.name, len(pieces), got, test.want)
			}
		}
	}
}

func TestAuthExchangeFails(t *testing.T) {
	t.Parallel()
	x := NewAuthExchange(&Auth{ID: "i"}, 20)
	if x.Feed([]byte(`[["auth`)); x.Done() {
		t.Errorf("half an answer is an outcome: %+v", x.Result())
	}
	x.Fail(upstream.Unavailable, "connection reset")
	x.Fail(upstream.Error, "again")
	x.Feed([]byte(`enticated","i"]]`))
	if got := x.Result(); got.Outcome != upstream.Unavailable || got.Detail != "connection reset" {
		t.Errorf("a failure is %+v", got)
	}
	x = NewAuthExchange(&Auth{ID: "i"}, 20)
	if x.Feed([]byte(`[["error","` + strings.Repeat("x", 100))); x.Result().Outcome != upstream.Unavailable {
		t.Errorf("a large answer is %+v", x.Result())
	}
}
