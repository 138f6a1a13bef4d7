package expr_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/protocol-bridge/bridge/internal/channel"
	"github.com/protocol-bridge/bridge/internal/expr"
)

var hclStart = hcl.InitialPos

var allRoots = []string{"user", "claims", "request", "session", "context", "payload", "message"}

func parse(tb testing.TB, src string) *expr.Expr {
	tb.Helper()
	e, diags := expr.Parse([]byte(src), "bridge.hcl", hcl.InitialPos, allRoots)
	if diags.HasErrors() {
		tb.Fatalf("Parse(%s): %v", src, diags)
	}
	return e
}

func testScope() expr.Scope {
	claims := `{"room": "a/b", "rooms": ["x", "y/z"], "names": {"a": "1", "b/c": "2"}, "admin": true, "n": 12345678901234567890.10,
		"none": null, "nested": {"list": [{"id": 7}, {"id": "8"}]}, "dup": 1, "dup": 2, "plain": "sales", "big": 1e999999999}`
	return expr.Scope{
		"payload": expr.JSON([]byte(`{"token":"good","n":1.50,"b":false,"o":{"k":"v"},"l":["p",1,true,null],"e\u0301":"acute","\u0074wo words":"w","esc":"a\"\\\u00e9\n"}`)),
		"claims":  expr.JSON([]byte(claims)),
		"user":    expr.Nested(map[string]expr.Value{"id": expr.Text("38"), "claims": expr.JSON([]byte(claims))}),
		"request": expr.Nested(map[string]expr.Value{
			"path": expr.Text("/client"), "bearer": expr.Null,
			"headers": expr.Object(map[string]string{"x-api-key": "k", "authorization": "Bearer z"}),
			"query":   expr.Object(map[string]string{"room": "a/b", "q": "1"}),
		}),
		"context": expr.Null,
		"session": expr.Nested(map[string]expr.Value{"id": expr.Text("4711")}),
	}
}

func TestString(t *testing.T) {
	t.Parallel()
	const null = "<null>"
	tests := []struct{ src, want string }{
		{`payload.token`, "good"},
		{`(payload.token)`, "good"},
		{`"${payload.token}"`, "good"},
		{`payload["token"]`, "good"},
		{`payload["two words"]`, "w"},
		{`payload.n`, "1.50"},
		{`payload.b`, "false"},
		{`payload.esc`, "a\"\\é\n"},
		{`payload.missing`, null},
		{`payload.missing.deeper[3].still`, null},
		{`payload.token.deeper`, null},
		{`payload.l[0]`, "p"},
		{`payload.l.0`, "p"},
		{`payload.l[1]`, "1"},
		{`payload.l[3]`, null},
		{`payload.l[4]`, null},
		{`payload.l.name`, null},
		{`payload.o[0]`, null},
		{`payload.TOKEN`, null},
		{`claims.dup`, "2"},
		{`claims.n`, "12345678901234567890.10"},
		{`claims.none`, null},
		{`claims.none.x`, null},
		{`claims.nested.list[1].id`, "8"},
		{`user.id`, "38"},
		{`user.claims.room`, "a/b"},
		{`request.headers.x-api-key`, "k"},
		{`request.headers["authorization"]`, "Bearer z"},
		{`request.headers.none`, null},
		{`request.headers[0]`, null},
		{`request.bearer`, null},
		{`request.bearer.x`, null},
		{`request.cookie.session`, null},
		{`context.a.b`, null},
		{`message.type`, null},
		{`"x"`, "x"},
		{`""`, ""},
		{`38`, "38"},
		{`true`, "true"},
		{`null`, null},
		{`"a${user.id}b${claims.n}"`, "a38b12345678901234567890.10"},
		{`urlencode(claims.room)`, "a%2Fb"},
		{`urlencode(payload.missing)`, null},
		{`upper(payload.token)`, "GOOD"},
		{`lower("ABC")`, "abc"},
		{`sha256("")`, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{`trimprefix(request.headers.authorization, "Bearer ")`, "z"},
		{`claims.admin ? "yes" : "no"`, "yes"},
		{`claims.missing == null ? "yes" : "no"`, "yes"},
		{`claims.missing.deeper == true ? "yes" : "no"`, "no"},
		{`coalesce(claims.missing, user.id)`, "38"},
		{`coalesce(claims.missing, payload.token, "x")`, "good"},
		{`payload.n + 1`, "2.5"},
		{`join("-", [for x in claims.nested.list : x.id])`, "7-8"},
		{`length(claims.rooms)`, "2"},
		{`payload[user.id]`, "error"},
		{`payload.o[payload.missing]`, "error"},
		{`payload.o`, "error"},
		{`payload`, "error"},
		{`payload.l`, "error"},
		{`[user.id]`, "error"},
		{`user`, "error"},
		{`request.headers`, "error"},
		{`"a${payload.missing}"`, "error"},
		{`"a${payload.o}"`, "error"},
		{`lower(payload.o)`, "error"},
		{`claims.big + 1`, "error"},
		{`claims.big`, "1e999999999"},
		{`claims.missing ? "a" : "b"`, "error"},
		{`claims.n / 0`, "error"},
		{`[for x in claims.rooms : x]`, "error"},
		{`{a = user.id}`, "error"},
	}
	scope := testScope()
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			got, ok, err := parse(t, tt.src).String(scope)
			if !ok {
				got = null
			}
			if err != nil {
				got = "error"
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("error has several lines: %v", err)
				}
			}
			if got != tt.want {
				t.Errorf("String(%s) = %q (%v), want %q", tt.src, got, err, tt.want)
			}
		})
	}
}

func TestStrings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src  string
		want []string
	}{
		{`user.id`, []string{"38"}},
		{`payload.missing`, []string{}},
		{`payload.l`, []string{"p", "1", "true"}},
		{`claims.rooms`, []string{"x", "y/z"}},
		{`["a", user.id, claims.none, claims.n]`, []string{"a", "38", "12345678901234567890.10"}},
		{`[]`, []string{}},
		{`claims.admin ? ["a", "b"] : []`, []string{"a", "b"}},
		{`concat(["a"], coalesce(claims.missing, []))`, []string{"a"}},
		{`[for r in claims.rooms : upper(r)]`, []string{"X", "Y/Z"}},
		{`payload.o`, nil},
		{`[["a"]]`, nil},
		{`[claims.rooms]`, nil},
		{`[payload.o]`, nil},
		{`[for r in claims.missing : r]`, nil},
	}
	scope := testScope()
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			e, diags := expr.Parse([]byte(tt.src), "bridge.hcl", hcl.InitialPos, allRoots)
			if diags.HasErrors() && tt.want == nil {
				return
			}
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			got, err := e.Strings(scope)
			if (err != nil) != (tt.want == nil) || !slices.Equal(got, tt.want) {
				t.Errorf("Strings(%s) = %q, %v, want %q", tt.src, got, err, tt.want)
			}
		})
	}
}

func TestChannels(t *testing.T) {
	t.Parallel()
	scope := testScope()
	scope["payload"] = expr.JSON([]byte(`{"slash":"a/b","space":"a b","dollar":"$x","plain":"p","ctl":"a\u0000","long":"` +
		strings.Repeat("x", 250) + `","list":["a","b/c"],"keys":{"a/b":"v"},"empty":""}`))
	tests := []struct {
		src  string
		want []string
		err  error
	}{
		{`["user/${user.id}"]`, []string{"user/38"}, nil},
		{`"user/${user.id}"`, []string{"user/38"}, nil},
		{`["news/all", "user/${urlencode(payload.slash)}"]`, []string{"news/all", "user/a%2Fb"}, nil},
		{`"user/${lower(urlencode(payload.slash))}"`, []string{"user/a%2fb"}, nil},
		{`"u/${payload.slash}"`, nil, expr.ErrSlash},
		{`"u/${claims.room}"`, nil, expr.ErrSlash},
		{`"u/${lower(claims.room)}"`, nil, expr.ErrSlash},
		{`"${claims.room}"`, nil, expr.ErrSlash},
		{`payload.slash`, nil, expr.ErrSlash},
		{`payload.list`, nil, expr.ErrSlash},
		{`[payload.slash]`, nil, expr.ErrSlash},
		{`lower(payload.slash)`, nil, expr.ErrSlash},
		{`request.query.room`, nil, expr.ErrSlash},
		{`claims.room`, []string{"a/b"}, nil},
		{`[claims.room]`, []string{"a/b"}, nil},
		{`claims.rooms`, []string{"x", "y/z"}, nil},
		{`user.claims.rooms`, []string{"x", "y/z"}, nil},
		{`coalesce(claims.missing, claims.rooms)`, []string{"x", "y/z"}, nil},
		{`[for r in claims.rooms : "room/${r}"]`, nil, expr.ErrSlash},
		{`[for r in claims.rooms : "room/${urlencode(r)}"]`, []string{"room/x", "room/y%2Fz"}, nil},
		{`[for claims in payload.list : claims]`, nil, expr.ErrSlash},
		{`[for k, v in payload.keys : k]`, nil, expr.ErrSlash},
		{`[for k, v in claims.names : "n/${k}"]`, nil, expr.ErrSlash},
		{`[for k, v in claims.names : "n/${v}"]`, []string{"n/1", "n/2"}, nil},
		{`claims.admin ? ["admin/all"] : []`, []string{"admin/all"}, nil},
		{`claims.admin ? payload.slash : "x"`, nil, expr.ErrSlash},
		{`request.path == "/client" ? ["vip/all"] : ["all"]`, []string{"vip/all"}, nil},
		{`payload.slash == "a/b" ? "same/thing" : "other"`, []string{"same/thing"}, nil},
		{`"x/%{ if claims.admin }${payload.plain}%{ else }y%{ endif }"`, []string{"x/p"}, nil},
		{`"x/%{ if claims.admin }${payload.slash}%{ endif }"`, nil, expr.ErrSlash},
		{`"x/%{ for r in claims.rooms }${r}%{ endfor }"`, nil, expr.ErrSlash},
		{`replace(payload.slash, "/", "-")`, []string{"a-b"}, nil},
		{`join("/", payload.list)`, nil, expr.ErrSlash},
		{`join("/", [payload.plain, user.id])`, []string{"p/38"}, nil},
		{`payload.list[*]`, nil, expr.ErrSlash},
		{`"a/${payload.space}"`, nil, channel.ErrSpace},
		{`payload.dollar`, nil, channel.ErrReserved},
		{`"a/${payload.ctl}"`, nil, channel.ErrControl},
		{`"${payload.long}/${payload.long}"`, nil, channel.ErrTooLong},
		{`payload.empty`, nil, channel.ErrEmpty},
		{`payload.missing`, []string{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.src, func(t *testing.T) {
			t.Parallel()
			got, err := parse(t, tt.src).Channels(scope)
			if !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) || !slices.Equal(got, tt.want) {
				t.Errorf("Channels(%s) = %q, %v, want %q, %v", tt.src, got, err, tt.want, tt.err)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src, want string }{
		{"variable", `usr.id`, `There is no variable "usr" here. Did you mean "user"?`},
		{"far variable", `zebra.id`, `There is no variable "zebra" here. Variables here: user, claims`},
		{"member", `user.name`, `The variable "user" has no "name". It has: id, claims.`},
		{"near member", `request.quer.x`, `Did you mean "query"?`},
		{"in a template", `"a${usr.id}"`, `Did you mean "user"?`},
		{"in a for", `[for x in payload.l : y]`, `There is no variable "y" here.`},
		{"function", `lowre(user.id)`, `There is no function "lowre". Did you mean "lower"?`},
		{"hidden function", `file("/etc/passwd")`, `There is no function "file".`},
		{"arguments", `lower()`, `lower(text)`},
		{"arguments", `trimprefix(user.id)`, `trimprefix(str, prefix)`},
		{"syntax", `payload.`, ``},
		{"empty", ``, ``},
		{"two", `user.id user.id`, `extra characters`},
		{"constant", `1 / 0`, `can never be evaluated`},
		{"huge number", `"${1e999999999}"`, `some 400 digits`},
		{"constant part", `"a${null}"`, `can never be evaluated`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			start := hcl.Pos{Line: 7, Column: 3, Byte: 50}
			e, diags := expr.Parse([]byte(tt.src), "bridge.hcl", start, allRoots)
			if !diags.HasErrors() || e != nil {
				t.Fatalf("Parse(%s) = %v, no error", tt.src, e)
			}
			d := diags[0]
			if !strings.Contains(d.Detail, tt.want) {
				t.Errorf("Parse(%s): %s, want %q in it", tt.src, d.Detail, tt.want)
			}
			if d.Subject == nil || d.Subject.Start.Line < 7 || d.Subject.Filename != "bridge.hcl" {
				t.Errorf("Parse(%s): subject %v, want line 7 of bridge.hcl", tt.src, d.Subject)
			}
		})
	}
}

func TestNewKeepsTheSource(t *testing.T) {
	t.Parallel()
	for _, src := range []string{
		`payload.token`, `"user/${user.id}"`, `["a", "b/${user.id}"]`, `(user.id)`, "[\n  \"a\", # first\n  user.id,\n]",
		"<<EOT\nx${user.id}\nEOT\n", "claims.admin ? [\"a\"] : []",
	} {
		file := []byte("# comment\nvalue = " + src + "\n")
		f, diags := hclsyntax.ParseConfig(file, "f.hcl", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		attrs, _ := f.Body.JustAttributes()
		e, diags := expr.New(attrs["value"].Expr, file, allRoots)
		if diags.HasErrors() {
			t.Fatalf("%s: %v", src, diags)
		}
		again, diags := expr.Parse([]byte(e.Source()), "f.hcl", hcl.InitialPos, allRoots)
		if diags.HasErrors() {
			t.Fatalf("%s: source %q does not parse again: %v", src, e.Source(), diags)
		}
		want, errWant := e.Strings(testScope())
		got, err := again.Strings(testScope())
		if !slices.Equal(got, want) || err != nil || errWant != nil {
			t.Errorf("%s: again %q %v, first %q %v", src, got, err, want, errWant)
		}
	}
}

func TestRoots(t *testing.T) {
	t.Parallel()
	e := parse(t, `["a/${user.id}", claims.x, user.claims.y, [for payload in claims.z : payload][0]]`)
	if got, want := e.Roots(), []string{"claims", "user"}; !slices.Equal(got, want) {
		t.Errorf("Roots = %q, want %q", got, want)
	}
}
