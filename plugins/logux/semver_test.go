package logux

import (
	"strings"
	"testing"
)

// What npm's own semver says of these.
func TestRanges(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, has, not string }{
		{"1.0.0 - 2.0.0", "1.0.0 1.2.3 2.0.0", "0.9.9 2.0.1 2.0.0-rc"},
		{"1.2 - 3", "1.2.0 3.9.9", "1.1.9 4.0.0"},
		{"x - 1.0.0", "0.9.7", "1.0.1"},
		{"1.0.0 - x", "1.9.7", "0.9.9"},
		{"1.0.0", "1.0.0 v1.0.0 1.0.0+build", "1.0.1 1.0.0-beta"},
		{"=1.0.0", "1.0.0", "1.0.1"},
		{"", "1.0.0 0.0.0", "1.0.0-rc abc"},
		{"*", "1.2.3", "1.2.3-rc"},
		{"x", "1.2.3", ""},
		{">=1.0.0", "1.0.0 1.1.0", "0.9.9"},
		{">= 1.0.0", "1.0.0 1.1.0", "0.9.9"},
		{">1.0.0", "1.0.1", "1.0.0 1.0.1-beta"},
		{"<=2.0.0", "2.0.0 1.9.9 0.2.9", "2.0.1"},
		{"<2.0.0", "1.9.9", "2.0.0 2.0.0-rc"},
		{"<\t2.0.0", "0.2.9", "2.0.0"},
		{">=0.1.97", "v0.1.97 0.1.97", "0.1.93"},
		{"0.1.20 || 1.2.4", "1.2.4 0.1.20", "1.2.3 0.1.2"},
		{">=0.2.3 || <0.0.1", "0.0.0 0.2.3", "0.0.3 0.2.2"},
		{"||", "1.3.4", ""},
		{"2.x.x", "2.1.3 2.0.0", "1.1.3 3.1.3"},
		{"1.2.x", "1.2.3", "1.3.3"},
		{"1.2.x || 2.x", "2.1.3 1.2.3", "3.1.3 1.1.3"},
		{"2", "2.1.2", "1.1.2"},
		{"2.3", "2.3.1", "2.4.1"},
		{"~0.0.1", "0.0.1 0.0.2", "0.1.0-alpha 0.1.0"},
		{"~2.4", "2.4.0 2.4.5", "2.5.0 2.3.9"},
		{"~>3.2.1", "3.2.2", "3.3.2 3.2.0"},
		{"~1", "1.2.3", "0.2.3 2.2.3"},
		{"~> 1", "1.2.3", "2.2.3"},
		{"~1.0", "1.0.2", "1.1.0 0.9.9"},
		{"~ 1.0.3", "1.0.12", "1.0.2"},
		{">=1", "1.0.0", "0.9.9"},
		{"<1.2", "1.1.1", "1.2.0 1.2.0-beta"},
		{"< 1.2", "1.1.1", "1.2.0"},
		{"1 2", "", "1.0.0 2.0.0"},
		{"^0.0.1", "0.0.1", "0.0.2 0.0.0"},
		{"^0.1.2", "0.1.2 0.1.9", "0.2.0 0.1.1"},
		{"^0.0", "0.0.0 0.0.9", "0.1.0"},
		{"^0", "0.9.9", "1.0.0"},
		{"^1.2.3", "1.8.1 1.2.3", "2.0.0 1.2.2 2.0.0-alpha 1.2.3-beta"},
		{"^1.2", "1.4.2", "1.1.9 2.0.0"},
		{"^1.2.0-alpha", "1.2.0-alpha 1.2.0-pre 1.2.0 1.8.1", "1.2.0-al 1.3.0-alpha 2.0.0"},
		{"^0.0.1-alpha", "0.0.1-beta 0.0.1", "0.0.2"},
		{"^1.x", "1.0.0", "2.0.0 0.9.0"},
		{"^x", "0.0.1 9.0.0", ""},
		{">1", "2.0.0", "1.9.9"},
		{">1.2", "1.3.0", "1.2.8"},
		{"<=1", "1.9.9 0.1.0", "2.0.0 2.0.0-rc"},
		{"<=1.2", "1.2.9", "1.3.0"},
		{">x", "", "0.0.0 1.0.0"},
		{"<x", "", "0.0.0 1.0.0"},
		{">=x", "0.0.0", ""},
		{">=1.0.0 <2.0.0", "1.5.0", "0.9.0 2.0.0"},
		{">1.0.0-beta.2", "1.0.0-beta.11 1.0.0-rc.1 1.0.0", "1.0.0-beta.2 1.0.0-alpha 1.0.0-beta.1"},
		{">=1.0.0-0", "1.0.0-alpha 1.0.0-1", "0.9.9"},
	}
	for _, test := range tests {
		r, ok := parseRange(test.text)
		if !ok {
			t.Errorf("%q is taken for no range", test.text)
			continue
		}
		for in, list := range map[bool]string{true: test.has, false: test.not} {
			for text := range strings.FieldsSeq(list) {
				v, ok := parseVersion(text)
				if got := ok && r.has(v); got != in {
					t.Errorf("%q has %s: %t, want %t", test.text, text, got, in)
				}
			}
		}
	}
	for _, bad := range []string{"abc", "1.2.3.4", "^ abc", ">1.x.y", "01.0.0", "1.0.0-01", "1 - 2 - 3", "=>1.0.0", "1.0.0-", "1.0.0-a..b", ">=1.0.0,<2.0.0", "99999999999999999999.0.0"} {
		if _, ok := parseRange(bad); ok {
			t.Errorf("%q is taken for a range", bad)
		}
	}
}

func TestLowest(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"^2.0.0", "2"},
		{"^3.0.0 || ^2.1.0", "2"},
		{"<=4", "0"},
		{">5", "6"},
		{"1.x", "1"},
		{"*", "0"},
		{">x", ""},
		{">=2 <1", ""},
		{"no range", ""},
	}
	for _, test := range tests {
		if got := string(supportedBy(test.text)); got != test.want {
			t.Errorf("%q is supported from %q on, want %q", test.text, got, test.want)
		}
	}
}

func TestSubprotocols(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw, text, major string
	}{
		{`"1.1.0"`, "1.1.0", "1"},
		{`"abc"`, "abc", ""},
		{`""`, "", ""},
		{`7`, "7.0.0", "7"},
		{`7.9`, "7.0.0", "7"},
		{`1e2`, "100.0.0", "100"},
		{`0`, "0.0.0", "0"},
		{`-1`, "0.0.0", "0"},
		{`"12.0.0-rc.1+x"`, "12.0.0-rc.1+x", "12"},
		{`"1.2"`, "1.2", ""},
		{`"1.x.0"`, "1.x.0", ""},
	}
	for _, test := range tests {
		text, ok := semverOf([]byte(test.raw))
		major, _ := majorOf(text)
		if !ok || text != test.text || string(major) != test.major {
			t.Errorf("%s is %q %t and %q, want %q and %q", test.raw, text, ok, major, test.text, test.major)
		}
	}
	for _, bad := range []string{`null`, `{}`, `[]`, `true`, `1e400`} {
		if text, ok := semverOf([]byte(bad)); ok {
			t.Errorf("%s is taken for %q", bad, text)
		}
	}
}

func TestOrderOfVersions(t *testing.T) {
	t.Parallel()
	order := strings.Fields("0.0.0 1.0.0-0 1.0.0-1 1.0.0-2 1.0.0-11 1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0 1.0.1 1.2.0 10.0.0")
	for i, a := range order {
		for j, b := range order {
			x, _ := parseVersion(a)
			y, _ := parseVersion(b)
			if got := x.compare(y); got < 0 != (i < j) || got > 0 != (i > j) {
				t.Errorf("%s compared with %s is %d", a, b, got)
			}
		}
	}
}

func FuzzRange(f *testing.F) {
	for _, seed := range []string{"^1.0.0 || 2.x", "1.2 - 3", ">=1.0.0-rc.1 <2", "~> 1"} {
		f.Add(seed, "1.2.3-rc.1")
	}
	f.Fuzz(func(_ *testing.T, text, version string) {
		r, ok := parseRange(text)
		v, ok2 := parseVersion(version)
		if ok && ok2 {
			r.has(v)
		}
		r.lowest()
	})
}
