package route

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func table(tb testing.TB, paths ...string) *Table {
	tb.Helper()
	entries := make([]*Entry, 0, len(paths))
	for _, p := range paths {
		entries = append(entries, &Entry{ID: "route " + p, Path: p})
	}
	tab, err := New(entries)
	if err != nil {
		tb.Fatal(err)
	}
	return tab
}

func pathOf(e *Entry) string {
	if e == nil {
		return ""
	}
	return e.Path
}

func TestLookup(t *testing.T) {
	tests := map[string]struct {
		routes []string
		want   map[string]string // path → the route's; "" is none
	}{
		"nothing at all": {nil, map[string]string{"/": "", "/x": "", "": ""}},
		"itself": {[]string{"/x"}, map[string]string{
			"/x": "/x", "/x/": "", "/x/y": "", "/xy": "", "/": "", "/X": "", "x": "",
		}},
		"everything below": {[]string{"/x/"}, map[string]string{
			"/x/": "/x/", "/x/y": "/x/", "/x/y/z/": "/x/", "/x": "", "/xy/": "", "/": "",
		}},
		"a lone slash": {[]string{"/"}, map[string]string{"/": "/", "/x": "", "/x/": "", "": ""}},
		"the rest": {[]string{"/*", "/x"}, map[string]string{
			"/": "/*", "/y": "/*", "/x": "/x", "/x/": "/*", "/*": "/*", "": "/*",
		}},
		"the rest and a lone slash": {[]string{"/*", "/"}, map[string]string{"/": "/", "/y": "/*"}},
		"the longest prefix": {[]string{"/a/", "/a/b/", "/a/b/c", "/*"}, map[string]string{
			"/a/x": "/a/", "/a/b": "/a/", "/a/b/": "/a/b/", "/a/b/c": "/a/b/c", "/a/b/c/": "/a/b/",
			"/a/b/c/d": "/a/b/", "/b": "/*",
		}},
		"itself before below": {[]string{"/a/", "/a"}, map[string]string{"/a": "/a", "/a/": "/a/"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tab := table(t, tt.routes...)
			for path, want := range tt.want {
				if got := pathOf(tab.Lookup([]byte(path))); got != want {
					t.Errorf("%v: Lookup(%q) = %q, want %q", tt.routes, path, got, want)
				}
			}
		})
	}
}

func TestZeroTableHasNothing(t *testing.T) {
	if e := new(Table).Lookup([]byte("/x")); e != nil {
		t.Errorf("got %v", e)
	}
}

func TestNewReportsAllFaults(t *testing.T) {
	_, err := New([]*Entry{
		{ID: "a", Path: "/x"},
		{ID: "b", Path: "/x"},
		{ID: "c", Path: "y"},
		{ID: "d", Path: "/a//b"},
		{ID: "e", Path: "/a/../b"},
		{ID: "f", Path: "/a*"},
		{ID: "g", Path: "/a?b"},
		{ID: "h", Path: "/*"},
		{ID: "i", Path: "/*"},
		{ID: "j", Path: "/p/"},
		{ID: "k", Path: "/p/"},
		{ID: "l", Path: "//"},
	})
	if err == nil {
		t.Fatal("no error")
	}
	want := []string{
		`path "/x" of route b is taken by route a`,
		`path "y" of route c does not begin with "/"`,
		`path "/a//b" of route d has an empty segment`,
		`path "/a/../b" of route e has a dot segment`,
		`path "/a*" of route f has a "*", which stands only in "/*"`,
		`path "/a?b" of route g has more than a path`,
		`path "/*" of route i is taken by route h`,
		`path "/p/" of route k is taken by route j`,
		`path "//" of route l has an empty segment`,
	}
	if got := strings.Split(err.Error(), "\n"); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var dup *DuplicateError
	if !errors.As(err, &dup) || dup.First.ID != "a" || dup.Second.ID != "b" {
		t.Errorf("no DuplicateError of a and b in %v", err)
	}
}

func TestEntriesAreSorted(t *testing.T) {
	var got []string
	for _, e := range table(t, "/x", "/*", "/a/", "/").Entries() {
		got = append(got, e.Path)
	}
	if want := []string{"/", "/*", "/a/", "/x"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLimits(t *testing.T) {
	tests := map[string]struct{ frame, binary, text, bin int64 }{
		"defaults":          {0, 0, DefaultMaxFrame, DefaultMaxFrame},
		"binary as text":    {10, 0, 10, 10},
		"each its own":      {10, 20, 10, 20},
		"text without":      {-1, 20, 0, 20},
		"binary without":    {10, -1, 10, 0},
		"both without":      {-1, 0, 0, 0},
		"text by itself":    {0, 20, DefaultMaxFrame, 20},
		"only text bounded": {0, -1, DefaultMaxFrame, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := &Entry{MaxFrame: tt.frame, MaxBinary: tt.binary}
			if text, bin := e.TextLimit(), e.BinaryLimit(); text != tt.text || bin != tt.bin {
				t.Errorf("got %d, %d, want %d, %d", text, bin, tt.text, tt.bin)
			}
		})
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	tab := table(t, "/x", "/a/", "/a/b/", "/*")
	paths := [][]byte{[]byte("/x"), []byte("/a/b/c/d"), []byte("/nothing/of/the/kind/" + strings.Repeat("x", 100))}
	if n := testing.AllocsPerRun(100, func() {
		for _, p := range paths {
			tab.Lookup(p)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// naive is what the words say: itself, else the longest that is above, else the rest.
func naive(routes []string, path string) string {
	best := ""
	for _, r := range routes {
		switch {
		case r == "/*":
			if best == "" {
				best = r
			}
		case r == path:
			return r
		case r != "/" && strings.HasSuffix(r, "/") && strings.HasPrefix(path, r):
			if best == "/*" || len(r) > len(best) {
				best = r
			}
		}
	}
	return best
}

func FuzzLookup(f *testing.F) {
	f.Add("/x /a/ /a/b/ /*", "/a/b/c")
	f.Add("/", "/")
	f.Add("/a/ /a/b/c/ /a/b", "/a/b/")
	f.Add("/*", "")
	f.Fuzz(func(t *testing.T, routes, path string) {
		var entries []*Entry
		for r := range strings.FieldsSeq(routes) {
			entries = append(entries, &Entry{Path: r})
		}
		tab, err := New(entries)
		if err != nil {
			return
		}
		got, want := pathOf(tab.Lookup([]byte(path))), naive(strings.Fields(routes), path)
		if got != want {
			t.Errorf("%q: Lookup(%q) = %q, want %q", routes, path, got, want)
		}
	})
}

func BenchmarkLookup(b *testing.B) {
	tab := table(b, "/client", "/ctproto/v1/", "/v1/", "/ws/v1", "/*")
	path := []byte("/v1/topics/orders")
	for b.Loop() {
		tab.Lookup(path)
	}
}
