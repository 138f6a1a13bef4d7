package house

import (
	"bytes"
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// names begin an error with a capital, as they do any sentence.
var names = []string{"Bridge", "Centrifugo", "Go", "Logux", "Node", "Unicode"}

// An error is read in the middle of a line, behind what its callers put before it.
func TestErrorText(t *testing.T) {
	for _, s := range sources(t) {
		for _, fault := range errorTexts(s) {
			t.Error(fault)
		}
	}
}

func TestErrorTextRule(t *testing.T) {
	tests := []struct {
		call string
		ok   bool
	}{
		{`errors.New("no route")`, true},
		{`errors.New("HTTP status 500")`, true},
		{`errors.New("CTProto wants text")`, true},
		{`errors.New("Logux speaks JSON")`, true},
		{`errors.New("%q is empty")`, true},
		{`errors.New(text)`, true},
		{`fmt.Errorf("read frame: %w", err)`, true},
		{`fmt.Println("Done.")`, true},
		{`errors.New("No route")`, false},
		{`errors.New("A frame is missing")`, false},
		{`errors.New("no route.")`, false},
		{`errors.New("no route!")`, false},
		{`errors.New("no route\n")`, false},
		{"errors.New(`No route`)", false},
		{`fmt.Errorf("Read frame: %w", err)`, false},
		{`fmt.Errorf("No "+"route %d", n)`, false},
		{`fmt.Errorf("no "+"route.")`, false},
	}
	for _, test := range tests {
		s := parse(t, file{"x.go", []byte("package x\nfunc f() { _ = " + test.call + " }")})
		if faults := errorTexts(s); (len(faults) == 0) != test.ok {
			t.Errorf("%s: faults %q, want ok %t", test.call, faults, test.ok)
		}
	}
}

func errorTexts(s source) (faults []string) {
	s.calls(func(name string, call *ast.CallExpr) bool {
		if (name != "errors.New" && name != "fmt.Errorf") || len(call.Args) == 0 {
			return true
		}
		text := literal(call.Args[0])
		at := s.fset.Position(call.Pos()).String()
		if beginsLikeSentence(text) {
			faults = append(faults, at+": error text begins with a capital: "+text)
		}
		if strings.HasSuffix(text, ".") || strings.HasSuffix(text, "!") || strings.HasSuffix(text, "\n") {
			faults = append(faults, at+": error text ends with punctuation: "+text)
		}
		return true
	})
	return faults
}

// beginsLikeSentence reports whether the first word has a capital first letter and no other capital
// or digit, which HTTP and CTProto have, and is no name.
func beginsLikeSentence(text string) bool {
	word := text
	if end := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }); end >= 0 {
		word = text[:end]
	}
	first := strings.IndexFunc(word, unicode.IsUpper)
	last := strings.LastIndexFunc(word, func(r rune) bool { return unicode.IsUpper(r) || unicode.IsDigit(r) })
	return first == 0 && last == 0 && !slices.Contains(names, word)
}

// literal returns the text of a string literal or of the literals in a sum of strings.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return text
		}
	case *ast.BinaryExpr:
		return literal(e.X) + literal(e.Y)
	}
	return ""
}

// sleepers are the test files that may sleep, each with the reason.
var sleepers = map[string]string{
	"core/queue/crash_test.go": "the disk is looked at once in a while, by a server that has no other clock",
	"core/queue/store_test.go": "that a real server gives nothing back takes its own time to see",
	"test/queue/story_test.go": "its clients keep a pace, so that deaths fall among their work",
}

// A test that sleeps is slow on a fast machine and fails on a slow one. It waits for what it wants
// to see, or runs in a bubble of testing/synctest, where sleeping is free.
func TestNoSleep(t *testing.T) {
	for _, s := range sources(t) {
		if !s.isTest() || sleepers[s.path] != "" {
			continue
		}
		s.calls(func(name string, call *ast.CallExpr) bool {
			if name == "time.Sleep" {
				t.Errorf("%s: a test sleeps", s.fset.Position(call.Pos()))
			}
			return name != "synctest.Test"
		})
	}
}

const maxLines = 600

// A file that is longer holds two things.
func TestFileLength(t *testing.T) {
	for _, f := range files(t, "*.go") {
		if lines := bytes.Count(f.data, []byte("\n")); lines > maxLines && !ast.IsGenerated(parse(t, f).ast) {
			t.Errorf("%s has %d lines, more than %d", f.path, lines, maxLines)
		}
	}
}

// documented are the folders whose packages say what they are for.
var documented = []string{"core/", "internal/", "plugins/", "sdk/", "upstream/"}

func TestPackageComments(t *testing.T) {
	commented := make(map[string]bool)
	for _, s := range sources(t) {
		isOurs := slices.ContainsFunc(documented, func(dir string) bool { return strings.HasPrefix(s.path, dir) })
		if isOurs && !s.isTest() {
			dir := path.Dir(s.path)
			commented[dir] = commented[dir] || s.ast.Doc.Text() != ""
		}
	}
	for dir, ok := range commented {
		if !ok {
			t.Errorf("%s: no file has a package comment", dir)
		}
	}
}
