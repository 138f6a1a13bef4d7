package predicate

import (
	"fmt"
	"strings"
	"testing"
)

func equals(path, json string) *Test   { return &Test{Path: path, Equals: []byte(json)} }
func contains(path, json string) *Test { return &Test{Path: path, Contains: []byte(json)} }
func exists(path string, is bool) *Test {
	return &Test{Path: path, Exists: &is}
}

func in(path string, json ...string) *Test {
	t := &Test{Path: path, In: [][]byte{}}
	for _, v := range json {
		t.In = append(t.In, []byte(v))
	}
	return t
}

func TestTests(t *testing.T) {
	tests := []struct {
		name, doc string
		test      *Test
		want      bool
	}{
		{"string", `{"a":"x"}`, equals("/a", `"x"`), true},
		{"another string", `{"a":"x"}`, equals("/a", `"y"`), false},
		{"escaped in the document", `{"a":"\u0041\/\""}`, equals("/a", `"A/\""`), true},
		{"escaped in the value", `{"a":"é"}`, equals("/a", `"\u00e9"`), true},
		{"a pair of surrogates", `{"a":"😀"}`, equals("/a", `"\ud83d\ude00"`), true},
		{"half a surrogate", `{"a":"\ud800"}`, equals("/a", `"\ufffd"`), true},
		{"not UTF-8", "{\"a\":\"\xff\"}", equals("/a", `"\ufffd"`), true},
		{"case", `{"a":"X"}`, equals("/a", `"x"`), false},
		{"string and number", `{"a":"1"}`, equals("/a", `1`), false},
		{"string and null", `{"a":"null"}`, equals("/a", `null`), false},
		{"true", `{"a":true}`, equals("/a", `true`), true},
		{"true and false", `{"a":true}`, equals("/a", `false`), false},
		{"null", `{"a":null}`, equals("/a", `null`), true},
		{"null and nothing", `{}`, equals("/a", `null`), false},
		{"space", " {\n\"a\" : [ 1 , {\t\"b\" : 2 } ] } \r\n", equals("", ` {"a":[1,{"b":2}]} `), true},

		{"list", `{"a":[1,"x",null]}`, equals("/a", `[1.0,"\u0078",null]`), true},
		{"list in another order", `{"a":[1,2]}`, equals("/a", `[2,1]`), false},
		{"list too short", `{"a":[1]}`, equals("/a", `[1,2]`), false},
		{"list too long", `{"a":[1,2,3]}`, equals("/a", `[1,2]`), false},
		{"empty list", `{"a":[]}`, equals("/a", `[]`), true},
		{"empty list and object", `{"a":[]}`, equals("/a", `{}`), false},
		{"object in another order", `{"a":{"x":1,"y":[2]}}`, equals("/a", `{"y":[2],"x":1}`), true},
		{"object with more", `{"a":{"x":1,"y":2}}`, equals("/a", `{"x":1}`), false},
		{"object with less", `{"a":{"x":1}}`, equals("/a", `{"x":1,"y":2}`), false},
		{"object with another key", `{"a":{"x":1}}`, equals("/a", `{"z":1}`), false},
		{"object with another value", `{"a":{"x":1}}`, equals("/a", `{"x":2}`), false},
		{"object with an escaped key", `{"a":{"\u0078":1}}`, equals("/a", `{"x":1}`), true},
		{"last duplicate counts", `{"a":1,"a":2}`, equals("/a", `2`), true},
		{"first duplicate does not", `{"a":1,"a":2}`, equals("/a", `1`), false},
		{"last duplicate on the way", `{"a":{"b":1},"a":{"c":2}}`, exists("/a/b", true), false},
		{"duplicates in an object", `{"a":{"x":1,"x":2}}`, equals("/a", `{"x":2}`), true},
		{"duplicates in the value", `{"a":{"x":2}}`, equals("/a", `{"x":1,"x":2}`), true},

		{"element", `{"a":["111","123"]}`, contains("/a", `"123"`), true},
		{"no element", `{"a":["111","1234"]}`, contains("/a", `"123"`), false},
		{"element of another kind", `{"a":["123"]}`, contains("/a", `123`), false},
		{"object in a list", `{"a":[{"x":1,"y":2}]}`, contains("/a", `{"y":2,"x":1}`), true},
		{"nothing in an empty list", `{"a":[]}`, contains("/a", `null`), false},
		{"part of a string", `{"a":"abc"}`, contains("/a", `"b"`), true},
		{"part over an escape", `{"a":"a\u0062c"}`, contains("/a", `"bc"`), true},
		{"empty part", `{"a":"abc"}`, contains("/a", `""`), true},
		{"no part", `{"a":"abc"}`, contains("/a", `"d"`), false},
		{"number in a string", `{"a":"123"}`, contains("/a", `2`), false},
		{"key of an object", `{"a":{"x":1}}`, contains("/a", `"x"`), false},
		{"part of a number", `{"a":123}`, contains("/a", `2`), false},
		{"contains in nothing", `{}`, contains("/a", `"b"`), false},

		{"in", `{"a":2}`, in("/a", `"2"`, `2.0`), true},
		{"in strings", `{"a":"\u0078"}`, in("/a", `"w"`, `"x"`), true},
		{"not in", `{"a":3}`, in("/a", `1`, `2`, `"3"`, `null`), false},
		{"not in strings", `{"a":"3"}`, in("/a", `3`, `"4"`), false},
		{"in nothing", `{"a":3}`, in("/a"), false},
		{"nothing in", `{}`, in("/a", `null`), false},

		{"exists", `{"a":1}`, exists("/a", true), true},
		{"exists as null", `{"a":null}`, exists("/a", true), true},
		{"exists, false", `{"a":null}`, exists("/a", false), false},
		{"exists not", `{}`, exists("/a", true), false},
		{"exists not, false", `{}`, exists("/a", false), true},
		{"below nothing", `{}`, exists("/a/b/c", false), true},
		{"below a string", `{"a":"b"}`, exists("/a/b", true), false},
		{"the document", `5`, exists("", true), true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { try(t, &Where{Test: tt.test}, tt.doc, tt.want) })
	}
}

func try(t *testing.T, w *Where, doc string, want bool) {
	t.Helper()
	p, err := Compile(w)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Match([]byte(doc)); got != want {
		t.Errorf("%+v of %s: got %t", w.Test, doc, got)
	}
	if slow := slowly(w, doc); slow != want {
		t.Errorf("%+v of %s: the reference says %t", w.Test, doc, slow)
	}
}

func TestNumbers(t *testing.T) {
	same := [][]string{
		{"1", "1.0", "1e0", "1E+0", "1e-0", "10e-1", "0.1e1", "0.01e+2", "1.000"},
		{"0", "-0", "0.0", "0e5", "-0.00E-7", "0e99999999999999999999"},
		{"100", "1e2", "1.00e2", "1000e-1", "0.001e5"},
		{"-12.5", "-1.25e1", "-12.50", "-125e-1"},
		{"1463786910324359168", "1463786910324359168.0", "1.463786910324359168e18"},
		{"1463786910324359169"},
		{"0.1", "1e-1"},
		{"0.10000000000000001"},
		{"1e99999999999999999999", "10e99999999999999999998", "0.1e100000000000000000000", "1e+099999999999999999999"},
		{"1e-99999999999999999999", "0.1e-99999999999999999998"},
		{"1e99999999999999999998"},
		{"1e9223372036854775807", "0.1e9223372036854775808"},
		{"1e4611686018427387904", "10e4611686018427387903"},
		{"1e" + strings.Repeat("9", 1000), "1e0" + strings.Repeat("9", 1000)},
		{"12", "1.2e1"},
		{"1.2"},
		{"21"},
		{"101"},
		{"1001"},
		{"-1"},
	}
	for i, group := range same {
		for j, other := range same {
			for _, a := range group {
				for _, b := range other {
					try(t, &Where{Test: equals("/n", a)}, `{"n":`+b+`}`, i == j)
				}
			}
		}
	}
}

func TestPaths(t *testing.T) {
	// The examples of RFC 6901, section 5, and what else a reader may get wrong.
	const doc = `{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,
		"~1":9,"0":{"01":10},"\u00e9":11,"x":{"":{"":12}},"list":[[1,[2,3]],{"y":13}]}`
	tests := []struct{ path, want string }{
		{"/foo", `["bar","baz"]`},
		{"/foo/0", `"bar"`},
		{"/foo/1", `"baz"`},
		{"/", "0"},
		{"/a~1b", "1"},
		{"/c%d", "2"},
		{"/e^f", "3"},
		{"/g|h", "4"},
		{`/i\j`, "5"},
		{`/k"l`, "6"},
		{"/ ", "7"},
		{"/m~0n", "8"},
		{"/~01", "9"},
		{"/0/01", "10"},
		{"/é", "11"},
		{"/x//", "12"},
		{"/list/0/1/0", "2"},
		{"/list/1/y", "13"},

		{"/foo/2", ""},
		{"/foo/-", ""},
		{"/foo/-1", ""},
		{"/foo/00", ""},
		{"/foo/01", ""},
		{"/foo/1.0", ""},
		{"/foo/+1", ""},
		{"/foo/", ""},
		{"/foo/99999999999999999999", ""},
		{"/foo/bar", ""},
		{"/Foo", ""},
		{"/foo/0/0", ""},
		{"/x/", `{"":12}`},
		{"/list/1/0", ""},
	}
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			try(t, &Where{Test: exists(tt.path, true)}, doc, tt.want != "")
			if tt.want != "" {
				try(t, &Where{Test: equals(tt.path, tt.want)}, doc, true)
			}
		})
	}
}

func TestConditions(t *testing.T) {
	yes, no := Where{Test: exists("/a", true)}, Where{Test: exists("/a", false)}
	tests := []struct {
		name  string
		where *Where
		want  bool
	}{
		{"nothing", &Where{}, true},
		{"all", &Where{All: []Where{yes, yes}}, true},
		{"not all", &Where{All: []Where{yes, no}}, false},
		{"all of nothing", &Where{All: []Where{}}, true},
		{"any", &Where{Any: []Where{no, yes}}, true},
		{"not any", &Where{Any: []Where{no, no}}, false},
		{"any of nothing", &Where{Any: []Where{}}, true},
		{"not", &Where{Not: &no}, true},
		{"not, false", &Where{Not: &yes}, false},
		{"not nothing", &Where{Not: &Where{}}, false},
		{"not not", &Where{Not: &Where{Not: &yes}}, true},
		{"everything set", &Where{All: []Where{yes}, Any: []Where{yes, no}, Not: &no, Test: yes.Test}, true},
		{"all fails", &Where{All: []Where{no}, Any: []Where{yes, no}, Not: &no, Test: yes.Test}, false},
		{"any fails", &Where{All: []Where{yes}, Any: []Where{no, no}, Not: &no, Test: yes.Test}, false},
		{"not fails", &Where{All: []Where{yes}, Any: []Where{yes, no}, Not: &yes, Test: yes.Test}, false},
		{"test fails", &Where{All: []Where{yes}, Any: []Where{yes, no}, Not: &no, Test: no.Test}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { try(t, tt.where, `{"a":1}`, tt.want) })
	}
	p, err := Compile(nil)
	if err != nil || !p.Match([]byte("1")) {
		t.Errorf("no condition does not hold: %v", err)
	}
}

// nested is a condition that is depth deep.
func nested(depth int) *Where {
	w := &Where{Test: exists("", true)}
	for range depth - 1 {
		w = &Where{All: []Where{*w}}
	}
	return w
}

func many(n int) *Where {
	return &Where{Any: make([]Where, n-1)}
}

func TestRefusals(t *testing.T) {
	deep := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	tests := []struct {
		name  string
		where *Where
		want  string // empty: none
	}{
		{"no test", &Where{Test: &Test{Path: "/a"}}, `path "/a": want one of`},
		{"two tests", &Where{Test: &Test{Path: "/a", Equals: []byte("1"), In: [][]byte{}}}, "want one of"},
		{"no slash", &Where{Test: exists("a", true)}, "begins with a slash"},
		{"tilde", &Where{Test: exists("/a~2", true)}, "tilde"},
		{"tilde at the end", &Where{Test: exists("/a~", true)}, "tilde"},
		{"tilde before a slash", &Where{Test: exists("/~/1", true)}, "tilde"},
		{"not UTF-8", &Where{Test: exists("/\xff", true)}, "UTF-8"},
		{"longest path", &Where{Test: exists(strings.Repeat("/a", MaxPath), true)}, ""},
		{"path too long", &Where{Test: exists(strings.Repeat("/a", MaxPath+1), true)}, "64 steps"},
		{"empty value", &Where{Test: equals("", "")}, "equals is not JSON"},
		{"no value", &Where{Test: equals("", " ")}, "equals is not JSON"},
		{"two values", &Where{Test: contains("", "1 2")}, "contains is not JSON"},
		{"bad value in", &Where{Test: in("", "1", "oops")}, "in is not JSON"},
		{"deepest value", &Where{Test: equals("", deep(MaxDepth+1))}, ""},
		{"value too deep", &Where{Test: equals("", deep(MaxDepth+2))}, "equals: lists and objects lie more than 16 deep"},
		{"object too deep", &Where{Test: equals("", `{"a":`+deep(MaxDepth+1)+`}`)}, "deep"},
		{"deepest", nested(MaxDepth), ""},
		{"too deep", nested(MaxDepth + 1), "more than 16 deep"},
		{"negated too deep", &Where{Not: nested(MaxDepth)}, "more than 16 deep"},
		{"most", many(MaxNodes), ""},
		{"too many", many(MaxNodes + 1), "more than 1000 conditions"},
		{"largest", &Where{Test: equals("/a", `"`+strings.Repeat("x", MaxBytes-4)+`"`)}, ""},
		{"too large", &Where{Test: equals("/a", `"`+strings.Repeat("x", MaxBytes-3)+`"`)}, "more than 65536 bytes"},
		{"path too large", &Where{Test: exists("/"+strings.Repeat("x", MaxBytes), true)}, "more than 65536 bytes"},
		{"too large together", &Where{Test: in("", `"`+strings.Repeat("x", MaxBytes/2)+`"`, `"`+strings.Repeat("y", MaxBytes/2)+`"`)}, "bytes"},
		{"below any", &Where{Any: []Where{{}, {Test: equals("", "x")}}}, "not JSON"},
		{"below not", &Where{Not: &Where{Test: equals("", "x")}}, "not JSON"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Compile(tt.where)
			switch {
			case tt.want == "" && (err != nil || p == nil):
				t.Errorf("refused: %v", err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err != nil && len(err.Error()) > 200 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
		})
	}
}

func TestNothingOfTheConditionIsKept(t *testing.T) {
	value := []byte(`["abc",1]`)
	p, err := Compile(&Where{Test: &Test{Equals: value}})
	if err != nil {
		t.Fatal(err)
	}
	clear(value)
	if !p.Match([]byte(`["abc",1]`)) {
		t.Error("the condition changed with the bytes it was made of")
	}
}

func TestMatchDoesNotAllocate(t *testing.T) {
	doc := []byte(`{"name":"Example","n":1463786910324359168,"other":{"deep":[1,2,3]},"workspaceIds":["111","123"]}`)
	p, err := Compile(&Where{All: []Where{
		{Test: contains("/workspaceIds", `"123"`)}, {Test: equals("/n", "1463786910324359168")}, {Test: in("/name", `"Example"`)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		if !p.Match(doc) {
			t.Error("no match")
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkMatch(b *testing.B) {
	doc := fmt.Appendf(nil, `{"filler":"%s","workspaceIds":["111","123"]}`, strings.Repeat("x", 1000))
	p, err := Compile(&Where{Test: contains("/workspaceIds", `"123"`)})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(doc)))
	b.ReportAllocs()
	for b.Loop() {
		if !p.Match(doc) {
			b.Fatal("no match")
		}
	}
}
