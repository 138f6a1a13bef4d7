package predicate

import (
	"encoding/json"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// slowly is Match by the standard library: the document is decoded, numbers keep their digits.
func slowly(w *Where, doc string) bool { return slowWhere(w, decoded(doc)) }

func decoded(doc string) (v any) {
	d := json.NewDecoder(strings.NewReader(doc))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

func slowWhere(w *Where, doc any) bool {
	for _, sub := range w.All {
		if !slowWhere(&sub, doc) {
			return false
		}
	}
	if len(w.Any) > 0 && !slices.ContainsFunc(w.Any, func(sub Where) bool { return slowWhere(&sub, doc) }) {
		return false
	}
	return (w.Not == nil || !slowWhere(w.Not, doc)) && (w.Test == nil || slowTest(w.Test, doc))
}

func slowTest(t *Test, doc any) bool {
	v, ok := slowFind(t.Path, doc)
	if t.Exists != nil || !ok {
		return t.Exists != nil && *t.Exists == ok
	}
	switch {
	case t.Equals != nil:
		return slowEqual(v, decoded(string(t.Equals)))
	case t.Contains != nil:
		want := decoded(string(t.Contains))
		if text, ok := v.(string); ok {
			part, ok := want.(string)
			return ok && strings.Contains(text, part)
		}
		list, _ := v.([]any)
		return slices.ContainsFunc(list, func(e any) bool { return slowEqual(e, want) })
	}
	return slices.ContainsFunc(t.In, func(raw []byte) bool { return slowEqual(v, decoded(string(raw))) })
}

var arrayIndex = regexp.MustCompile(`^(0|[1-9][0-9]*)$`)

func slowFind(path string, v any) (any, bool) {
	if path == "" {
		return v, true
	}
	for token := range strings.SplitSeq(path[1:], "/") {
		switch at := v.(type) {
		case map[string]any:
			var ok bool
			if v, ok = at[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]; !ok {
				return nil, false
			}
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i >= len(at) || !arrayIndex.MatchString(token) {
				return nil, false
			}
			v = at[i]
		default:
			return nil, false
		}
	}
	return v, true
}

func slowEqual(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && slowNumber(a.String()) == slowNumber(b.String())
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, slowEqual)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, slowEqual)
	}
	switch b.(type) { // == panics for what is not comparable
	case []any, map[string]any:
		return false
	}
	return a == b
}

// slowNumber writes a number as an integer without zeros at the end, and its power of ten.
func slowNumber(text string) string {
	mantissa, exp, _ := strings.Cut(strings.ToLower(text), "e")
	power := new(big.Int)
	if exp != "" {
		power.SetString(strings.TrimPrefix(exp, "+"), 10)
	}
	whole, part, _ := strings.Cut(mantissa, ".")
	power.Sub(power, big.NewInt(int64(len(part))))
	n, _ := new(big.Int).SetString(whole+part, 10)
	if n.Sign() == 0 {
		return "0"
	}
	digits := n.String()
	trimmed := strings.TrimRight(digits, "0")
	return trimmed + "e" + power.Add(power, big.NewInt(int64(len(digits)-len(trimmed)))).String()
}

// FuzzMatch compares Match with the reference, whatever the document, the path and the value are.
func FuzzMatch(f *testing.F) {
	for _, seed := range [][3]string{
		{`{"workspaceIds":["111","123"],"n":1463786910324359168}`, "/workspaceIds", `"123"`},
		{`{"a":{"b":[1,{"c":1.50e+1}]}}`, "/a/b/1/c", "15"},
		{`{"a":"x","a":"\u0079"}`, "/a", `"y"`},
		{`{"~/":{"":[null,true,-0.0]}}`, "/~0~1//2", "0"},
		{`{"a":{"x":1,"y":[{}]}}`, "", `{"a":{"y":[{}],"x":1e0}}`},
		{`[1e99999999999999999999]`, "/0", "10e99999999999999999998"},
		{"{\"\xff\":\"\\ud800\"}", "/\uFFFD", `"\ufffd"`},
		{`{`, "/~", `nul`},
	} {
		f.Add([]byte(seed[0]), seed[1], []byte(seed[2]))
	}
	f.Fuzz(func(t *testing.T, doc []byte, path string, value []byte) {
		yes := true
		for _, test := range []Test{
			{Path: path, Equals: value},
			{Path: path, Contains: value},
			{Path: path, In: [][]byte{[]byte(`"x"`), value, []byte("1")}},
			{Path: path, Exists: &yes},
		} {
			w := &Where{Any: []Where{{Test: &test}}, Not: &Where{Test: &Test{Path: "/never/there", Exists: &yes}}}
			p, err := Compile(w)
			if err != nil {
				continue
			}
			got := p.Match(doc) // of what is not JSON too: it must only not panic
			if !json.Valid(doc) || test.Equals != nil && !json.Valid(value) {
				continue
			}
			if want := slowly(w, string(doc)); got != want {
				t.Fatalf("%s %q %s: got %t, want %t", doc, path, value, got, want)
			}
		}
	})
}
