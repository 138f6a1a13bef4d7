package channel_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/protocol-bridge/bridge/internal/channel"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want error
	}{
		{"news", nil},
		{"user/38", nil},
		{"a.b*c>d@e|f:g", nil},
		{"price$", nil},
		{"комната/1", nil},
		{"日本", nil},
		{strings.Repeat("x", 255), nil},
		{"", channel.ErrEmpty},
		{strings.Repeat("x", 256), channel.ErrTooLong},
		{strings.Repeat("é", 128), channel.ErrTooLong},
		{"$SYS", channel.ErrReserved},
		{"$", channel.ErrReserved},
		{"a b", channel.ErrSpace},
		{" a", channel.ErrSpace},
		{"a\t", channel.ErrSpace},
		{"a\n", channel.ErrSpace},
		{"a\u00a0b", channel.ErrSpace},
		{"a\u2028b", channel.ErrSpace},
		{"a\u3000b", channel.ErrSpace},
		{"a\x00b", channel.ErrControl},
		{"a\x1bb", channel.ErrControl},
		{"a\x7fb", channel.ErrControl},
		{"a\u0080b", channel.ErrControl},
		{"a\xffb", channel.ErrEncoding},
		{"\xed\xa0\x80", channel.ErrEncoding},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := channel.Check(tt.name); !errors.Is(got, tt.want) {
				t.Errorf("Check(%q) = %v, want %v", tt.name, got, tt.want)
			}
		})
	}
}

func TestCheckOwn(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"news": nil, "$": nil, "$user/38": nil, "$$": nil, "$日本": nil, "$" + strings.Repeat("x", 254): nil,
		"":                             channel.ErrEmpty,
		"$" + strings.Repeat("x", 255): channel.ErrTooLong,
		"$a b":                         channel.ErrSpace,
		"$\n":                          channel.ErrSpace,
		"$a\x00":                       channel.ErrControl,
		"$\xff":                        channel.ErrEncoding,
		"a b":                          channel.ErrSpace,
		strings.Repeat("x", 256):       channel.ErrTooLong,
	} {
		if got := channel.CheckOwn(name); !errors.Is(got, want) {
			t.Errorf("CheckOwn(%q) = %v, want %v", name, got, want)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, s := range []string{"", "a", "$a", "a b", "\x00", "\xff", "é", strings.Repeat("a", 256)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		bad := name == "" || len(name) > channel.MaxLength || !utf8.ValidString(name) ||
			strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Z, r) })
		if err := channel.CheckOwn(name); (err != nil) != bad {
			t.Errorf("CheckOwn(%q) = %v, want refused: %v", name, err, bad)
		}
		bad = bad || name[0] == '$'
		if err := channel.Check(name); (err != nil) != bad {
			t.Errorf("Check(%q) = %v, want refused: %v", name, err, bad)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if channel.Check("organisation/4711/room/38") != nil {
			b.Fatal("refused")
		}
	}
}
