package logux

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/protocol-bridge/bridge/upstream"
)

// question is what most tests ask; its id is written $ in answers.
func question() *upstream.Request {
	return &upstream.Request{
		ID: "e1", Time: 1560954012838, Number: 7, Session: "99", UserID: "38",
		Purpose: "message", Type: "user/rename", Payload: []byte(`{"name":"New"}`),
	}
}

const questionID = "1560954012838 38:99:bridge 7"

func fill(text string) string { return strings.ReplaceAll(text, "$", questionID) }

// answers feeds a body in pieces and returns what each question was answered.
func answers(t *testing.T, pieces []string, end bool, reqs ...*upstream.Request) [][]*upstream.Answer {
	t.Helper()
	got := make([][]*upstream.Answer, len(reqs))
	var x Exchange
	x.Reset(0, func(i int, a *upstream.Answer) {
		if n := len(got[i]); n > 0 && got[i][n-1].Last {
			t.Errorf("%q: question %d is answered %+v behind the last answer", pieces, i, a)
		}
		got[i] = append(got[i], a)
	}, reqs...)
	for _, piece := range pieces {
		before := make([]int, len(got))
		for i := range got {
			before[i] = len(got[i])
		}
		x.Feed([]byte(piece))
		for i := range got {
			if len(got[i]) > before[i]+1 && (reqs[i].Raw == nil || reqs[i].Together) {
				t.Errorf("%q: the piece %q made %d answers", pieces, piece, len(got[i])-before[i])
			}
		}
	}
	if end {
		x.End()
		if x.Open() != 0 {
			t.Errorf("%q: %d questions are open at the end", pieces, x.Open())
		}
	}
	return got
}

func single(text string) []string {
	pieces := make([]string, len(text))
	for i := range pieces {
		pieces[i] = text[i : i+1]
	}
	return pieces
}

// merge makes one answer of several.
func merge(list []*upstream.Answer) upstream.Answer {
	var m upstream.Answer
	for _, a := range list {
		m.Items = append(m.Items, a.Items...)
		if a.Payload != nil {
			m.Payload = a.Payload
		}
		addDetail(&m, a.Detail)
		m.Last, m.Outcome = a.Last, a.Outcome
	}
	return m
}

func show(a upstream.Answer) string {
	var b strings.Builder
	if a.Last {
		fmt.Fprint(&b, a.Outcome)
	}
	if a.Payload != nil {
		fmt.Fprintf(&b, " reply %s", a.Payload)
	}
	for _, item := range a.Items {
		fmt.Fprintf(&b, " to %v%v%v%v %s %s", item.Channels, item.Users, item.Clients, item.Nodes, item.Type, item.Payload)
	}
	if a.Detail != "" {
		fmt.Fprintf(&b, " (%s)", a.Detail)
	}
	return b.String()
}

// The whole body in one piece is one answer; each piece that says something is one.
func TestExchangeMerges(t *testing.T) {
	t.Parallel()
	parts := []string{
		`[["resend","$",{"channels":["news"]}],`, `["approved","$"],`,
		`["action","$",{"type":"a","payload":1}],["action","$",{"type":"b","payload":2},{"user":"5"}],`,
		`["pro`, `cessed","$"]`, ` , ]`,
	}
	got := answers(t, []string{fill(strings.Join(parts, ""))}, true, question())[0]
	if len(got) != 1 {
		t.Errorf("in one piece there are %d answers, want 1", len(got))
	}
	for i := range parts {
		parts[i] = fill(parts[i])
	}
	var shown []string
	for _, a := range answers(t, parts, true, question())[0] {
		shown = append(shown, show(*a))
	}
	want := []string{` to [news][][][] user/rename {"name":"New"}`, ` reply 1 to [][5][][] b 2`, `ok`}
	if !slices.Equal(shown, want) {
		t.Errorf("in pieces it is answered %q, want %q", shown, want)
	}
}

func TestExchangeOfSeveral(t *testing.T) {
	t.Parallel()
	a, b, c := question(), question(), question()
	b.Number, c.Number = 8, 9
	idB := strings.Replace(questionID, "bridge 7", "bridge 8", 1)
	body := fill(`[["resend","`+idB+`",{"channel":"x"}],["resend","$",{"channel":"y"}],["denied","`+idB+`"],["approved","$"],`) +
		`["error","all of it"],["processed","` + questionID + `"]]`
	for _, pieces := range [][]string{{body}, single(body)} {
		got := answers(t, pieces, true, a, b, c)
		var shown []string
		for _, list := range got {
			shown = append(shown, show(merge(list)))
		}
		want := []string{`error to [y][][][] user/rename {"name":"New"} (all of it)`, "denied", "error (all of it)"}
		if !slices.Equal(shown, want) {
			t.Errorf("%s is answered %q, want %q", body, shown, want)
		}
	}
}

func TestExchangeOfSubscription(t *testing.T) {
	t.Parallel()
	tests := []struct{ body, want string }{
		{`[["approved","$"],["processed","$"]]`, "ok"},
		{
			`[["approved","$"],["action","$",{"type":"a","payload":1}],["action","$",{"type":"b"},{"channel":"c"}],["processed","$"]]`,
			"ok to [][][][] a 1 to [c][][][] b {}",
		},
		{
			`[["resend","$",{"channel":"news"}],["approved","$"],["processed","$"]]`,
			`ok (an answer "resend" to a subscription is ignored)`,
		},
		{`[["unknownAction","$"]]`, "unknown_type"},
		{`[["unknownChannel","$"]]`, "unknown_type"},
		{`[["forbidden","$"],["processed","$"]]`, "denied"},
		{`[["approved","$"],["error","$","x"]]`, "error (x)"},
	}
	for _, test := range tests {
		req := question()
		req.Purpose, req.Type, req.Channel = "subscribe", "", "38/name"
		if got := show(merge(answers(t, []string{fill(test.body)}, true, req)[0])); got != test.want {
			t.Errorf("%s is answered %s, want %s", test.body, got, test.want)
		}
	}
}

func TestExchangeOfRaw(t *testing.T) {
	t.Parallel()
	const id = "1560954012838 38:Y7bysd:O0ETfc 0"
	action := `["action",{"type":"user/rename"},{"id":"` + id + `","time":1}]`
	tests := []struct {
		name, raw, body string
		want            []string
		outcome         upstream.Outcome
	}{
		{
			"action", action, `[["resend","$",{}],null,["approved","$"],["x","other"],["forbidden","$"],["processed","$"],["error","late"]]`,
			[]string{`["resend","$",{}]`, `["approved","$"]`, `["forbidden","$"]`, `["processed","$"]`},
			upstream.OK,
		},
		{"refused", action, `[ {"answer":"denied","id":"$"} , {"answer":"processed","id":"$"}]`, []string{`{"answer":"denied","id":"$"}`}, upstream.OK},
		{"unfinished", action, `[["approved","$"]]`, []string{`["approved","$"]`}, upstream.Error},
		{"truncated", action, `[["approved","$"],`, []string{`["approved","$"]`}, upstream.Unavailable},
		{"nothing", action, `[]`, nil, upstream.Unavailable},
		{"error for all", action, `[["error","x"]]`, []string{`["error","x"]`}, upstream.OK},
		{"nonsense", action, `[["what","$"]]`, []string{`["what","$"]`}, upstream.OK},
		{"number", action, `[5]`, []string{`5`}, upstream.OK},
		{
			"authentication", `{"command":"auth","authId":"` + id + `","cookie":{},"headers":{}}`, `[{"answer":"authenticated","authId":"$","subprotocol":"1.0.0"}]`,
			[]string{`{"answer":"authenticated","authId":"$","subprotocol":"1.0.0"}`},
			upstream.OK,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			body := strings.ReplaceAll(test.body, "$", id)
			for _, pieces := range [][]string{{body}, single(body)} {
				list := answers(t, pieces, true, &upstream.Request{Raw: []byte(test.raw)})[0]
				var elements []string
				for raw := range raws(list) {
					elements = append(elements, strings.ReplaceAll(raw, id, "$"))
				}
				last := list[len(list)-1]
				if !slices.Equal(elements, test.want) || !last.Last || last.Outcome != test.outcome {
					t.Errorf("%s in %d pieces: %q, then %v, want %q, then %v", test.body, len(pieces), elements, last.Outcome, test.want, test.outcome)
				}
				if test.outcome == upstream.OK && last.Raw == nil {
					t.Errorf("%s: the element that decides is not the last answer", test.body)
				}

				list = answers(t, pieces, true, &upstream.Request{Raw: []byte(test.raw), Together: true})[0]
				together := strings.ReplaceAll(strings.Join(slices.Collect(raws(list)), ","), id, "$")
				last = list[len(list)-1]
				if together != strings.Join(test.want, ",") || !last.Last || last.Outcome != test.outcome {
					t.Errorf("%s in %d pieces together: %s, then %v, want %q, then %v", test.body, len(pieces), together, last.Outcome, test.want, test.outcome)
				}
				if ended := test.name != "truncated"; ended && len(pieces) == 1 && len(list) != 1 {
					t.Errorf("%s at once makes %d answers", test.body, len(list))
				}
			}
		})
	}
}

func TestExchangeFails(t *testing.T) {
	t.Parallel()
	var got []*upstream.Answer
	var x Exchange
	x.Reset(0, func(_ int, a *upstream.Answer) { got = append(got, a) }, question())
	x.Feed([]byte(fill(`[["resend","$",{"channel":"news"}],["approved","$"],["proc`)))
	x.Fail(upstream.Unavailable, "connection reset")
	x.Fail(upstream.Error, "again")
	x.Feed([]byte("more"))
	x.End()
	if len(got) != 2 || show(*got[1]) != "unavailable (connection reset)" {
		t.Errorf("a failure is answered %v", got)
	}
}

func TestExchangeLimits(t *testing.T) {
	t.Parallel()
	var got []*upstream.Answer
	var x Exchange
	x.Reset(100, func(_ int, a *upstream.Answer) { got = append(got, a) }, question())
	x.Feed([]byte(`[["error","` + strings.Repeat("x", 200)))
	if len(got) != 1 || show(*got[0]) != "unavailable (the answer cannot be read: element is too large at byte 101)" {
		t.Errorf("a large answer is answered %v", got)
	}
	got = nil
	x.Reset(0, x.emit, question())
	x.Feed([]byte(`[["error","` + strings.Repeat("x", 2*maxDetail) + `"]]`))
	if len(got) != 1 || len(got[0].Detail) != maxDetail {
		t.Errorf("a stack without end is answered %v", got)
	}
	// Answers to something else must not be gathered.
	got = nil
	x.Reset(0, x.emit, question())
	x.Feed([]byte(`[null`))
	for range 10_000 {
		x.Feed([]byte(`,["processed","other"]`))
	}
	if x.End(); len(got) != 1 || len(got[0].Detail) > maxDetail {
		t.Errorf("many answers to something else are answered %d times", len(got))
	}
}

// What an answer holds must not change with what is read later.
func TestExchangeAnswersAreOwned(t *testing.T) {
	t.Parallel()
	body := []byte(fill(`[["resend","$",{"channel":"news"}],["action","$",{"type":"h","payload":"held"},{"user":"1"}],["approved","$"],` +
		`["action","$",{"type":"a","payload":"reply"}],["action","$",{"type":"b","x":"fields"}],["error","$","details"]]`))
	req := question()
	for _, size := range []int{len(body), 7} {
		var got []*upstream.Answer
		var x Exchange
		x.Reset(0, func(_ int, a *upstream.Answer) { got = append(got, a) }, req)
		piece := make([]byte, size)
		for rest := body; len(rest) > 0; {
			n := copy(piece, rest)
			rest = rest[n:]
			x.Feed(piece[:n])
			clear(piece)
		}
		x.Release()
		clear(req.Payload)
		want := `error reply "reply" to [news][][][] user/rename {"name":"New"} to [][1][][] h "held" to [][][][] b {"x":"fields"} (details)`
		if shown := show(merge(got)); shown != want {
			t.Errorf("with pieces of %d bytes: %s, want %s", size, shown, want)
		}
		req = question()
	}
}

func FuzzExchange(f *testing.F) {
	for _, body := range []string{
		`[["resend","$",{"channels":["a"]}],["approved","$"],["action","$",{"type":"a"}],["processed","$"]]`,
		`[{"answer":"resend","id":"$","user":1},{"answer":"approved","id":"$"},{"answer":"action","id":"$","action":{"type":"b","payload":[1]},"meta":{"clients":"x"}},{"answer":"processed","id":"$"},]`,
		`[["error","x"]]`, `[["error",{},"x"]]`, `[{"answer":"error","id":null}]`, `[[],{},1,"x",null]`, "\xEF\xBB\xBF[[\"denied\",\"$\"]",
		`[["unknownAction","$"],["unknownChannel","$"],["forbidden","$"]]`, `[["processed","$"]]`, `[["approved","$"],["approved","$"],["resend","$"]]`,
	} {
		f.Add(body, uint64(0x1111))
	}
	f.Fuzz(func(t *testing.T, body string, mask uint64) {
		body = fill(body)
		var pieces []string
		from := 0
		for i := range body {
			if mask>>(i%64)&1 == 1 {
				pieces = append(pieces, body[from:i])
				from = i
			}
		}
		pieces = append(pieces, body[from:])
		other := question()
		other.Number++
		raw := &upstream.Request{Raw: []byte(`["action",{"type":"x"},{"id":"` + questionID + `"}]`)}
		together := &upstream.Request{Raw: raw.Raw, Together: true}
		whole := answers(t, []string{body}, true, question(), other, raw, together)
		for _, pieces := range [][]string{pieces, single(body)} {
			cut := answers(t, pieces, true, question(), other, raw, together)
			for i := range 2 {
				if a, b := merge(whole[i]), merge(cut[i]); !reflect.DeepEqual(a, b) {
					t.Errorf("%q whole is answered %s, in the pieces %q %s", body, show(a), pieces, show(b))
				}
			}
			a, b := slices.Collect(raws(whole[2])), slices.Collect(raws(cut[2]))
			if !slices.Equal(a, b) {
				t.Errorf("%q whole has the raw answers %q, in the pieces %q %q", body, a, pieces, b)
			}
			if c := strings.Join(slices.Collect(raws(cut[3])), ","); c != strings.Join(a, ",") || last(cut[2]) != last(cut[3]) {
				t.Errorf("%q in the pieces %q is %q, then %v, together, and %q, then %v, one by one", body, pieces, c, last(cut[3]), a, last(cut[2]))
			}
		}
	})
}

// last is how it ended.
func last(list []*upstream.Answer) upstream.Outcome { return list[len(list)-1].Outcome }

func raws(list []*upstream.Answer) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, a := range list {
			if a.Raw != nil && !yield(string(a.Raw)) {
				return
			}
		}
	}
}
