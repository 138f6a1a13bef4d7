package rawjson

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestMembers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want []string
	}{
		{`{}`, nil},
		{` { } `, nil},
		{`{"a":1}`, []string{`"a"=1`}},
		{"{ \"a\" :\n[1, {\"x\":2}] , \"b\\\"\":\"},{\" }", []string{`"a"=[1, {"x":2}]`, `"b\""="},{"`}},
		{`{"a":1,"a":null}`, []string{`"a"=1`, `"a"=null`}},
		{`[1]`, nil},
		{`"a"`, nil},
		{``, nil},
	}
	for _, test := range tests {
		var got []string
		for key, value := range Members([]byte(test.raw)) {
			got = append(got, string(key)+"="+string(value))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s has the members %q, want %q", test.raw, got, test.want)
		}
	}
	for range Members([]byte(`{"a":1,"b":2}`)) {
		break // must not call on
	}
}

func TestElements(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want []string
	}{
		{`[]`, nil},
		{` [ ] `, nil},
		{"[ 1 ,\"],\" , [2,[3]],{\"a\":[4]},null]", []string{`1`, `"],"`, `[2,[3]]`, `{"a":[4]}`, `null`}},
		{`{"a":1}`, nil},
		{``, nil},
	}
	for _, test := range tests {
		var got []string
		for element := range Elements([]byte(test.raw)) {
			got = append(got, string(element))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s has the elements %q, want %q", test.raw, got, test.want)
		}
	}
	for range Elements([]byte(`[1,2]`)) {
		break
	}
}

func TestKindOf(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]Kind{
		` {}`: Object, `[]`: Array, `"a"`: String, `-1`: Number, `0`: Number, `9`: Number,
		`true`: Bool, `false`: Bool, `null`: Null, ``: Invalid, ` `: Invalid, `<`: Invalid,
	} {
		if got := KindOf([]byte(raw)); got != want {
			t.Errorf("%q is of kind %d, want %d", raw, got, want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`""`: "", `"a b"`: "a b", `"\u0061\n\"\\"`: "a\n\"\\", `"é\u00e9"`: "éé", `"\ud83d\ude00"`: "😀",
	} {
		if got, ok := Text([]byte(raw)); !ok || string(got) != want {
			t.Errorf("%s says %q, %v, want %q", raw, got, ok, want)
		}
		if !Equal([]byte(raw), want) || Equal([]byte(raw), want+"x") {
			t.Errorf("%s does not equal %q alone", raw, want)
		}
	}
	for _, raw := range []string{``, `"`, `1`, `null`, `["a"]`} {
		if got, ok := Text([]byte(raw)); ok {
			t.Errorf("%s says %q, want nothing", raw, got)
		}
	}
}

func TestValid(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		`1`: true, ` 1 `: true, `-0.0e1`: true, `"a"`: true, `{"a":[1,{}]}`: true, `null`: true,
		``: false, ` `: false, `1 2`: false, `1,`: false, `[1,]`: false, `nul`: false, `-`: false, `1.`: false,
		`{"a":1},"b"`: false, `"a`: false, `]`: false, `}`: false, `1}`: false, "\xEF\xBB\xBF1": false,
		strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth):     true,
		strings.Repeat("[", MaxDepth+1) + strings.Repeat("]", MaxDepth+1): false,
	} {
		if got := Valid([]byte(raw)); got != want {
			t.Errorf("%.20q is valid: %v, want %v", raw, got, want)
		}
	}
}

func FuzzValid(f *testing.F) {
	for _, raw := range []string{`{"a":[1,-2.5e3,"\u00e9",null,true,false]}`, `1.`, `"\x"`, `[[]`, ` {} `, `{"a":}`} {
		f.Add([]byte(raw))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, want := Valid(raw), json.Valid(raw)
		if got != want && strings.Count(string(raw), "[")+strings.Count(string(raw), "{") <= MaxDepth {
			t.Fatalf("%q is valid: %v, want %v", raw, got, want)
		}

		// Walking must not fail on what is not valid either.
		var keys, values, elements []string
		for key, value := range Members(raw) {
			name, _ := Text(key)
			keys = append(keys, string(name))
			values = append(values, string(value))
		}
		for element := range Elements(raw) {
			elements = append(elements, string(element))
		}
		if !got {
			return
		}
		for _, part := range slices.Concat(values, elements) {
			if !json.Valid([]byte(part)) {
				t.Errorf("%q has the part %q", raw, part)
			}
		}
		switch KindOf(raw) {
		case Object:
			var want map[string]json.RawMessage
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			last := make(map[string]string)
			for i, key := range keys {
				last[strings.ToValidUTF8(key, "\uFFFD")] = values[i]
			}
			for key, value := range last {
				if utf8.Valid(raw) && string(want[key]) != value {
					t.Errorf("%q has %q at %q, want %q", raw, value, key, want[key])
				}
			}
			if len(want) != len(last) && utf8.Valid(raw) {
				t.Errorf("%q has the keys %q, want %d", raw, keys, len(want))
			}
		case Array:
			var want []json.RawMessage
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			if !slices.EqualFunc(want, elements, func(a json.RawMessage, b string) bool { return string(a) == b }) {
				t.Errorf("%q has the elements %q, want %q", raw, elements, want)
			}
		case String:
			var want string
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
			if text, ok := Text([]byte(strings.Trim(string(raw), " \t\r\n"))); utf8.Valid(raw) && (!ok || string(text) != want) {
				t.Errorf("%q says %q, want %q", raw, text, want)
			}
		}
	})
}

func FuzzAppendString(f *testing.F) {
	for _, text := range []string{"", "a", "\"\\\n\x00\x1f\x7f", "é😀\u2028", "\xff\xc3", "</script>"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw := AppendString([]byte("x"), text)[1:]
		var got string
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatalf("%q is written %q: %v", text, raw, err)
		}
		if want := strings.ToValidUTF8(text, "\uFFFD"); utf8.ValidString(text) && got != want {
			t.Errorf("%q is written %q", text, raw)
		}
		if !utf8.Valid(raw) {
			t.Errorf("%q is written %q, which is not UTF-8", text, raw)
		}
		if text, ok := Text(raw); !ok || string(text) != got {
			t.Errorf("%q says %q, want %q", raw, text, got)
		}
	})
}

func BenchmarkSplitter(b *testing.B) {
	text := []byte(`[{"answer":"approved","id":"1560954012838 38:1234567890123456789:bridge 7"},` +
		`{"answer":"processed","id":"1560954012838 38:1234567890123456789:bridge 7"}]`)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	var s Splitter
	for b.Loop() {
		s.Reset()
		for rest, element := text, text; element != nil; {
			element, rest, _ = s.Next(rest)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		want []string // each element and what follows it
	}{
		{`1 , "a,]" ,{"b":[1,2]},[ ] ]`, []string{`1|"a,]" ,{"b":[1,2]},[ ] ]`, `"a,]"|{"b":[1,2]},[ ] ]`, `{"b":[1,2]}|[ ] ]`, `[ ]|]`, `|]`}},
		{``, []string{`|`}},
		{` `, []string{`|`}},
		{`]`, []string{`|]`}},
		{`"\\",2`, []string{`"\\"|2`, `2|`, `|`}},
	}
	for _, test := range tests {
		rest := []byte(test.raw)
		for _, want := range test.want {
			var element []byte
			element, rest = CutElement(rest)
			if got := string(element) + "|" + strings.TrimSpace(string(rest)); got != want {
				t.Errorf("%q: cut into %q, want %q", test.raw, got, want)
			}
		}
	}
	if value, rest := Cut([]byte(` {"a":1} ,2`)); string(value) != `{"a":1}` || string(rest) != ` ,2` {
		t.Errorf("cut into %q and %q", value, rest)
	}
}
