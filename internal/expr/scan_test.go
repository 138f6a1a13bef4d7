package expr_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/internal/expr"
)

// lookup is what the scanner should find: by encoding/json, whole document decoded.
func lookup(doc []byte, path []string) (text string, found, scalar bool) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return "", false, false
	}
	for _, p := range path {
		switch at := v.(type) {
		case map[string]any:
			if strings.HasPrefix(p, "#") {
				return "", false, true
			}
			v = at[p]
		case []any:
			n, err := strconv.Atoi(strings.TrimPrefix(p, "#"))
			if !strings.HasPrefix(p, "#") || err != nil || n >= len(at) {
				return "", false, true
			}
			v = at[n]
		default:
			return "", false, true
		}
	}
	switch v := v.(type) {
	case nil:
		return "", false, true
	case string:
		return v, true, true
	case json.Number:
		return v.String(), true, true
	case bool:
		return strconv.FormatBool(v), true, true
	}
	return "", true, false
}

// quote writes printable ASCII without template marks as an HCL string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) + `"`
}

func FuzzPath(f *testing.F) {
	for _, doc := range []string{
		`{"a":{"b":"c"}}`, `{"a":1,"a":2}`, `{"a":{"b":1},"a":{"c":2}}`, `[1,[2,"x"],{"a":null}]`, ` { "a" : [ true , false ] } `,
		`{"\u0061":"escaped"}`, `{"a":"\ud83d\ude00 \ud800 \\ \" \/"}`, `{"a":-1.50e+10}`, `{"":{"":1}}`, `"x"`, `12`, `null`, `{}`, `[]`,
		`{"a":"b`, `{"a"`, `{"a":}`, `{"a":1 "b":2}`, `[1,`, `{"a":[}]}`, "{\"a\":\"\xff\"}", "{\"\xff\":1}", `{"A":1,"a":2}`, `{"a\"b":1}`,
	} {
		f.Add([]byte(doc), "a", "b", uint(0))
		f.Add([]byte(doc), "", "", uint(1))
	}
	f.Fuzz(func(t *testing.T, doc []byte, name, second string, index uint) {
		for _, s := range []string{name, second} {
			// A name in HCL is normalised Unicode without some characters: those are not the scanner's.
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r >= 0x7f || r == '$' || r == '%' || r == '#' }) {
				t.Skip()
			}
		}
		index %= 8
		paths := []struct {
			src  string
			path []string
		}{
			{"payload", nil},
			{"payload[" + quote(name) + "]", []string{name}},
			{"payload[" + quote(name) + "][" + quote(second) + "]", []string{name, second}},
			{fmt.Sprintf("payload[%d]", index), []string{fmt.Sprintf("#%d", index)}},
			{fmt.Sprintf("payload[%s][%d]", quote(name), index), []string{name, fmt.Sprintf("#%d", index)}},
			{fmt.Sprintf("payload[%d][%s]", index, quote(name)), []string{fmt.Sprintf("#%d", index), name}},
		}
		valid := json.Valid(doc)
		for _, p := range paths {
			e := parse(t, p.src)
			got, ok, err := e.String(expr.Scope{"payload": expr.JSON(doc)})
			_, _ = e.Strings(expr.Scope{"payload": expr.JSON(doc)})
			if !valid {
				continue
			}
			want, found, scalar := lookup(doc, p.path)
			switch {
			case !scalar:
				if err == nil {
					t.Errorf("%s of %s = %q, want an error", p.src, doc, got)
				}
			case err != nil || ok != found || got != want:
				t.Errorf("%s of %s = %q, %v, %v, want %q, %v", p.src, doc, got, ok, err, want, found)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, src := range []string{
		`payload.token`, `"user/${user.id}"`, `["a", claims.b]`, `[for x in claims.l : "${x}/y"]`, `claims.a ? "x" : payload.b`,
		`urlencode(payload.room)`, `payload[user.id].x[*].y`, `{a = user.id}`, "<<EOT\n${user.id}\nEOT\n", `"%{ for x in claims.l }${x}%{ endfor }"`,
		`payload.n * 1e300 * 1e300`, `-payload.n % 0`, `join("/", claims.l)`, `payload.l[1e9]`, `replace(payload.token, "/./", "x")`,
	} {
		f.Add(src)
	}
	claims := []byte(`{"l":["x","y/z"],"a":true,"b":null,"n":1e300}`)
	scope := expr.Scope{
		"payload": expr.JSON([]byte(`{"token":"a/b","n":5e-1,"l":[[],{"x":[{"y":1}]}],"room":"r/1"}`)),
		"claims":  expr.JSON(claims), "user": expr.Nested(map[string]expr.Value{"id": expr.Text("u/1"), "claims": expr.JSON(claims)}),
	}
	f.Fuzz(func(t *testing.T, src string) {
		e, diags := expr.Parse([]byte(src), "f.hcl", hclStart, allRoots)
		if (e == nil) != diags.HasErrors() {
			t.Fatal("an Expr and errors, or neither")
		}
		if e == nil {
			return
		}
		for _, s := range []expr.Scope{nil, scope} {
			text, ok, err := e.String(s)
			if err != nil && (ok || text != "") {
				t.Errorf("%s: a value beside the error %v", src, err)
			}
			_, _ = e.Strings(s)
			_, _ = e.Channels(s)
		}
	})
}

// TestNumbersAreBounded sees to it that no number makes Bridge write out its zeros.
func TestNumbersAreBounded(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"1e999999999", "-1e999999999", "1E+401", "1e-999999999", strings.Repeat("9", 100000)} {
		scope := expr.Scope{"payload": expr.JSON([]byte(`{"n":` + n + `}`))}
		if got, _, err := parse(t, `payload.n + 0`).String(scope); err == nil {
			t.Errorf("%.20s + 0 = %.20s, want an error", n, got)
		}
		if got, _, err := parse(t, `payload.n`).String(scope); err != nil || got != n {
			t.Errorf("%.20s = %.20s, %v", n, got, err)
		}
	}
}

func benchmark(b *testing.B, src string, scope expr.Scope) {
	b.Helper()
	e := parse(b, src)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := e.String(scope); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPayloadToken(b *testing.B) {
	for _, size := range []int{0, 1 << 10, 16 << 10} {
		doc := fmt.Sprintf(`{"version": 1, "token": "c0ffee-c0ffee-c0ffee", "device": {"os": "x", "tags": ["a", "b"]}, "text": %q}`, strings.Repeat("x ", size/2))
		b.Run(strconv.Itoa(len(doc)), func(b *testing.B) {
			benchmark(b, `payload.token`, expr.Scope{"payload": expr.JSON([]byte(doc))})
		})
	}
}

func BenchmarkTemplate(b *testing.B) {
	benchmark(b, `"user/${user.id}"`, expr.Scope{"user": expr.Object(map[string]string{"id": "38"})})
}

func BenchmarkGeneral(b *testing.B) {
	benchmark(b, `claims.admin ? "a" : "b"`, expr.Scope{"claims": expr.JSON([]byte(`{"admin": true}`))})
}

func BenchmarkChannels(b *testing.B) {
	e := parse(b, `["user/${user.id}"]`)
	scope := expr.Scope{"user": expr.Object(map[string]string{"id": "38"})}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := e.Channels(scope); err != nil {
			b.Fatal(err)
		}
	}
}
