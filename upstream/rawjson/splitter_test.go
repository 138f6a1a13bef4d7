package rawjson

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// split feeds text in pieces that end at the cuts, and returns the elements, what Next said last and
// what followed the array.
func split(s *Splitter, text string, cuts ...int) (elements []string, rest string, err error) {
	var left []byte
	from := 0
	for _, to := range append(cuts, len(text)) {
		piece := []byte(text[from:to])
		from = to
		for err == nil {
			var element []byte
			element, piece, err = s.Next(piece)
			if element == nil {
				break
			}
			elements = append(elements, string(element))
		}
		left = append(left, piece...)
	}
	return elements, string(left), err
}

func everywhere(text string) []int {
	cuts := make([]int, len(text))
	for i := range cuts {
		cuts[i] = i
	}
	return cuts
}

func TestSplitter(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", MaxDepth) + strings.Repeat("]", MaxDepth)
	tests := []struct {
		name     string
		text     string
		elements []string
		rest     string
		fault    error // ErrSyntax and the like; nil when the array ended
		offset   int64
	}{
		{name: "none", text: `[]`},
		{name: "white space", text: " \r\n\t[ \n ] ", rest: " "},
		{name: "kinds", text: `[{"a":1},[2],"b",-0.5e+7,true,false,null]`, elements: []string{`{"a":1}`, `[2]`, `"b"`, `-0.5e+7`, `true`, `false`, `null`}},
		{name: "kept as it is", text: "[\n{ \"b\" :\t[ 1 ] , \"a\":1.00 } , \"\\u00e9é\" ]", elements: []string{"{ \"b\" :\t[ 1 ] , \"a\":1.00 }", "\"\\u00e9é\""}},
		{name: "numbers side by side", text: "[0 ,1\n,2]", elements: []string{"0", "1", "2"}},
		{name: "brackets in strings", text: `["]","\"]","\\",{"}":"{"}]`, elements: []string{`"]"`, `"\"]"`, `"\\"`, `{"}":"{"}`}},
		{name: "byte order mark", text: "\xEF\xBB\xBF[1]", elements: []string{"1"}},
		{name: "trailing comma", text: `[1,]`, elements: []string{"1"}},
		{name: "trailing comma and space", text: "[1 , \n ]", elements: []string{"1"}},
		{name: "junk behind", text: `[1]}<!-- 3 ms -->`, elements: []string{"1"}, rest: `}<!-- 3 ms -->`},
		{name: "deepest", text: "[" + deep + "]", elements: []string{deep}},

		{name: "only a comma", text: `[,]`, fault: ErrSyntax, offset: 1},
		{name: "doubled comma", text: `[1,,2]`, elements: []string{"1"}, fault: ErrSyntax, offset: 3},
		{name: "doubled trailing comma", text: `[1,,]`, elements: []string{"1"}, fault: ErrSyntax, offset: 3},
		{name: "leading comma", text: `[ ,1]`, fault: ErrSyntax, offset: 2},
		{name: "missing comma", text: `["a" "b"]`, elements: []string{`"a"`}, fault: ErrSyntax, offset: 5},
		{name: "missing comma between objects", text: `[{}{}]`, elements: []string{`{}`}, fault: ErrSyntax, offset: 3},
		{name: "missing comma behind a number", text: `[1"b"]`, fault: ErrSyntax, offset: 2},
		{name: "object", text: ` {"a":1}`, fault: ErrNotArray, offset: 1},
		{name: "string", text: `"[1]"`, fault: ErrNotArray, offset: 0},
		{name: "null", text: `null`, fault: ErrNotArray, offset: 0},
		{name: "HTML", text: "<!DOCTYPE html>", fault: ErrSyntax, offset: 0},
		{name: "mark in the middle", text: " \xEF\xBB\xBF[1]", fault: ErrSyntax, offset: 1},
		{name: "broken mark", text: "\xEF\xBB[1]", fault: ErrSyntax, offset: 2},
		{name: "wrong bracket", text: `[{"a":[1}]]`, fault: ErrSyntax, offset: 8},
		{name: "brace behind a number", text: `[1}`, elements: []string{"1"}, fault: ErrSyntax, offset: 2},
		{name: "bare key", text: `[{a:1}]`, fault: ErrSyntax, offset: 2},
		{name: "no colon", text: `[{"a" 1}]`, fault: ErrSyntax, offset: 6},
		{name: "trailing comma inside", text: `[[1,]]`, fault: ErrSyntax, offset: 4},
		{name: "trailing comma in an object", text: `[{"a":1,}]`, fault: ErrSyntax, offset: 8},
		{name: "line in a string", text: "[\"a\n\"]", fault: ErrSyntax, offset: 3},
		{name: "unknown escape", text: `["\x"]`, fault: ErrSyntax, offset: 3},
		{name: "short escape", text: `["\u00g0"]`, fault: ErrSyntax, offset: 6},
		{name: "leading zero", text: `[01]`, fault: ErrSyntax, offset: 2},
		{name: "plus", text: `[+1]`, fault: ErrSyntax, offset: 1},
		{name: "bare minus", text: `[-]`, fault: ErrSyntax, offset: 2},
		{name: "bare point", text: `[1.]`, fault: ErrSyntax, offset: 3},
		{name: "bare exponent", text: `[1e]`, fault: ErrSyntax, offset: 3},
		{name: "misspelt literal", text: `[nul]`, fault: ErrSyntax, offset: 4},
		{name: "literal with a tail", text: `[nullx]`, elements: []string{"null"}, fault: ErrSyntax, offset: 5},
		{name: "too deep", text: "[[" + deep + "]]", fault: ErrTooDeep, offset: MaxDepth + 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, cuts := range [][]int{nil, everywhere(test.text)} {
				var s Splitter
				elements, rest, err := split(&s, test.text, cuts...)
				if !slices.Equal(elements, test.elements) {
					t.Errorf("%q in %d pieces has the elements %q, want %q", test.text, len(cuts)+1, elements, test.elements)
				}
				if test.fault == nil {
					if !errors.Is(err, io.EOF) || s.End() != nil || rest != test.rest {
						t.Errorf("%q in %d pieces: %v, then %q and %v, want the end and %q", test.text, len(cuts)+1, err, rest, s.End(), test.rest)
					}
					continue
				}
				var where *Error
				if !errors.Is(err, test.fault) || !errors.As(err, &where) || where.Offset != test.offset {
					t.Errorf("%q in %d pieces: %v, want %v at byte %d", test.text, len(cuts)+1, err, test.fault, test.offset)
				}
				if got := s.End(); got != err { //nolint:errorlint // the very same
					t.Errorf("%q in %d pieces ends with %v, want %v", test.text, len(cuts)+1, got, err)
				}
			}
		})
	}
}

func TestSplitterEnd(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want error
	}{
		{"", ErrEmpty},
		{" \n", ErrEmpty},
		{"\xEF\xBB\xBF", ErrEmpty},
		{"\xEF\xBB", ErrTruncated},
		{"[", ErrTruncated},
		{"[1", ErrTruncated},
		{"[1,", ErrTruncated},
		{`["a`, ErrTruncated},
		{`[{"a":1}`, ErrTruncated},
		{"[]", nil},
	}
	for _, test := range tests {
		var s Splitter
		_, _, _ = split(&s, test.text)
		if got := s.End(); !errors.Is(got, test.want) {
			t.Errorf("%q ends with %v, want %v", test.text, got, test.want)
		}
	}
}

// An element must be there with its last byte: a back-end may wait before it sends another.
func TestSplitterIsPrompt(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`[{"a":[1]}`, `["a"`, `[null`, `[[]`, `[1 `, `[1,`} {
		var s Splitter
		if elements, _, err := split(&s, text, everywhere(text)...); len(elements) != 1 || err != nil {
			t.Errorf("%q yields %q, %v, want its element", text, elements, err)
		}
	}
}

func TestSplitterLimit(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		ok   bool
	}{
		{`["12345678"]`, true},
		{`["123456789"]`, false},
		{`[1234567890]`, true},
		{`[12345678901]`, false},
		{`[   1234567890   ,   1   ]`, true},
		{`["12345678","12345678"]`, true},
		{`["123456789` + "\n" + `"]`, false},
		{`["1234567` + "\n" + `"]`, false}, // malformed inside the limit
	}
	for _, test := range tests {
		for _, cuts := range [][]int{nil, everywhere(test.text), {5}} {
			s := Splitter{MaxElement: 10}
			_, _, err := split(&s, test.text, cuts...)
			if ok := errors.Is(err, io.EOF); ok != test.ok {
				t.Errorf("%q in %d pieces with at most 10 bytes: %v, want accepted %v", test.text, len(cuts)+1, err, test.ok)
			}
		}
	}
	// What will be refused must not be gathered first.
	s := Splitter{MaxElement: 10}
	if _, _, err := s.Next([]byte(`["` + strings.Repeat("x", 100))); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a beginning of 100 bytes: %v, want %v", err, ErrTooLarge)
	}
}

func TestSplitterReset(t *testing.T) {
	t.Parallel()
	s := Splitter{MaxElement: 10}
	for _, text := range []string{`[1,{"a"`, `nonsense`, `[[[[`, `["123456789"]`, ``} {
		_, _, _ = split(&s, text)
		s.Reset()
		elements, _, err := split(&s, `[{"a":1},2]`, 4)
		if !slices.Equal(elements, []string{`{"a":1}`, `2`}) || !errors.Is(err, io.EOF) {
			t.Errorf("reset behind %q: %q, %v", text, elements, err)
		}
		if s.Reset(); s.MaxElement != 10 {
			t.Errorf("the limit is lost")
		}
	}
}

func TestSplitterAllocates(t *testing.T) {
	text := []byte(`[{"answer":"approved","id":"1 a:b:c 0"},{"answer":"processed","id":"1 a:b:c 0"}]`)
	var s Splitter
	got := testing.AllocsPerRun(100, func() {
		s.Reset()
		for rest, element := text, text; element != nil; {
			element, rest, _ = s.Next(rest)
		}
	})
	if got != 0 {
		t.Errorf("splitting what comes in one piece allocates %v times, want none", got)
	}
}

func FuzzSplitter(f *testing.F) {
	for _, text := range []string{
		`[]`, `[1,2,]`, "\xEF\xBB\xBF[{\"a\":\"\\u00e9\"}]", `[["approved","1 a:b:c 0"],` + "\n",
		`[{"a":[1,{"b":null}],"c":-1.5e-7},"x]\""] junk`, `{"a":1}`, `[1,,2]`, `[1`, `[ 0.0 , false ]`,
	} {
		f.Add(text, uint64(0x5555), 1000)
		f.Add(text, uint64(3), 5)
	}
	f.Fuzz(func(t *testing.T, text string, mask uint64, limit int) {
		if limit <= 0 {
			limit = 1
		}
		var cuts []int
		for i := range text {
			if mask>>(i%64)&1 == 1 {
				cuts = append(cuts, i)
			}
		}
		whole, pieces := Splitter{MaxElement: limit}, Splitter{MaxElement: limit}
		elements, rest, err := split(&whole, text)
		elements2, rest2, err2 := split(&pieces, text, cuts...)
		if !slices.Equal(elements, elements2) || !same(err, err2) || !same(whole.End(), pieces.End()) {
			t.Errorf("%q whole: %q, %v, %v; cut at %v: %q, %v, %v",
				text, elements, err, whole.End(), cuts, elements2, err2, pieces.End())
		}
		if errors.Is(err, io.EOF) && rest != rest2 {
			t.Errorf("%q whole leaves %q, cut at %v %q", text, rest, cuts, rest2)
		}
		for _, element := range elements {
			if !json.Valid([]byte(element)) || len(element) > limit {
				t.Errorf("%q has the element %q", text, element)
			}
		}
		var want []json.RawMessage
		if json.Unmarshal([]byte(text), &want) == nil && want != nil && whole.End() != nil &&
			!errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrTooDeep) {
			t.Errorf("%q is refused: %v", text, err)
		}
		if errors.Is(err, io.EOF) && json.Unmarshal([]byte(text), &want) == nil && len(want) != len(elements) {
			t.Errorf("%q has the elements %q, want %q", text, elements, want)
		}
	})
}

func same(a, b error) bool {
	return (a == nil) == (b == nil) && (a == nil || a.Error() == b.Error())
}
