// Package route finds what serves a path. It owns the [Table] of one listener, which never changes:
// a reload builds another and swaps the pointer. It knows nothing of configuration, of sockets or
// of what a route leads to.
package route

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
)

// Entry is one path of a route. It is not changed once a [Table] holds it.
type Entry struct {
	// ID names the route and is the same for all of its paths.
	ID string
	// Path is "/x" for itself, "/x/" for itself and everything below, "/" for itself alone and "/*"
	// for what no other entry takes.
	Path string
	// Plugin and Role say what speaks there.
	Plugin, Role string

	// MaxFrame bounds a text message in bytes; 0 means [DefaultMaxFrame], negative none.
	MaxFrame int64
	// MaxBinary bounds a binary message in bytes; 0 means what MaxFrame says, negative none.
	MaxBinary int64
	// MaxBody bounds the body of a plain request in bytes. 0 means what the listener reads at once;
	// more than that is streamed; negative is no bound.
	MaxBody int64
	// WholeBody is how much of a body is read at once where that is more than the listener does.
	WholeBody int64

	// Rate bounds the frames of a WebSocket's session: what comes faster is read later.
	Rate Rate
	// Seats bounds the sessions of the route; nil is no bound.
	Seats *Seats
	// Newest holds the entry whose limits count for the connections of this one, when tables were made
	// anew since; nil, or holding nil: this is the newest.
	Newest *atomic.Pointer[Entry]

	// WebSocket, HTTP and TCP say what the route takes; TCP is for listeners of lines.
	WebSocket, HTTP, TCP bool

	// Handshake says that an auth backend is asked who the client is before the connection is taken.
	Handshake bool
	// LocalOnly says that nobody is asked who the client is, and that only this machine may come.
	LocalOnly bool

	// Refusal, if not empty, is the JSON with which the listener itself refuses a request, in place of a line
	// of text: "%s" in it becomes a JSON string that says why.
	Refusal string
	// Unavailable is in its place where the status is 503, by the last part of the path.
	Unavailable map[string]string

	// Target is for whoever made the entry; this package and the listener do not look at it.
	Target any
}

// DefaultMaxFrame is the bound of a message whose entry has none.
const DefaultMaxFrame = 1 << 20

// Now is the entry whose limits count for the connections of e.
func (e *Entry) Now() *Entry {
	if e.Newest != nil {
		if newest := e.Newest.Load(); newest != nil {
			return newest
		}
	}
	return e
}

// TextLimit is the bound of a text message in bytes; 0 is none.
func (e *Entry) TextLimit() int64 {
	switch {
	case e.MaxFrame < 0:
		return 0
	case e.MaxFrame == 0:
		return DefaultMaxFrame
	}
	return e.MaxFrame
}

// BinaryLimit is the bound of a binary message in bytes; 0 is none.
func (e *Entry) BinaryLimit() int64 {
	switch {
	case e.MaxBinary < 0:
		return 0
	case e.MaxBinary == 0:
		return e.TextLimit()
	}
	return e.MaxBinary
}

// Table is the routes of one listener. The zero Table has none. It is safe for concurrent use.
type Table struct {
	exact    map[string]*Entry
	below    map[string]*Entry // by a path that ends in a slash
	rest     *Entry
	longest  int // of the keys of below
	shortest int
	entries  []*Entry
}

// New returns the table of the entries. Its error joins everything that is wrong: a [PathError] for
// a path that cannot match and a [DuplicateError] for one that is taken.
func New(entries []*Entry) (*Table, error) {
	t := &Table{
		exact:   make(map[string]*Entry, len(entries)),
		below:   make(map[string]*Entry),
		entries: slices.Clone(entries),
	}
	var faults []error
	for _, e := range entries {
		if text := checkPath(e.Path); text != "" {
			faults = append(faults, &PathError{Entry: e, Text: text})
			continue
		}
		if first := t.add(e); first != nil {
			faults = append(faults, &DuplicateError{First: first, Second: e})
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	slices.SortStableFunc(t.entries, func(a, b *Entry) int { return strings.Compare(a.Path, b.Path) })
	return t, nil
}

// add returns the entry that already has the path, if any.
func (t *Table) add(e *Entry) (taken *Entry) {
	switch {
	case e.Path == "/*":
		if t.rest != nil {
			return t.rest
		}
		t.rest = e
	case e.Path != "/" && strings.HasSuffix(e.Path, "/"):
		if first := t.below[e.Path]; first != nil {
			return first
		}
		t.below[e.Path] = e
		t.longest = max(t.longest, len(e.Path))
		if t.shortest == 0 || len(e.Path) < t.shortest {
			t.shortest = len(e.Path)
		}
	default:
		if first := t.exact[e.Path]; first != nil {
			return first
		}
		t.exact[e.Path] = e
	}
	return nil
}

func checkPath(path string) string {
	if !strings.HasPrefix(path, "/") {
		return `does not begin with "/"`
	}
	if path == "/*" {
		return ""
	}
	// What a request asks for arrives cleaned of these.
	for part := range strings.SplitSeq(strings.TrimSuffix(path[1:], "/"), "/") {
		switch {
		case part == "" && path != "/":
			return "has an empty segment"
		case part == "." || part == "..":
			return "has a dot segment"
		case strings.Contains(part, "*"):
			return `has a "*", which stands only in "/*"`
		case strings.ContainsAny(part, "?#"):
			return "has more than a path"
		}
	}
	return ""
}

// Lookup returns what serves the path, nil when nothing does. path is decoded and clean, without a
// query, and not kept. It does not allocate.
func (t *Table) Lookup(path []byte) *Entry {
	if e := t.exact[string(path)]; e != nil {
		return e
	}
	// Prefixes end in a slash; none is longer than the longest, so that a path full of slashes costs
	// no more than another.
	for i := min(len(path), t.longest) - 1; i > 0 && i+1 >= t.shortest; i-- {
		if path[i] != '/' {
			continue
		}
		if e := t.below[string(path[:i+1])]; e != nil {
			return e
		}
	}
	return t.rest
}

// Entries lists what the table holds, sorted by path. It is not to be changed.
func (t *Table) Entries() []*Entry { return t.entries }

// PathError says that an entry's path could never match.
type PathError struct {
	Entry *Entry
	Text  string // what is wrong, to be put behind the path
}

func (e *PathError) Error() string {
	return fmt.Sprintf("path %q of route %s %s", e.Entry.Path, e.Entry.ID, e.Text)
}

// DuplicateError says that two entries have the same path.
type DuplicateError struct{ First, Second *Entry }

func (e *DuplicateError) Error() string {
	return fmt.Sprintf("path %q of route %s is taken by route %s", e.Second.Path, e.Second.ID, e.First.ID)
}
