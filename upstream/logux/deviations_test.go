package logux

import (
	"strings"
	"testing"
)

// The rows are those of the protocol's table of deviations, and what lies between them. Each is fed
// whole and byte by byte, in array and in object form.
func TestExchange(t *testing.T) {
	t.Parallel()
	const toNews = ` to [news][][][] user/rename {"name":"New"}`
	tests := []struct {
		name    string
		body    string // array form
		objects string // object form
		want    string
	}{
		{
			"processed", `[["approved","$"],["processed","$"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "ok reply {}",
		},
		{
			"reply", `[["approved","$"],["action","$",{"type":"x","payload":{"b":1,"a":2.00}},{}],["processed","$"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"type":"x","payload":{"b":1,"a":2.00}},"meta":{}},{"answer":"processed","id":"$"}]`,
			`ok reply {"b":1,"a":2.00}`,
		},
		{
			"reply of fields", `[["approved","$"],["action","$",{"z":1, "type":"x", "a":12345678901234567890}],["processed","$"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"z":1, "type":"x", "a":12345678901234567890}},{"answer":"processed","id":"$"}]`,
			`ok reply {"z":1,"a":12345678901234567890}`,
		},
		{
			"reply with payload and fields", `[["approved","$"],["action","$",{"type":"x","payload":null,"a":1}],["processed","$"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"type":"x","payload":null,"a":1}},{"answer":"processed","id":"$"}]`,
			`ok reply null`,
		},
		{
			"updates", `[["approved","$"],["action","$",{"type":"a","payload":1}],["action","$",{"type":"b","payload":2}],["action","$",{"type":"c","n":3,"payload":4}],["processed","$"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"type":"a","payload":1}},{"answer":"action","id":"$","action":{"type":"b","payload":2}},{"answer":"action","id":"$","action":{"type":"c","n":3,"payload":4}},{"answer":"processed","id":"$"}]`,
			`ok reply 1 to [][][][] b 2 to [][][][] c {"n":3,"payload":4}`,
		},
		{
			"action with receivers is no reply", `[["approved","$"],["action","$",{"type":"a"},{"users":["1"],"channel":"c","clients":["1:2"],"node":"1:2:3"}],["processed","$"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"type":"a"},"meta":{"users":["1"],"channel":"c","clients":["1:2"],"node":"1:2:3"}},{"answer":"processed","id":"$"}]`,
			`ok reply {} to [c][1][1:2][1:2:3] a {}`,
		},
		{
			"resend", `[["resend","$",{"channels":["news"]}],["approved","$"],["processed","$"]]`,
			`[{"answer":"resend","id":"$","channels":["news"]},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`,
			"ok reply {}" + toNews,
		},
		{
			"resend before the action answers", `[["resend","$",{"channels":["news"]}],["approved","$"],["action","$",{"type":"x"},{"channel":"c"}],["processed","$"]]`,
			`[{"answer":"resend","id":"$","channels":["news"]},{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"type":"x"},"meta":{"channel":"c"}},{"answer":"processed","id":"$"}]`,
			"ok reply {}" + toNews + " to [c][][][] x {}",
		},
		{
			"forbidden", `[["resend","$",{"channels":["news"]}],["forbidden","$"],["processed","$"]]`,
			`[{"answer":"resend","id":"$","channels":["news"]},{"answer":"forbidden","id":"$"},{"answer":"processed","id":"$"}]`, "denied",
		},
		{"denied", `[["denied","$"]]`, `[{"answer":"denied","id":"$"}]`, "denied"},
		{"unknown action", `[["unknownAction","$"]]`, `[{"answer":"unknownAction","id":"$"}]`, "unknown_type"},
		{"unknown channel", `[["unknownChannel","$"]]`, `[{"answer":"unknownChannel","id":"$"}]`, "unknown_type"},
		{
			"error", `[["error","$","Oops\n  at x"],["processed","$"]]`,
			`[{"answer":"error","id":"$","details":"Oops\n  at x"},{"answer":"processed","id":"$"}]`, "error (Oops\n  at x)",
		},
		{
			"error after approved", `[["resend","$",{"channel":"news"}],["approved","$"],["error","$","Oops"]]`,
			`[{"answer":"resend","id":"$","channel":"news"},{"answer":"approved","id":"$"},{"answer":"error","id":"$","details":"Oops"}]`,
			"error" + toNews + " (Oops)",
		},
		{"error without id", `[["error","Oops"]]`, `[{"answer":"error","details":"Oops"}]`, "error (Oops)"},
		{"error with a null id", `[["error",null,"Oops"]]`, `[{"answer":"error","id":null,"details":"Oops"}]`, "error (Oops)"},
		{"error with an object as id", `[["error",{},"Oops"]]`, `[{"answer":"error","id":{},"details":"Oops"}]`, "error (Oops)"},
		{"error without details", `[["error"]]`, `[{"answer":"error"}]`, "error"},

		{
			"approved, then end", `[["approved","$"]]`, `[{"answer":"approved","id":"$"}]`,
			"error (the answer ended without what is required)",
		},
		{
			"approved, then truncated", `[["approved","$"],`, `[{"answer":"approved","id":"$"}`,
			"unavailable (the answer cannot be read: ends inside the array)",
		},
		{"no answers", `[]`, "[ \n]", "unavailable (the answer has nothing for this question)"},
		{"empty body", ``, " \n", "unavailable (the answer cannot be read: empty)"},
		{
			"answers to something else", `[["processed","1 a:b:c 0"]]`, `[{"answer":"processed","id":"1 a:b:c 0"}]`,
			`unavailable (an answer "processed" to something else, "1 a:b:c 0"; the answer has nothing for this question)`,
		},
		{
			"wrong password of an old library", `[["unauthorized","Incorrect password"]]`, `[{"answer":"unauthorized","id":"Incorrect password"}]`,
			`unavailable (an answer "unauthorized" to something else, "Incorrect password"; the answer has nothing for this question)`,
		},
		{"not JSON", `<html>`, `<html>`, "unavailable (the answer cannot be read: not JSON at byte 0)"},
		{"missing comma", `[["resend","$",{"x":1234567}]["approved","$"]]`, `[{"id":"$","answer":"resend"}{"answer":"approved","id":"$"}]`, "unavailable (the answer cannot be read: not JSON at byte 56)"},
		{"doubled comma", `[null,,["approved","$"]]`, `[null,,{"answer":"approved","id":"$"}]`, "unavailable (the answer cannot be read: not JSON at byte 6)"},
		{
			"byte order mark", "\xEF\xBB\xBF" + `[["approved","$"],["processed","$"]]`,
			"\xEF\xBB\xBF" + `[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "ok reply {}",
		},
		{
			"trailing comma", `[["approved","$"],["processed","$"],]`,
			`[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"} , ]`, "ok reply {}",
		},
		{
			"junk behind", `[["approved","$"],["processed","$"]]}{`,
			`[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]<!-- 3 ms -->`, "ok reply {}",
		},
		{
			"null", `[null,["approved","$"],null,["processed","$"]]`,
			`[null,{"answer":"approved","id":"$"},null,{"answer":"processed","id":"$"}]`, "ok reply {}",
		},
		{"string", `["approved"]`, `["approved"]`, "error (an answer is neither an array nor an object)"},
		{"number", `[1]`, `[ 1 ]`, "error (an answer is neither an array nor an object)"},
		{"no name", `[[5,"$"]]`, `[{"id":"$"}]`, "error (an answer has no name)"},
		{"no name and no id", `[[]]`, `[{"answer":5}]`, "error (an answer has no name)"},
		{
			"unknown name", `[["done","$"]]`, `[{"answer":"done","id":"$"}]`,
			`error (an answer "done" is not known for an action)`,
		},
		{
			"answer of an authentication", `[["authenticated","$"]]`, `[{"answer":"authenticated","id":"$"}]`,
			`error (an answer "authenticated" is not known for an action)`,
		},
		{"no id", `[["approved"]]`, `[{"answer":"approved"}]`, `error (an answer "approved" has no id)`},
		{
			"object for the array", `{"0":["approved","$"]}`, `{"0":{"answer":"approved","id":"$"}}`,
			"unavailable (the answer cannot be read: not an array at byte 0)",
		},
		{
			"processed before approved", `[["processed","$"],["approved","$"]]`,
			`[{"answer":"processed","id":"$"},{"answer":"approved","id":"$"}]`, `error (an answer "processed" came before approved)`,
		},
		{
			"resend after approved", `[["approved","$"],["resend","$",{"channel":"news"}],["processed","$"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"resend","id":"$","channel":"news"},{"answer":"processed","id":"$"}]`,
			`ok reply {} (an answer "resend" after approved is ignored)`,
		},
		{
			"resend twice", `[["resend","$",{"channels":["a","b"],"user":"1"}],["resend","$",{"channel":"c","users":["2"]}],["approved","$"],["processed","$"]]`,
			`[{"answer":"resend","id":"$","channels":["a","b"],"user":"1"},{"answer":"resend","id":"$","channel":"c","users":["2"]},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`,
			`ok reply {} to [a b c][1 2][][] user/rename {"name":"New"}`,
		},
		{
			"resend to nobody", `[["resend","$"],["resend","$",{"channels":[]}],["approved","$"],["processed","$"]]`,
			`[{"answer":"resend","id":"$"},{"answer":"resend","id":"$","channels":[]},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "ok reply {}",
		},
		{
			"resend to a string", `[["resend","$",{"channels":"news"}],["approved","$"],["processed","$"]]`,
			`[{"answer":"resend","id":"$","channels":"news"},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`, "ok reply {}" + toNews,
		},
		{
			"resend to numbers and nonsense", `[["resend","$",{"users":[38,null,{}],"nodes":7,"clients":{"a":1}}],["approved","$"],["processed","$"]]`,
			`[{"answer":"resend","id":"$","users":[38,null,{}],"nodes":7,"clients":{"a":1}},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`,
			`ok reply {} to [][38][][7] user/rename {"name":"New"}`,
		},
		{
			"approved twice", `[["resend","$",{"channel":"news"}],["approved","$"],["approved","$"],["processed","$"],["processed","$"]]`,
			`[{"answer":"resend","id":"$","channel":"news"},{"answer":"approved","id":"$"},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"},{"answer":"processed","id":"$"}]`,
			"ok reply {}" + toNews,
		},
		{
			"approved, then forbidden", `[["approved","$"],["forbidden","$"],["processed","$"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"forbidden","id":"$"},{"answer":"processed","id":"$"}]`,
			`ok reply {} (an answer "forbidden" after approved is ignored)`,
		},
		{
			"error after processed", `[["approved","$"],["processed","$"],["error","$","x"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"processed","id":"$"},{"answer":"error","details":"x"}]`, "ok reply {}",
		},
		{
			"action before approved", `[["action","$",{"type":"a"}],["action","$",{"type":"b"},{"user":"1"}],["approved","$"],["processed","$"]]`,
			`[{"answer":"action","id":"$","action":{"type":"a"}},{"answer":"action","id":"$","action":{"type":"b"},"meta":{"user":"1"}},{"answer":"approved","id":"$"},{"answer":"processed","id":"$"}]`,
			`ok reply {} to [][1][][] b {}`,
		},
		{
			"action and never approved", `[["action","$",{"type":"a"}],["forbidden","$"]]`,
			`[{"answer":"action","id":"$","action":{"type":"a"}},{"answer":"forbidden","id":"$"}]`, "denied",
		},
		{
			"action without type", `[["approved","$"],["action","$",{"type":5}]]`,
			`[{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{}}]`, "error (an action answer has no action with a type)",
		},
		{
			"action that is none", `[["approved","$"],["action","$","x"]]`,
			`[{"answer":"approved","id":"$"},{"answer":"action","id":"$"}]`, "error (an action answer has no action with a type)",
		},
		{
			"more than is known", `[["approved","$",{"a":1}],["processed","$",null,5,6]]`,
			`[{"answer":"approved","id":"$","custom_data":null},{"x":[1],"answer":"processed","id":"$"}]`, "ok reply {}",
		},
		{
			"escapes", `[["approved","` + strings.Replace(questionID, "38:", `38\u003a`, 1) + `"],["\u0070rocessed","$"]]`,
			`[{"\u0061nswer":"approved","id":"` + strings.Replace(questionID, ":", `\u003A`, 2) + `"},{"answer":"processed","id":"$"}]`, "ok reply {}",
		},
		{
			"not UTF-8", "[[\"approved\",\"$\"],[\"action\",\"$\",{\"type\":\"\xff\"}],[\"processed\",\"$\"]]",
			"[{\"answer\":\"approved\",\"id\":\"$\"},{\"answer\":\"action\",\"id\":\"$\",\"action\":{\"type\":\"\xff\"}}]",
			"unavailable (the answer cannot be read: not UTF-8)",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, body := range []string{fill(test.body), fill(test.objects)} {
				for _, pieces := range [][]string{{body}, single(body)} {
					got := show(merge(answers(t, pieces, true, question())[0]))
					if got != test.want {
						t.Errorf("%s in %d pieces is answered %s, want %s", body, len(pieces), got, test.want)
					}
				}
			}
		})
	}
}
